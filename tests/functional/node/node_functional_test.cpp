#include <doctest/doctest.h>
#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <thread>

#include "channel/crypto/signature.h"
#include "tests/support/two_nodes.h"

/// Two nodes, each a process with its own database, against one Anvil: what issue 2 promises of the shell around the
/// core.
namespace {

using namespace hedgerow;
using namespace hedgerow::channel;
using namespace hedgerow::test;

std::string start_anvil_missing() {
    return "skipped: no Anvil; run npm ci --ignore-scripts";
}

}  // namespace

TEST_CASE("two nodes: open, pay both ways, kill -9 and go on, close; balances to the unit") {
    auto anvil = Anvil::start();
    if (!anvil) {
        MESSAGE(start_anvil_missing());
        return;
    }
    World world(std::move(*anvil));
    TestNode alice(world, "alice", free_port());
    TestNode bob(world, "bob", free_port());
    alice.fund();
    bob.fund();
    open_between(alice, bob);

    // 500 payments each way at once
    const std::uint64_t by_alice = alice.begin("pay 500 1000");
    const std::uint64_t by_bob = bob.begin("pay 500 3000");
    REQUIRE(alice.answer(by_alice) == "paid 500 0 none");
    REQUIRE(bob.answer(by_bob) == "paid 500 0 none");
    wait_equal(alice, bob);
    StateLine state = alice.state();
    REQUIRE(state.net == 500 * 1000 - 500 * 3000);
    REQUIRE(alice.ask("history") == fmt::format("1000 {}", state.net));
    REQUIRE(bob.ask("history") == fmt::format("1000 {}", state.net));

    // the same reference never acts twice
    const std::string first = bob.ask("payref 7 once");
    REQUIRE(first.starts_with("done "));
    REQUIRE(bob.ask("payref 7 once") == first);
    REQUIRE(bob.ask("payref 8 once") == "error client_ref_reused");
    REQUIRE(bob.ask("payref 900000000 much") == "error insufficient_balance");

    // kill -9 in the middle, each side once: what both agreed stays, and they go on
    for (TestNode* victim : {&bob, &alice}) {
        TestNode& other = victim == &bob ? alice : bob;
        const std::uint64_t before = victim->state().version;
        (void)victim->begin("pay 100000 1");
        other.wait_until([&](const StateLine& s) { return s.version > before + 5; });
        victim->kill();
        victim->start();
        alice.wait_until([](const StateLine& s) { return s.connected == 1; });
        bob.wait_until([](const StateLine& s) { return s.connected == 1; });
        wait_equal(alice, bob);
        REQUIRE(victim->state().version > before);
        const long long net = alice.state().net;
        REQUIRE(alice.ask("pay 10 5") == "paid 10 0 none");
        wait_equal(alice, bob);
        REQUIRE(alice.state().net == net + 50);
    }
    REQUIRE(bob.ask("payref 7 once") == first);  // remembered across the crash

    // a withdrawal with the peer's consent
    const Int128 before_withdrawal = world.balance(bob.account());
    const std::string withdrawn = bob.ask("withdraw 1000000 w1");
    REQUIRE(withdrawn.starts_with("0x"));
    bob.wait_until([&](const StateLine&) { return world.balance(bob.account()) == before_withdrawal + 1'000'000; });
    REQUIRE(bob.ask("withdraw 1000000 w1") == withdrawn);  // the same one

    state = alice.state();
    // Until both have seen the withdrawal confirmed it could still be used.
    std::string closing = alice.ask("close");
    for (int i = 0; i < 50 && closing == "error withdraw_outstanding"; ++i) {
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
        closing = alice.ask("close");
    }
    INFO(closing);
    REQUIRE(closing.starts_with("0x"));
    alice.wait_until([](const StateLine& s) { return s.status == "closed"; });
    bob.wait_until([](const StateLine& s) { return s.status == "closed"; });
    CHECK(world.balance(alice.account()) == static_cast<Int128>(kMinted) - state.net);
    CHECK(world.balance(bob.account()) == static_cast<Int128>(kMinted) + state.net);
    CHECK(world.balance(world.adjudicator) == 0);
    CHECK(alice.stop() == 0);
    CHECK(bob.stop() == 0);
}

