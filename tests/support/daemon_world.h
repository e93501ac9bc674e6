#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "channel/settle/settlement.h"
#include "tests/support/node_world.h"
#include "wallet/chain/contract_calls.h"
#include "wallet/chain/contract_events.h"

/// hedgerowd, as installed, in processes of its own against one Anvil, driven by JSON-RPC as a user does.
namespace hedgerow::test {

using Json = nlohmann::json;

/// Calls `probe` until it gives true; std::runtime_error naming `what` where it does not in time.
template <typename Probe>
void until(const std::string& what, Probe probe, int timeout_ms = 30'000) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms);
    while (!probe()) {
        if (std::chrono::steady_clock::now() > end) throw std::runtime_error("not in time: " + what);
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
}

/// What a node refused, by name.
struct Refused : std::runtime_error {
    Refused(const std::string& method, const Json& error)
        : std::runtime_error(method + ": " + error.dump()), name(error.value("/data/name"_json_pointer, "")) {}
    std::string name;
};

/// What channel_export gives: enough to enforce the channel by hand, or to cheat with it when it is old.
struct Exported {
    channel::ChannelId id;
    channel::Terms terms;
    channel::Secret secret;
    channel::State state;
    wallet::BothSignatures signatures;
};

/// An end of a channel on chain, and what the C++ twin of the contract says that it should have paid.
struct Ending {
    wallet::Settled settled;
    channel::SettleAnswer twin;
    std::uint64_t challenged_version = 0;
    std::uint64_t settled_s = 0;
};

/// A signer of prices: hedgerow-oracle.
struct Oracle {
    std::unique_ptr<ChildProcess> process;
    std::string signer, publish, http;
};

/// What the node says to "export": its newest state that both have signed. std::runtime_error where it says anything else.
Exported exported(TestNode& node);

/// A call to the node that runs in that directory; throws Refused.
Json call_at(const std::filesystem::path& datadir, const std::string& method, const Json& params);

struct DaemonOptions {
    /// Options beside, or instead of, the defaults: name and value, several of a name allowed.
    std::vector<std::pair<std::string, std::string>> settings;
    /// Of the first start.
    ChildOptions child = {};
    /// What runs: hedgerowd, or a program with the same command line.
    std::string program = "hedgerowd";
};

/// A world for hedgerowd: its token is asset USDC of every node, with 6 decimals; the other asset is ETH, the chain's
/// coin.
class DaemonWorld : public World {
  public:
    explicit DaemonWorld(Anvil started) : World(std::move(started)) {}

    std::vector<Oracle> oracles;
    /// Of every node, over the defaults.
    std::vector<std::pair<std::string, std::string>> settings;

    /// Oracles of one scenario (JSON), one a list of further arguments.
    void start_oracles(const std::string& scenario, const std::vector<std::vector<std::string>>& arguments);

    channel::Int128 coins(const channel::Address& account);  ///< of the chain's coin; below 2^127
    /// `data` as calldata of a transaction from any address, mined with the next block; its hash.
    std::string post(const channel::Address& from, const channel::Address& to, const channel::Bytes& data,
                     std::uint64_t tip_gwei = 2, std::uint64_t value = 0);
    /// Whether it succeeded; waits until it is mined.
    bool succeeded(const std::string& hash);
    channel::Bytes view(const channel::Address& to, const channel::Bytes& data, const std::string& block = "latest");
    void automine(bool on);
    void mine(std::uint64_t blocks = 1) { anvil.mine(blocks); }
    std::uint64_t now_s();   ///< of the newest block
    std::uint64_t height();  ///< of the newest block
    /// The newest `depth` blocks are replaced by as many empty ones.
    void reorg(std::uint64_t depth);

    /// Sends the challenge as `party`'s signer, behind its own node's back.
    std::string post_challenge(const Exported& with, channel::Party party, std::uint64_t tip_gwei = 2);
    wallet::DisputeView dispute(const channel::ChannelId& id);
    wallet::HoldingsView holdings(const channel::ChannelId& id, const channel::Address& asset,
                                  const std::string& block = "latest");
    std::vector<wallet::AdjudicatorEvent> events(const channel::ChannelId& id);
    /// How the channel ended. Throws where it has not, or where the chain paid something else than the twin says.
    Ending ending(const Exported& of);

  private:
    struct Placed {
        wallet::AdjudicatorEvent event;
        std::uint64_t block = 0;
    };
    std::vector<Placed> placed_events(const channel::ChannelId& id);
};

/// One hedgerowd, whose process may be killed and started again.
class Daemon {
  public:
    Daemon(DaemonWorld& world, std::string name, const DaemonOptions& options = {});

    /// Returns when it is synced; throws where it ends before.
    void start(const ChildOptions& child = {});
    /// When the newest start() had its first answer, which may be long before all of the node's channels were there.
    [[nodiscard]] std::chrono::steady_clock::time_point answered() const { return m_answered; }
    /// The exit code where it has ended by itself.
    [[nodiscard]] std::optional<int> ended();
    void kill() { m_process->kill(); }
    /// Everything but the phrase and the configuration is lost; start() makes the wallet from the phrase.
    void lose_disk();
    /// Another value of a setting from the next start on; empty: none.
    void configure(const std::string& key, const std::string& value);
    /// SIGTERM; the exit code.
    int stop();
    void die();     ///< SIGKILL, and does not wait: ended() says when
    void pause();   ///< SIGSTOP
    void resume();  ///< SIGCONT
    void fund() { m_world.fund(m_account); }

    /// The result; throws Refused.
    Json call(const std::string& method, const Json& params = Json::object());
    /// The name of the refusal; empty where it was done.
    std::string refusal(const std::string& method, const Json& params = Json::object());
    Json channel(const channel::ChannelId& id);
    [[nodiscard]] std::string status(const channel::ChannelId& id) { return channel(id).at("status"); }
    void wait_status(const channel::ChannelId& id, const std::string& status, int timeout_ms = 30'000);
    Exported exported(const channel::ChannelId& id);
    std::uint64_t version(const channel::ChannelId& id) { return channel(id).at("version"); }
    /// Of USDC, at once; throws Refused.
    void pay(const channel::ChannelId& id, const std::string& amount, const std::string& asset = "USDC");
    /// A transaction of that job name stands in the log with this text.
    [[nodiscard]] bool logged(const std::string& text) const;

    [[nodiscard]] const std::string& uri() const { return m_uri; }
    [[nodiscard]] const channel::Address& account() const { return m_account; }
    [[nodiscard]] const std::string& phrase() const { return m_phrase; }
    [[nodiscard]] const std::filesystem::path& datadir() const { return m_datadir; }
    [[nodiscard]] ChildProcess& process() { return *m_process; }

  private:
    void write_config(const DaemonOptions& options);
    void make_wallet();

    DaemonWorld& m_world;
    std::string m_name;
    const std::string m_program;
    std::filesystem::path m_datadir;
    std::unique_ptr<ChildProcess> m_process;
    std::optional<int> m_ended;
    std::string m_uri, m_phrase;
    bool m_lost = false;
    std::chrono::steady_clock::time_point m_answered{};
    channel::Address m_account;
};

/// USDC and ETH as decimal texts; an empty one is no deposit.
struct Stake {
    std::string usdc, eth;
};
/// `follower` opens and deposits, `leader` adds its own; returns when both see everything confirmed.
channel::ChannelId open_channel(Daemon& leader, Daemon& follower, const Stake& leader_stake,
                                const Stake& follower_stake);
/// Both have agreed on one version and digest, and nothing is under way.
void wait_same(Daemon& a, Daemon& b, const channel::ChannelId& id);

}  // namespace hedgerow::test
