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
    std::this_thread::sleep_for(std::chrono::seconds(5));  // copies go out once a second, and are stored at leisure
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

TEST_CASE("a subscription that is paid in a channel is credited once, whenever the tower's node dies") {
    auto anvil = Anvil::start();
    if (!anvil) return;
    DaemonOptions options = tower_options();
    options.settings.emplace_back("tower-fee", "5,USDC,30,10");
    Pair pair(std::move(*anvil));
    auto& [world, alice, bob] = pair;
    Daemon carol(world, "carol", options);
    carol.fund();
    const ChannelId guarded = pair.open();
    const ChannelId shared = open_channel(carol, alice, {"100", ""}, {"100", ""});
    (void)alice.call("tower_add", {{"uri", carol.uri()}});
    alice.pay(guarded, "20");
    until("no subscription", [&] { return refused(alice, guarded) == "tower_not_subscribed"; });
    const auto subscription = [&] { return alice.call("tower_list").at("items").at(0).at("subscription"); };
    until("its plan", [&] { return alice.call("tower_list").at("items").at(0).contains("subscription"); });
    CHECK(subscription().at("until") == 0);
    CHECK(subscription().at("price") ==
          Json({{"asset", "USDC"}, {"fee", "5"}, {"periodSeconds", 30 * 86'400}, {"records", 10}}));

    constexpr std::uint64_t kPeriodMs = 30ull * 86'400 * 1'000;
    const auto now_ms = [] {
        return static_cast<std::uint64_t>(
            std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
                .count());
    };
    const std::uint64_t start = now_ms();
    const auto pay = [&](const std::string& asset, const std::string& amount, const std::string& memo) {
        return alice.refusal("pay_send",
                             {{"channelId", to_hex(shared)}, {"asset", asset}, {"amount", amount}, {"memo", memo}});
    };
    int periods = 0;
    for (const char* point : {"tower.paid:1", "tower.credit:1", "tower.credited:1", "store.after_commit:1"}) {
        CAPTURE(point);
        carol.kill();
        ChildOptions child;
        child.environment = {{"HEDGEROW_FAILPOINT", point}};
        try {
            carol.start(child);
            until("linked", [&] { return alice.channel(shared).at("connected").get<bool>(); });
            (void)pay("USDC", "5", "tower");
        } catch (const std::exception&) {  // at its start it has commits too
        }
        std::optional<int> code;
        until("it dies", [&] { return (code = carol.ended()).has_value(); });
        CHECK(*code == 137);
        carol.start();
        until("linked again", [&] { return alice.channel(shared).at("connected").get<bool>(); });
        if (std::string_view(point) == "store.after_commit:1") (void)pay("USDC", "5", "tower");
        ++periods;
        const auto paid_until = [&] { return subscription().at("until").get<std::uint64_t>(); };
        until("it is credited",
              [&] { return paid_until() >= start + static_cast<std::uint64_t>(periods) * kPeriodMs; });
        std::this_thread::sleep_for(std::chrono::milliseconds(1'500));
        CHECK(paid_until() <= now_ms() + static_cast<std::uint64_t>(periods) * kPeriodMs);
    }
    until(
        "the appointment is taken without being asked for",
        [&] { return held(alice, guarded) == alice.version(guarded); }, 120'000);
    CHECK(subscription().at("granted") == 10);
    // What carol pays, another memo and too little buy nothing.
    const std::uint64_t until_ms = subscription().at("until").get<std::uint64_t>();
    carol.pay(shared, "1");
    CHECK(pay("USDC", "1", "towers").empty());
    CHECK(pay("USDC", "0.004999", "tower").empty());
    carol.kill();
    carol.start();
    until("its plan", [&] { return subscription().at("kept") == 1; });
    CHECK(subscription().at("until") == until_ms);
}
