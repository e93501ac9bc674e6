#include <doctest/doctest.h>

#include <chrono>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <thread>

#include "channel/codec/abi.h"
#include "channel/crypto/keccak.h"
#include "daemon/chain/follower.h"
#include "daemon/chain/worker.h"

using namespace hedgerow;
using namespace hedgerow::daemon;
using wallet::BlockHeader;
using wallet::chain_error;
using wallet::ChainExpected;
using wallet::ChainFault;
using wallet::LogEntry;

namespace {

constexpr std::uint64_t kChain = 31337;
channel::Address contract() {
    channel::Address out;
    out.data.fill(0x77);
    return out;
}

channel::BlockHash hash_of(std::uint64_t number, std::uint64_t fork) {
    const channel::Bytes seed = channel::abi_encode(number, fork);
    return {channel::keccak256(seed).data};
}

/// A chain that a test grows, forks, shortens and breaks.
class ScriptedChain final : public ChainSource {
  public:
    struct Block {
        BlockHeader header;
        std::vector<LogEntry> logs;
    };
    explicit ScriptedChain(std::uint64_t blocks) { grow(blocks); }

    void grow(std::uint64_t count, std::uint64_t fork = 0, std::uint64_t events_each = 0) {
        for (; count > 0; --count) {
            Block block;
            block.header.number = blocks.size();
            block.header.hash = hash_of(block.header.number, fork);
            block.header.parent = blocks.empty() ? channel::BlockHash{} : blocks.back().header.hash;
            block.header.timestamp = 1000 + 12 * block.header.number;
            blocks.push_back(block);
            for (std::uint64_t i = 0; i < events_each; ++i) add_event();
        }
    }
    void add_event() {
        Block& block = blocks.back();
        LogEntry log;
        log.address = contract();
        channel::Preimage preimage;
        preimage.data = hash_of(m_next_event++, 99).data;
        log.topics = {channel::keccak256(channel::as_bytes("Revealed(bytes32,bytes32)")),
                      channel::keccak256(preimage.view())};
        log.data.assign(preimage.data.begin(), preimage.data.end());
        log.block_number = block.header.number;
        log.block_hash = block.header.hash;
        log.log_index = block.logs.size();
        block.logs.push_back(log);
    }
    void cut(std::uint64_t length) { blocks.resize(length); }

    ChainExpected<BlockHeader> head() override {
        if (auto broken = tick()) return *broken;
        return blocks.back().header;
    }
    ChainExpected<BlockHeader> block(std::uint64_t number) override {
        if (auto broken = tick()) return *broken;
        if (number >= blocks.size()) return chain_error(ChainFault::chain_block_unknown);
        return blocks[number].header;
    }
    ChainExpected<std::vector<LogEntry>> logs(std::uint64_t from, std::uint64_t to) override {
        if (auto broken = tick()) return *broken;
        largest_range = std::max(largest_range, to - from + 1);
        if (to - from + 1 > max_range) return chain_error(ChainFault::chain_too_many_logs);
        std::vector<LogEntry> out;
        for (std::uint64_t n = from; n <= to; ++n)
            out.insert(out.end(), blocks.at(n).logs.begin(), blocks.at(n).logs.end());
        return out;
    }
    ChainExpected<std::vector<LogEntry>> logs(const channel::BlockHash& hash) override {
        if (auto broken = tick()) return *broken;
        for (const Block& block : blocks) {
            if (block.header.hash == hash) return block.logs;
        }
        return chain_error(ChainFault::chain_block_unknown);
    }

    std::vector<Block> blocks;
    std::uint64_t max_range = ~std::uint64_t{0};
    std::uint64_t largest_range = 0;
    std::uint64_t requests = 0;
    std::uint64_t fail_at = 0;  ///< the request of that number fails

