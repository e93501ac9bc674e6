#include "tests/functional/crash/walker.h"

#include <fmt/format.h>

#include <fstream>

#include "daemon/store/channel_store.h"
#include "wallet/chain/erc20.h"

namespace hedgerow::test {

using namespace channel;

namespace {

constexpr Int128 kUsdc = 1'000'000;
constexpr int kStepMs = 30'000;
/// Every kind of end comes again after three lives: what a whole round and more do not pass is never passed.
constexpr int kMaxLivesWithoutDeath = 4;
constexpr const char* kPerpetual = "BTC_USD-PERPETUAL";
constexpr const char* kOwnAssetDeposit = "400";
constexpr const char* kFollowerDeposit = "600";

constexpr const char* kScenario = R"({"name": "calm", "description": "calm",
  "assets": [{"feed": "BTC_USD", "price": "100000", "volatility": 0.1, "correlation": 0.8, "jumpsPerHour": 0, "jumpDeviationBps": 15},
             {"feed": "ETH_USD", "price": "4000", "volatility": 0.1, "correlation": 0.8, "jumpsPerHour": 0, "jumpDeviationBps": 20}],
  "stables": [], "futures": [],
  "perpetuals": [{"feed": "BTC_USD-PERPETUAL", "meanBps": 1, "deviationBps": 1, "reversionSeconds": 120},
                 {"feed": "ETH_USD-PERPETUAL", "meanBps": 1, "deviationBps": 1, "reversionSeconds": 120}]})";

DaemonWorld& with_oracle(DaemonWorld& world) {
    world.start_oracles(kScenario, {{}});
    return world;
}

DaemonOptions options_of(const std::string& points) {
    DaemonOptions out;
    out.settings = {{"bind", fmt::format("127.0.0.1:{}", free_port())},
                    {"dispute-period", "6"},
                    {"maker", "true"},
                    {"maker-spread-bps", "5"},
                    {"maker-size", std::string(kPerpetual) + ",1"}};
    if (!points.empty()) out.child.environment = {{"HEDGEROW_FAILPOINT", points}};
    return out;
}

Json by_id(const ChannelId& id) { return {{"channelId", to_hex(id)}}; }

Json with(Json json, const Json& more) {
    json.update(more);
    return json;
}

std::string decimals(Int128 units) { return format_decimal(units, 6); }

}  // namespace

Walker::Walker(Anvil anvil, Party victim, std::deque<std::string> points)
    : m_world(std::move(anvil)),
      m_alice(with_oracle(m_world), "alice", options_of("")),
      m_bob(m_world, "bob", options_of("")),
      m_victim(victim == Party::A ? m_alice : m_bob),
      m_alice_uri(m_alice.uri()),
      m_points(std::move(points)) {
    m_alice.fund();
    m_bob.fund();
    m_victim.kill();
    m_nurse = std::thread([this] { nurse(); });
    m_miner = std::thread([this] {
        while (!m_stop) {
            std::this_thread::sleep_for(std::chrono::seconds(1));
            m_world.mine();
        }
    });
}

Walker::~Walker() {
    m_stop = true;
    m_nurse.join();
    m_miner.join();
}

// --- the victim ------------------------------------------------------------------------------------------------------------

bool Walker::points_left() {
    const std::lock_guard lock(m_mutex);
    return !m_points.empty();
}

/// The first life, and each next one as soon as the one before has ended.
void Walker::nurse() {
    try {
        for (bool first = true; !m_stop; first = false) {
            const auto code = first ? std::optional<int>(137) : m_victim.ended();
            if (code) {
                if (*code != 137) throw std::runtime_error(fmt::format("the victim has ended with {}", *code));
                if (!first) {
                    const std::lock_guard lock(m_mutex);
                    if (m_points.empty()) throw std::runtime_error("the victim has died unarmed");
                    m_points.pop_front();
                    ++m_deaths;
                }
                revive();
            }
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
        }
    } catch (const std::exception& error) {
        const std::lock_guard lock(m_mutex);
        m_fault = error.what();
    }
}

