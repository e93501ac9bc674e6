#include <doctest/doctest.h>

#include "daemon/store/failpoint.h"
#include "tests/functional/crash/tower_walk.h"
#include "tests/functional/crash/walker.h"

/// kill -9 at every persistence boundary (daemon/store/failpoint.h), on either side of a channel.
namespace {

using namespace hedgerow;
using namespace hedgerow::test;

const std::deque<std::string> kStart = {"store.in_transaction",
                                        "store.before_commit",
                                        "store.after_commit_before_generation",
                                        "store.after_commit",
                                        "store.completed",
                                        "journal.written",
                                        "journal.flushed",
                                        "journal.checkpoint",
                                        "outbox.after_actions",
                                        "chain.before_batch",
                                        "chain.after_batch",
                                        "send.Hello",
                                        "sent.Hello"};
const std::deque<std::string> kLeader = {
    "send.OpenRefuse", "sent.OpenRefuse", "send.OpenAccept", "sent.OpenAccept", "send.OpenDone", "sent.OpenDone",
    "opening.opened", "tx.stored.approve", "tx.broadcast.approve", "tx.stored.ref", "tx.broadcast.ref"};
const std::deque<std::string> kFollower = {
    "send.OpenPropose", "sent.OpenPropose", "send.OpenConfirm", "sent.OpenConfirm", "opening.opened",
    "tx.stored.approve", "tx.broadcast.approve", "tx.stored.open", "tx.broadcast.open"};
const std::deque<std::string> kBoth = {"send.Reestablish", "sent.Reestablish", "send.FundsSeen", "sent.FundsSeen"};
const std::deque<std::string> kLeaderPays = {"send.Update", "sent.Update", "ops.before_answer", "send.Refuse", "sent.Refuse",
                                             "send.StreamQuote", "sent.StreamQuote"};
const std::deque<std::string> kFollowerPays = {"send.Propose", "sent.Propose", "send.Reject", "sent.Propose", "sent.Reject",
                                               "send.Ack", "sent.Ack", "ops.before_answer"};
const std::deque<std::string> kMarket = {"send.QuoteRequest", "sent.QuoteRequest", "send.QuoteRefuse", "sent.QuoteRefuse",
                                         "send.Quote", "sent.Quote"};
const std::deque<std::string> kEnd = {"tx.stored.withdraw", "tx.broadcast.withdraw", "chain_ops.before_answer",
                                      "send.WithdrawSignature", "sent.WithdrawSignature", "backup.begun", "backup.written",
                                      "send.CloseSignature", "sent.CloseSignature", "tx.stored.close", "tx.broadcast.close",
                                      "tx.stored.challenge", "tx.broadcast.challenge", "tx.stored.attest", "tx.broadcast.attest",
                                      "tx.stored.settle", "tx.broadcast.settle", "tx.stored.respond", "tx.broadcast.respond"};
/// Passed in other tests of this folder, and in functional_dispute_reorg.
const std::deque<std::string> kElsewhere = {"chain.dispute_asked", "store.after_migration", "wallet.created", "send.HandOver", "sent.HandOver",
                                            "send.PeerError", "sent.PeerError", "tower.paid", "tower.credit", "tower.credited"};

std::deque<std::string> joined(std::initializer_list<std::deque<std::string>> lists) {
    std::deque<std::string> out;
    for (const auto& list : lists) out.insert(out.end(), list.begin(), list.end());
    return out;
}

std::deque<std::string> leader_points() { return joined({kStart, kLeader, kBoth, kLeaderPays, kMarket, kEnd}); }
std::deque<std::string> follower_points() { return joined({kStart, kFollower, kBoth, kFollowerPays, kMarket, kEnd}); }

/// HEDGEROW_CRASH_COUNTS=n walks every point at its first to nth passage, as far as a name that stands for one passage a
/// life allows; HEDGEROW_CRASH_POINTS=name,… walks those alone.
std::deque<std::string> chosen(const std::deque<std::string>& points) {
    std::deque<std::string> out;
    if (const char* text = std::getenv("HEDGEROW_CRASH_POINTS")) {
        std::stringstream list(text);
        for (std::string name; std::getline(list, name, ',');) out.push_back(name);
        return out;
    }
    const char* counts = std::getenv("HEDGEROW_CRASH_COUNTS");
    const int most = counts == nullptr ? 1 : std::atoi(counts);
    for (int count = 1; count <= most; ++count) {
        for (const std::string& name : points) out.push_back(name + ":" + std::to_string(count));
    }
    return out;
}

void walk(channel::Party victim, const std::deque<std::string>& points) {
    auto anvil = Anvil::start();
    if (!anvil) return;
    const auto list = chosen(points);
    Walker walker(std::move(*anvil), victim, list);
    REQUIRE_NOTHROW(walker.run());
    CHECK(walker.deaths() == list.size());
}

}  // namespace

TEST_SUITE_BEGIN("leader");
TEST_CASE("the leader dies at every failpoint and loses nothing") { walk(channel::Party::A, leader_points()); }
TEST_SUITE_END();

TEST_SUITE_BEGIN("follower");
TEST_CASE("the follower dies at every failpoint and loses nothing") { walk(channel::Party::B, follower_points()); }
TEST_SUITE_END();

TEST_SUITE_BEGIN("disk");
TEST_CASE("every failpoint of the table is walked somewhere") {
    const auto walked = joined({leader_points(), follower_points(), tower_points(), tower_client_points(), dispute_points(), kElsewhere});
    for (const std::string_view name : daemon::kFailpoints) {
        CAPTURE(name);
        CHECK(std::count(walked.begin(), walked.end(), name) > 0);
    }
}
TEST_SUITE_END();
