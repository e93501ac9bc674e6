#include "daemon/oracle/scenario.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>

#include "channel/market/instrument.h"
#include "rpc/json.h"

namespace hedgerow::daemon {

namespace {

using rpc::Json;

constexpr std::size_t kMaxFileBytes = 1U << 20;

/// Reads the members of one JSON object, each once, and complains of those that nobody asked for.
class Members {
  public:
    Members(const Json& object, std::string where) : m_object(object), m_where(std::move(where)) {
        if (!object.is_object()) throw ScenarioError(fmt::format("{}: not an object", m_where));
    }
    void text(const char* key, std::string& out) {
        if (const Json* value = find(key)) {
            if (!value->is_string() || value->get_ref<const std::string&>().size() > 400)
                fail(key, "not a text of at most 400 bytes");
            out = value->get<std::string>();
        }
    }
    void number(const char* key, double& out, double least, double most) {
        if (const Json* value = find(key)) {
            if (!value->is_number()) fail(key, "not a number");
            out = value->get<double>();
        }
        if (!(out >= least && out <= most)) fail(key, fmt::format("not between {} and {}", least, most).c_str());
    }
    void price(double& out) {
        const Json* value = find("price");
        if (value == nullptr) return;
        const auto raw = rpc::decimal_from_json(*value, channel::kPriceDecimals);
        if (!raw) fail("price", "not a decimal string with at most 8 decimals");
        out = static_cast<double>(*raw) / 1e8;
    }
    const Json* find(const char* key) {
        m_known.insert(key);
        const auto found = m_object.find(key);
        return found == m_object.end() ? nullptr : &*found;
    }
    void done() const {
        for (const auto& [key, value] : m_object.items()) {
            if (!m_known.contains(key)) throw ScenarioError(fmt::format("{}: unknown member '{}'", m_where, key));
        }
    }

  private:
    [[noreturn]] void fail(const char* key, const char* why) const {
        throw ScenarioError(fmt::format("{}.{}: {}", m_where, key, why));
    }