TEST_CASE("force close with the newest state; the nodes settle by themselves, also after a restart") {
    auto anvil = Anvil::start();
    if (!anvil) {
        MESSAGE(start_anvil_missing());
        return;
    }
    World world(std::move(*anvil));
    TestNode alice(world, "alice", free_port());
    TestNode bob(world, "bob", free_port());
    alice.fund();
    bob.fund();
    open_between(alice, bob);
    REQUIRE(bob.ask("pay 20 1000000") == "paid 20 0 none");
    wait_equal(alice, bob);
    const StateLine state = bob.state();
    REQUIRE(state.net == -20'000'000);

    alice.kill();  // bob is alone
    REQUIRE(bob.ask("force").starts_with("0x"));
    bob.wait_until([](const StateLine& s) { return s.status == "disputed"; });
    REQUIRE(bob.ask("pay 1 1") == "paid 0 1 channel_disputed");
    bob.kill();
    bob.start();
    world.pass_seconds(70);
    bob.wait_until([](const StateLine& s) { return s.status == "closed"; });
    CHECK(world.balance(alice.account()) == static_cast<Int128>(kMinted) + 20'000'000);
    CHECK(world.balance(bob.account()) == static_cast<Int128>(kMinted) - 20'000'000);
    CHECK(world.balance(world.adjudicator) == 0);

    alice.start();
    alice.wait_until([](const StateLine& s) { return s.status == "closed"; });
}

TEST_CASE("a stale challenge is answered by the victim's node, and costs the cheat the penalty") {
    auto anvil = Anvil::start();
    if (!anvil) {
        MESSAGE(start_anvil_missing());
        return;
    }
    World world(std::move(*anvil));
    TestNode alice(world, "alice", free_port());
    TestNode bob(world, "bob", free_port());
    alice.fund();
    bob.fund();
    open_between(alice, bob);
    REQUIRE(alice.ask("pay 1 50000000") == "paid 1 0 none");
    wait_equal(alice, bob);
    const std::string stale = bob.ask("cheat");
    REQUIRE(bob.ask("pay 3 100000000") == "paid 3 0 none");
    wait_equal(alice, bob);
    REQUIRE(alice.state().net == 50'000'000 - 300'000'000);

    // bob's own node would not do this: his key does, from another process
    bob.kill();
    const std::string cheat = to_hex(bob.account());
    world.anvil.call("anvil_impersonateAccount", nlohmann::json::array({cheat}));
    const nlohmann::json challenge{{"from", cheat}, {"to", to_hex(world.adjudicator)}, {"data", stale}};
    world.anvil.call("eth_sendTransaction", nlohmann::json::array({challenge}));
    alice.wait_until([](const StateLine& s) { return s.status == "disputed"; });
    std::this_thread::sleep_for(std::chrono::seconds(2));
    world.pass_seconds(61);  // the dispute ends
    world.pass_seconds(31);  // and the challenger has not settled
    alice.wait_until([](const StateLine& s) { return s.status == "closed"; });
    CHECK(world.balance(alice.account()) == static_cast<Int128>(kMinted) + 250'000'000 + 1'000'000);
    CHECK(world.balance(bob.account()) == static_cast<Int128>(kMinted) - 250'000'000 - 1'000'000);
    CHECK(world.balance(world.adjudicator) == 0);
}