  private:
    std::optional<channel::Unexpected<wallet::ChainError>> tick() {
        if (++requests == fail_at) return chain_error(ChainFault::chain_unreachable, "scripted");
        return std::nullopt;
    }
    std::uint64_t m_next_event = 0;
};

TrackerConfig config() {
    TrackerConfig out;
    out.chain_id = kChain;
    out.contract = contract();
    out.confirmations = 3;
    out.max_reorg = 20;
    out.max_range = 50;
    return out;
}

/// What a consumer makes of the inputs; checks the promises that every sequence of them must keep.
struct Consumer {
    std::map<std::pair<std::uint64_t, std::uint64_t>, std::pair<channel::BlockHash, bool>>
        events;  // place -> block, confirmed
    std::vector<BlockRef> blocks;
    std::size_t rolled_back = 0;
    std::size_t rolled_back_confirmed = 0;
    bool synced = false;

    void take(const ChainBatch& batch) {
        for (const ChainInput& input : batch.inputs) std::visit([this](const auto& i) { on(i); }, input);
        synced = batch.synced;
    }
    static std::pair<std::uint64_t, std::uint64_t> place(const ChainEvent& e) { return {e.block_number, e.log_index}; }
    void on(const EventPending& i) {
        CHECK((blocks.empty() || i.event.block_number > blocks.back().number));
        CHECK(events.emplace(place(i.event), std::pair(i.event.block_hash, false)).second);
        CHECK(i.event.timestamp == 1000 + 12 * i.event.block_number);
    }
    void on(const EventConfirmed& i) {
        auto& known = events.at(place(i.event));
        CHECK(known.first == i.event.block_hash);
        CHECK_FALSE(known.second);
        known.second = true;
    }
    void on(const EventRolledBack& i) {
        const auto known = events.find(place(i.event));
        REQUIRE(known != events.end());
        CHECK(known->second.first == i.event.block_hash);
        CHECK(known->second.second == i.was_confirmed);
        events.erase(known);
        ++rolled_back;
        rolled_back_confirmed += i.was_confirmed ? 1 : 0;
    }
    void on(const NewBlock& i) {
        CHECK((blocks.empty() || i.block.number > blocks.back().number));
        blocks.push_back(i.block);
        for (const auto& [where, event] : events) {
            CHECK(where.first <= i.block.number);
            CHECK((event.second ||
                   where.first + 3 > i.block.number + 1));  // once confirmed it stays so, unless rolled back
            if (i.confirmed) CHECK((event.second || where.first > i.confirmed->number));
        }
    }
    void on(const BlockGone& i) {
        for (const auto& [where, event] : events) CHECK(where.first != i.block.number);
        while (!blocks.empty() && blocks.back().number >= i.block.number) blocks.pop_back();
    }
    /// Exactly the chain's events, each of the chain's own block.
    void check_equals(const ScriptedChain& chain) const {
        std::size_t expected = 0;
        for (const auto& block : chain.blocks) {
            for (const LogEntry& log : block.logs) {
                ++expected;
                const auto at = events.find({log.block_number, log.log_index});
                REQUIRE(at != events.end());
                CHECK(at->second.first == log.block_hash);
            }
        }
        CHECK(events.size() == expected);
    }
};

void follow(ChainTracker& tracker, ScriptedChain& chain, Consumer& consumer) {
    for (int i = 0; i < 5000; ++i) {
        const auto batch = tracker.step(chain);
        if (!batch) continue;
        consumer.take(*batch);
        if (consumer.synced) return;
    }
    FAIL("not synced");
}

std::string fault_of(const ChainExpected<ChainBatch>& batch) {
    return batch ? "none" : std::string(wallet::chain_fault_name(batch.error().fault));
}

}  // namespace

