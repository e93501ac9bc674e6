#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "daemon/oracle/market_model.h"
#include "daemon/oracle/package_history.h"
#include "wallet/keys/private_key.h"

namespace hedgerow::daemon {

struct OracleServiceConfig {
    std::string publish = "tcp://127.0.0.1:0";  ///< ZeroMQ PUB; port 0: chosen by the system
    std::string http_address = "127.0.0.1";     ///< an IP address
    std::uint16_t http_port = 0;
    std::vector<channel::Feed> feeds;  ///< which of the model's to sign; empty: all
    std::uint32_t interval_ms = 250;   ///< 10 to 60,000; whole seconds are signed besides
    double noise_bps = 1;              ///< how far this oracle's own word lies about the model's, 0 to 1,000
    HistoryConfig history;
};

/// The first tick after `after_ms`: a multiple of the interval or a whole second, whichever comes first. The same for
/// every oracle, so that all sign the same times, and slot times (whole seconds) always.
[[nodiscard]] std::uint64_t next_tick(std::uint64_t after_ms, std::uint32_t interval_ms);

/// What one oracle says in place of `price`: off by at most noise_bps, the same whenever it is asked.
[[nodiscard]] channel::Price noisy_price(channel::Price price, double noise_bps, const channel::Address& signer,
                                         const channel::Feed& feed, std::uint64_t timestamp_ms);

/// Signs the model's prices tick by tick and gives them out: over ZeroMQ as [feed id 32 | signed package], over HTTP as
///   GET /v1/latest?feeds=A,B          the newest package of each feed
///   GET /v1/packages?feed=A&time=S    what is kept for (feed, second)
///   GET /v1/info                      signer, feeds, interval, endpoints
///   GET /healthz                      200 while ticks are made, 503 otherwise
/// A slot package is in the history before it is published, and no time is ever signed twice, also across restarts with
/// a history file.
class OracleService {
  public:
    using Clock = std::function<std::uint64_t()>;  ///< Unix ms; for /healthz, called on server threads
    /// Further behind than this (the machine slept), ticks are left out.
    static constexpr std::uint64_t kMaxLagMs = 10'000;

    /// Binds at once; signs nothing before `now_ms` or the model's start. std::invalid_argument for a config out of
    /// range; std::runtime_error, std::system_error where it cannot listen or open its history.
    OracleService(OracleServiceConfig config, wallet::PrivateKey key, MarketModel model, Clock clock,
                  std::uint64_t now_ms);
    ~OracleService();
    OracleService(const OracleService&) = delete;
    OracleService& operator=(const OracleService&) = delete;

    /// Signs and publishes every tick up to `now_ms`; how many. std::system_error where the history cannot be written:
    /// nothing more must be signed then.
    std::size_t run_until(std::uint64_t now_ms);
    [[nodiscard]] std::uint64_t next_tick_ms() const;
    /// The recordings that the model replays have ended.
    [[nodiscard]] bool is_over(std::uint64_t now_ms) const;

    [[nodiscard]] std::string publish_endpoint() const;  ///< "tcp://127.0.0.1:40123", as bound
    [[nodiscard]] std::string http_url() const;          ///< "http://127.0.0.1:40124", as bound
    [[nodiscard]] const channel::Address& signer() const;
    [[nodiscard]] std::vector<channel::Feed> feeds() const;
    [[nodiscard]] std::uint64_t skipped_ms() const;  ///< time left out because it lay too far behind
    [[nodiscard]] const std::string& history_warning() const;

  private:
    struct Impl;
    std::unique_ptr<Impl> m_impl;
};

}  // namespace hedgerow::daemon
