#include "wallet/chain/tx_view.h"

#include <algorithm>
#include <map>
#include <optional>

namespace hedgerow::wallet {

using channel::U256;
using channel::Unexpected;

namespace {

constexpr std::uint32_t kFeeBlocks = 10;
constexpr std::uint32_t kFeePercentile = 50;

U256 median(std::vector<U256> values) {
    if (values.empty()) return U256();
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
}

ChainExpected<void> observe_fees(EthClient& client, ChainView& view) {
    auto history = client.fee_history(kFeeBlocks, kFeePercentile);
    if (!history) return Unexpected{history.error()};
    view.base_fee = history->base_fees.back();
    // Empty blocks report a reward of zero and say nothing about what is usual.
    std::erase_if(history->rewards, [](const U256& reward) { return reward.is_zero(); });
    view.priority_fee = median(std::move(history->rewards));
    return {};
}

ChainExpected<std::optional<TxSighting>> observe_receipt(EthClient& client, const channel::TxHash& hash) {
    const auto receipt = client.receipt(hash);
    if (!receipt) return Unexpected{receipt.error()};
    if (!receipt->has_value()) return std::optional<TxSighting>();
    const Receipt& r = **receipt;
    return std::optional<TxSighting>(
        TxSighting{hash, TxPlace::mined,
                   MinedAt{r.tx_hash, r.block_hash, r.block_number, r.success, r.gas_used, r.effective_gas_price}});
}

/// `before`: as it was seen under this same head, or null.
ChainExpected<TxSighting> observe_transaction(EthClient& client, const channel::TxHash& hash,
                                              const TxSighting* before) {
    if (before != nullptr && before->place == TxPlace::mined) return *before;
    if (before == nullptr) {
        auto mined = observe_receipt(client, hash);
        if (!mined) return Unexpected{mined.error()};
        if (mined->has_value()) return **mined;
    }
    const auto known = client.transaction_known(hash);
    if (!known) return Unexpected{known.error()};
    return TxSighting{hash, *known ? TxPlace::pending : TxPlace::unknown, std::nullopt};
}

}  // namespace

ChainExpected<ChainView> observe_chain(EthClient& client, const ChainQueries& queries, const ChainView* last) {
    const auto head = client.block(BlockTag::latest());
    if (!head) return Unexpected{head.error()};
    const bool same = last != nullptr && last->head_hash == head->hash;
    ChainView view;
    std::map<channel::TxHash, const TxSighting*> before;
    if (same) {
        view = *last;
        view.transactions.clear();
        view.estimates.clear();
        for (const TxSighting& seen : last->transactions) before.emplace(seen.hash, &seen);
    } else {
        view.head = head->number;
        view.head_hash = head->hash;
        view.block_gas_limit = head->gas_limit;
        // The nonce before the receipts: a transaction that this count includes has its receipt by then.
        const auto nonce = client.transaction_count(queries.account);
        if (!nonce) return Unexpected{nonce.error()};
        view.nonce = *nonce;
    }
    for (const auto& hash : queries.transactions) {
        const auto known = before.find(hash);
        const auto seen = observe_transaction(client, hash, known == before.end() ? nullptr : known->second);
        if (!seen) return Unexpected{seen.error()};
        view.transactions.push_back(*seen);
    }
    if (!same) {
        const auto balance = client.balance(queries.account);
        if (!balance) return Unexpected{balance.error()};
        view.balance = *balance;
        if (const auto fees = observe_fees(client, view); !fees) return Unexpected{fees.error()};
    }
    for (const GasQuestion& question : queries.estimates)
        view.estimates.push_back({question.job, client.estimate_gas(question.call)});
    return view;
}

}  // namespace hedgerow::wallet
