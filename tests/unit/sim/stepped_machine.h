#pragma once

#include <doctest/doctest.h>

#include "daemon/base/event_fd.h"
#include "daemon/node/node.h"
#include "tests/sim/disk.h"

/// A node alone in the world, stepped by its test.
namespace hedgerow::tests {

using namespace daemon;
using sim::DiskFaults;
using sim::Random;
using sim::SimDisk;

/// A network of one.
class NoPeers final : public Transport {
  public:
    explicit NoPeers(const channel::NodeId& id) : m_id(id) {}
    [[nodiscard]] std::uint16_t port() const override { return 0; }
    [[nodiscard]] const channel::NodeId& node_id() const override { return m_id; }
    channel::Expected<void, channel::Rule> connect(const channel::NodeId&, const std::string&, std::uint16_t) override {
        return {};
    }
    void disconnect(const channel::NodeId&) override {}
    channel::Expected<void, channel::Rule> send(const channel::NodeId&, channel::Bytes) override {
        return channel::Unexpected{channel::Rule::peer_unknown};
    }
    [[nodiscard]] int event_fd() const override { return m_event.fd(); }
    void drain(std::vector<Inbound>&) override {}
    [[nodiscard]] std::vector<PeerInfo> peers() const override { return {}; }

  private:
    const channel::NodeId m_id;
    EventFd m_event;
};

class NoChain final : public wallet::ChainTransport {
  public:
    wallet::ChainExpected<wallet::ChainReply> post(const std::string&) override {
        return wallet::chain_error(wallet::ChainFault::chain_unreachable, "nobody there");
    }
};

inline const wallet::MasterSeed& seed() {
    static const wallet::MasterSeed one = wallet::MasterSeed::generate();
    return one;
}

/// A machine whose node is started, stepped and ended by its test.
struct SteppedMachine {
    std::uint64_t wall_ms = 1'900'000'000'000;
    std::uint64_t steady_ms = 0;
    SimDisk disk;
    NodeOptions options;
    std::unique_ptr<Node> node;

    explicit SteppedMachine(std::uint64_t number) : disk{Random(number)} {
        options.datadir = "/node";
        options.chain_id = 31'337;
        options.assets.push_back({"ETH", {}, 18, {}, 0});
    }

    World world() {
        World out;
        out.drive = Drive::stepped;
        out.files = &disk;
        out.now_ms = [this] { return wall_ms; };
        out.steady_ms = [this] { return steady_ms; };
        out.chain = [](const std::string&) { return std::make_unique<NoChain>(); };
        out.transport = [](const TransportConfig&, const TransportKeys& keys) {
            return std::make_unique<NoPeers>(keys.node_id());
        };
        out.open_seed = [](const std::filesystem::path&, std::string_view) { return seed().clone(); };
        return out;
    }
    void start() {
        disk.boot();
        node = std::make_unique<Node>(options, world());
        bool open = false;
        node->unlock_wallet("any", [&](const Result<channel::Address>& account) { open = account.has_value(); });
        REQUIRE(open);
    }
    void end(SimDisk::End how) {
        disk.end(how);
        node.reset();
    }
    /// Everything that waits; the number of steps that did something.
    int settle() {
        int steps = 0;
        for (int idle = 0; idle < 3;) {
            (void)node->step(NodeStep::loop);
            bool did = false;
            for (const NodeStep part : {NodeStep::store, NodeStep::chain, NodeStep::questions, NodeStep::backup})
                did = node->step(part) || did;
            steps += did ? 1 : 0;
            idle = did ? 0 : idle + 1;
        }
        return steps;
    }
};

}  // namespace hedgerow::tests
