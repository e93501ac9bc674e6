#pragma once

#include <string_view>

#include "channel/market/package.h"
#include "wallet/keys/private_key.h"

namespace hedgerow::daemon::testing {

inline channel::Feed feed(std::string_view name) {
    return *channel::feed_from_name(name);
}
inline channel::Price price(std::string_view text) {
    return channel::Price::from_raw(*channel::parse_decimal(text, channel::kPriceDecimals));
}

/// An oracle whose key is one repeated byte.
class TestOracle {
  public:
    explicit TestOracle(std::uint8_t byte) : m_key(*wallet::PrivateKey::from_bytes(channel::Bytes(32, byte))) {}

    [[nodiscard]] const channel::Address& address() const { return m_key.address(); }
    [[nodiscard]] channel::Bytes sign(const channel::DataPackage& data) const {
        return channel::encode_signed_package(channel::SignedPackage{data, m_key.sign(channel::package_digest(data))});
    }
    [[nodiscard]] channel::Bytes package(std::string_view of, std::string_view at, std::uint64_t time_ms) const {
        return sign(channel::single_price_package(feed(of), price(at), time_ms));
    }

  private:
    wallet::PrivateKey m_key;
};

}  // namespace hedgerow::daemon::testing
