#include <fmt/format.h>

#include <fstream>

#include "tests/functional/dispute/dispute_pair.h"
#include "tests/support/tower_world.h"

/// hedgerowd --tower: a node that guards others' channels beside its own.
namespace {

using namespace hedgerow;
using namespace hedgerow::channel;
using namespace hedgerow::test;

DaemonOptions tower_options() {
    DaemonOptions out;
    out.settings = {{"bind", fmt::format("127.0.0.1:{}", free_port())},
                    {"tower", "true"},
                    {"tower-http", "127.0.0.1:0"},
                    {"tower-free-records", "0"},
                    {"tower-settle-grace", "2"}};
    return out;
}

std::filesystem::path tower_directory(const Daemon& node) {
    return node.datadir() / "tower";
}

std::string tower_url(const Daemon& node) {
    std::string url;
    std::ifstream(tower_directory(node) / "http.url") >> url;
    return url;
}

/// `hedgerow-tower COMMAND...` on that node's tower: its exit code, and the first line that it said.
std::pair<int, std::string> operate(const Daemon& node, std::vector<std::string> command) {
    command.insert(command.begin(), std::string(HEDGEROW_BIN_DIR) + "/hedgerow-tower");
    command.insert(command.end(), {"--datadir", tower_directory(node).string()});
    ChildProcess process(command);
    std::string line;
    try {
        line = process.read();
    } catch (const std::exception&) {  // it has said nothing
    }
    return {process.wait(), line};
}

/// What the node's one tower is to it for that channel; null for nothing.
Json promise(Daemon& node, const ChannelId& id) {
    const Json list = node.call("tower_list");
    for (const Json& channel : list.at("items").at(0).at("channels")) {
        if (channel.at("channelId") == to_hex(id)) return channel;
    }
    return {};
}

/// The rule by which the tower last refused the channel; "none" where it did not.
std::string refused(Daemon& node, const ChannelId& id) {
    const Json known = promise(node, id);
    return known.is_null() ? "none" : known.value("refused", "none");
}

std::uint64_t held(Daemon& node, const ChannelId& id) {
    const Json known = promise(node, id);
    return known.is_null() ? 0 : known.at("version").get<std::uint64_t>();
}

std::string id_of(const Daemon& node) {
    return node.uri().substr(0, node.uri().find('@'));
}

/// It starts, armed, and dies there, perhaps before it is synced.
void die_at(Daemon& node, const std::string& point) {
    ChildOptions child;
    child.environment = {{"HEDGEROW_FAILPOINT", point}};
    try {
        node.start(child);
    } catch (const std::exception&) {
    }
    std::optional<int> code;
    until("it dies at " + point, [&] { return (code = node.ended()).has_value(); });
    CHECK(*code == 137);
}

}  // namespace

