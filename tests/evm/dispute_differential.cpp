// Whole disputes on the deployed Adjudicator against channel/settle: deposits, withdrawals, attested prices, revealed
// preimages, a challenge, an answer, and attempts to settle a second before and at each time that matters. When it is
// due, why not, and every amount paid must agree.

#include <cstdio>
#include <nlohmann/json.hpp>
#include <random>

#include "channel/codec/abi.h"
#include "channel/codec/eip712.h"
#include "tests/evm/command_line.h"
#include "tests/evm/contract_rig.h"
#include "tests/evm/dispute_case.h"
#include "wallet/chain/contract_calls.h"
#include "wallet/chain/contract_events.h"

using namespace hedgerow;
using namespace hedgerow::channel;
using namespace hedgerow::tests;
using nlohmann::json;

namespace {

constexpr std::uint64_t kStart = 2'000'000'000;

const Address& sender() {
    static const Address address = *fixed_from_hex<Address>("0x5e00000000000000000000000000000000000000");
    return address;
}

/// A mint is to the sender, whom the case does not know.
Bytes data_of(const Step& step) {
    Bytes data = step.data;
    const Bytes mint = abi_selector("mint(address,uint256)");
    if (std::equal(mint.begin(), mint.end(), data.begin())) {
        std::copy(sender().data.begin(), sender().data.end(), data.begin() + 4 + 12);
    }
    return data;
}

/// The results of all steps, in order: one simulated block a time.
std::vector<json> simulate(test::Anvil& anvil, const std::vector<Step>& steps) {
    std::vector<SimulatedCall> calls;
    for (const Step& step : steps) {
        const U256 value(static_cast<Uint128>(step.value.raw()));
        calls.push_back({step.time_s, sender(), step.to, value, data_of(step)});
    }
    const std::string rich = hex_quantity(U256(static_cast<Uint128>(1) << 126));
    return tests::simulate(anvil, calls, {{steps.front().time_s, {{to_hex(sender()), {{"balance", rich}}}}}});
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
bool agrees(test::Anvil& anvil, const DisputeCase& facts, const Address& contract, Counts& counts) {
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
bool close_agrees(test::Anvil& anvil, const DisputeCase& facts, const Address& contract, Counts& counts) {
    const std::string ours = twin_close_answer(facts);
    const std::string theirs = contract_answer(simulate(anvil, facts.close_steps).back(), contract);
    ++(ours == "NetExceedsHoldings" ? counts.not_closed : counts.closed);
    if (ours == theirs) return true;
    std::printf("  close\n  twin:     %s\n  contract: %s\n", ours.c_str(), theirs.c_str());
    return false;
}

int run(const CaseOptions& options) {
    std::printf("disputes on the contract: seed %lu, %lu cases\n", options.seed, options.only ? 1 : options.cases);
    auto anvil = start_unbounded_anvil();
    if (!anvil) {
        std::puts("skipped: no Anvil in node_modules (npm ci --ignore-scripts)");
        return 77;
    }
    const Domain domain{test::Anvil::kChainId, install_contract(*anvil)};
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
    CaseOptions options{std::random_device()(), 150, std::nullopt};
    return differential_main(argc, argv, "Differential test of disputes: the C++ twin against the deployed Adjudicator.",
                             "case", 1'000'000, options, [&] { return run(options); });
}
