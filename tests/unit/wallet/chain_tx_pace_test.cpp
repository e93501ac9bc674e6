#include <algorithm>

#include "tests/unit/wallet/tx_world.h"
#include "wallet/chain/tx_pace.h"

/// How the replacements of a transaction are spread over its window, and where its offer ends.
using namespace hedgerow;
using namespace hedgerow::wallet;
using namespace hedgerow::wallet::testing;

/// How a job's offer grew while nothing was mined.
struct Bids {
    std::vector<std::uint64_t> at_ms;  ///< of each replacement
    U256 max_fee, priority;            ///< of the last
};

/// Ticks at every block (or at every 300th of what remains, where that is longer) until `end_ms`; nothing is ever mined.
Bids hold_out(World& world, const std::string& id, std::uint64_t end_ms, std::uint64_t block_ms) {
    Bids out;
    std::size_t seen = world.manager->find(id)->variants.size();
    for (; world.now < end_ms; world.pass(std::max(block_ms, (end_ms - world.now) / 300))) {
        world.round();
        const auto& variants = world.manager->find(id)->variants;
        if (variants.size() > seen) out.at_ms.push_back(world.now);
        seen = variants.size();
        out.max_fee = variants.back().transaction.body.max_fee;
        out.priority = variants.back().transaction.body.max_priority_fee;
    }
    CHECK(seen <= TxManager::kMaxVariants);
    return out;
}

constexpr std::uint64_t kWindows[] = {24'000, 3'600'000, 86'400'000, 604'800'000};
constexpr std::uint64_t kBlocks[] = {250, 2'000, 12'000};

/// A chain so cheap that the budget is a million times the first offer.
void make_cheap(World& world, std::uint64_t block_ms) {
    world.slow_to(block_ms);
    world.view.base_fee = U256(7u);
    world.view.priority_fee = U256(1'000'000u);
}

void check_end(const Bids& bids, std::uint64_t start_ms, std::uint64_t end_ms, std::uint64_t block_ms) {
    const U256 cap = policy().defence_budget / U256(100'000u);
    CHECK(bids.max_fee * U256(9u) >= cap * U256(8u));
    CHECK(bids.priority * U256(9u) >= cap * U256(8u));
    REQUIRE(!bids.at_ms.empty());
    // The last in time to be mined, but not so early that a richer opponent has long to look at it.
    CHECK(bids.at_ms.back() < end_ms);
    const std::uint64_t tenth = std::max((end_ms - start_ms) / 10, 4 * block_ms);
    const auto late = std::count_if(bids.at_ms.begin(), bids.at_ms.end(),
                                    [&](std::uint64_t at) { return at + tenth >= end_ms; });
    CHECK(late >= 1);
    if (tenth >= 64 * block_ms) CHECK(late >= 5);
}

TEST_CASE_FIXTURE(World, "a defence has replacements left for the last tenth of any window, and ends at its budget") {
    for (const std::uint64_t window : kWindows) {
        for (const std::uint64_t block : kBlocks) {
            CAPTURE(window);
            CAPTURE(block);
            World world;
            make_cheap(world, block);
            JobRequest request = job("respond", TxPurpose::defence);
            const std::uint64_t start = world.now, end = start + window;
            request.deadline_ms = end;
            REQUIRE(world.manager->submit(request, world.now));
            world.round();
            check_end(hold_out(world, "respond", end, block), start, end, block);
        }
    }
}

TEST_CASE_FIXTURE(World, "a stake that appears late, or moves, still ends at the budget") {
    for (const std::uint64_t window : kWindows) {
        for (const std::uint64_t block : kBlocks) {
            for (const std::uint64_t waited : {std::uint64_t{60'000}, std::uint64_t{86'400'000} * 30}) {
                CAPTURE(window);
                CAPTURE(block);
                CAPTURE(waited);
                World world;
                make_cheap(world, block);
                // A payment that nobody mines for long uses up what payments may.
                REQUIRE(world.manager->submit(job("pay"), world.now));
                world.round();
                (void)hold_out(world, "pay", world.now + waited, block);
                CHECK(world.manager->find("pay")->variants.size() <= TxManager::kMaxVariants - kLateVariants);
                // A defence waits behind its nonce.
                JobRequest request = job("respond", TxPurpose::defence);
                const std::uint64_t start = world.now, end = start + window;
                request.deadline_ms = end;
                REQUIRE(world.manager->submit(request, world.now));
                SUBCASE("one") { check_end(hold_out(world, "pay", end, block), start, end, block); }
                SUBCASE("a second with an earlier deadline") {
                    if (window / 2 <= 2 * block) continue;  // hardly a block
                    JobRequest second = job("reveal", TxPurpose::defence);
                    second.deadline_ms = start + window / 2;
                    REQUIRE(world.manager->submit(second, world.now));
                    check_end(hold_out(world, "pay", start + window / 2, block), start, start + window / 2, block);
                }
                SUBCASE("whose deadline passes: that of the one behind it counts") {
                    JobRequest second = job("reveal", TxPurpose::defence);
                    second.deadline_ms = start + window / 5 * 4;
                    REQUIRE(world.manager->submit(second, world.now));
                    const Bids bids = hold_out(world, "pay", end, block);
                    const U256 cap = policy().defence_budget / U256(100'000u);
                    CHECK(bids.max_fee * U256(9u) >= cap * U256(8u));
                }
            }
        }
    }
}

TEST_CASE_FIXTURE(World, "a node that finds every offer too low does not use up what the end needs") {
    make_cheap(*this, 12'000);
    JobRequest request = job("respond", TxPurpose::defence);
    const std::uint64_t start = now, end = now + 86'400'000;
    request.deadline_ms = end;
    REQUIRE(manager->submit(request, now));
    const ChainError low{ChainFault::replacement_underpriced, -32000, "replacement transaction underpriced", {}};
    for (int i = 0; i < 200; ++i) {
        round();
        manager->broadcast_answered("respond", channel::Unexpected{low});
        pass(1'000);
    }
    CHECK(manager->find("respond")->variants.size() == TxManager::kMaxVariants - kLateVariants);
    check_end(hold_out(*this, "respond", end, 12'000), start, end, 12'000);
}

TEST_CASE_FIXTURE(World, "a deadline that has passed is no reason to offer more") {
    make_cheap(*this, 12'000);
    JobRequest request = job("respond", TxPurpose::defence);
    request.deadline_ms = now + 20'000;
    request.budget = U256(100'000 * 2 * kGwei);
    REQUIRE(manager->submit(request, now));
    round();
    const U256 first = last_sent().body.max_fee;
    pass(21'000);
    for (int block = 0; block < 4; ++block) {
        round();
        pass(12'000);
    }
    CHECK(manager->find("respond")->variants.back().transaction.body.max_fee < first * U256(2u));
}