    const Json& m_object;
    std::string m_where;
    std::set<std::string> m_known;
};

void read(Members& in, AssetModel& out) {
    in.price(out.price);
    in.number("volatility", out.volatility, 0, 20);
    in.number("drift", out.drift, -20, 20);
    in.number("correlation", out.correlation, -1, 1);
    in.number("jumpsPerHour", out.jumps_per_hour, 0, 3600);
    in.number("jumpMeanBps", out.jump_mean_bps, -2'000, 2'000);
    in.number("jumpDeviationBps", out.jump_deviation_bps, 0, 2'000);
    in.number("crashBeta", out.crash_beta, -2, 3);
}
void read(Members& in, StableModel& out) {
    in.price(out.price);
    in.number("deviationBps", out.deviation_bps, 0, 500);
    in.number("reversionSeconds", out.reversion_s, 1, 1e6);
    in.number("crashBps", out.crash_bps, -5'000, 5'000);
}
void read(Members& in, PerpetualModel& out) {
    in.number("meanBps", out.mean_bps, -500, 500);
    in.number("deviationBps", out.deviation_bps, 0, 500);
    in.number("reversionSeconds", out.reversion_s, 1, 1e6);
    in.number("crashBps", out.crash_bps, -5'000, 5'000);
}
void read(Members& in, FutureModel& out) {
    in.number("basis", out.basis, -2, 2);
}

template <typename Model>
void read_list(Members& in, const char* key, std::vector<Model>& out) {
    const Json* list = in.find(key);
    if (list == nullptr) return;
    if (!list->is_array() || list->size() > Scenario::kMaxFeeds)
        throw ScenarioError(fmt::format("{}: not a list of at most 64", key));
    for (std::size_t i = 0; i < list->size(); ++i) {
        Members members((*list)[i], fmt::format("{}[{}]", key, i));
        Model model;
        members.text("feed", model.feed);
        read(members, model);
        members.done();
        out.push_back(std::move(model));
    }
}

CrashModel read_crash(const Json& json) {
    Members in(json, "crash");
    CrashModel out;
    in.number("afterSeconds", out.after_s, 0, 1e7);
    in.number("size", out.size, 0, 0.95);
    in.number("durationSeconds", out.duration_s, 0.001, 1e6);
    in.number("recovery", out.recovery, 0, 1);
    in.number("recoverySeconds", out.recovery_s, 0.001, 1e6);
    in.done();
    return out;
}

void check_price(const std::string& feed, double price) {
    if (!(price >= 1e-6 && price <= 1e9))
        throw ScenarioError(fmt::format("{}: price not between 0.000001 and 1000000000", feed));
}

void check_derivative(const Scenario& scenario, const std::string& feed, bool is_perpetual) {
    const auto definition = channel::parse_instrument(feed);
    if (!definition || definition->kind != channel::Kind::linear || definition->is_perpetual() != is_perpetual) {
        throw ScenarioError(fmt::format("{}: not the name of a {}", feed, is_perpetual ? "perpetual" : "dated future"));
    }
    const std::string index = channel::feed_name(definition->underlying);
    if (std::none_of(scenario.assets.begin(), scenario.assets.end(),
                     [&](const AssetModel& a) { return a.feed == index; })) {
        throw ScenarioError(fmt::format("{}: its index {} is not among the assets", feed, index));
    }
}

}  // namespace

std::vector<std::string> scenario_feeds(const Scenario& scenario) {
    std::vector<std::string> out;
    for (const auto& model : scenario.assets) out.push_back(model.feed);
    for (const auto& model : scenario.stables) out.push_back(model.feed);
    for (const auto& model : scenario.perpetuals) out.push_back(model.feed);
    for (const auto& model : scenario.futures) out.push_back(model.feed);
    return out;
}

void check_scenario(const Scenario& scenario) {
    const auto feeds = scenario_feeds(scenario);
    if (feeds.empty() || feeds.size() > Scenario::kMaxFeeds) throw ScenarioError("a scenario has 1 to 64 feeds");
    for (const std::string& feed : feeds) {
        if (!channel::feed_from_name(feed)) throw ScenarioError(fmt::format("'{}' is no feed name", feed));
    }
    if (std::set<std::string>(feeds.begin(), feeds.end()).size() != feeds.size())
        throw ScenarioError("a feed occurs twice");
    for (const auto& model : scenario.assets) check_price(model.feed, model.price);
    for (const auto& model : scenario.stables) check_price(model.feed, model.price);
    for (const auto& model : scenario.perpetuals) check_derivative(scenario, model.feed, true);
    for (const auto& model : scenario.futures) check_derivative(scenario, model.feed, false);
}

Scenario parse_scenario(std::string_view text) {
    const auto json = rpc::parse_json(text);
    if (!json) throw ScenarioError(json.error().message);
    Members in(*json, "scenario");
    Scenario out;
    in.text("name", out.name);
    in.text("description", out.description);
    read_list(in, "assets", out.assets);
    read_list(in, "stables", out.stables);
    read_list(in, "perpetuals", out.perpetuals);
    read_list(in, "futures", out.futures);
    if (const Json* crash = in.find("crash")) out.crash = read_crash(*crash);
    in.done();
    check_scenario(out);
    return out;
}

Scenario load_scenario(const std::filesystem::path& file) {
    std::ifstream in(file, std::ios::binary);
    if (!in) throw ScenarioError(fmt::format("cannot read {}", file.string()));
    std::string text(kMaxFileBytes + 1, '\0');
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(in.gcount()));
    if (text.size() > kMaxFileBytes) throw ScenarioError(fmt::format("{}: larger than 1 MiB", file.string()));
    try {
        return parse_scenario(text);
    } catch (const ScenarioError& error) {
        throw ScenarioError(fmt::format("{}: {}", file.string(), error.what()));
    }
}

Scenario default_scenario() {
    Scenario out;
    out.description = "an ordinary day";
    AssetModel btc;
    btc.feed = "BTC_USD";
    btc.price = 100'000;
    AssetModel eth;
    eth.feed = "ETH_USD";
    eth.price = 4'000;
    eth.volatility = 0.75;
    eth.crash_beta = 1.2;
    out.assets = {btc, eth};
    StableModel usdc;
    usdc.feed = "USDC_USD";
    out.stables = {usdc};
    for (const char* name : {"BTC_USD-PERPETUAL", "ETH_USD-PERPETUAL"}) {
        PerpetualModel perpetual;
        perpetual.feed = name;
        out.perpetuals.push_back(perpetual);
    }
    for (const char* name : {"BTC_USD-26MAR27", "ETH_USD-26MAR27"}) {
        FutureModel future;
        future.feed = name;
        out.futures.push_back(future);
    }
    return out;
}

}  // namespace hedgerow::daemon
