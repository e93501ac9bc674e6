#include "wallet/keys/secret.h"

#include <sodium.h>

#include <new>
#include <stdexcept>
#include <utility>

namespace hedgerow::wallet {

void ensure_sodium() {
    static const int started = sodium_init();
    if (started < 0) throw std::runtime_error("libsodium does not start");
}

SecretBytes::SecretBytes(std::size_t size) : m_size(size) {
    if (size == 0) return;
    ensure_sodium();
    m_data = static_cast<std::uint8_t*>(sodium_malloc(size));
    if (m_data == nullptr) throw std::bad_alloc();
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
    sodium_free(m_data);  // wipes before it frees; null is allowed
    m_data = nullptr;
    m_size = 0;
}

WipeOnExit::~WipeOnExit() {
    sodium_memzero(m_bytes.data(), m_bytes.size());
}

}  // namespace hedgerow::wallet