TEST_CASE(
    "a node with --tower defeats a cheat in others' channel, killed in the dispute, while its own channel goes on") {
    auto anvil = Anvil::start();
    if (!anvil) return;
    Pair pair(std::move(*anvil));
    auto& [world, alice, bob] = pair;
    Daemon carol(world, "carol", tower_options());
    Daemon dave(world, "dave");
    carol.fund();
    dave.fund();
    const ChannelId own = open_channel(carol, dave, {"100", ""}, {"100", ""});
    CHECK(http_get(tower_url(carol), "/healthz") == "ok\n");

    const ChannelId id = pair.open();
    CHECK(alice.call("tower_add", {{"uri", carol.uri()}}).at("connected") == true);
    alice.pay(id, "20");
    wait_same(alice, bob, id);
    until("carol refuses: no subscription", [&] { return refused(alice, id) == "tower_not_subscribed"; });
    // The operator's commands work on the tower in the node as on one of its own.
    CHECK(operate(carol, {"grant", id_of(alice), "--records", "4", "--until", "2999-12-31"}) ==
          std::pair<int, std::string>(0, "granted"));
    const Exported old = bob.exported(id);
    bob.pay(id, "320");
    wait_same(alice, bob, id);
    const std::uint64_t newest = alice.version(id);
    until(
        "carol holds the newest", [&] { return held(alice, id) == newest; }, 120'000);
    CHECK(tower_metric(tower_url(carol), "appointments{kib=\"4\"}") == 1);
    const auto [code, line] = operate(carol, {"clients"});
    CHECK(code == 0);
    CHECK(line.starts_with(id_of(alice) + " records=1"));

    const Gained alices(world, alice.account());
    const Gained bobs(world, bob.account());
    alice.kill();
    bob.kill();
    carol.kill();
    REQUIRE(world.succeeded(world.post_challenge(old, Party::B)));
    // Both of its stores have their commits on the way.
    for (const char* point : {"store.before_commit:2", "store.after_commit:2", "store.before_commit:3",
                              "store.after_commit:3", "tx.stored.respond:1"})
        die_at(carol, point);
    CHECK(world.dispute(id).version == old.state.version);
    carol.start();
    until("carol answers", [&] { return world.dispute(id).version == newest; });
    CHECK(tower_metric(tower_url(carol), "disputes{state=\"open\"}") == 1);
    // Its own channel, in the middle of the dispute.
    until("dave is back", [&] { return carol.channel(own).at("connected").get<bool>(); });
    dave.pay(own, "7");
    carol.pay(own, "3");
    wait_same(carol, dave, own);
    world.pass_seconds(kDisputePeriod + 1);
    pass_until_final(world, id, "carol settles");
    const Ending end = world.ending(old);
    CHECK(end.settled.version == newest);
    CHECK(alices() == 1'300 * kUsdc + kPenalty);
    CHECK(bobs() == 200 * kUsdc - kPenalty);
    until("it forgets the channel", [&] {
        world.mine();
        return tower_metric(tower_url(carol), "appointments{kib=\"4\"}") == 0;
    });
    // With the same account: one manager numbers both kinds of transactions.
    const Gained carols(world, carol.account());
    CHECK(carol.refusal("channel_close", {{"channelId", to_hex(own)}}).empty());
    dave.wait_status(own, "closed");
    carol.wait_status(own, "closed");
    CHECK(carols() == 104 * kUsdc);
    CHECK(carol.stop() == 0);
    // While it is down the operator's commands go to the file.
    CHECK(operate(carol, {"grant", id_of(dave), "--records", "1", "--until", "2999-12-31"}).first == 0);
}

TEST_CASE("a node with --tower keeps copies for its clients and for its channels' peers: a lost disk finds both") {
    auto anvil = Anvil::start();
    if (!anvil) return;
    DaemonOptions options = tower_options();
    Pair pair(std::move(*anvil));
    auto& [world, alice, bob] = pair;
    Daemon carol(world, "carol", options);
    carol.fund();
    (void)bob.call("tower_add", {{"uri", carol.uri()}});
    // Bob's copy of this one goes to the tower: there is no channel with carol yet.
    const ChannelId guarded = pair.open();
    until("the copy of the guarded channel", [&] { return tower_metric(tower_url(carol), "backups") == 1; });
    const ChannelId shared = open_channel(carol, bob, {"100", ""}, {"100", ""});
    bob.pay(shared, "5");
    wait_same(bob, carol, shared);
    std::this_thread::sleep_for(std::chrono::seconds(3));
    CHECK(tower_metric(tower_url(carol), "backups") == 1);  // that one is the node's
    bob.lose_disk();
    bob.start();
    (void)bob.call("tower_add", {{"uri", carol.uri()}});
    for (const ChannelId& id : {guarded, shared}) {
        until("a channel is back", [&] { return bob.refusal("channel_get", {{"channelId", to_hex(id)}}).empty(); });
        CHECK(bob.status(id) == "recovering");
    }
    until("its newest state is back", [&] { return bob.version(shared) == carol.version(shared); });
}
