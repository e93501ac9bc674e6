// Random histories on the deployed Adjudicator and on the simulator's (tests/sim/adjudicator.h): deposits, withdrawals,
// closes, challenges, answers, evidence, settlements, at the edges of time and with whatever can be wrong. Success or
// the same custom error, events, answers, views and balances must agree after each call, and the simulator's gas must
// be within bounds of the contract's.

#include <cstdio>
#include <nlohmann/json.hpp>
#include <random>

#include "channel/codec/abi.h"
#include "channel/codec/eip712.h"
#include "tests/evm/command_line.h"
#include "tests/evm/adjudicator_play.h"
#include "tests/evm/contract_rig.h"

using namespace hedgerow;
using namespace hedgerow::channel;
using namespace hedgerow::tests;
using nlohmann::json;

namespace {

constexpr std::uint64_t kStart = 2'000'000'000;

/// Of the contract's gas in percent, for every call that succeeds. A node adds a fifth to an estimate, so what it would
/// set by the simulator's suffices for the contract.
constexpr std::uint64_t kLeastGasPercent = 85;
constexpr std::uint64_t kMostGasPercent = 200;

struct Options : CaseOptions {
    bool shows_gas = false;
};

struct GasRange {
    std::uint64_t least = ~std::uint64_t{0}, most = 0, calls = 0;
    void take(std::uint64_t percent) {
        least = std::min(least, percent);
        most = std::max(most, percent);
        ++calls;
    }
};

struct Coverage {
    std::map<std::string, std::uint64_t> outcomes;  ///< "challenge" and "VersionMustIncrease" alike
    std::map<std::string, GasRange> gas;