void Walker::revive() {
    ChildOptions child;
    {
        const std::lock_guard lock(m_mutex);
        if (!m_points.empty()) {
            const std::string& point = m_points.front();
            child.environment = {
                {"HEDGEROW_FAILPOINT", point.find(':') == std::string::npos ? point + ":1" : point}};
        }
    }
    try {
        m_victim.start(child);
    } catch (const std::exception&) {  // it has died while it started, perhaps amid an answer
        until("the victim's end", [&] { return m_victim.ended().has_value(); }, 2'000);
    }
}

void Walker::retry(const std::string& what, const std::function<void()>& act) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(kStepMs);
    for (;;) {
        std::string why, point;
        try {
            return act();
        } catch (const std::exception& error) {
            why = error.what();
        }
        {
            const std::lock_guard lock(m_mutex);
            if (!m_fault.empty()) throw std::runtime_error(what + ": " + m_fault);
            if (!m_points.empty()) point = m_points.front();
        }
        if (std::chrono::steady_clock::now() > end)
            throw std::runtime_error(fmt::format("{}: {} (armed: {})", what, why, point));
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
}

/// A follower rejects what the leader made of a proposal that it died with and has forgotten; the proposal may have been
/// lost with it. Then it dies so once more.
void Walker::provoke_rejection() {
    {
        const std::lock_guard lock(m_mutex);
        if (m_points.empty() || m_points.front().find(".Reject") == std::string::npos) return;
        m_points.push_front("sent.Propose:1");
        m_points.push_front("kill -9");  // to be armed with that instead
        m_repeated += 2;
    }
    m_victim.die();
}

// --- a life ----------------------------------------------------------------------------------------------------------------

void Walker::run() {
    int number = 0;
    constexpr std::array<End, 3> kEnds = {End::together, End::forced, End::stale};
    for (int alive = 0; points_left(); ++number) {
        const std::size_t before = m_deaths;
        live(number, kEnds[static_cast<std::size_t>(number) % kEnds.size()]);
        alive = m_deaths == before ? alive + 1 : 0;
        if (alive != 0 && alive != kMaxLivesWithoutDeath) provoke_rejection();
        if (alive == kMaxLivesWithoutDeath) throw std::runtime_error("never passed: " + m_points.front());
    }
    live(number, End::together);
    if (m_world.balance(m_world.adjudicator) != 0) throw std::runtime_error("the contract still holds tokens");
}

void Walker::live(int number, End ending) {
    Life life;
    life.number = number;
    life.end = ending;
    life.alice_before = m_world.balance(m_alice.account());
    life.bob_before = m_world.balance(m_bob.account());
    open(life);
    pay(life, m_alice, Party::A, 5);
    life.old = [&] {
        std::optional<Exported> out;
        retry("export", [&] { out = other().exported(life.id); });
        return *out;
    }();
    pay(life, m_bob, Party::B, 3);
    refusals(life);
    if (ending != End::together) trade(life);
    pay(life, m_bob, Party::B, 7);
    pay(life, m_alice, Party::A, 11);
    withdraw(life, m_alice, "2");
    withdraw(life, m_bob, "1");
    back_up(life);
    agree(life);
    check_payments(life);
    end(life);
    check_updates(life);
    check_chain(life);
    check_logs();
}

void Walker::open(Life& life) {
    // So that the victim must approve the contract again: its owner's own transaction, while it has none under way.
    retry("no allowance", [&] {
        const Bytes data = wallet::erc20_approve_call(m_world.adjudicator, U256());
        if (!m_world.succeeded(m_world.post(m_victim.account(), m_world.token, data)))
            throw std::runtime_error("approve");
    });
    retry("a refused opening", [&] {
        const Json order{{"peer", m_alice_uri}, {"deposits", {{{"asset", "USDC"}, {"amount", "1"}}}}, {"disputePeriod", 1}};
        const std::string name = m_bob.refusal("channel_open", order);
        if (name != "dispute_period_out_of_range") throw std::runtime_error("refused by " + name);
    });
    const Json order{{"peer", m_alice_uri},
                     {"deposits", {{{"asset", "USDC"}, {"amount", kFollowerDeposit}}}},
                     {"clientRef", life.ref("open")}};
    retry("open", [&] {
        const std::string id = m_bob.call("channel_open", order).at("channelId");
        life.id = *fixed_from_hex<ChannelId>(id);
    });
    retry("the leader's deposit", [&] {
        const Json deposit{{"asset", "USDC"}, {"amount", kOwnAssetDeposit}, {"clientRef", life.ref("deposit")}};
        (void)m_alice.call("channel_deposit", with(by_id(life.id), deposit));
    });
    retry("deposits", [&] {
        for (Daemon* node : {&m_alice, &m_bob}) {
            const Json channel = node->channel(life.id);
            const Json& usdc = channel.at("assets").at(0);
            const bool leads = node == &m_alice;
            if (usdc.at("deposited") != (leads ? kOwnAssetDeposit : kFollowerDeposit) ||
                usdc.at("counterDeposited") != (leads ? kFollowerDeposit : kOwnAssetDeposit) || !channel.at("connected"))
                throw std::runtime_error(channel.dump());
        }
    });
}

void Walker::pay(Life& life, Daemon& by, Party party, int amount) {
    const Paid paid{fmt::format("{}-{}", life.ref(party == Party::A ? "a" : "b"), life.paid.size()), party, amount * kUsdc};
    const Json order{{"asset", "USDC"}, {"amount", std::to_string(amount)}, {"memo", paid.memo}, {"clientRef", paid.memo}};
    retry("pay " + paid.memo, [&] { (void)by.call("pay_send", with(by_id(life.id), order)); });
    // Once more: the same reference is the same payment.
    retry("pay again " + paid.memo, [&] { (void)by.call("pay_send", with(by_id(life.id), order)); });
    life.paid.push_back(paid);
    agree(life);
}

/// What the other side must say no to, so that refusals are on the wire too.
void Walker::refusals(Life& life) {
    const auto refused = [&](const std::string& what, const std::string& name, const std::function<std::string()>& ask) {
        retry(what, [&] {
            const std::string got = ask();
            if (got != name) throw std::runtime_error("refused by " + got);
        });
    };
    const Json much = with(by_id(life.id), {{"asset", "USDC"}, {"amount", "5000"}});
    refused("too much", "insufficient_balance", [&] { return m_bob.refusal("pay_send", much); });
    const Json dust = with(by_id(life.id), {{"give", {{"asset", "ETH"}, {"amount", "0.000000000000000001"}}}, {"take", {{"asset", "USDC"}}}});
    for (Daemon* node : {&m_alice, &m_bob}) {
        refused("a quote for nothing", "amount_must_be_positive", [&] { return node->refusal("swap_quote", dust); });
    }
}

void Walker::trade(Life& life) {
    for (Daemon* node : {&m_bob, &m_alice}) {
        retry("trade", [&] {
            const Json ask = with(by_id(life.id), {{"instrument", kPerpetual}, {"side", "buy"}, {"quantity", "0.001"}});
            const Json quote = node->call("market_quote", ask);
            (void)node->call("market_accept", {{"quoteId", quote.at("quoteId")}});
        });
    }
    life.traded = true;
}

void Walker::withdraw(Life& life, Daemon& by, const std::string& amount) {
    const std::string ref = life.ref(&by == &m_alice ? "withdraw-a" : "withdraw-b");
    const Json order = with(by_id(life.id), {{"asset", "USDC"}, {"amount", amount}, {"clientRef", ref}});
    retry("withdraw " + ref, [&] { (void)by.call("channel_withdraw", order); });
    retry("seen " + ref, [&] {
        if (by.channel(life.id).at("assets").at(0).at("withdrawn") == "0") throw std::runtime_error("not withdrawn yet");
    });
    retry("withdraw again " + ref, [&] { (void)by.call("channel_withdraw", order); });
}

void Walker::back_up(Life& life) {
    const std::string path = (m_victim.datadir() / (life.ref("backup") + ".file")).string();
    retry("backup", [&] {
        const std::string name = m_victim.refusal("channel_backup", {{"path", path}});
        if (!name.empty() && name != "file_exists") throw std::runtime_error(name);
    });
    if (std::filesystem::exists(path + ".partial")) throw std::runtime_error("a partial backup was left beside a whole one");
}

/// What the other side does as well, and whoever looks first does alone: the victim passes it for certain only where
/// the other one sleeps until the channel has ended. In every other life both are awake.
bool Walker::armed_at_a_race() {
    const std::lock_guard lock(m_mutex);
    if (m_points.empty()) return false;
    const std::string& point = m_points.front();
    return point.find(".attest") != std::string::npos || point.find(".settle") != std::string::npos;
}

void Walker::end(Life& life) {
    const bool alone = life.end != End::together && armed_at_a_race();
    switch (life.end) {
        case End::together:
            close(life, m_victim);
            break;
        case End::forced:
            if (alone) other().pause();
            retry("force close", [&] {
                const std::string name = m_victim.refusal("channel_close", with(by_id(life.id), {{"force", true}}));
                if (!name.empty() && name != "channel_disputed" && name != "channel_final") throw std::runtime_error(name);
            });
            break;
        case End::stale:
            stale(life);
            break;
    }
    if (alone) {
        retry("settled by one side alone", [&] {
            if (!m_world.holdings(life.id, m_world.token).is_final) throw std::runtime_error("not settled");
        });
    }
    if (alone || life.end == End::stale) other().resume();
    for (Daemon* node : {&m_alice, &m_bob}) {
        retry("closed", [&] {
            const std::string status = node->status(life.id);
            if (status != "closed") throw std::runtime_error("it is " + status);
        });
    }
}

void Walker::close(Life& life, Daemon& by) {
    retry("close", [&] {
        const std::string name = by.refusal("channel_close", with(by_id(life.id), {{"clientRef", life.ref("close")}}));
        if (!name.empty() && name != "channel_final") throw std::runtime_error(name);
    });
}

/// The other side takes an old state to the chain; the victim answers with the newest. The other one stays asleep.
void Walker::stale(Life& life) {
    const Party cheat = &other() == &m_alice ? Party::A : Party::B;
    other().pause();  // or its node, which means well, would answer for the victim
    if (!m_world.succeeded(m_world.post_challenge(life.old, cheat))) throw std::runtime_error("the stale challenge failed");
    retry("the answer", [&] {
        if (m_world.dispute(life.id).version <= life.old.state.version) throw std::runtime_error("not answered");
    });
}

// --- what must hold ----------------------------------------------------------------------------------------------------------

void Walker::agree(Life& life) {
    retry("agree", [&] {
        const Json a = m_alice.call("channel_state", by_id(life.id));
        const Json b = m_bob.call("channel_state", by_id(life.id));
        if (a.at("digest") != b.at("digest")) throw std::runtime_error(fmt::format("{} {}", a.at("version").dump(), b.at("version").dump()));
    });
}

/// Every payment once, by its memo, in the history of both.
void Walker::check_payments(Life& life) {
    for (Daemon* node : {&m_alice, &m_bob}) {
        std::map<std::string, int> times;
        retry("history", [&] {
            times.clear();
            Json page;
            do {
                Json params = with(by_id(life.id), {{"limit", 500}});
                if (page.contains("next") && page.at("next").is_string()) params["cursor"] = page.at("next");
                page = node->call("channel_history", params);
                for (const Json& item : page.at("items")) {
                    if (item.at("op") == "pay" && item.at("agreed").get<bool>()) ++times[item.at("detail").value("memo", "")];
                }
            } while (page.contains("next") && page.at("next").is_string());
        });
        for (const Paid& paid : life.paid) {
            if (times[paid.memo] != 1) throw std::runtime_error(fmt::format("payment {} applied {} times", paid.memo, times[paid.memo]));
        }
        if (times.size() != life.paid.size()) throw std::runtime_error("a payment that nobody asked for");
    }
}

/// One version is one update, in both databases.
void Walker::check_updates(Life& life) {
    std::map<std::uint64_t, daemon::UpdateRow> leader;
    const auto rows = [&](Daemon& node) {
        const auto db = daemon::Database::open_reader(node.datadir() / "node.sqlite");
        return daemon::updates_down_from(*db, life.id, kMaxVersion, 1'000'000);
    };
    for (daemon::UpdateRow& row : rows(m_alice)) leader.emplace(row.update.version, std::move(row));
    const auto known = rows(m_bob);
    if (known.empty()) throw std::runtime_error("no updates recorded");
    for (const daemon::UpdateRow& row : known) {
        const auto at = leader.find(row.update.version);
        if (at == leader.end()) throw std::runtime_error(fmt::format("version {}: signed by the follower, forgotten by the leader", row.update.version));
        const daemon::UpdateRow& ours = at->second;
        if (ours.is_void || row.is_void || ours.update.base != row.update.base || ours.update.ops != row.update.ops ||
            ours.update.timestamp_ms != row.update.timestamp_ms || ours.net != row.net)
            throw std::runtime_error(fmt::format("version {}: two states", row.update.version));
    }
}

void Walker::check_chain(Life& life) {
    std::map<Party, Int128> deposited, withdrawn;  // the events' totals
    for (const auto& event : m_world.events(life.id)) {
        if (const auto* d = std::get_if<wallet::Deposited>(&event)) deposited[d->party] = d->total.raw();
        if (const auto* w = std::get_if<wallet::Withdrawn>(&event)) withdrawn[w->party] = w->total.raw();
    }
    const auto exactly = [](const char* what, Int128 is, Int128 should) {
        if (is != should) throw std::runtime_error(fmt::format("{} {} instead of {}", what, decimals(is), decimals(should)));
    };
    exactly("the leader deposited", deposited[Party::A], 400 * kUsdc);
    exactly("the follower deposited", deposited[Party::B], 600 * kUsdc);
    exactly("the leader withdrew", withdrawn[Party::A], 2 * kUsdc);
    exactly("the follower withdrew", withdrawn[Party::B], 1 * kUsdc);
    Int128 paid_by_alice = 0;
    for (const Paid& paid : life.paid) paid_by_alice += paid.by == Party::A ? paid.units : -paid.units;
    const Int128 alice = m_world.balance(m_alice.account()) - life.alice_before;
    const Int128 bob = m_world.balance(m_bob.account()) - life.bob_before;
    if (alice + bob != 0) throw std::runtime_error(fmt::format("{} and {} are not zero", decimals(alice), decimals(bob)));
    if (!life.traded && alice != -paid_by_alice)
        throw std::runtime_error(fmt::format("alice has {} and not {}", decimals(alice), decimals(-paid_by_alice)));
    if (life.end == End::together) return;
    const Ending ending = m_world.ending(life.old);  // throws where the chain and the twin differ
    if (ending.settled.version < life.old.state.version) throw std::runtime_error("settled with an old state");
}

/// Nobody refused a signature, took the other for a liar, or met a fault of its own.
void Walker::check_logs() {
    for (Daemon* node : {&m_alice, &m_bob}) {
        for (const char* text : {"peer fault", "peer reports", "bad frame", "signing policy", "assertion", "+00:00 error ", "not signed"}) {
            if (node->logged(text)) throw std::runtime_error(fmt::format("{} in {}", text, (node->datadir() / "node.log").string()));
        }
    }
}

}  // namespace hedgerow::test