TEST_CASE("tracker: events pending, then confirmed, nothing twice") {
    ScriptedChain chain(1);
    ChainTracker tracker(config());
    Consumer consumer;
    follow(tracker, chain, consumer);
    chain.grow(1, 0, 2);
    follow(tracker, chain, consumer);
    CHECK(consumer.events.size() == 2);
    CHECK_FALSE(consumer.events.at({1, 0}).second);
    chain.grow(1);
    follow(tracker, chain, consumer);
    CHECK_FALSE(consumer.events.at({1, 0}).second);
    chain.grow(1);
    follow(tracker, chain, consumer);
    CHECK(consumer.events.at({1, 0}).second);
    CHECK(tracker.step(chain).value().inputs.empty());
    CHECK(consumer.rolled_back == 0);
}

TEST_CASE("tracker: a reorganisation rolls back to the common ancestor and follows the new branch") {
    ScriptedChain chain(10);
    ChainTracker tracker(config());
    Consumer consumer;
    follow(tracker, chain, consumer);
    chain.grow(2, 0, 1);
    follow(tracker, chain, consumer);
    CHECK(consumer.events.size() == 2);
    chain.cut(11);  // block 10 stays with its event, block 11 is replaced
    chain.grow(2, 1, 3);
    follow(tracker, chain, consumer);
    CHECK(consumer.rolled_back == 1);
    consumer.check_equals(chain);
    chain.cut(6);  // deeper than the confirmations, at equal height
    chain.grow(7, 2);
    follow(tracker, chain, consumer);
    CHECK(consumer.rolled_back_confirmed == 1);  // block 10
    consumer.check_equals(chain);
    CHECK(tracker.height() == 12);
}

TEST_CASE("tracker: a node that is behind is waited for, not believed") {
    ScriptedChain chain(30);
    ChainTracker tracker(config());
    Consumer consumer;
    chain.grow(1, 0, 1);
    follow(tracker, chain, consumer);
    ScriptedChain lagging = chain;
    lagging.cut(28);
    const auto batch = tracker.step(lagging);
    REQUIRE(batch);
    CHECK(batch->inputs.empty());
    CHECK_FALSE(batch->synced);
    CHECK(tracker.height() == 30);
    lagging.cut(5);
    CHECK(fault_of(tracker.step(lagging)) == "chain_node_behind");
    CHECK(tracker.height() == 30);
    follow(tracker, chain, consumer);
    CHECK(consumer.rolled_back == 0);
    // Really shorter, and another branch: rolled back.
    chain.cut(28);
    chain.grow(1, 5);
    follow(tracker, chain, consumer);
    CHECK(consumer.rolled_back == 1);
    CHECK(tracker.height() == 28);
}

TEST_CASE("tracker: a rewriting beyond the window is refused by name and changes nothing") {
    ScriptedChain chain(60);
    ChainTracker tracker(config());
    Consumer consumer;
    follow(tracker, chain, consumer);
    chain.grow(40);
    follow(tracker, chain, consumer);
    const auto before = tracker.cursor();
    chain.cut(30);
    chain.grow(90, 1);
    CHECK(fault_of(tracker.step(chain)) == "chain_reorg_too_deep");
    CHECK(tracker.cursor() == before);
    ScriptedChain other(0);
    other.grow(120, 7);
    CHECK(fault_of(tracker.step(other)) == "chain_reorg_too_deep");
}

TEST_CASE("tracker: begins again where all it ever said is undone") {
    ScriptedChain chain(10);
    TrackerConfig from = config();
    from.start_block = 8;
    ChainTracker tracker(from);
    Consumer consumer;
    chain.add_event();
    follow(tracker, chain, consumer);
    CHECK(consumer.blocks.front().number == 8);
    chain.cut(7);
    chain.grow(4, 1, 1);
    follow(tracker, chain, consumer);
    CHECK(consumer.rolled_back == 1);
    CHECK(consumer.events.size() == 3);  // blocks 8, 9, 10
}

