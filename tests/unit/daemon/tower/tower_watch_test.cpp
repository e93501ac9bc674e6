#include "daemon/tower/tower_watch.h"

#include <doctest/doctest.h>

#include "tests/unit/daemon/tower/tower_rig.h"

using namespace hedgerow;
using namespace hedgerow::channel;
using namespace hedgerow::daemon;
using hedgerow::testing::Protected;
using hedgerow::testing::TowerRig;

namespace {

constexpr std::uint64_t kBlock = 100;

/// A tower with what clients stored, put there directly: whether it may be stored is the service's test.
struct Watched : TowerRig {
    Protected channel;
    State stale;
    NodeId alice, bob;

    Watched() {
        alice.data[0] = 1;
        bob.data[0] = 2;
        pay(3);
        stale = channel.state();
        pay(2);
    }
    void pay(int times) {
        for (int i = 0; i < times; ++i) REQUIRE(channel.pair.attempt(Party::B, testing::pay(-1'000)) == Rule::none);
    }
    void keep(const NodeId& client, const TowerStore& store) {
        auto outcome = std::make_shared<StoreOutcome>();
        ReceiptMaker maker;
        maker.tower = me();
        maker.sign = [](ByteView) { return NodeSignature(); };
        maker.now_ms = now_ms;
        run->store.outbox().persist([outcome, client, store, maker, free = policy.free](Database& db) {
            *outcome = store_appointment(db, maker, client, store, free, Rule::none);
        });
        run->store.outbox().when_durable([this, outcome, client, locator = store.locator] {
            if (outcome->disputed) run->watcher->on_record(*outcome->disputed, client, locator);
        });
        settle();
        REQUIRE(outcome->rule == Rule::none);
    }
    [[nodiscard]] std::uint64_t now_s() const { return now_ms / 1'000; }
    /// A batch of a follower that is not at the head yet.
    void behind(std::vector<ChainInput> inputs, std::uint64_t block, std::uint64_t time_s) {
        is_synced = false;
        batch(std::move(inputs), block, time_s);
        settle();
        is_synced = true;
    }
    /// B challenges with the stale state, in that block.
    void challenge(std::uint64_t block = kBlock) {
        batch({EventPending{channel.challenged(stale, Party::B, block, now_s())}}, block, now_s());
        settle();
    }
    void next_block() {
        batch({}, kBlock + 10, now_s());
        settle();
    }
    [[nodiscard]] const wallet::Job* response() const { return job(channel.respond_job()); }
    [[nodiscard]] const CheckedAppointment* enforcing() const { return run->watcher->enforcing(channel.id()); }
};

}  // namespace

TEST_CASE("tower watch: a stale challenge is answered with the newest state, before its end") {
    Watched tower;
    tower.keep(tower.alice, tower.channel.store(Party::A, tower.me()));
    tower.challenge();
    REQUIRE(tower.response() != nullptr);
    CHECK(tower.response()->request.data == wallet::respond_call(tower.channel.channel().terms, tower.channel.state(),
                                                                 {tower.channel.channel().agreed.signature_a,
                                                                  tower.channel.channel().agreed.signature_b}));
    CHECK(tower.response()->request.purpose == wallet::TxPurpose::defence);
    CHECK(tower.response()->request.deadline_ms ==
          tower.now_ms + tower.channel.channel().terms.dispute_period * 1'000ull);
    CHECK(tower.run->watcher->status().answering == 1);
}

TEST_CASE("tower watch: without a record, or with none newer, it does nothing") {
    Watched tower;
    tower.challenge();
    CHECK(tower.run->watcher->status().cases == 0);

    Watched newest;
    newest.keep(newest.alice, newest.channel.store(Party::A, newest.me()));
    newest.stale = newest.channel.state();
    newest.challenge();
    CHECK(newest.run->watcher->status().cases == 1);  // watched: it may have to be settled
    CHECK(newest.run->watcher->status().answering == 0);
    CHECK(newest.response() == nullptr);
}

TEST_CASE("tower watch: of both parties' records the higher version is taken, and both are protected") {
    Watched tower;
    tower.keep(tower.bob, tower.channel.store(Party::B, tower.me()));
    tower.pay(1);
    tower.keep(tower.alice, tower.channel.store(Party::A, tower.me()));
    tower.challenge();
    REQUIRE(tower.enforcing() != nullptr);
    CHECK(tower.enforcing()->state.version == tower.channel.state().version);
    CHECK(tower.enforcing()->party == Party::A);
    CHECK(tower.response() != nullptr);
}

TEST_CASE("tower watch: rubbish under the locator does not hide the honest record, however much and whatever it says") {
    Watched tower;
    const std::size_t clients = TowerWatcher::kRecordsPerPage * 2 + 3;
    Appointment forged = tower.channel.appointment(Party::A);
    std::swap(forged.signature_a, forged.signature_b);
    for (std::size_t i = 0; i < clients; ++i) {
        NodeId thief;
        thief.data[0] = 9;
        thief.data[1] = static_cast<std::uint8_t>(i);
        tower.keep(thief, Protected::sealed(forged, tower.me(), kMaxVersion));
    }
    tower.keep(tower.alice, tower.channel.store(Party::A, tower.me()));
    tower.challenge();
    tower.settle();
    REQUIRE(tower.enforcing() != nullptr);
    CHECK(tower.enforcing()->state.version == tower.channel.state().version);
    CHECK(tower.run->watcher->status().malformed == clients);
    CHECK(tower.response() != nullptr);
}

TEST_CASE("tower watch: what is in a blob is checked: signatures, terms, secret, version") {
    Watched tower;
    const auto check = [&](const Appointment& appointment, std::uint64_t version) {
        const auto checked = check_appointment(appointment, tower.channel.id(), version, domain_separator({31337, {}}));
        return checked ? Rule::none : checked.error();
    };
    const Appointment good = tower.channel.appointment(Party::A);
    const std::uint64_t version = tower.channel.state().version;
    CHECK(check(good, version) == Rule::none);
    CHECK(check(good, version + 1) == Rule::version_out_of_range);
    Appointment bad = good;
    bad.signature_a.data[10] ^= 1;
    CHECK(check(bad, version) == Rule::wrong_signer);
    bad = good;
    bad.signature_b.data[32] ^= 0x80;  // the other parity: valid to plain ECDSA, another signer on chain
    CHECK(check(bad, version) == Rule::wrong_signer);
    bad = good;
    bad.terms.dispute_period += 1;
    CHECK(check(bad, version) == Rule::channel_id_mismatch);
    bad = good;
    bad.secret.data[0] ^= 1;
    CHECK(check(bad, version) == Rule::salt_mismatch);
    bad = good;
    bad.state.pop_back();
    CHECK(check(bad, version) != Rule::none);
}

TEST_CASE("tower watch: a record that comes while the dispute is open counts") {
    Watched tower;
    tower.challenge();
    CHECK(tower.response() == nullptr);
    tower.keep(tower.alice, tower.channel.store(Party::A, tower.me()));
    tower.settle();
    REQUIRE(tower.response() != nullptr);
    // And a still newer one.
    tower.pay(1);
    tower.keep(tower.alice, tower.channel.store(Party::A, tower.me()));
    tower.settle();
    CHECK(tower.response() != nullptr);
    CHECK(tower.enforcing()->state.version == tower.channel.state().version);
}

TEST_CASE("tower watch: a record under way to the disk when the challenge comes is not missed") {
    Watched tower;
    // Judged in the same turn, before the challenge, and committed after it was seen.
    const TowerStore store = tower.channel.store(Party::A, tower.me());
    ReceiptMaker maker;
    maker.tower = tower.me();
    maker.sign = [](ByteView) { return NodeSignature(); };
    const auto outcome = std::make_shared<StoreOutcome>();
    tower.run->store.outbox().persist([=, free = tower.policy.free, client = tower.alice](Database& db) {
        *outcome = store_appointment(db, maker, client, store, free, Rule::none);
    });
    tower.batch({EventPending{tower.channel.challenged(tower.stale, Party::B, kBlock, tower.now_s())}}, kBlock,
                tower.now_s());
    tower.settle();
    CHECK(outcome->rule == Rule::none);
    CHECK_FALSE(outcome->disputed);
    CHECK(tower.response() != nullptr);
}

TEST_CASE("tower watch: after a crash at any point it goes on, from the cursor and the store") {
    SUBCASE("before the challenge is durable: the follower says it again") {
        Watched tower;
        tower.keep(tower.alice, tower.channel.store(Party::A, tower.me()));
        tower.batch({EventPending{tower.channel.challenged(tower.stale, Party::B, kBlock, tower.now_s())}}, kBlock,
                    tower.now_s());
        tower.restart();
        CHECK_FALSE(get_meta(tower.run->store.reader(), "chain_cursor"));
        CHECK(tower.response() == nullptr);
        tower.challenge();
        CHECK(tower.response() != nullptr);
    }
    SUBCASE("durable, but not answered yet") {
        Watched tower;
        tower.keep(tower.alice, tower.channel.store(Party::A, tower.me()));
        tower.batch({EventPending{tower.channel.challenged(tower.stale, Party::B, kBlock, tower.now_s())}}, kBlock,
                    tower.now_s());
        CHECK(tower.run->store.writer().step());  // committed, and killed before anybody heard
        CHECK(tower.response() == nullptr);
        tower.restart();
        CHECK(get_meta(tower.run->store.reader(), "chain_cursor"));
        CHECK(tower.response() == nullptr);  // how much time is left it learns from the newest block
        tower.next_block();
        REQUIRE(tower.response() != nullptr);
    }
    SUBCASE("answered: the job is there, and not made twice") {
        Watched tower;
        tower.keep(tower.alice, tower.channel.store(Party::A, tower.me()));
        tower.challenge();
        tower.restart();
        tower.next_block();
        CHECK(tower.response() != nullptr);
        CHECK(tower.run->transactions.count_jobs().at(wallet::JobStatus::queued) == 1);
    }
    SUBCASE("with a record that came during the dispute") {
        Watched tower;
        tower.challenge();
        tower.keep(tower.alice, tower.channel.store(Party::A, tower.me()));
        tower.restart();
        CHECK(tower.enforcing() != nullptr);
    }
}

TEST_CASE("tower watch: a reorganisation takes its response back: it answers again") {
    Watched tower;
    tower.keep(tower.alice, tower.channel.store(Party::A, tower.me()));
    tower.challenge();
    const ChainEvent ours = tower.channel.responded(tower.channel.state(), kBlock + 1);
    tower.batch({EventPending{ours}}, kBlock + 1, tower.now_s());
    tower.settle();
    CHECK(tower.run->watcher->status().answering == 0);
    tower.batch({EventRolledBack{ours, false}}, kBlock + 1, tower.now_s());
    tower.settle();
    CHECK(tower.run->watcher->status().answering == 1);
    // Also over a restart.
    tower.restart();
    tower.next_block();
    CHECK(tower.run->watcher->status().answering == 1);
    CHECK(tower.response() != nullptr);
}

TEST_CASE("tower watch: the challenge goes and comes back with another time: the new end counts") {
    Watched tower;
    tower.keep(tower.alice, tower.channel.store(Party::A, tower.me()));
    const ChainEvent first = tower.channel.challenged(tower.stale, Party::B, kBlock, tower.now_s());
    tower.batch({EventPending{first}}, kBlock, tower.now_s());
    tower.settle();
    tower.batch({EventRolledBack{first, false}}, kBlock, tower.now_s());
    tower.settle();
    CHECK(tower.run->watcher->status().answering == 0);
    CHECK(tower.enforcing() == nullptr);
    tower.restart();
    CHECK(tower.enforcing() == nullptr);
    // An older state this time, and later.
    tower.now_ms += 60'000;
    State older = tower.stale;
    older.version -= 1;
    tower.batch({EventPending{tower.channel.challenged(older, Party::B, kBlock + 2, tower.now_s())}}, kBlock + 2,
                tower.now_s());
    tower.settle();
    CHECK(tower.run->watcher->status().answering == 1);
    CHECK(recorded_events(tower.run->store.reader(), tower.channel.id()).back().end_s ==
          tower.now_s() + tower.channel.channel().terms.dispute_period);
}

TEST_CASE("tower watch: somebody else's newer response is not answered; its rolling back is") {
    Watched tower;
    tower.keep(tower.alice, tower.channel.store(Party::A, tower.me()));
    tower.challenge();
    State theirs = tower.channel.state();
    theirs.version += 5;
    const ChainEvent other = tower.channel.responded(theirs, kBlock + 1);
    tower.batch({EventPending{other}}, kBlock + 1, tower.now_s());
    tower.settle();
    CHECK(tower.run->watcher->status().answering == 0);
    tower.batch({EventRolledBack{other, false}}, kBlock + 1, tower.now_s());
    tower.settle();
    CHECK(tower.run->watcher->status().answering == 1);
}

TEST_CASE("tower watch: while it catches up it does not take the past for the present") {
    Watched tower;
    tower.keep(tower.alice, tower.channel.store(Party::A, tower.me()));
    const std::uint64_t period = tower.channel.channel().terms.dispute_period;
    // The challenge is old: most of the window has passed, which the follower has not come to yet.
    const std::uint64_t began = tower.now_s() - period + 100;
    tower.behind({EventPending{tower.channel.challenged(tower.stale, Party::B, kBlock, began)}}, kBlock, began);
    CHECK(tower.response() == nullptr);
    tower.batch({}, kBlock + 50, tower.now_s());
    tower.settle();
    REQUIRE(tower.response() != nullptr);
    CHECK(tower.response()->request.deadline_ms == tower.now_ms + 100'000);
}

TEST_CASE("tower watch: at the end of the window it stops answering") {
    Watched tower;
    tower.keep(tower.alice, tower.channel.store(Party::A, tower.me()));
    const std::uint64_t began = tower.now_s();
    const std::uint64_t end = began + tower.channel.channel().terms.dispute_period;
    SUBCASE("one second before it still answers") {
        tower.batch({EventPending{tower.channel.challenged(tower.stale, Party::B, kBlock, began)}}, kBlock, end - 1);
        tower.settle();
        CHECK(tower.response() != nullptr);
    }
    SUBCASE("at it no more") {
        tower.batch({EventPending{tower.channel.challenged(tower.stale, Party::B, kBlock, began)}}, kBlock, end);
        tower.settle();
        CHECK(tower.response() == nullptr);
    }
}

TEST_CASE("tower watch: a settled channel is forgotten once that is confirmed, for all clients") {
    Watched tower;
    tower.keep(tower.alice, tower.channel.store(Party::A, tower.me()));
    tower.keep(tower.bob, tower.channel.store(Party::B, tower.me()));
    tower.challenge();
    const ChainEvent end = tower.channel.settled(kBlock + 2);
    tower.batch({EventPending{end}}, kBlock + 2, tower.now_s());
    tower.settle();
    CHECK(tower_totals(tower.run->store.reader()).all_records() == 2);
    tower.batch({EventConfirmed{end}}, kBlock + 9, tower.now_s());
    tower.settle();
    CHECK(tower_totals(tower.run->store.reader()).all_records() == 0);
    CHECK(tower.run->watcher->status().cases == 0);
    CHECK(engaged_disputes(tower.run->store.reader()).empty());
    // What waited unsigned for it is withdrawn, and takes no place for ever.
    CHECK(tower.response()->cancel_requested);
}

TEST_CASE("tower watch: what it cannot promise it does not take") {
    Watched tower;
    CHECK(tower.run->watcher->more(4'136) == Rule::tower_behind);  // it has seen no block
    tower.batch({}, kBlock, tower.now_s());
    CHECK(tower.run->watcher->more(4'136) == Rule::tower_behind);  // nor its own wallet: the chain is deaf
    CHECK(enforcement_gas(0) < enforcement_gas(1));
    CHECK(enforcement_gas(2) <= enforcement_gas(3));
}
