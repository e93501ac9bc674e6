// Whole disputes on the deployed Adjudicator against channel/settle: deposits, withdrawals, attested prices, revealed
// preimages, a challenge, an answer, and attempts to settle a second before and at each time that matters. When it is
// due, why not, and every amount paid must agree.

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <thread>

#include "channel/codec/abi.h"
#include "channel/codec/eip712.h"
#include "tests/evm/dispute_case.h"
#include "tests/support/evm_anvil.h"
#include "wallet/chain/contract_calls.h"
#include "wallet/chain/contract_events.h"
#include "tests/paths.h"

using namespace hedgerow;
using namespace hedgerow::channel;
using namespace hedgerow::tests;
using nlohmann::json;

namespace {

constexpr std::uint64_t kStart = 2'000'000'000;
constexpr const char* kSender = "0x5e00000000000000000000000000000000000000";
constexpr std::uint64_t kAnvilChain = 31'337;

bool succeeded(const json& call) {
    return call.at("status") == "0x1";
}

std::string hex_quantity(Uint128 value) {
    std::string out = to_hex(ByteView(U256(value).to_be()));
    const std::size_t digit = out.find_first_not_of('0', 2);
    return digit == std::string::npos ? "0x0" : std::string("0x").append(out.substr(digit));
}

json artifact(const char* name) {
    std::ifstream file(std::string(HEDGEROW_SOURCE_DIR "/channel/contract/artifact/").append(name).append(".json"));
    if (!file) throw std::runtime_error(std::string("no artifact ").append(name));
    return json::parse(file);
}

/// Anvil mines on its own time, a moment after it takes a transaction.
json receipt_of(EvmAnvil& anvil, const std::string& hash) {
    for (int tries = 0; tries < 500; ++tries) {
        json receipt = anvil.call("eth_getTransactionReceipt", json::array({hash}));
        if (!receipt.is_null()) return receipt;
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    throw std::runtime_error("the contract was not created");
}

Address install(EvmAnvil& anvil) {
    const std::string from = anvil.call("eth_accounts", json::array()).at(0);
    const json creation = {{"from", from}, {"data", artifact("Adjudicator").at("bytecode")}, {"gas", "0x1000000"}};
    const std::string hash = anvil.call("eth_sendTransaction", json::array({creation}));
    const json receipt = receipt_of(anvil, hash);
    if (!succeeded(receipt)) throw std::runtime_error("the contract could not be created");
    for (std::size_t i = 0; i < kMaxCaseTokens; ++i) {
        anvil.call("anvil_setCode", {to_hex(case_token(i)), artifact("TestToken").at("deployedBytecode")});
    }
    anvil.call("anvil_setBalance", {kSender, hex_quantity(static_cast<Uint128>(1) << 126)});
    return *fixed_from_hex<Address>(receipt.at("contractAddress").get<std::string>());
}

json call_of(const Step& step) {
    // A mint is to the sender, whom the case does not know.
    Bytes data = step.data;
    const Bytes mint = abi_selector("mint(address,uint256)");
    if (std::equal(mint.begin(), mint.end(), data.begin())) {
        const auto sender = *fixed_from_hex<Address>(kSender);
        std::copy(sender.data.begin(), sender.data.end(), data.begin() + 4 + 12);
    }
    return {{"from", kSender},
            {"to", to_hex(step.to)},
            {"data", to_hex(data)},
            {"gas", "0x3b9aca00"},
            {"value", hex_quantity(static_cast<Uint128>(step.value.raw()))}};
}

/// The results of all steps, in order: one simulated block a time.
std::vector<json> simulate(EvmAnvil& anvil, const std::vector<Step>& steps) {
    json blocks = json::array();
    std::uint64_t time = 0;
    for (const Step& step : steps) {
        if (step.time_s != time)
            blocks.push_back({{"blockOverrides", {{"time", hex_quantity(step.time_s)}}}, {"calls", json::array()}});
        time = step.time_s;
        blocks.back()["calls"].push_back(call_of(step));
    }
    std::vector<json> out;
    for (const json& block : anvil.call("eth_simulateV1", {{{"blockStateCalls", blocks}}, "latest"})) {
        for (const json& call : block.at("calls")) out.push_back(call);
    }
    if (out.size() != steps.size()) throw std::runtime_error("the simulation left calls out");
    return out;
}

std::string revert_text(const json& call) {
    const auto data = from_hex(call.value("returnData", "0x"));
    if (!data || data->size() < 4) return call.dump().substr(0, 300);
    std::string out = wallet::revert_reason(*data);
    U256 argument;
    if (abi_decode(ByteView(*data).subspan(4), argument)) out.append(" ").append(to_decimal(argument));
    return out;
}

std::string paid_text(std::span<const Amount> a, std::span<const Amount> b) {
    std::string out("A");
    for (const Amount amount : a) out.append(" ").append(format_decimal(amount.raw(), 0));
    out.append(" B");
    for (const Amount amount : b) out.append(" ").append(format_decimal(amount.raw(), 0));
    return out;
}

/// What the contract did with a settle or close, in words that the twin's answer can be compared with.
std::string contract_answer(const json& call, const Address& contract) {
    if (!succeeded(call)) return revert_text(call);
    for (const json& entry : call.at("logs")) {
        if (entry.at("address") != to_hex(contract)) continue;
        wallet::LogEntry log;
        log.address = contract;
        for (const json& topic : entry.at("topics"))
            log.topics.push_back(*fixed_from_hex<Hash>(topic.get<std::string>()));
        log.data = *from_hex(entry.at("data").get<std::string>());
        const auto event = wallet::decode_event(log, contract);
        if (!event) continue;
        if (const auto* settled = std::get_if<wallet::Settled>(&*event))
            return paid_text(settled->paid_a, settled->paid_b);
        if (const auto* closed = std::get_if<wallet::Closed>(&*event)) return paid_text(closed->paid_a, closed->paid_b);
    }
    return "ended without the event";
}

std::string twin_answer(const SettleAnswer& answer) {
    switch (answer.status) {
        case SettleStatus::due:
            return paid_text(answer.result.a, answer.result.b);
        case SettleStatus::waits_for_end:
            return std::string("SettlementNotDue ").append(std::to_string(answer.due_s));
        case SettleStatus::waits_for_price:
            return std::string("PriceMissing ").append(std::to_string(answer.due_s));
    }
    return {};
}

std::string twin_close_answer(const DisputeCase& facts) {
    const auto a = cooperative_payout(facts.close_net, facts.holdings);
    if (!a) return "NetExceedsHoldings";
    std::vector<Amount> b;
    for (std::size_t i = 0; i < a->size(); ++i) b.push_back(facts.holdings[i].total() - (*a)[i]);
    return paid_text(*a, b);
}

struct Counts {
    std::uint64_t closed = 0, not_closed = 0, attempts = 0, too_early = 0, no_price = 0, settled = 0, marks = 0,
                  stale = 0, locks = 0;
    [[nodiscard]] bool is_wide(std::uint64_t cases) const {
        return too_early * 2 > cases && no_price * 20 > cases && settled == cases && marks * 20 > cases &&
               stale * 10 > cases && locks * 20 > cases && closed * 5 > cases && not_closed * 10 > cases;
    }
    void count(const DisputeCase& facts, const SettleAnswer& answer) {
        ++attempts;
        too_early += answer.status == SettleStatus::waits_for_end ? 1 : 0;
        no_price += answer.status == SettleStatus::waits_for_price ? 1 : 0;
        if (answer.status != SettleStatus::due) return;
        ++settled;
        marks += answer.result.marks_used ? 1 : 0;
        stale += is_stale(facts.dispute.challenger, facts.dispute.lead) ? 1 : 0;
        for (const Lock& lock : facts.state.locks) {
            const auto found = facts.registered.find(lock.hash);
            locks += found != facts.registered.end() && is_lock_executed(lock, found->second) ? 1 : 0;
        }
    }
};

/// Whether every attempt of the case ended as the twin says; prints the first that did not.
bool agrees(EvmAnvil& anvil, const DisputeCase& facts, const Address& contract, Counts& counts) {
    const std::vector<json> results = simulate(anvil, facts.steps);
    for (std::size_t i = 0; i < results.size(); ++i) {
        const Step& step = facts.steps[i];
        if (!step.is_settle) {
            if (succeeded(results[i])) continue;
            std::printf("  step %zu at %lu: %s\n", i, step.time_s, revert_text(results[i]).c_str());
            return false;
        }
        const SettleAnswer answer = facts.settle_at(step.time_s);
        counts.count(facts, answer);
        const std::string ours = twin_answer(answer);
        const std::string theirs = contract_answer(results[i], contract);
        if (ours != theirs) {
            std::printf("  settle at %lu\n  twin:     %s\n  contract: %s\n", step.time_s, ours.c_str(), theirs.c_str());
            return false;
        }
        if (answer.status == SettleStatus::due) return true;
    }
    std::puts("  never settled");
    return false;
}

/// Whether a cooperative close instead of the dispute pays, or is refused, as the twin says.
bool close_agrees(EvmAnvil& anvil, const DisputeCase& facts, const Address& contract, Counts& counts) {
    const std::string ours = twin_close_answer(facts);
    const std::string theirs = contract_answer(simulate(anvil, facts.close_steps).back(), contract);
    ++(ours == "NetExceedsHoldings" ? counts.not_closed : counts.closed);
    if (ours == theirs) return true;
    std::printf("  close\n  twin:     %s\n  contract: %s\n", ours.c_str(), theirs.c_str());
    return false;
}

struct Options {
    std::uint64_t seed = std::random_device()();
    std::uint64_t cases = 150;
    std::optional<std::uint64_t> only;
};

int run(const Options& options) {
    std::printf("disputes on the contract: seed %lu, %lu cases\n", options.seed, options.only ? 1 : options.cases);
    auto anvil = EvmAnvil::start();
    if (!anvil) {
        std::puts("skipped: no Anvil in node_modules (npm ci --ignore-scripts)");
        return 77;
    }
    const Domain domain{kAnvilChain, install(*anvil)};
    const Cast cast = Cast::make();
    Counts counts;
    std::uint64_t differ = 0;
    const std::uint64_t first = options.only.value_or(0);
    for (std::uint64_t i = first; i < (options.only ? first + 1 : options.cases); ++i) {
        const DisputeCase facts = random_dispute(options.seed, i, cast, domain, kStart);
        if (agrees(*anvil, facts, domain.contract, counts) && close_agrees(*anvil, facts, domain.contract, counts))
            continue;
        std::printf("case %lu differs (--seed %lu --case %lu)\n", i, options.seed, i);
        if (++differ == 5) break;
    }
    std::printf(
        "%lu attempts: too early %lu, price missing %lu, settled %lu (with marks %lu, stale challenge %lu); executed "
        "locks %lu; closed %lu, refused to close %lu\n",
        counts.attempts, counts.too_early, counts.no_price, counts.settled, counts.marks, counts.stale, counts.locks,
        counts.closed, counts.not_closed);
    const bool wide = options.only || options.cases < 100 || counts.is_wide(options.cases);
    if (differ == 0 && !wide) std::puts("the cases are too much alike");
    std::puts(differ == 0 && wide ? "every answer and amount agrees" : "FAILED");
    return differ == 0 && wide ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app("Differential test of disputes: the C++ twin against the deployed Adjudicator.");
    Options options;
    app.add_option("--seed", options.seed, "Seed; drawn where not given, and printed");
    app.add_option("--cases", options.cases, "Number of cases")->check(CLI::Range(1, 1'000'000));
    app.add_option("--case", options.only, "Run only the case of this number");
    CLI11_PARSE(app, argc, argv);
    try {
        return run(options);
    } catch (const std::exception& error) {
        std::printf("FAILED: %s; seed %lu\n", error.what(), options.seed);
        return 1;
    }
}