TEST_CASE("tracker: catches up in bounded ranges, which shrink where the node refuses and grow again") {
    ScriptedChain chain(1);
    chain.grow(400, 0, 1);
    chain.max_range = 7;
    ChainTracker tracker(config());
    Consumer consumer;
    follow(tracker, chain, consumer);
    consumer.check_equals(chain);
    CHECK(chain.largest_range <= 50);
    ScriptedChain quiet(2000);
    ChainTracker second(config());
    Consumer reader;
    follow(second, quiet, reader);
    CHECK(quiet.requests < 600);  // not block by block
    CHECK(second.height() == 1999);
    CHECK(second.cursor().blocks.size() <= config().max_reorg + 1);
}

TEST_CASE("tracker: a request that fails anywhere loses nothing and repeats nothing") {
    for (std::uint64_t fail = 1; fail < 140; fail += 3) {
        ScriptedChain chain(1);
        chain.grow(120, 0, 1);
        ChainTracker tracker(config());
        Consumer consumer;
        chain.fail_at = fail;
        follow(tracker, chain, consumer);
        chain.cut(115);
        chain.grow(9, 1, 2);
        follow(tracker, chain, consumer);
        consumer.check_equals(chain);
    }
}

TEST_CASE("tracker: answers of two branches are not mixed") {
    ScriptedChain chain(5);
    ChainTracker tracker(config());
    Consumer consumer;
    follow(tracker, chain, consumer);
    chain.grow(1, 0, 1);
    chain.blocks.back().logs[0].block_hash = hash_of(1, 77);
    CHECK(fault_of(tracker.step(chain)) == "chain_response_unexpected");
    chain.blocks.back().logs[0].block_hash = chain.blocks.back().header.hash;
    chain.blocks.back().logs[0].topics[0] = {};
    CHECK(fault_of(tracker.step(chain)) == "log_unknown_event");
    chain.blocks.back().logs.clear();
    follow(tracker, chain, consumer);
    CHECK(consumer.events.empty());
}

TEST_CASE("tracker: goes on from a persisted cursor, also over a reorganisation that happened meanwhile") {
    ScriptedChain chain(1);
    chain.grow(30, 0, 1);
    Consumer consumer;
    ChainTracker first(config());
    follow(first, chain, consumer);
    const std::string text = write_cursor(first.cursor());
    chain.cut(25);
    chain.grow(12, 1, 1);
    const auto cursor = read_cursor(text);
    REQUIRE(cursor);
    CHECK(*cursor == first.cursor());
    ChainTracker second(config());
    REQUIRE(second.resume(*cursor));
    follow(second, chain, consumer);
    CHECK(consumer.rolled_back == 6);
    consumer.check_equals(chain);

    TrackerConfig elsewhere = config();
    elsewhere.chain_id = 1;
    const auto refused = ChainTracker(elsewhere).resume(*cursor);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().fault == ChainFault::chain_cursor_mismatch);
    FollowerCursor bent = *cursor;
    bent.logs[0].log.data.clear();
    ChainTracker third(config());
    CHECK_FALSE(third.resume(bent));
    for (std::size_t cut = 0; cut < text.size(); cut += 97) CHECK_FALSE(read_cursor(text.substr(0, cut)));
    for (const char* bad : {"", "[]", "{}", "null", "{\"version\":2}"}) CHECK_FALSE(read_cursor(bad));
}

TEST_CASE("tracker: random growth, forks, lag and failures always end at the chain's own events") {
    for (unsigned seed = 1; seed <= 12; ++seed) {
        CAPTURE(seed);
        std::mt19937 random(seed);
        ScriptedChain chain(1);
        ChainTracker tracker(config());
        Consumer consumer;
        std::uint64_t fork = 1;
        for (int round = 0; round < 60; ++round) {
            chain.grow(1 + random() % (random() % 10 == 0 ? 150 : 4), fork, random() % 3);
            if (random() % 3 == 0 && chain.blocks.size() > 22) {
                const std::uint64_t depth = 1 + random() % 15;
                chain.cut(chain.blocks.size() - depth);
                chain.grow(depth + random() % 4, ++fork, random() % 3);
            }
            chain.fail_at = random() % 2 == 0 ? chain.requests + 1 + random() % 9 : 0;
            const int steps = static_cast<int>(random() % 4);
            for (int i = 0; i < steps; ++i) {
                if (const auto batch = tracker.step(chain)) consumer.take(*batch);
            }
            if (random() % 5 == 0) {
                ChainTracker restarted(config());
                REQUIRE(restarted.resume(read_cursor(write_cursor(tracker.cursor())).value()));
                tracker = restarted;
            }
            follow(tracker, chain, consumer);
        }
        consumer.check_equals(chain);
    }
}

