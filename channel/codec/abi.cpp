#include "channel/codec/abi.h"

#include "channel/crypto/keccak.h"

namespace hedgerow::channel {

Word AbiReader::word_at(std::size_t position) {
    Word out{};
    if (!m_ok || position > m_bytes.size() || m_bytes.size() - position < 32) {
        m_ok = false;
        return out;
    }
    std::copy_n(m_bytes.begin() + static_cast<std::ptrdiff_t>(position), 32, out.begin());
    return out;
}

std::size_t AbiReader::size_at(std::size_t position) {
    const auto value = from_word<std::uint32_t>(word_at(position));
    if (!value) m_ok = false;
    return m_ok ? *value : 0;
}

Bytes abi_selector(std::string_view signature) {
    const Hash hash = keccak256(as_bytes(signature));
    return {hash.data.begin(), hash.data.begin() + 4};
}

}  // namespace hedgerow::channel
