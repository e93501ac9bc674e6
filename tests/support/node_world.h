#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "tests/support/anvil.h"
#include "tests/support/child_process.h"

/// Nodes without market and RPC as processes (node_child), each with its own database, against one Anvil.
namespace hedgerow::test {

inline constexpr std::uint64_t kMinted = 1'000'000'000'000;  ///< what fund() gives, of the token

/// The chain, the contract and a token, and a directory that goes with the object unless HEDGEROW_KEEP_LOGS is set.
struct World {
    Anvil anvil;
    channel::Address adjudicator;
    channel::Address token;
    std::filesystem::path directory;

    explicit World(Anvil started);
    ~World();
    World(const World&) = delete;
    World& operator=(const World&) = delete;

    /// Of the token.
    channel::Int128 balance(const channel::Address& account);
    void pass_seconds(std::uint64_t seconds);
    /// 100 of the chain's coin, and kMinted of the token.
    void fund(const channel::Address& account);
};

struct StateLine {
    std::string status, digest;
    int connected = 0;
    std::uint64_t version = 0, pending = 0;
    long long net = 0, available_a = 0, available_b = 0;
};

/// One node, whose process may be killed and started again.
class TestNode {
  public:
    TestNode(World& world, std::string name, std::uint16_t port);

    /// `failpoint`: where it is to end as in a power cut ("sent.Ack:1"), empty for nowhere.
    void start(const std::string& failpoint = {});
    /// The exit code where it has ended by itself, once.
    [[nodiscard]] std::optional<int> ended() { return m_process->ended(); }
    void kill() { m_process->kill(); }
    /// Everything but the phrase is lost.
    void lose_disk();
    /// The answer to `line`; std::runtime_error where none comes in time.
    std::string ask(const std::string& line, int timeout_ms = 20'000) { return answer(begin(line), timeout_ms); }
    /// Asks without waiting; returns the number that answer() knows it by.
    std::uint64_t begin(const std::string& line);
    /// Answers to others that come before it are dropped: whoever asked them has given up.
    std::string answer(std::uint64_t number, int timeout_ms = 60'000);
    int stop();
    void fund() { m_world.fund(m_account); }
    StateLine state();
    /// The first state that `condition` holds for; std::runtime_error where none comes in time.
    template <typename Condition>
    StateLine wait_until(Condition condition, int timeout_ms = 30'000) {
        const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms);
        StateLine now = state();
        while (!condition(now)) {
            if (std::chrono::steady_clock::now() > end) throw_still(now);
            std::this_thread::sleep_for(std::chrono::milliseconds(50));
            now = state();
        }
        return now;
    }
    [[nodiscard]] const std::string& uri() const { return m_uri; }
    [[nodiscard]] std::string id() const { return m_uri.substr(0, m_uri.find('@')); }
    [[nodiscard]] const channel::Address& account() const { return m_account; }

  private:
    [[noreturn]] void throw_still(const StateLine& state) const;

    World& m_world;
    std::string m_name;
    std::uint64_t m_asked = 0;
    std::uint16_t m_port;
    std::unique_ptr<ChildProcess> m_process;
    std::string m_uri;
    std::string m_phrase;  ///< of a wallet to restore
    channel::Address m_account;
};

/// Both agree on the same, and nothing is under way.
[[nodiscard]] bool settled(const StateLine& a, const StateLine& b);
void wait_equal(TestNode& alice, TestNode& bob);

/// A port that was free just now: a node that comes back must be found where it was.
[[nodiscard]] std::uint16_t free_port();

}  // namespace hedgerow::test