namespace {

/// A node over JSON-RPC that may be on another chain or away; shared with its test across threads.
struct NodeState {
    std::mutex mutex;
    std::uint64_t chain_id = kChain;
    bool down = false;
    std::uint64_t requests = 0;
};
class NodeTransport final : public wallet::ChainTransport {
  public:
    explicit NodeTransport(std::shared_ptr<NodeState> state) : m_state(std::move(state)) {}
    ChainExpected<wallet::ChainReply> post(const std::string& body) override {
        const std::lock_guard lock(m_state->mutex);
        ++m_state->requests;
        if (m_state->down) return chain_error(ChainFault::chain_unreachable, "connection refused");
        const auto request = nlohmann::json::parse(body);
        nlohmann::json result = nlohmann::json::array();
        if (request["method"] == "eth_chainId") result = m_state->chain_id == kChain ? "0x7a69" : "0x1";
        if (request["method"] == "eth_getBlockByNumber") {
            result = {{"number", "0x0"},
                      {"hash", channel::to_hex(hash_of(0, 0))},
                      {"parentHash", channel::to_hex(channel::Hash())},
                      {"timestamp", "0x3e8"},
                      {"gasLimit", "0x1"},
                      {"baseFeePerGas", "0x1"}};
        }
        return wallet::ChainReply{200,
                                  nlohmann::json{{"jsonrpc", "2.0"}, {"id", request["id"]}, {"result", result}}.dump()};
    }

