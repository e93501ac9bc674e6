#include "wallet/keys/secret.h"

#include <sodium.h>

#include <mutex>
#include <new>
#include <stdexcept>
#include <utility>
#include <vector>

namespace hedgerow::wallet {

void ensure_sodium() {
    static const int started = sodium_init();
    if (started < 0) throw std::runtime_error("libsodium does not start");
}

namespace {

std::uint8_t* guarded(std::size_t size) {
    ensure_sodium();
    auto* const data = static_cast<std::uint8_t*>(sodium_malloc(size));
    if (data == nullptr) throw std::bad_alloc();
    return data;
}

/// Keys share guarded blocks: one of its own for each would cost four pages, and the system allows a process about 65,000 mappings,
/// which is less than a hub has channels.
class SmallSecrets {
  public:
    static constexpr std::size_t kMax = 64;

    /// Of kMax bytes.
    std::uint8_t* take() {
        const std::lock_guard lock(m_mutex);
        if (m_free.empty()) {
            std::uint8_t* const block = guarded(kBlock);
            for (std::size_t at = kBlock; at > 0; at -= kMax) m_free.push_back(block + at - kMax);
        }
        std::uint8_t* const out = m_free.back();
        m_free.pop_back();
        return out;
    }
    void give_back(std::uint8_t* data) {
        sodium_memzero(data, kMax);
        const std::lock_guard lock(m_mutex);
        m_free.push_back(data);
    }

  private:
    static constexpr std::size_t kBlock = 1024 * kMax;
    std::mutex m_mutex;
    std::vector<std::uint8_t*> m_free;
};

/// Lives as long as the process: secrets of static objects may go last.
SmallSecrets& small_secrets() {
    static auto* const pool = new SmallSecrets();
    return *pool;
}

}  // namespace

SecretBytes::SecretBytes(std::size_t size) : m_size(size) {
    if (size == 0) return;
    m_data = size <= SmallSecrets::kMax ? small_secrets().take() : guarded(size);
    sodium_memzero(m_data, size);
}

SecretBytes::~SecretBytes() {
    wipe();
}

SecretBytes::SecretBytes(SecretBytes&& other) noexcept
    : m_data(std::exchange(other.m_data, nullptr)), m_size(std::exchange(other.m_size, 0)) {}

SecretBytes& SecretBytes::operator=(SecretBytes&& other) noexcept {
    if (this == &other) return *this;
    wipe();
    m_data = std::exchange(other.m_data, nullptr);
    m_size = std::exchange(other.m_size, 0);
    return *this;
}

SecretBytes SecretBytes::copy_of(channel::ByteView bytes) {
    SecretBytes out(bytes.size());
    std::copy(bytes.begin(), bytes.end(), out.m_data);
    return out;
}

SecretBytes SecretBytes::random(std::size_t size) {
    SecretBytes out(size);
    randombytes_buf(out.m_data, size);
    return out;
}

bool SecretBytes::equals(channel::ByteView bytes) const {
    if (bytes.size() != m_size) return false;
    return m_size == 0 || sodium_memcmp(m_data, bytes.data(), m_size) == 0;
}

void SecretBytes::wipe() {
    if (m_data != nullptr && m_size <= SmallSecrets::kMax)
        small_secrets().give_back(m_data);
    else
        sodium_free(m_data);  // wipes before it frees; null is allowed
    m_data = nullptr;
    m_size = 0;
}

WipeOnExit::~WipeOnExit() {
    sodium_memzero(m_bytes.data(), m_bytes.size());
}

}  // namespace hedgerow::wallet
