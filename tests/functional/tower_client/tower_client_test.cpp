#include <unistd.h>

#include <fstream>

#include "tests/functional/dispute/dispute_pair.h"
#include "tests/paths.h"
#include "tests/support/tower_world.h"

/// hedgerowd and hedgerow-tower together: states handed over, receipts that others can check, a cheat defeated while the
/// victim is down, and a node that comes back from its phrase and its tower alone.
namespace {

using namespace hedgerow;
using namespace hedgerow::channel;
using namespace hedgerow::test;

std::string uri(const TowerProcess& tower) {
    return to_hex(tower.id()).substr(2) + "@127.0.0.1:" + std::to_string(tower.port());
}

/// What that tower holds of the channel, by the node's account; 0 for nothing.
std::uint64_t held(Daemon& node, const ChannelId& id) {
    const Json list = node.call("tower_list");
    for (const Json& tower : list.at("items")) {
        for (const Json& channel : tower.at("channels")) {
            if (channel.at("channelId") == to_hex(id)) return channel.at("version");
        }
    }
    return 0;
}

/// A program run to its end: its exit code, and what it said.
std::pair<int, std::string> run(const std::vector<std::string>& arguments) {
    std::string out = (std::filesystem::temp_directory_path() / "hedgerow-run-XXXXXX").string();
    const int fd = ::mkstemp(out.data());
    REQUIRE(fd >= 0);
    ::close(fd);
    std::string line;
    for (const std::string& argument : arguments) line.append("'").append(argument).append("' ");
    const int status = std::system(line.append("> ").append(out).append(" 2>&1").c_str());
    std::ifstream file(out);
    std::string text((std::istreambuf_iterator<char>(file)), {});
    std::filesystem::remove(out);
    return {WEXITSTATUS(status), text};
}

std::string cli() {
    return std::string(HEDGEROW_BIN_DIR) + "/hedgerow-cli";
}

/// The bundle with one text replaced.
std::filesystem::path altered(const std::filesystem::path& file, const Json::json_pointer& at, const Json& value) {
    Json bundle = Json::parse(std::ifstream(file));
    bundle.at(at) = value;
    const std::filesystem::path out = file.string() + ".altered";
    std::ofstream(out) << bundle.dump();
    return out;
}

/// Both checkers, ours and the one in Node.js: the exit codes must agree.
int check(const std::filesystem::path& file) {
    const auto [code, text] = run({cli(), "tower", "verify", file.string()});
    INFO(text);
    const std::string script = std::string(HEDGEROW_SOURCE_DIR) + "/tests/functional/tower_client/check_bundle.js";
    const auto [other, said] = run({NODE_PROGRAM, script, file.string()});
    INFO(said);
    CHECK(code == other);
    return code;
}

}  // namespace

