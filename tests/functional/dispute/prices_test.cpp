#include <fmt/format.h>

#include "channel/base/u256.h"
#include "channel/crypto/signature.h"
#include "channel/market/package.h"
#include "rpc/http_client.h"
#include "tests/functional/dispute/dispute_pair.h"

/// Open positions in a dispute: which price decides, and who can bend it.
namespace {

using namespace hedgerow;
using namespace hedgerow::channel;
using namespace hedgerow::test;

constexpr const char* kPerpetual = "BTC_USD-PERPETUAL";
/// Prices that stand still until an oracle is started with others.
constexpr const char* kStill = R"({
  "name": "still", "description": "nothing moves",
  "assets": [
    { "feed": "BTC_USD", "price": "100000", "volatility": 0, "jumpsPerHour": 0 },
    { "feed": "ETH_USD", "price": "4000", "volatility": 0, "jumpsPerHour": 0 }
  ],
  "perpetuals": [{ "feed": "BTC_USD-PERPETUAL", "meanBps": 0, "deviationBps": 0 }]
})";

std::vector<std::string> btc_at(const std::string& price) {
    return {"--price", "BTC_USD=" + price};
}

/// Ends the oracles and starts them with the same keys at the same addresses: honest ones at `price`, the last at half.
void restart_oracles(DaemonWorld& world, const std::string& price, const std::string& lie) {
    for (std::size_t i = 0; i < world.oracles.size(); ++i) {
        Oracle& oracle = world.oracles[i];
        if (oracle.process) oracle.process->kill();
        const std::string name = (world.directory / fmt::format("oracle{}", i)).string();
        const std::string& btc = i + 1 == world.oracles.size() ? lie : price;
        oracle.process = std::make_unique<ChildProcess>(std::vector<std::string>{
            std::string(HEDGEROW_BIN_DIR) + "/hedgerow-oracle", "--key-file", name + ".key", "--generate",
            "--scenario", (world.directory / "scenario.json").string(), "--noise-bps", "0", "--price",
            "BTC_USD=" + btc, "--publish", oracle.publish, "--http", oracle.http.substr(oracle.http.rfind('/') + 1),
            "--history-dir", name + ".history"});
        (void)oracle.process->read();
    }
}

/// What an oracle signed for that second; nothing where it has nothing.
std::optional<Bytes> package_of(const Oracle& oracle, const std::string& feed, std::uint64_t time_s) {
    rpc::HttpClient client(oracle.http);
    const auto answer = client.get(fmt::format("/v1/packages?feed={}&time={}", feed, time_s));
    if (!answer || answer->status != 200) return std::nullopt;
    return from_hex(Json::parse(answer->body).at("packages").at(0).get<std::string>());
}

struct Traded {
    ChannelId id;
    Exported newest;
    Exported older;  ///< before bob's last payment
    Int128 quantity = 0;
};

/// A channel in which bob, who opened, has bought one BTC perpetual of alice.
Traded trade(Pair& pair) {
    Traded out;
    out.id = open_channel(pair.alice, pair.bob, {"40000", ""}, {"40000", ""});
    const Json quote = pair.bob.call("market_quote", {{"channelId", to_hex(out.id)},
                                                      {"instrument", kPerpetual},
                                                      {"side", "buy"},
                                                      {"quantity", "1"}});
    (void)pair.bob.call("market_accept", {{"quoteId", quote.at("quoteId")}});
    wait_same(pair.alice, pair.bob, out.id);
    out.older = pair.bob.exported(out.id);
    pair.bob.pay(out.id, "100");
    wait_same(pair.alice, pair.bob, out.id);
    out.newest = pair.bob.exported(out.id);
    REQUIRE(out.newest.state.positions.size() == 1);
    out.quantity = out.newest.state.positions[0].quantity.raw();
    REQUIRE(out.quantity == -100'000'000);  // seen from alice: short
    return out;
}

wallet::AttestedView attested(Pair& pair, const Exported& of, std::uint64_t time_s) {
    const Hash set = wallet::oracle_set_of(of.terms.oracles);
    return *wallet::read_attested(pair.world.view(
        pair.world.adjudicator, wallet::attested_call(set, *feed_from_name(kPerpetual), time_s)));
}

/// What alice must be paid where the perpetual is worth `price` (8 decimals), in USDC's smallest unit.
Int128 alices_part(const Exported& state, Int128 price) {
    const Position& p = state.state.positions[0];
    const Int128 pnl16 = p.quantity.raw() * (price - p.mark.raw());  // USD, 16 decimals
    return 40'000 * kUsdc - state.state.net[0].raw() + pnl16 / 10'000'000'000;
}

}  // namespace

