#include "channel/messages/typed.h"

namespace hedgerow::channel {

ChannelId channel_id_of(const Terms& terms, const Hash& separator) { return *ChannelId::from(digest_of(terms, separator).view()); }

namespace {

Rule check_assets(const Terms& terms) {
    if (terms.assets.empty() || terms.assets.size() > kMaxAssets) return Rule::assets_count_out_of_range;
    for (std::size_t i = 0; i < terms.assets.size(); ++i) {
        if (terms.assets[i].decimals > 18) return Rule::asset_decimals_out_of_range;
        if (terms.assets[i].haircut_bps > 10'000) return Rule::haircut_out_of_range;
        for (std::size_t j = 0; j < i; ++j) {
            if (terms.assets[i].token == terms.assets[j].token) return Rule::asset_duplicate;
        }
    }
    return Rule::none;
}

Rule check_oracles(const Terms& terms) {
    if (terms.oracles.empty() || terms.oracles.size() > kMaxOracles) return Rule::oracles_count_out_of_range;
    if (terms.oracles.front().is_zero()) return Rule::oracles_not_ascending;
    for (std::size_t i = 1; i < terms.oracles.size(); ++i) {
        if (terms.oracles[i] <= terms.oracles[i - 1]) return Rule::oracles_not_ascending;
    }
    if (terms.oracle_threshold == 0 || terms.oracle_threshold > terms.oracles.size()) return Rule::oracle_threshold_out_of_range;
    if (2 * std::size_t{terms.oracle_threshold} <= terms.oracles.size()) return Rule::oracle_threshold_not_majority;
    return Rule::none;
}

}  // namespace

Rule check_terms(const Terms& terms) {
    if (const Rule rule = check_assets(terms); rule != Rule::none) return rule;
    if (const Rule rule = check_oracles(terms); rule != Rule::none) return rule;
    if (terms.price_slot == 0) return Rule::price_slot_zero;
    if (terms.owner_a.is_zero() || terms.owner_b.is_zero()) return Rule::owner_zero;
    if (terms.signer_a.is_zero() || terms.signer_b.is_zero()) return Rule::signer_zero;
    if (terms.signer_a == terms.signer_b) return Rule::signers_equal;
    if (terms.stale_penalty.sign() < 0 || !terms.stale_penalty.within_bits(kNetBits)) return Rule::amount_out_of_range;
    return Rule::none;
}

}  // namespace hedgerow::channel
