#include "channel/crypto/checksum.h"

#include <cryptopp/siphash.h>

namespace hedgerow::channel {

std::array<std::uint8_t, 8> checksum(std::initializer_list<ByteView> parts) {
    constexpr std::array<CryptoPP::byte, 16> kKey{};
    CryptoPP::SipHash<2, 4, false> hasher(kKey.data(), kKey.size());
    for (const ByteView part : parts) hasher.Update(part.data(), part.size());
    std::array<std::uint8_t, 8> out{};
    hasher.Final(out.data());
    return out;
}

}  // namespace hedgerow::channel
