#pragma once

#include <memory>
#include <string>

#include "daemon/node/event_loop.h"
#include "daemon/tower/tower_core.h"

namespace hedgerow::daemon {

/// What a tower tells monitors and its operator over HTTP, from a directory of its own: GET /metrics (Prometheus text), /healthz (the process
/// serves), /readyz (it follows the chain), and with the cookie of the data directory GET /clients?after=ID and POST
/// /grant?client=&records=&bytes=&untilMs=.
class TowerHttp {
  public:
    /// `desk` is asked in `loop`; both outlive this. Binds, and writes "http.url" and ".cookie" into the data directory. std::system_error where it cannot.
    TowerHttp(EventLoop& loop, TowerDesk& desk, const std::filesystem::path& datadir, const std::string& host,
              std::uint16_t port);
    ~TowerHttp();
    TowerHttp(const TowerHttp&) = delete;
    TowerHttp& operator=(const TowerHttp&) = delete;

    [[nodiscard]] std::string url() const;

  private:
    struct Impl;
    std::unique_ptr<Impl> m_impl;
};

/// One line of text a client, for the operator.
[[nodiscard]] std::string client_line(const ClientAccount& client);

}  // namespace hedgerow::daemon
