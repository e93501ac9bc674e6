// Checks across options.
#include <fmt/format.h>

#include <algorithm>

#include "daemon/config/options.h"

namespace hedgerow::daemon {

using channel::Address;
using channel::Amount;
using channel::Expected;
using channel::Int128;
using channel::Unexpected;

namespace {

constexpr Int128 kMaxPenaltyFactor = 10;
constexpr std::uint64_t kMaxFeeDays = 3'650;
constexpr std::uint64_t kMaxFeeRecords = 1'000'000'000;

Problem missing(std::string_view option) {
    return ConfigError{ConfigErrorKind::missing_required, fmt::format("{} is required", option)};
}

Problem inconsistent(std::string text) {
    return ConfigError{ConfigErrorKind::inconsistent, std::move(text)};
}

Problem check_required(const Config& config) {
    if (config.chain.chain_id == 0) return missing("chain-id");
    if (config.chain.adjudicator.is_zero()) return missing("adjudicator");
    if (config.assets.empty()) return missing("asset");
    if (config.oracle.signers.empty()) return missing("oracle-signer");
    return {};
}

Problem check_assets(const std::vector<AssetConfig>& assets) {
    for (std::size_t i = 0; i < assets.size(); ++i) {
        for (std::size_t k = 0; k < i; ++k) {
            if (assets[k].symbol == assets[i].symbol)
                return inconsistent(fmt::format("asset: the symbol {} is listed twice", assets[i].symbol));
            if (assets[k].token == assets[i].token)
                return inconsistent(fmt::format("asset: {} and {} are one token", assets[k].symbol, assets[i].symbol));
        }
    }
    return {};
}

Problem finish_oracles(Draft& draft) {
    auto& signers = draft.config.oracle.signers;
    std::sort(signers.begin(), signers.end());
    if (std::adjacent_find(signers.begin(), signers.end()) != signers.end())
        return inconsistent("oracle-signer: an address is listed twice");
    const std::size_t majority = signers.size() / 2 + 1;
    const std::size_t threshold = draft.oracle_threshold == 0 ? majority : draft.oracle_threshold;
    if (threshold < majority || threshold > signers.size()) {
        return inconsistent(fmt::format("oracle-threshold: {} of {} signers is not a strict majority of them",
                                        threshold, signers.size()));
    }
    draft.config.oracle.threshold = static_cast<std::uint8_t>(threshold);
    return {};
}

Problem finish_penalties(Draft& draft) {
    const int decimals = draft.config.assets.front().decimals;
    Int128 penalty = 0;
    if (auto problem = read_decimal(draft.stale_penalty, decimals, false, penalty)) {
        problem->text = "stale-penalty: " + problem->text;
        return problem;
    }
    Int128 greatest = kMaxPenaltyFactor * penalty;
    if (!draft.max_stale_penalty.empty()) {
        if (auto problem = read_decimal(draft.max_stale_penalty, decimals, false, greatest)) {
            problem->text = "max-stale-penalty: " + problem->text;
            return problem;
        }
        if (greatest < penalty) return inconsistent("max-stale-penalty is below stale-penalty");
    }
    draft.config.channel.stale_penalty = Amount::from_raw(penalty);
    draft.config.channel.max_stale_penalty = Amount::from_raw(greatest);
    return {};
}

Problem finish_tower_fee(Draft& draft) {
    if (draft.tower_fee.empty()) return {};
    const auto named = [](Problem problem) {
        if (problem) problem->text = "tower-fee: " + problem->text;
        return problem;
    };
    std::vector<std::string_view> parts;
    if (auto problem = split(draft.tower_fee, 4, "AMOUNT,SYMBOL,DAYS,RECORDS", parts)) return named(problem);
    const auto& assets = draft.config.assets;
    const auto asset =
        std::find_if(assets.begin(), assets.end(), [&](const AssetConfig& a) { return a.symbol == parts[1]; });
    if (asset == assets.end()) return inconsistent(fmt::format("tower-fee: no asset {} is listed", parts[1]));
    TowerFee& fee = draft.config.tower.limits.fee;
    Int128 amount = 0;
    std::uint64_t days = 0;
    if (auto problem = read_decimal(parts[0], asset->decimals, true, amount)) return named(problem);
    if (auto problem = read_number(parts[2], days, 1, kMaxFeeDays)) return named(problem);
    if (auto problem = read_number(parts[3], fee.records, 1, kMaxFeeRecords)) return named(problem);
    fee.token = asset->token;
    fee.amount = Amount::from_raw(amount);
    fee.period_s = days * 86'400;
    if (!fee.amount.within_bits(channel::kMarketBits)) return inconsistent("tower-fee: the amount is too large");
    if (!draft.config.tower.enabled) return inconsistent("tower-fee needs tower");
    return {};
}

Problem check_rest(const Config& config) {
    if (config.channel.dispute_period_s < config.channel.min_dispute_period_s)
        return inconsistent("dispute-period is below min-dispute-period");
    if (!config.wallet.password_file.empty() && !config.wallet.password_credential.empty())
        return inconsistent("password-file and password-credential exclude each other");
    if (config.tower_client.sync > config.tower_client.towers.size())
        return inconsistent("tower-sync is above the number of tower-client");
    if (config.maker.enabled && config.maker.sizes.empty()) return inconsistent("maker needs at least one maker-size");
    if (config.maker.enabled && config.market.instrument_file.empty()) return inconsistent("maker needs instruments");
    for (std::size_t i = 0; i < config.maker.sizes.size(); ++i) {
        for (std::size_t k = 0; k < i; ++k) {
            if (config.maker.sizes[k].instrument == config.maker.sizes[i].instrument)
                return inconsistent(fmt::format("maker-size: {} is listed twice", config.maker.sizes[i].instrument));
        }
    }
    return {};
}

void finish_paths(Draft& draft) {
    Config& config = draft.config;
    config.datadir = expand_home(config.datadir);
    // An absolute right side replaces the left.
    config.rpc.cookie_file = config.datadir / config.rpc.cookie_file;
    if (!draft.log_file.empty()) config.log.file = config.datadir / draft.log_file;
}

}  // namespace

Expected<Config, ConfigError> finish_config(Draft draft) {
    finish_paths(draft);
    Problem problem = check_required(draft.config);
    if (!problem) problem = check_assets(draft.config.assets);
    if (!problem) problem = finish_oracles(draft);
    if (!problem) problem = finish_penalties(draft);
    if (!problem) problem = finish_tower_fee(draft);
    if (!problem) problem = check_rest(draft.config);
    if (problem) return Unexpected{std::move(*problem)};
    return std::move(draft.config);
}

}  // namespace hedgerow::daemon
