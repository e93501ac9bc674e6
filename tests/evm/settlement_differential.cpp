// Settles random cases twice: by channel/settle and by the contract's own library, in an EVM (issue: "the same
// integers"). Every integer must agree. A case depends on the seed and its number only: --seed S --case N runs one
// again.

#include <cstdio>
#include <nlohmann/json.hpp>
#include <random>

#include "tests/evm/command_line.h"
#include "tests/evm/contract_rig.h"
#include "tests/evm/settlement_case.h"

using namespace hedgerow;
using namespace hedgerow::channel;
using namespace hedgerow::tests;

namespace {

constexpr std::size_t kBatch = 25;
constexpr const char* kHarness = "0x00000000000000000000000000000000009a55ed";

/// How often each thing that can happen did: a generator that stops making shortfalls must fail the test, not weaken
/// it.
struct Coverage {
    std::uint64_t missing = 0, marks = 0, covered = 0, uncovered = 0, penalties = 0, locks = 0, expired = 0,
                  initial = 0, profits = 0;

    void count(const SettlementInput& input, const Settlement& result) {
        missing += result.price_missing ? 1 : 0;
        marks += result.marks_used && !result.price_missing ? 1 : 0;
        if (result.loser) ++(result.shortfall.is_zero() ? covered : uncovered);
        penalties += result.penalty.is_zero() ? 0 : 1;
        initial += input.state.version == 0 ? 1 : 0;
        profits += result.pnl.sign() != 0 ? 1 : 0;
        for (std::size_t i = 0; i < input.state.locks.size(); ++i) {
            locks += is_lock_executed(input.state.locks[i], input.registered_s[i]) ? 1 : 0;
        }
        for (const Position& position : input.state.positions)
            expired += is_expired_at(position, input.valuation_s) ? 1 : 0;
    }
    [[nodiscard]] bool is_wide(std::uint64_t cases) const {
        for (const std::uint64_t n : {missing, marks, covered, uncovered, penalties, locks, expired, profits}) {
            if (n * 50 < cases) return false;
        }
        return initial * 200 > cases;
    }
    void print() const {
        std::printf(
            "price missing %lu, mark stood in %lu, shortfall covered %lu, not covered %lu, penalty %lu, profit or loss "
            "%lu, "
            "version 0 %lu; executed locks %lu, expired positions %lu\n",
            missing, marks, covered, uncovered, penalties, profits, initial, locks, expired);
    }
};

HarnessResult as_harness_result(const SettlementInput& input, const Settlement& result) {
    HarnessResult out;
    out.price_missing = result.price_missing;
    for (std::size_t i = 0; i < result.a.size(); ++i) {
        if (!result.price_missing) out.a.emplace_back(static_cast<Uint128>(result.a[i].raw()));
        out.totals.emplace_back(static_cast<Uint128>(input.holdings[i].total().raw()));
    }
    return out;
}

std::string text_of(const HarnessResult& result) {
    std::string out(result.price_missing ? "price missing" : "A");
    for (const U256& a : result.a) out.append(" ").append(to_decimal(a));
    out.append(" of");
    for (const U256& total : result.totals) out.append(" ").append(to_decimal(total));
    return out;
}

std::vector<HarnessResult> ask_contract(test::Anvil& anvil, std::span<const SettlementInput> cases) {
    const nlohmann::json transaction = {
        {"to", kHarness}, {"data", to_hex(settle_many_call(cases))}, {"gas", "0x2540be400"}};
    const auto bytes = from_hex(anvil.call("eth_call", {transaction, "latest"}).get<std::string>());
    const auto results = bytes ? settle_many_result(*bytes, cases.size()) : std::nullopt;
    if (!results) throw std::runtime_error("the harness answered something else");
    return *results;
}

void install_harness(test::Anvil& anvil) {
    anvil.call("anvil_setCode", {kHarness, artifact("SettlementHarness").at("deployedBytecode")});
}

/// The number of cases that differ; the first few are printed.
std::uint64_t compare(test::Anvil& anvil, const CaseOptions& options, Coverage& coverage) {
    std::uint64_t differ = 0;
    const std::uint64_t first = options.only.value_or(0);
    const std::uint64_t end = options.only ? first + 1 : options.cases;
    for (std::uint64_t from = first; from < end; from += kBatch) {
        std::vector<SettlementInput> batch;
        for (std::uint64_t i = from; i < std::min(from + kBatch, end); ++i)
            batch.push_back(random_settlement(options.seed, i));
        const std::vector<HarnessResult> answers = ask_contract(anvil, batch);
        for (std::size_t i = 0; i < batch.size(); ++i) {
            const Settlement result = batch[i].settle();
            coverage.count(batch[i], result);
            const HarnessResult ours = as_harness_result(batch[i], result);
            if (ours == answers[i]) continue;
            if (++differ > 5) continue;
            std::printf("case %lu differs (--seed %lu --case %lu)\n  twin:     %s\n  contract: %s\n", from + i,
                        options.seed, from + i, text_of(ours).c_str(), text_of(answers[i]).c_str());
        }
    }
    return differ;
}

int run(const CaseOptions& options) {
    std::printf("settlement differential: seed %lu, %lu cases\n", options.seed, options.only ? 1 : options.cases);
    auto anvil = start_unbounded_anvil();
    if (!anvil) {
        std::puts("skipped: no Anvil in node_modules (npm ci --ignore-scripts)");
        return 77;
    }
    install_harness(*anvil);
    Coverage coverage;
    const std::uint64_t differ = compare(*anvil, options, coverage);
    coverage.print();
    if (differ != 0) {
        std::printf("FAILED: %lu cases differ; seed %lu\n", differ, options.seed);
        return 1;
    }
    if (!options.only && options.cases >= 1'000 && !coverage.is_wide(options.cases)) {
        std::puts("FAILED: the cases are too much alike");
        return 1;
    }
    std::puts("every integer agrees");
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    CaseOptions options{std::random_device()(), 2'000, std::nullopt};
    return differential_main(argc, argv,
                             "Differential test of settlement: the C++ twin against the contract's library in an EVM.",
                             "case", 10'000'000, options, [&] { return run(options); });
}
