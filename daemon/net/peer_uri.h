#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "channel/base/expected.h"
#include "channel/base/ids.h"
#include "channel/base/rule.h"

namespace hedgerow::daemon {

/// `<node id: 64 hex digits>@host:port` (DESIGN 9). `host` is an IPv4 address, a DNS name, or an IPv6 address, which
/// the text form encloses in brackets.
struct PeerUri {
    channel::NodeId node_id;
    std::string host;
    std::uint16_t port = 0;

    bool operator==(const PeerUri&) const = default;
};

/// Errors: peer_uri_malformed (no '@', no ':', spaces, more than 400 characters), node_id_malformed (not 64 hex digits,
/// or not a point that can be a key), host_malformed, port_out_of_range (not 1 to 65535, leading zeros).
[[nodiscard]] channel::Expected<PeerUri, channel::Rule> parse_peer_uri(std::string_view text);
[[nodiscard]] std::string format_peer_uri(const PeerUri& uri);

/// A host as in PeerUri, without brackets?
[[nodiscard]] bool is_valid_host(std::string_view host);
/// An IPv4 or IPv6 address, so that no name service is needed?
[[nodiscard]] bool is_numeric_host(const std::string& host);
/// "tcp://host:port" with brackets around an IPv6 address.
[[nodiscard]] std::string tcp_endpoint(std::string_view host, std::string_view port);

}  // namespace hedgerow::daemon