  private:
    std::shared_ptr<NodeState> m_state;
};

template <typename Condition>
bool eventually(Condition condition) {
    for (int i = 0; i < 500; ++i) {
        if (condition()) return true;
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
}

}  // namespace

TEST_CASE("follower: a wrong chain and an absent node are reported by name, and retried") {
    auto state = std::make_shared<NodeState>();
    state->chain_id = 1;
    FollowerConfig follow_config;
    follow_config.tracker = config();
    follow_config.poll_ms = 5;
    follow_config.max_backoff_ms = 20;
    auto follower = ChainFollower::start(std::make_unique<NodeTransport>(state), follow_config, std::nullopt).value();
    const auto problem_is = [&](ChainFault fault) {
        const auto status = follower->status();
        return status.problem && status.problem->fault == fault && !status.synced;
    };
    CHECK(eventually([&] { return problem_is(ChainFault::chain_id_wrong); }));
    CHECK(follower->take().empty());
    const auto set = [&](std::uint64_t id, bool down) {
        const std::lock_guard lock(state->mutex);
        state->chain_id = id;
        state->down = down;
    };
    set(kChain, true);
    CHECK(eventually([&] { return problem_is(ChainFault::chain_unreachable); }));
    set(kChain, false);
    CHECK(eventually([&] { return follower->status().synced; }));
    std::vector<ChainBatch> batches;
    CHECK(eventually([&] {
        batches = follower->take();
        return !batches.empty();
    }));
    CHECK(batches.size() == 1);
    CHECK(std::holds_alternative<NewBlock>(batches[0].inputs.at(0)));
    const FollowerCursor cursor = batches[0].cursor;
    // Started again at the head of a chain that stands still: there is no news, but that it is synced.
    follower = ChainFollower::start(std::make_unique<NodeTransport>(state), follow_config, cursor).value();
    CHECK(eventually([&] {
        batches = follower->take();
        return !batches.empty();
    }));
    CHECK(batches.size() == 1);
    CHECK(batches[0].inputs.empty());
    CHECK(batches[0].synced);
    TrackerConfig other = config();
    other.chain_id = 5;
    follow_config.tracker = other;
    CHECK_FALSE(ChainFollower::start(std::make_unique<NodeTransport>(state), follow_config, cursor));
}

TEST_CASE("worker: runs questions in order, hands completions to the loop, refuses when full") {
    auto state = std::make_shared<NodeState>();
    ChainWorker worker(std::make_unique<NodeTransport>(state), kChain);
    std::vector<int> done;
    std::mutex gate;
    gate.lock();
    REQUIRE(worker.post([&](wallet::EthClient&) -> ChainWorker::Completion {
        const std::lock_guard wait(gate);
        return [&] { done.push_back(0); };
    }));
    int accepted = 0;
    for (int i = 1; i <= static_cast<int>(ChainWorker::kQueue) + 50; ++i) {
        const bool ok = worker.post([&done, i](wallet::EthClient& client) -> ChainWorker::Completion {
            const bool right = client.check_chain().has_value();
            return [&done, i, right] { done.push_back(right ? i : -1); };
        });
        accepted += ok ? 1 : 0;
    }
    CHECK(accepted >= static_cast<int>(ChainWorker::kQueue) - 1);
    CHECK(accepted <= static_cast<int>(ChainWorker::kQueue) + 1);
    gate.unlock();
    CHECK(eventually([&] {
        worker.run_completions();
        return static_cast<int>(done.size()) == accepted + 1;
    }));
    for (std::size_t i = 0; i < done.size(); ++i) CHECK(done[i] == static_cast<int>(i));
}

TEST_CASE("worker: stepped, it does one work at a time and only then") {
    auto state = std::make_shared<NodeState>();
    ChainWorker worker(std::make_unique<NodeTransport>(state), kChain, Drive::stepped);
    CHECK_FALSE(worker.step());
    std::string order;
    for (const char* name : {"a", "b"}) {
        REQUIRE(worker.post([&order, name](wallet::EthClient& client) -> ChainWorker::Completion {
            order += name + std::string(client.block(wallet::BlockTag::latest()) ? "" : "!");
            return [&order] { order += "."; };
        }));
    }
    CHECK(order.empty());
    CHECK(worker.step());
    CHECK(order == "a");
    worker.run_completions();
    CHECK(order == "a.");
    CHECK(worker.step());
    CHECK_FALSE(worker.step());
    worker.run_completions();
    CHECK(order == "a.b.");
}

TEST_CASE("follower: stepped, it asks when it is due or poked, and later after failures") {
    auto state = std::make_shared<NodeState>();
    FollowerConfig follow_config;
    follow_config.tracker = {kChain, {}, 0, 2};
    follow_config.poll_ms = 100;
    const auto follower =
        ChainFollower::start(std::make_unique<NodeTransport>(state), follow_config, std::nullopt, Drive::stepped).value();
    CHECK(follower->take().empty());
    CHECK(follower->step(1'000));
    CHECK(follower->take().size() == 1);
    std::uint64_t now = 1'000;
    while (follower->step(now)) (void)follower->take();  // until it is at the head
    CHECK(follower->status().synced);
    CHECK_FALSE(follower->step(now + 99));
    CHECK(follower->step(now + 100));
    follower->poke();
    CHECK(follower->step(now + 101));
    state->down = true;
    CHECK(follower->step(now += 300));
    CHECK_FALSE(follower->status().synced);
    CHECK_FALSE(follower->step(now + 99));
    CHECK(follower->step(now += 100));
    CHECK_FALSE(follower->step(now + 199));  // twice as long
    CHECK(follower->step(now + 200));
}