TEST_CASE("openings are refused by name, and change nothing") {
    auto anvil = Anvil::start();
    if (!anvil) {
        MESSAGE(start_anvil_missing());
        return;
    }
    World world(std::move(*anvil));
    TestNode alice(world, "alice", free_port());
    TestNode bob(world, "bob", free_port());
    CHECK(bob.ask("open " + alice.id() + " 5") == "error peer_disconnected");
    REQUIRE(bob.ask("connect " + alice.uri()) == "connected");
    CHECK(bob.ask("open " + alice.id() + " 0") == "error amount_must_be_positive");
    CHECK(bob.ask("openwith " + alice.id() + " 59") == "error dispute_period_out_of_range");
    CHECK(bob.ask("openwith " + alice.id() + " oracle") == "error oracles_unacceptable");
    CHECK(bob.ask("openwith " + alice.id() + " risk") == "error terms_unacceptable");
    CHECK(bob.ask("connect nonsense") == "error peer_uri_malformed");
    CHECK(bob.ask("connect " + bob.uri()) == "error peer_is_self");
    CHECK(alice.ask("state") == "none");
    CHECK(bob.ask("state") == "none");
    CHECK(bob.ask("open " + alice.id() + " 500000000") == "error insufficient_funds");  // no coin for fees
}

TEST_CASE("a database that another process has open is refused by name") {
    auto anvil = Anvil::start();
    if (!anvil) {
        MESSAGE(start_anvil_missing());
        return;
    }
    World world(std::move(*anvil));
    TestNode alice(world, "alice", free_port());
    ChildProcess second({NODE_CHILD, (world.directory / "alice").string(), world.anvil.url(),
                         checksum_address(world.adjudicator), checksum_address(world.token),
                         std::to_string(free_port())});
    CHECK_THROWS_AS((void)second.read(), std::runtime_error);
    CHECK(second.wait() == 3);
    CHECK(alice.ask("state") == "none");
}

TEST_CASE("after a lost disk: phrase and backup, the peer hands the newest state over, and its force close pays it") {
    auto anvil = Anvil::start();
    if (!anvil) {
        MESSAGE(start_anvil_missing());
        return;
    }
    World world(std::move(*anvil));
    TestNode alice(world, "alice", free_port());
    TestNode bob(world, "bob", free_port());
    alice.fund();
    bob.fund();
    open_between(alice, bob);
    REQUIRE(bob.ask("pay 10 1000000") == "paid 10 0 none");
    wait_equal(alice, bob);
    const std::string file = (world.directory / "bob.backup").string();
    REQUIRE(bob.ask("backup " + file) == "backup 1");
    CHECK((std::filesystem::status(file).permissions() & std::filesystem::perms::all) ==
          (std::filesystem::perms::owner_read | std::filesystem::perms::owner_write));
    CHECK(bob.ask("backup " + file) == "error file_exists");
    CHECK(bob.ask("backup " + file + "/none") == "error file_unusable");
    CHECK(bob.ask("restore " + file) == "restored 0");  // nothing that is not known
    CHECK(bob.ask("pay 1 1") == "paid 1 0 none");       // and nothing is recovering for it
    CHECK(alice.ask("restore " + file) == "error backup_invalid");
    CHECK(alice.ask("restore " + file + ".none") == "error file_unusable");

    // What the backup does not know: more payments both ways, and a deposit.
    REQUIRE(bob.ask("pay 20 2000000") == "paid 20 0 none");
    REQUIRE(alice.ask("pay 5 3000000") == "paid 5 0 none");
    REQUIRE(alice.ask("deposit 50000000 second").starts_with("0x"));
    const long long net = 5 * 3'000'000 - 10 * 1'000'000 - 1 - 20 * 2'000'000;
    const auto all_there = [&](const StateLine& s) { return s.net == net && s.available_a == 350'000'000 - net; };
    alice.wait_until(all_there);
    bob.wait_until(all_there);
    wait_equal(alice, bob);
    const StateLine newest = alice.state();

    bob.lose_disk();
    bob.start();
    REQUIRE(bob.ask("state") == "none");
    REQUIRE(bob.ask("restore " + file) == "restored 1");
    // He dials alice by the backup's URI; deposits come from the chain's past.
    const auto recovered = [&](const StateLine& s) {
        return s.status == "recovering" && s.version == newest.version && s.digest == newest.digest && all_there(s);
    };
    bob.wait_until(recovered);
    // The signing policy knows what the peer has shown it to have signed.
    const std::string record = fmt::format("{} recovering", newest.version);
    bob.wait_until([&](const StateLine&) { return bob.ask("record") == record; });  // once it is on disk
    CHECK(std::stoul(bob.ask("number")) > 90'000'000);  // far above the numbers of its first life
    CHECK(bob.ask("restore " + file) == "restored 0");
    CHECK(bob.ask("pay 1 1") == "paid 0 1 channel_recovering");
    CHECK(bob.ask("force") == "error channel_recovering");
    bob.kill();
    bob.start();
    bob.wait_until(recovered);  // for good

    REQUIRE(alice.ask("force").starts_with("0x"));
    bob.wait_until([](const StateLine& s) { return s.status == "disputed"; });
    world.pass_seconds(70);
    alice.wait_until([](const StateLine& s) { return s.status == "closed"; });
    bob.wait_until([](const StateLine& s) { return s.status == "closed"; });
    CHECK(world.balance(alice.account()) == static_cast<Int128>(kMinted) - net);
    CHECK(world.balance(bob.account()) == static_cast<Int128>(kMinted) + net);
    CHECK(world.balance(world.adjudicator) == 0);
    // A channel of the restored wallet has another number than any before it: the same peers open again.
    CHECK(bob.ask("open " + alice.id() + " 7000000").starts_with("0x"));
    CHECK(bob.stop() == 0);
    CHECK(alice.stop() == 0);
}

