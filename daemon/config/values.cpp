#include "daemon/config/values.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>

#include "channel/crypto/signature.h"

namespace hedgerow::daemon {

using channel::Address;
using channel::Feed;
using channel::Int128;
using channel::Rule;

namespace {

constexpr std::size_t kMaxPathSize = 4096;
constexpr std::size_t kMaxUrlSize = 2000;
constexpr std::size_t kMaxSymbolSize = 16;
constexpr std::uint16_t kAllBps = 10'000;

bool is_printable_ascii(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

}  // namespace

Problem malformed(std::string_view text, std::string_view expected) {
    return ConfigError{ConfigErrorKind::malformed_value, fmt::format("'{}' is not {}", text, expected)};
}

Problem out_of_range(std::string_view text, std::string_view range) {
    return ConfigError{ConfigErrorKind::out_of_range, fmt::format("{} is not {}", text, range)};
}

std::string_view trim(std::string_view text) {
    const std::size_t begin = text.find_first_not_of(" \t\r");
    if (begin == std::string_view::npos) return {};
    return text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
}

Problem read_bool(std::string_view text, bool& out) {
    if (text != "true" && text != "false") return malformed(text, "true or false");
    out = text == "true";
    return {};
}

Problem read_u64(std::string_view text, std::uint64_t& out, std::uint64_t min, std::uint64_t max) {
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), out);
    const bool digits = !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
    if (!digits) return malformed(text, "a whole number");
    if (parsed.ec != std::errc() || out < min || out > max)
        return out_of_range(text, fmt::format("between {} and {}", min, max));
    return {};
}

Problem read_path(std::string_view text, std::filesystem::path& out) {
    if (text.empty() || text.size() > kMaxPathSize || text.find('\0') != std::string_view::npos) {
        return malformed(text, "a path");
    }
    out = text;
    return {};
}

std::filesystem::path expand_home(const std::filesystem::path& path) {
    const std::string text = path.string();
    const char* home = std::getenv("HOME");
    return text.starts_with("~/") && home != nullptr ? std::filesystem::path(home) / text.substr(2) : path;
}

Problem read_host(std::string_view text, std::string& out) {
    if (!is_valid_host(text)) return malformed(text, "an IP address or host name");
    out = text;
    return {};
}

Problem read_endpoint(std::string_view text, std::string& host, std::uint16_t& port, std::uint16_t min_port) {
    const std::size_t colon = text.rfind(':');
    if (colon == std::string_view::npos) return malformed(text, "host:port");
    std::string_view name = text.substr(0, colon);
    const bool bracketed = name.size() > 2 && name.front() == '[' && name.back() == ']';
    if (bracketed) name = name.substr(1, name.size() - 2);
    const bool has_colons = name.find(':') != std::string_view::npos;
    if (bracketed != has_colons || !is_valid_host(name)) return malformed(text, "host:port");
    host = name;
    return read_number(text.substr(colon + 1), port, min_port);
}

Problem read_url(std::string_view text, std::string_view scheme, std::string& out) {
    const std::string prefix = fmt::format("{}://", scheme);
    const bool good = text.starts_with(prefix) && text.size() > prefix.size() && text.size() <= kMaxUrlSize &&
                      is_printable_ascii(text);
    // Not quoted in the error: the URL of a chain provider holds its key.
    if (!good)
        return ConfigError{ConfigErrorKind::malformed_value, fmt::format("the value is not a {}... address", prefix)};
    out = text;
    return {};
}

Problem read_address(std::string_view text, Address& out) {
    const auto address = text.starts_with("0x") ? channel::parse_address(text) : std::nullopt;
    if (!address) return malformed(text, "a 0x address of 40 hex digits with a right checksum");
    if (address->is_zero()) return out_of_range(text, "a non-zero address");
    out = *address;
    return {};
}

Problem read_feed(std::string_view text, Feed& out) {
    const auto feed = channel::feed_from_name(text);
    if (!feed || feed->is_zero()) return malformed(text, "a feed name (at most 31 of A-Z a-z 0-9 _ . -)");
    out = *feed;
    return {};
}