TEST_SUITE_BEGIN("prices");

TEST_CASE("one of three oracles lies, and prices crash after the valuation slot: the slot's median decides") {
    auto anvil = Anvil::start();
    if (!anvil) return;
    const DaemonOptions maker{{{"maker", "true"}, {"maker-size", std::string(kPerpetual) + ",1"}}};
    Pair pair(std::move(*anvil), maker, [](DaemonWorld& world) {
        world.settings = {{"dispute-period", "8"}};
        world.start_oracles(kStill, {btc_at("100000"), btc_at("100000"), btc_at("50000")});
    });
    auto& [world, alice, bob] = pair;
    until("there is a price", [&] {
        const Json prices = alice.call("oracle_prices", {{"feeds", {kPerpetual}}}).at("items");
        return prices.size() == 1 && bob.call("oracle_prices", {{"feeds", {kPerpetual}}}).at("items").size() == 1;
    });
    const Traded crashed = trade(pair);
    const Traded silent = trade(pair);
    const Gained alices(world, alice.account());
    const Gained bobs(world, bob.account());
    bob.kill();  // from now on nobody marks
    restart_oracles(world, "90000", "45000");
    std::this_thread::sleep_for(std::chrono::milliseconds(1'500));

    REQUIRE(world.succeeded(world.post_challenge(crashed.older, Party::B)));
    const std::uint64_t began = world.dispute(crashed.id).end - 8;
    const std::uint64_t slot = valuation_time(began, 1);
    // The liar and whoever pays him are first: two signers, the lower of whom is he.
    until("the slot is signed", [&] { return package_of(world.oracles[2], kPerpetual, slot).has_value(); });
    world.mine();
    const std::vector<Bytes> two{*package_of(world.oracles[0], kPerpetual, slot),
                                 *package_of(world.oracles[2], kPerpetual, slot)};
    const std::vector<Feed> feeds{*feed_from_name(kPerpetual)};
    const Address liar = *parse_address("0x00000000000000000000000000000000000000C3");
    (void)world.succeeded(world.post(
        liar, world.adjudicator, wallet::attest_call(crashed.newest.terms.oracles, slot, feeds, two)));
    // Then prices fall further.
    restart_oracles(world, "70000", "35000");
    const Int128 at_slot = 90'000 * static_cast<Int128>(100'000'000);
    {
        const Ticker blocks(world, 500);
        until("all three are attested", [&] { return attested(pair, crashed.newest, slot).signers == 3; });
        CHECK(attested(pair, crashed.newest, slot).price == Price::from_raw(at_slot));
        alice.wait_status(crashed.id, "closed");
    }
    const Ending end = world.ending(crashed.newest);
    CHECK(end.settled.version == crashed.newest.state.version);
    CHECK(end.twin.result.penalty == Amount::from_raw(kPenalty));
    CHECK_FALSE(end.twin.result.marks_used);
    const Int128 mine = alices_part(crashed.newest, at_slot) + kPenalty;
    CHECK(mine > 49'000 * kUsdc);  // a short of one BTC from 100,000 to 90,000
    CHECK(alices() == mine);
    CHECK(bobs() == 80'000 * kUsdc - mine);

    // Nobody signs anything any more: after T + 8 slots + grace the co-signed marks stand.
    for (Oracle& oracle : world.oracles) oracle.process->kill();
    std::this_thread::sleep_for(std::chrono::seconds(1));
    REQUIRE(world.succeeded(world.post_challenge(silent.newest, Party::B)));
    alice.wait_status(silent.id, "disputed");
    const std::uint64_t marks = marks_time(valuation_time(world.dispute(silent.id).end - 8, 1), silent.newest.terms);
    world.pass_seconds(marks - world.now_s() - 1);
    std::this_thread::sleep_for(std::chrono::milliseconds(1'500));
    if (world.now_s() < marks) CHECK(alice.status(silent.id) == "disputed");
    world.pass_seconds(10);
    {
        const Ticker blocks(world, 500);
        alice.wait_status(silent.id, "closed");
    }
    const Ending quiet = world.ending(silent.newest);
    CHECK(quiet.settled_s >= marks);
    CHECK(quiet.twin.result.marks_used);
    CHECK(quiet.twin.result.penalty.is_zero());
    const Int128 mark = silent.newest.state.positions[0].mark.raw();
    CHECK(alices() == mine + alices_part(silent.newest, mark));
    CHECK(bobs() == 160'000 * kUsdc - alices());
    CHECK(world.balance(world.adjudicator) == 0);
}

TEST_SUITE_END();