TEST_CASE("a stale challenge made while the victim had lost its disk is answered with the backup's state") {
    auto anvil = Anvil::start();
    if (!anvil) {
        MESSAGE(start_anvil_missing());
        return;
    }
    World world(std::move(*anvil));
    TestNode alice(world, "alice", free_port());
    TestNode bob(world, "bob", free_port());
    alice.fund();
    bob.fund();
    open_between(alice, bob);
    const std::string older = (world.directory / "older.backup").string();
    REQUIRE(alice.ask("backup " + older) == "backup 1");  // version 0: deposits only
    REQUIRE(alice.ask("pay 1 50000000") == "paid 1 0 none");
    wait_equal(alice, bob);
    const std::string stale = bob.ask("cheat");
    // More than the window (spec 3.3) below what the backup has: that is stale beyond doubt.
    REQUIRE(bob.ask("pay 1 250000000") == "paid 1 0 none");
    for (int i = 0; i < 70; ++i) REQUIRE(bob.ask("pay 1 1") == "paid 1 0 none");
    wait_equal(alice, bob);
    const long long net = alice.state().net;
    REQUIRE(net == 50'000'000 - 250'000'000 - 70);
    const std::string file = (world.directory / "alice.backup").string();
    REQUIRE(alice.ask("backup " + file) == "backup 1");
    REQUIRE(alice.ask("pay 1 1") == "paid 1 0 none");

    alice.lose_disk();
    bob.kill();
    const std::string cheat = to_hex(bob.account());
    world.anvil.call("anvil_impersonateAccount", nlohmann::json::array({cheat}));
    const nlohmann::json challenge{{"from", cheat}, {"to", to_hex(world.adjudicator)}, {"data", stale}};
    world.anvil.call("eth_sendTransaction", nlohmann::json::array({challenge}));
    world.anvil.mine();
    alice.start();
    std::this_thread::sleep_for(
        std::chrono::seconds(2));  // she follows past the challenge of a channel she does not know
    REQUIRE(alice.ask("restore " + older) == "restored 1");
    alice.wait_until([](const StateLine& s) { return s.status == "disputed" && s.version == 0; });
    // A newer backup of a channel that is known is what a HandOver is.
    REQUIRE(alice.ask("restore " + file) == "restored 1");
    CHECK(alice.ask("restore " + older) == "restored 0");
    alice.wait_until([](const StateLine& s) { return s.status == "disputed" && s.version > 70; });
    std::this_thread::sleep_for(std::chrono::seconds(2));
    world.pass_seconds(61);
    world.pass_seconds(31);
    alice.wait_until([](const StateLine& s) { return s.status == "closed"; });
    CHECK(world.balance(alice.account()) == static_cast<Int128>(kMinted) - net + 1'000'000);
    CHECK(world.balance(bob.account()) == static_cast<Int128>(kMinted) + net - 1'000'000);
    CHECK(world.balance(world.adjudicator) == 0);
}

