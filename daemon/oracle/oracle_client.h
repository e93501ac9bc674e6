#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "daemon/oracle/price_book.h"

namespace hedgerow::daemon {

/// Where one oracle publishes.
struct OracleEndpoint {
    std::string publish;  ///< ZeroMQ, "tcp://host:port"
    std::string http;     ///< "http://host:port" of its history; empty: none
};

struct OracleClientConfig {
    std::vector<OracleEndpoint> endpoints;  ///< at most kMaxEndpoints
    std::uint32_t http_timeout_ms = 3'000;
    static constexpr std::size_t kMaxEndpoints = SignerFinder::kMaxSources;
};

/// What came from one endpoint since start.
struct OracleEndpointStatus {
    OracleEndpoint endpoint;
    std::uint64_t last_message_ms = 0;  ///< 0: never
    std::uint64_t accepted = 0;
    std::map<channel::Rule, std::uint64_t> refused;  ///< by the name of the rule
    std::string last_error;                          ///< of its history server; empty where the last request went well
};

/// Subscribes to oracles over ZeroMQ, fetches their history over HTTP, and feeds both into a price book, on two threads
/// of its own. Lost connections are tried again for ever (100 ms to 5 s apart); packages missed meanwhile come by
/// request_history. What a subscriber cannot take is dropped by the publisher after kHighWater messages.
class OracleClient {
  public:
    using Clock = std::function<std::uint64_t()>;  ///< Unix ms; called on the client's threads
    /// Feeds whose agreed price is new; on the client's thread, must not block (post it to the node's loop).
    using OnMoved = std::function<void(std::vector<channel::Feed>)>;
    /// The history file can no longer be written, or the like; the client has stopped. On the client's thread.
    using OnFault = std::function<void(const std::string&)>;

    static constexpr int kHighWater = 4'096;
    static constexpr std::size_t kMaxRequests = 1'024;

    /// Starts at once. std::invalid_argument for an endpoint that is none. `book` outlives the client.
    OracleClient(OracleClientConfig config, PriceBook& book, Clock clock, OnMoved on_moved, OnFault on_fault);
    /// Stops and joins.
    ~OracleClient();
    OracleClient(const OracleClient&) = delete;
    OracleClient& operator=(const OracleClient&) = delete;

    /// Asks every oracle for its package of (feed, second); what comes is in PriceBook::packages. From any thread.
    /// Rule::none, or queue_full. A request that waits already is not queued twice.
    [[nodiscard]] channel::Rule request_history(const channel::Feed& feed, std::uint64_t time_s);
    /// Requests queued or being made.
    [[nodiscard]] std::size_t pending_requests() const;

    [[nodiscard]] std::vector<OracleEndpointStatus> status() const;

  private:
    struct Impl;
    std::unique_ptr<Impl> m_impl;
};

/// The topic frame of a feed: its 32 bytes, so that no feed's name is a prefix of another's. A message is topic, signed
/// package.
inline constexpr std::size_t kOracleTopicBytes = 32;

}  // namespace hedgerow::daemon