TEST_CASE("a cheat is defeated by the tower while the victim's daemon is down; the receipts prove the promise to anyone") {
    auto anvil = Anvil::start();
    if (!anvil) return;
    Pair pair(std::move(*anvil));
    auto& [world, alice, bob] = pair;
    TowerProcess tower(world);
    CHECK(alice.refusal("tower_add", {{"uri", alice.uri()}}) == "peer_is_self");
    const Json added = alice.call("tower_add", {{"uri", uri(tower)}});
    CHECK(added.at("connected") == true);
    const ChannelId id = pair.open();
    alice.pay(id, "20");
    wait_same(alice, bob, id);
    const Exported old = bob.exported(id);
    bob.pay(id, "320");
    wait_same(alice, bob, id);
    const std::uint64_t newest = alice.version(id);
    until("the tower holds the newest", [&] { return held(alice, id) == newest; });
    CHECK(alice.call("channel_towers", {{"channelId", to_hex(id)}}).at("sync") == 0);

    const auto file = world.directory / "receipts.json";
    const auto [exported, said] = run({cli(), "--datadir", alice.datadir().string(), "tower", "receipts", "--export", file.string()});
    INFO(said);
    REQUIRE(exported == 0);
    CHECK((std::filesystem::status(file).permissions() & std::filesystem::perms::all) ==
          (std::filesystem::perms::owner_read | std::filesystem::perms::owner_write));
    CHECK(run({cli(), "--datadir", alice.datadir().string(), "tower", "receipts", "--export", file.string()}).first != 0);
    CHECK(check(file) == 0);
    const Json::json_pointer proof("/proofs/0");
    CHECK(check(altered(file, proof / "receipt" / "version", newest + 1)) == 1);
    CHECK(check(altered(file, proof / "receipt" / "client", to_hex(Hash()))) == 1);
    CHECK(check(altered(file, proof / "secret", to_hex(Hash()))) == 1);
    CHECK(check(altered(file, proof / "party", "B")) == 1);
    CHECK(check(altered(file, proof / "channelId", to_hex(Hash()))) == 1);
    CHECK(check(altered(file, proof / "blob", "0x00")) == 1);
    CHECK(check(altered(file, Json::json_pointer("/adjudicator"), to_hex(Address()))) == 1);

    const Gained alices(world, alice.account());
    const Gained bobs(world, bob.account());
    alice.kill();
    bob.kill();
    REQUIRE(world.succeeded(world.post_challenge(old, Party::B)));
    until("the tower answers", [&] {
        world.mine();
        return world.dispute(id).version == newest;
    });
    world.pass_seconds(kDisputePeriod + 1);
    pass_until_final(world, id, "the tower settles");
    const Ending end = world.ending(old);
    CHECK(end.settled.version == newest);
    CHECK(alices() == 1'300 * kUsdc + kPenalty);
    CHECK(bobs() == 200 * kUsdc - kPenalty);
    alice.start();
    alice.wait_status(id, "closed");
    until("the record is ended", [&] {
        return alice.call("tower_list").at("items").at(0).at("channels").at(0).at("ended").get<bool>();
    });
    CHECK(alice.call("tower_list").at("items").at(0).at("channels").at(0).at("broken") == false);
}

TEST_CASE("a lost disk: phrase and tower alone give the newest state back, without the peer") {
    auto anvil = Anvil::start();
    if (!anvil) return;
    Pair pair(std::move(*anvil));
    auto& [world, alice, bob] = pair;
    TowerProcess tower(world);
    (void)bob.call("tower_add", {{"uri", uri(tower)}});
    const ChannelId id = pair.open();
    alice.pay(id, "1");
    wait_same(alice, bob, id);
    const Exported old = alice.exported(id);
    std::this_thread::sleep_for(std::chrono::seconds(3));  // the tower's copy of the head is from now
    for (int i = 0; i < 70; ++i) alice.pay(id, "1");
    wait_same(alice, bob, id);
    const std::uint64_t newest = bob.version(id);
    until("the tower holds the newest", [&] { return held(bob, id) == newest; });
    bob.lose_disk();
    alice.kill();
    bob.start();
    CHECK(bob.call("channel_list").at("items").empty());
    (void)bob.call("tower_add", {{"uri", uri(tower)}});
    until("the newest is back", [&] {
        return bob.refusal("channel_get", {{"channelId", to_hex(id)}}).empty() && bob.version(id) == newest;
    });
    CHECK(bob.status(id) == "recovering");
    const Json recovery = bob.channel(id).at("recovery");
    CHECK(recovery.at("towers").at(0).at("version") == newest);
    CHECK_FALSE(recovery.contains("peer"));
    // The peer cheats now.
    const Gained bobs(world, bob.account());
    REQUIRE(world.succeeded(world.post_challenge(old, Party::A)));
    until("an answer", [&] {
        world.mine();
        return world.dispute(id).version == newest;
    });
    const Ending end = pair.settle(old, bob);
    CHECK(end.settled.version == newest);
    CHECK(bobs() == 571 * kUsdc + kPenalty);
}

TEST_CASE("results that wait for a tower: not reported while it is away, never lost, never twice") {
    auto anvil = Anvil::start();
    if (!anvil) return;
    Pair pair(std::move(*anvil));
    auto& [world, alice, bob] = pair;
    TowerProcess tower(world);
    (void)bob.call("tower_add", {{"uri", uri(tower)}});
    const ChannelId id = pair.open();
    const Json of{{"channelId", to_hex(id)}};
    CHECK(bob.refusal("channel_towers", {{"channelId", to_hex(id)}, {"sync", 2}}) == "field_out_of_range");
    CHECK(bob.call("channel_towers", {{"channelId", to_hex(id)}, {"sync", 1}}).at("sync") == 1);
    CHECK(bob.refusal("tower_remove", {{"uri", uri(tower)}}) == "tower_in_use");
    bob.pay(id, "1");
    CHECK(held(bob, id) >= bob.version(id));  // it was reported, so the tower has it
    tower.kill();
    const Json payment{{"channelId", to_hex(id)}, {"asset", "USDC"}, {"amount", "5"}, {"clientRef", "once"}};
    const std::uint64_t before = alice.version(id);
    CHECK(bob.refusal("pay_send", payment) == "tower_unconfirmed");
    CHECK(alice.version(id) == before + 1);  // the channel itself did not wait
    CHECK(bob.refusal("pay_send", payment) == "tower_unconfirmed");
    bob.kill();
    bob.start();
    CHECK(bob.refusal("pay_send", payment) == "tower_unconfirmed");
    tower.start();
    until("it is reported", [&] { return bob.refusal("pay_send", payment).empty(); }, 90'000);
    CHECK(alice.version(id) == before + 1);
    CHECK(held(bob, id) == before + 1);
}
