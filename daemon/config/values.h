#pragma once

#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "daemon/config/config.h"

/// Texts of the configuration into typed, range-checked values. Each returns what is wrong, or nothing.
namespace hedgerow::daemon {

using Problem = std::optional<ConfigError>;

[[nodiscard]] Problem malformed(std::string_view text, std::string_view expected);
[[nodiscard]] Problem out_of_range(std::string_view text, std::string_view range);

[[nodiscard]] Problem read_bool(std::string_view text, bool& out);
[[nodiscard]] Problem read_u64(std::string_view text, std::uint64_t& out, std::uint64_t min, std::uint64_t max);
template <typename T>
[[nodiscard]] Problem read_number(std::string_view text, T& out, std::type_identity_t<T> min = 0,
                                  std::type_identity_t<T> max = std::numeric_limits<T>::max()) {
    std::uint64_t value = 0;
    const Problem problem = read_u64(text, value, min, max);
    if (!problem) out = static_cast<T>(value);
    return problem;
}
[[nodiscard]] Problem read_path(std::string_view text, std::filesystem::path& out);
/// "~/..." with the home directory in place of "~".
[[nodiscard]] std::filesystem::path expand_home(const std::filesystem::path& path);
/// An IP address or DNS name.
[[nodiscard]] Problem read_host(std::string_view text, std::string& out);
/// "host:port" with brackets around IPv6.
[[nodiscard]] Problem read_endpoint(std::string_view text, std::string& host, std::uint16_t& port,
                                    std::uint16_t min_port);
[[nodiscard]] Problem read_url(std::string_view text, std::string_view scheme, std::string& out);
/// 0x-hex, with a right EIP-55 checksum where the letters are of both cases; not zero.
[[nodiscard]] Problem read_address(std::string_view text, channel::Address& out);
[[nodiscard]] Problem read_feed(std::string_view text, channel::Feed& out);
/// A decimal number >= 0 (> 0 with `positive`) with at most `decimals` digits after the point, times 10^decimals.
[[nodiscard]] Problem read_decimal(std::string_view text, int decimals, bool positive, channel::Int128& out);
/// The parts between commas, trimmed; malformed unless there are `count`.
[[nodiscard]] Problem split(std::string_view text, std::size_t count, std::string_view form,
                            std::vector<std::string_view>& out);
[[nodiscard]] std::string_view trim(std::string_view text);

[[nodiscard]] Problem read_asset(std::string_view text, AssetConfig& out);
[[nodiscard]] Problem read_oracle(std::string_view text, OracleAddress& out);
[[nodiscard]] Problem read_risk_class(std::string_view text, channel::RiskClass& out);
[[nodiscard]] Problem read_maker_size(std::string_view text, MakerSize& out);
[[nodiscard]] Problem read_peer(std::string_view text, PeerUri& out);

}  // namespace hedgerow::daemon