Problem read_decimal(std::string_view text, int decimals, bool positive, Int128& out) {
    const auto value = channel::parse_decimal(text, decimals);
    if (!value && value.error() == Rule::amount_too_precise)
        return out_of_range(text, fmt::format("a number of at most {} decimal places", decimals));
    if (!value && value.error() != Rule::amount_out_of_range) return malformed(text, "a decimal number");
    const bool in_range =
        value && channel::Quantity::from_raw(*value).within_bits(channel::kMarketBits) && *value >= (positive ? 1 : 0);
    if (!in_range)
        return out_of_range(text, positive ? "a number above 0 within limits" : "a number from 0 within limits");
    out = *value;
    return {};
}

Problem split(std::string_view text, std::size_t count, std::string_view form, std::vector<std::string_view>& out) {
    out.clear();
    std::string_view rest = text;
    while (out.size() <= count) {
        const std::size_t comma = rest.find(',');
        out.push_back(trim(rest.substr(0, comma)));
        if (comma == std::string_view::npos) break;
        rest.remove_prefix(comma + 1);
    }
    return out.size() == count ? Problem() : malformed(text, form);
}

Problem read_asset(std::string_view text, AssetConfig& out) {
    std::vector<std::string_view> parts;
    if (auto problem = split(text, 5, "SYMBOL,TOKEN,DECIMALS,FEED,HAIRCUT", parts)) return problem;
    const bool symbol_good =
        !parts[0].empty() && parts[0].size() <= kMaxSymbolSize && channel::feed_from_name(parts[0]);
    if (!symbol_good) return malformed(parts[0], "a symbol of 1 to 16 letters, digits, '_', '.' or '-'");
    out.symbol = parts[0];
    if (parts[1] != "native") {
        if (auto problem = read_address(parts[1], out.token)) return problem;
    }
    if (auto problem = read_number(parts[2], out.decimals, 0, 18)) return problem;
    if (parts[3] != "usd") {
        if (auto problem = read_feed(parts[3], out.feed)) return problem;
    }
    return read_number(parts[4], out.haircut_bps, 0, kAllBps);
}

Problem read_oracle(std::string_view text, OracleAddress& out) {
    std::vector<std::string_view> parts;
    if (auto problem = split(text, 2, "tcp://HOST:PORT,http://HOST:PORT", parts)) return problem;
    for (const auto& [part, scheme] : {std::pair(parts[0], "tcp://"), std::pair(parts[1], "http://")}) {
        std::string host;
        std::uint16_t port = 0;
        if (!part.starts_with(scheme)) return malformed(part, fmt::format("{}HOST:PORT", scheme));
        if (auto problem = read_endpoint(part.substr(std::string_view(scheme).size()), host, port, 1)) return problem;
    }
    out = {std::string(parts[0]), std::string(parts[1])};
    return {};
}

Problem read_risk_class(std::string_view text, channel::RiskClass& out) {
    std::vector<std::string_view> parts;
    if (auto problem = split(text, 5, "UNDERLYING,INITIAL,MAINTENANCE,PENALTY,LOT", parts)) return problem;
    if (auto problem = read_feed(parts[0], out.underlying)) return problem;
    if (auto problem = read_number(parts[1], out.initial_bps, 1, kAllBps)) return problem;
    if (auto problem = read_number(parts[2], out.maintenance_bps, 1, out.initial_bps)) return problem;
    if (auto problem = read_number(parts[3], out.penalty_bps, 0, out.maintenance_bps)) return problem;
    Int128 lot = 0;
    if (auto problem = read_decimal(parts[4], channel::kPriceDecimals, true, lot)) return problem;
    out.lot = channel::Quantity::from_raw(lot);
    return {};
}

Problem read_maker_size(std::string_view text, MakerSize& out) {
    std::vector<std::string_view> parts;
    if (auto problem = split(text, 2, "INSTRUMENT,SIZE", parts)) return problem;
    Feed name;
    if (auto problem = read_feed(parts[0], name)) return problem;
    Int128 size = 0;
    if (auto problem = read_decimal(parts[1], channel::kPriceDecimals, true, size)) return problem;
    out = {std::string(parts[0]), channel::Quantity::from_raw(size)};
    return {};
}

Problem read_peer(std::string_view text, PeerUri& out) {
    const auto uri = parse_peer_uri(text);
    if (!uri) return malformed(text, fmt::format("<node id>@host:port ({})", channel::rule_name(uri.error())));
    out = *uri;
    return {};
}

}  // namespace hedgerow::daemon
