#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "channel/base/bytes.h"

namespace hedgerow::wallet {

/// Starts libsodium once a process; throws std::runtime_error where it cannot (no source of randomness).
void ensure_sodium();

/// Bytes that must not leak: in guarded memory (libsodium: locked against swapping where the system allows, left out of
/// core dumps, wiped when freed; small ones share a block of it), moved but never copied by accident, compared in constant time, and with no way to
/// print them. Throws std::bad_alloc when the system has no memory to give.
class SecretBytes {
  public:
    SecretBytes() = default;                 ///< none
    explicit SecretBytes(std::size_t size);  ///< zeros
    ~SecretBytes();
    SecretBytes(SecretBytes&& other) noexcept;
    SecretBytes& operator=(SecretBytes&& other) noexcept;
    SecretBytes(const SecretBytes&) = delete;
    SecretBytes& operator=(const SecretBytes&) = delete;

    [[nodiscard]] static SecretBytes copy_of(channel::ByteView bytes);
    [[nodiscard]] static SecretBytes random(std::size_t size);
    [[nodiscard]] SecretBytes clone() const { return copy_of(reveal()); }

    [[nodiscard]] std::size_t size() const { return m_size; }
    [[nodiscard]] bool empty() const { return m_size == 0; }
    /// The bytes themselves; a marked name so that every place which looks can be found. Valid while this object is.
    [[nodiscard]] channel::ByteView reveal() const { return {m_data, m_size}; }
    [[nodiscard]] std::span<std::uint8_t> writable() { return {m_data, m_size}; }
    /// Constant time for equal sizes.
    [[nodiscard]] bool equals(channel::ByteView bytes) const;
    void wipe();

  private:
    std::uint8_t* m_data = nullptr;
    std::size_t m_size = 0;
};

/// A secret that is text, such as a phrase. Valid while the secret is.
[[nodiscard]] inline std::string_view reveal_text(const SecretBytes& secret) {
    return {reinterpret_cast<const char*>(secret.reveal().data()), secret.size()};
}

/// Wipes a stack buffer that held a secret when the scope ends.
class WipeOnExit {
  public:
    explicit WipeOnExit(std::span<std::uint8_t> bytes) : m_bytes(bytes) {}
    ~WipeOnExit();
    WipeOnExit(const WipeOnExit&) = delete;
    WipeOnExit& operator=(const WipeOnExit&) = delete;

  private:
    std::span<std::uint8_t> m_bytes;
};

}  // namespace hedgerow::wallet
