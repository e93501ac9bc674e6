#pragma once

#include "channel/messages/peer.h"
#include "daemon/net/transport.h"
#include "tests/support/daemon_world.h"
#include "wallet/keys/node_identity.h"

/// hedgerow-tower as a process, and a client that speaks the protocol to it without a node.
namespace hedgerow::test {

/// The body of GET `path` there, status 200; empty otherwise.
[[nodiscard]] std::string http_get(const std::string& url, const std::string& path);
/// The value of a metric of the tower that serves there, with its labels as they stand; -1 where there is none.
[[nodiscard]] double tower_metric(const std::string& url, const std::string& name);

/// One tower against the world's chain, whose process may be killed and started again.
class TowerProcess {
  public:
    /// Makes the wallet and starts. `settings` are options beside the defaults, name and value.
    explicit TowerProcess(DaemonWorld& world, std::vector<std::pair<std::string, std::string>> settings = {});

    /// `failpoint`: where it is to end as in a power cut ("store.after_commit:3"), empty for nowhere.
    void start(const std::string& failpoint = {});
    void kill() { m_process->kill(); }
    /// Waits until it ends by itself; the exit code.
    int wait() { return m_process->wait(); }
    /// The exit code where it has ended by itself, once.
    [[nodiscard]] std::optional<int> ended() { return m_process->ended(); }
    int stop();
    /// Runs `hedgerow-tower COMMAND --datadir ...` to its end; the exit code.
    int command(const std::vector<std::string>& arguments);
    /// The body of GET `path`, status 200; empty otherwise.
    std::string get(const std::string& path) { return http_get(m_http, path); }
    double metric(const std::string& name) { return tower_metric(m_http, name); }

    [[nodiscard]] const channel::NodeId& id() const { return m_id; }
    [[nodiscard]] const channel::Address& account() const { return m_account; }
    [[nodiscard]] std::uint16_t port() const { return m_port; }

  private:
    [[nodiscard]] std::vector<std::string> arguments(const std::vector<std::string>& command) const;

    DaemonWorld& m_world;
    std::vector<std::pair<std::string, std::string>> m_settings;
    std::filesystem::path m_datadir;
    std::unique_ptr<ChildProcess> m_process;
    channel::NodeId m_id;
    channel::Address m_account;
    std::string m_http;
    std::uint16_t m_port = 0;
};

/// A node's half of the tower protocol over the real transport, under an identity of its own.
class TestTowerClient {
  public:
    TestTowerClient(const DaemonWorld& world, std::uint8_t seed);

    /// Links and says Hello; std::runtime_error where that does not come about in ten seconds.
    void connect(const TowerProcess& tower);
    void send(const channel::PeerMessage& message);
    /// The next message but Hello; std::runtime_error where none comes in time.
    channel::PeerMessage read(int timeout_ms = 10'000);
    channel::PeerMessage ask(const channel::PeerMessage& message) {
        send(message);
        return read();
    }
    [[nodiscard]] const wallet::NodeIdentity& identity() const { return m_identity; }

  private:
    bool next(channel::PeerMessage& out);

    const DaemonWorld& m_world;
    wallet::NodeIdentity m_identity;
    std::unique_ptr<daemon::Transport> m_transport;
    channel::NodeId m_tower;
    std::vector<daemon::Inbound> m_inbound;
};

/// What that node would hand to this tower for its channel now, read from the node's own database.
[[nodiscard]] channel::TowerStore appointment_of(const DaemonWorld& world, Daemon& node,
                                                 const channel::ChannelId& id, const channel::NodeId& tower);

}  // namespace hedgerow::test
