#include "daemon/net/peer_uri.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "daemon/net/transport_keys.h"

namespace hedgerow::daemon {

using channel::Expected;
using channel::NodeId;
using channel::Rule;
using channel::Unexpected;

namespace {

constexpr std::size_t kMaxUriSize = 400;
constexpr std::size_t kMaxHostSize = 253;  // RFC 1035
constexpr std::size_t kMaxLabelSize = 63;

bool is_ipv6(const std::string& host) {
    std::array<std::uint8_t, sizeof(in6_addr)> out{};
    return inet_pton(AF_INET6, host.c_str(), out.data()) == 1;
}

bool is_alphanumeric(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool is_label(std::string_view label) {
    if (label.empty() || label.size() > kMaxLabelSize) return false;
    if (label.front() == '-' || label.back() == '-') return false;
    return std::all_of(label.begin(), label.end(), [](char c) { return is_alphanumeric(c) || c == '-' || c == '_'; });
}

bool is_dns_name(std::string_view host) {
    while (true) {
        const std::size_t dot = host.find('.');
        if (!is_label(host.substr(0, dot))) return false;
        if (dot == std::string_view::npos) return true;
        host.remove_prefix(dot + 1);
    }
}

Expected<std::uint16_t, Rule> parse_port(std::string_view text) {
    std::uint16_t port = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), port);
    const bool whole = parsed.ec == std::errc() && parsed.ptr == text.data() + text.size();
    if (!whole || port == 0 || text.front() == '0') return Unexpected{Rule::port_out_of_range};
    return port;
}

}  // namespace

bool is_numeric_host(const std::string& host) {
    std::array<std::uint8_t, sizeof(in6_addr)> out{};
    return inet_pton(AF_INET, host.c_str(), out.data()) == 1 || is_ipv6(host);
}

bool is_valid_host(std::string_view host) {
    if (host.empty() || host.size() > kMaxHostSize || host.find('\0') != std::string_view::npos) return false;
    if (is_numeric_host(std::string(host))) return true;
    // All digits and dots but no address (1.2.3, 256.1.1.1): resolvers read such text in surprising ways.
    if (host.find_first_not_of("0123456789.") == std::string_view::npos) return false;
    return is_dns_name(host);
}

Expected<PeerUri, Rule> parse_peer_uri(std::string_view text) {
    if (text.size() > kMaxUriSize) return Unexpected{Rule::peer_uri_malformed};
    const std::size_t at = text.find('@');
    const std::size_t colon = text.rfind(':');
    if (at == std::string_view::npos || colon == std::string_view::npos || colon < at) {
        return Unexpected{Rule::peer_uri_malformed};
    }
    const std::string_view id_text = text.substr(0, at);
    const auto id = channel::fixed_from_hex<NodeId>(id_text);
    if (id_text.size() != 2 * NodeId::kSize || !id || !curve_key_of(*id)) return Unexpected{Rule::node_id_malformed};

    std::string_view host = text.substr(at + 1, colon - at - 1);
    const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
    if (bracketed) host = host.substr(1, host.size() - 2);
    // Brackets are for IPv6 and IPv6 needs them: "::1:80" could be cut in two places.
    if (!is_valid_host(host) || bracketed != is_ipv6(std::string(host))) return Unexpected{Rule::host_malformed};

    const std::string_view port_text = text.substr(colon + 1);
    if (port_text.empty()) return Unexpected{Rule::port_out_of_range};
    const auto port = parse_port(port_text);
    if (!port) return Unexpected{port.error()};
    return PeerUri{*id, std::string(host), *port};
}

std::string format_peer_uri(const PeerUri& uri) {
    const bool brackets = uri.host.find(':') != std::string::npos;
    return fmt::format("{}@{}{}{}:{}", channel::to_hex(uri.node_id).substr(2), brackets ? "[" : "", uri.host,
                       brackets ? "]" : "", uri.port);
}

std::string tcp_endpoint(std::string_view host, std::string_view port) {
    const bool brackets = host.find(':') != std::string_view::npos;
    return fmt::format("tcp://{}{}{}:{}", brackets ? "[" : "", host, brackets ? "]" : "", port);
}

}  // namespace hedgerow::daemon