TEST_CASE(
    "a leader that lost its disk is recovered while its peer is connected; a backup fits one contract and wallet") {
    auto anvil = Anvil::start();
    if (!anvil) {
        MESSAGE(start_anvil_missing());
        return;
    }
    World world(std::move(*anvil));
    TestNode alice(world, "alice", free_port());
    TestNode bob(world, "bob", free_port());
    alice.fund();
    bob.fund();
    open_between(alice, bob);
    REQUIRE(alice.ask("pay 3 1000000") == "paid 3 0 none");
    wait_equal(alice, bob);
    const std::string file = (world.directory / "alice.backup").string();
    REQUIRE(alice.ask("backup " + file) == "backup 1");
    REQUIRE(bob.ask("pay 1 500000") == "paid 1 0 none");
    REQUIRE(alice.ask("pay 4 2000000") == "paid 4 0 none");
    wait_equal(alice, bob);
    const StateLine newest = bob.state();
    const long long net = 3'000'000 - 500'000 + 8'000'000;
    REQUIRE(newest.net == net);

    // The same wallet, under another contract.
    const std::string phrase = alice.ask("phrase");
    alice.lose_disk();
    {
        const Address other = world.anvil.deploy("Adjudicator");
        ChildProcess elsewhere({NODE_CHILD, (world.directory / "elsewhere").string(), world.anvil.url(),
                                checksum_address(other), checksum_address(world.token), std::to_string(free_port()),
                                phrase});
        REQUIRE(elsewhere.read() == "0 ready");
        CHECK(elsewhere.ask("1 restore " + file) == "1 error wrong_contract");
        CHECK(elsewhere.ask("2 state") == "2 none");
    }
    alice.start();
    bob.wait_until([&](const StateLine&) { return bob.ask("connect " + alice.uri()) == "connected"; });
    const std::string cut = file + ".cut";
    std::filesystem::copy_file(file, cut);
    std::filesystem::resize_file(cut, std::filesystem::file_size(cut) - 1);
    CHECK(alice.ask("restore " + cut) == "error backup_invalid");
    const std::string restored = alice.ask("restore " + file);
    CHECK((restored == "restored 1" || restored == "restored 0"));  // the copy that bob keeps may be here already
    alice.wait_until([&](const StateLine& s) {
        return s.status == "recovering" && s.version == newest.version && s.digest == newest.digest;
    });
    const std::string record = fmt::format("{} recovering", newest.version);
    alice.wait_until([&](const StateLine&) { return alice.ask("record") == record; });  // once it is on disk

    REQUIRE(bob.ask("force").starts_with("0x"));
    alice.wait_until([](const StateLine& s) { return s.status == "disputed"; });
    world.pass_seconds(70);
    alice.wait_until([](const StateLine& s) { return s.status == "closed"; });
    bob.wait_until([](const StateLine& s) { return s.status == "closed"; });
    CHECK(world.balance(alice.account()) == static_cast<Int128>(kMinted) - net);
    CHECK(world.balance(bob.account()) == static_cast<Int128>(kMinted) + net);
    CHECK(world.balance(world.adjudicator) == 0);
}