    /// What never happened though it can.
    [[nodiscard]] std::vector<std::string> missing() const;
};

std::vector<std::string> Coverage::missing() const {
    constexpr const char* kAll[] = {"deposit ok",
                                    "recover ok",
                                    "withdraw ok",
                                    "close ok",
                                    "challenge ok",
                                    "respond ok",
                                    "settle ok",
                                    "claim ok",
                                    "reveal ok",
                                    "attest ok",
                                    "multicall ok",
                                    "again ok",
                                    "AssetsCountOutOfRange",
                                    "AssetDuplicate",
                                    "AssetDecimalsOutOfRange",
                                    "HaircutOutOfRange",
                                    "OraclesNotAscending",
                                    "OracleThresholdOutOfRange",
                                    "PriceSlotZero",
                                    "OwnerZero",
                                    "SignerZero",
                                    "SignersEqual",
                                    "AssetsCountMismatch",
                                    "InitialStateNotEmpty",
                                    "VersionOutOfRange",
                                    "NetOutOfRange",
                                    "AssetMarkOutOfRange",
                                    "PositionExpiryOutOfRange",
                                    "StrikeOutOfRange",
                                    "QuantityOutOfRange",
                                    "MarkOutOfRange",
                                    "AssetOutOfRange",
                                    "LockAmountOutOfRange",
                                    "LockExpiryOutOfRange",
                                    "BadSignature",
                                    "WrongSigner",
                                    "NotAParty",
                                    "SaltMismatch",
                                    "DeadlinePassed",
                                    "DeadlineTooFar",
                                    "ChannelFinal",
                                    "ChannelDisputed",
                                    "NotDisputed",
                                    "VersionMustIncrease",
                                    "DisputeEnded",
                                    "StateMismatch",
                                    "SettlementNotDue",
                                    "PriceMissing",
                                    "ValueMismatch",
                                    "NothingDue",
                                    "DepositOutOfRange",
                                    "TransferFailed",
                                    "AssetListed",
                                    "WithdrawUnfunded",
                                    "NetExceedsHoldings",
                                    "PackageMalformed",
                                    "PackageTimeMismatch",
                                    "PackageUnknownSigner",
                                    "PackageDuplicateSigner",
                                    "PackagePriceOutOfRange",
                                    "PackageMissing",
                                    "0x"};
    std::vector<std::string> out;
    for (const char* name : kAll) {
        if (!outcomes.contains(name)) out.emplace_back(name);
    }
    return out;
}

std::uint64_t gas_of(const PlayStep& step) {
    return sim::transaction_gas(step.data, step.twin.gas_used);
}

/// Asked without a transaction.
bool is_view(const PlayStep& step) {
    return step.what == "views" || step.what == "view" || step.to == balance_reader();
}

/// What a node would set for it: the simulated chain's estimate and a fifth (wallet/chain/tx_manager.cpp). What the
/// simulator refuses must fail of itself.
std::uint64_t gas_limit_of(const PlayStep& step) {
    if (!step.twin.success || is_view(step)) return 1'000'000'000;
    const std::uint64_t needed = sim::transaction_gas(step.data, step.twin.gas_needed);
    return needed + needed / 5 + 5'000;
}

json genesis_of(const Play& play) {
    json out = {{to_hex(balance_reader()), {{"code", kBalanceReaderCode}}}};
    for (const auto& [holder, coins] : play.genesis.coins) out[to_hex(holder)] = {{"balance", hex_quantity(coins)}};
    for (const Address& account : play.refusing) out[to_hex(account)] = {{"code", kRefusingCode}};
    return out;
}

/// The contract's results, one a step. The tokens are minted first.
std::vector<json> perform(test::Anvil& anvil, const Play& play) {
    std::vector<SimulatedCall> calls;
    for (const auto& [place, amount] : play.genesis.tokens) {
        const auto& [token, holder] = place;
        calls.push_back({kStart - 1, holder, token, {}, abi_call("mint(address,uint256)", holder, amount)});
    }
    const auto before = static_cast<std::ptrdiff_t>(calls.size());
    for (const PlayStep& step : play.steps) {
        calls.push_back({step.time_s, step.from, step.to, step.value, step.data, gas_limit_of(step)});
    }
    std::map<std::uint64_t, json> overrides = {{kStart - 1, genesis_of(play)}};
    for (const Address& account : play.refusing) {
        if (play.accepts_from_s != 0) overrides[play.accepts_from_s][to_hex(account)] = {{"code", "0x"}};
    }
    std::vector<json> results = simulate(anvil, calls, overrides);
    results.erase(results.begin(), results.begin() + before);
    return results;
}

std::string log_text(const std::vector<Hash>& topics, const Bytes& data) {
    std::string out("\n      event");
    for (const Hash& topic : topics) out.append(" ").append(to_hex(topic));
    return out.append(" ").append(to_hex(data));
}

std::string text_of_twin(const PlayStep& step, const Address& contract) {
    if (!step.twin.success) return std::string("refused: ").append(revert_text(ByteView(step.twin.output)));
    std::string out = std::string("ok ").append(to_hex(step.twin.output));
    for (const sim::EmittedLog& log : step.twin.logs) {
        if (log.address == contract) out.append(log_text(log.topics, log.data));
    }
    return out;
}

std::string text_of_contract(const json& result, std::uint64_t limit, const Address& contract) {
    if (!succeeded(result)) {
        const std::string data = result.value("returnData", "0x");
        if (data != "0x") return std::string("refused: ").append(revert_text(ByteView(*from_hex(data))));
        const bool all_gas = result.at("gasUsed") == hex_quantity(U256(limit));
        return all_gas ? std::string("out of gas, of ").append(std::to_string(limit)) : "refused: 0x";
    }
    std::string out = std::string("ok ").append(result.at("returnData").get<std::string>());
    for (const json& entry : result.at("logs")) {
        if (entry.at("address") != to_hex(contract)) continue;
        std::vector<Hash> topics;
        for (const json& topic : entry.at("topics")) topics.push_back(*fixed_from_hex<Hash>(topic.get<std::string>()));
        out.append(log_text(topics, *from_hex(entry.at("data").get<std::string>())));
    }
    return out;
}

void count(const PlayStep& step, const std::string& outcome, Coverage& coverage) {
    if (step.is_malformed) return;
    if (step.twin.success) {
        ++coverage.outcomes[step.what + " ok"];
    } else {
        const std::string reason = outcome.substr(std::string("refused: ").size());
        ++coverage.outcomes[reason.substr(0, reason.find(' '))];
    }
}

/// Whether the gas of a call that succeeded is within bounds; tokens and views are asked without transactions.
bool gas_agrees(const PlayStep& step, const json& result, const Options& options, const Address& contract,
                Coverage& coverage) {
    if (!step.twin.success || step.to != contract || is_view(step)) return true;
    const std::uint64_t theirs = std::stoull(result.at("gasUsed").get<std::string>(), nullptr, 16);
    const std::uint64_t percent = gas_of(step) * 100 / theirs;
    coverage.gas[step.what].take(percent);
    if (options.shows_gas) std::printf("%s %lu %lu\n", step.what.c_str(), gas_of(step), theirs);
    if (percent >= kLeastGasPercent && percent <= kMostGasPercent) return true;
    std::printf("  gas of %s: simulator %lu, contract %lu (%lu%%)\n", step.what.c_str(), gas_of(step), theirs, percent);
    return false;
}

bool agrees(test::Anvil& anvil, const Options& options, const Play& play, Coverage& coverage) {
    const std::vector<json> results = perform(anvil, play);
    bool same = true;
    std::string story;
    for (std::size_t i = 0; i < results.size() && same; ++i) {
        const PlayStep& step = play.steps[i];
        const std::string ours = text_of_twin(step, play.rules.contract);
        const std::string theirs = text_of_contract(results[i], gas_limit_of(step), play.rules.contract);
        count(step, ours, coverage);
        same = step.is_malformed ? !step.twin.success && !succeeded(results[i]) : ours == theirs;
        if (!same) {
            std::printf("%s  step %zu, %s at %lu\n    simulator: %s\n    contract:  %s\n", story.c_str(), i,
                        step.what.c_str(), step.time_s, ours.c_str(), theirs.c_str());
        }
        same = same && gas_agrees(step, results[i], options, play.rules.contract, coverage);
        if (step.to == play.rules.contract && step.what != "views") {
            story.append("  ").append(std::to_string(step.time_s)).append(" ").append(step.what).append(": ");
            story.append(ours.substr(0, std::min<std::size_t>(60, ours.find('\n')))).append("\n");
        }
    }
    return same;
}

int run(const Options& options) {
    std::printf("the simulator's contract: seed %lu, %lu plays\n", options.seed, options.only ? 1 : options.cases);
    auto anvil = start_unbounded_anvil();
    if (!anvil) {
        std::puts("skipped: no Anvil in node_modules (npm ci --ignore-scripts)");
        return 77;
    }
    const Domain domain{test::Anvil::kChainId, install_contract(*anvil)};
    const Cast cast = Cast::make();
    Coverage coverage;
    std::uint64_t differ = 0;
    std::uint64_t steps = 0;
    const std::uint64_t first = options.only.value_or(0);
    for (std::uint64_t i = first; i < (options.only ? first + 1 : options.cases) && differ < 5; ++i) {
        const Play play = random_play(options.seed, i, cast, domain, kStart);
        steps += play.steps.size();
        if (agrees(*anvil, options, play, coverage)) continue;
        std::printf("play %lu differs (--seed %lu --play %lu)\n", i, options.seed, i);
        ++differ;
    }
    std::printf("%lu calls:", steps);
    for (const auto& [outcome, times] : coverage.outcomes) std::printf(" %s %lu,", outcome.c_str(), times);
    std::puts("");
    for (const auto& [what, range] : coverage.gas) {
        std::printf("gas of %s: %lu%% to %lu%% of the contract's (%lu calls)\n", what.c_str(), range.least, range.most,
                    range.calls);
    }
    const auto missing = options.only || options.cases < 300 ? std::vector<std::string>() : coverage.missing();
    for (const std::string& name : missing) std::printf("never happened: %s\n", name.c_str());
    const bool good = differ == 0 && missing.empty();
    std::puts(good ? "every answer, event, view and balance agrees" : "FAILED");
    return good ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    Options options;
    options.seed = std::random_device()();
    options.cases = 300;
    return differential_main(
        argc, argv, "Differential test of the simulator's contract against the deployed Adjudicator.", "play", 1'000'000,
        options, [&] { return run(options); },
        [&](CLI::App& app) {
            app.add_flag("--gas", options.shows_gas, "Print the gas of each call: the simulator's, the contract's");
        });
}
