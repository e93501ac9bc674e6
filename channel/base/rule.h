#pragma once

#include <cstdint>
#include <string_view>

namespace hedgerow::channel {

/// Every rule a peer, user or chain can break, by the name it has in JSON errors, logs and Reject messages. The order is
/// the wire encoding (spec 6): append, never reorder.
#define HEDGEROW_RULES(X)                                                                                                \
    /* text and frames */                                                                                                \
    X(none) X(amount_malformed) X(amount_too_precise) X(amount_out_of_range) X(amount_must_be_positive)                  \
    X(frame_truncated) X(frame_trailing_bytes) X(frame_too_large) X(field_out_of_range) X(list_too_long)                 \
    X(integer_not_minimal) X(unknown_message_type) X(unknown_op_type) X(unexpected_message)                              \
    /* terms */                                                                                                          \
    X(assets_count_out_of_range) X(asset_duplicate) X(asset_decimals_out_of_range) X(haircut_out_of_range)               \
    X(oracles_not_ascending) X(oracles_count_out_of_range) X(oracle_threshold_out_of_range)                              \
    X(oracle_threshold_not_majority) X(price_slot_zero) X(owner_zero) X(signer_zero) X(signers_equal)                    \
    X(dispute_period_out_of_range) X(salt_mismatch) X(terms_unacceptable) X(wrong_chain) X(wrong_contract)               \
    X(channel_unknown) X(channel_exists) X(channel_id_mismatch) X(not_our_signer)                                        \
    /* signatures and versions */                                                                                        \
    X(bad_signature) X(wrong_signer) X(version_must_increase) X(version_out_of_range) X(base_unknown)                    \
    X(two_states_of_one_version) X(window_full) X(timestamp_not_monotone) X(timestamp_out_of_band)                       \
    X(digest_mismatch) X(signature_missing)                                                                              \
    /* channel status */                                                                                                 \
    X(channel_not_open) X(channel_closing) X(channel_disputed) X(channel_final) X(node_halted) X(wallet_locked)          \
    X(channel_recovering) X(not_leader) X(not_follower)                                                                  \
    /* ops */                                                                                                            \
    X(ops_empty) X(ops_too_many) X(asset_out_of_range) X(insufficient_balance) X(net_out_of_range)                       \
    X(payment_to_self) X(quantity_zero) X(quantity_out_of_range) X(price_out_of_range) X(position_limit)                 \
    X(position_unknown) X(instrument_unknown) X(instrument_expired) X(instrument_mismatch) X(price_off_tick)             \
    X(quantity_off_lot) X(lock_limit) X(lock_unknown) X(lock_duplicate) X(lock_expired) X(lock_not_expired)              \
    X(lock_amount_zero) X(lock_expiry_out_of_range) X(preimage_mismatch) X(cancel_not_by_payee) X(initial_margin)        \
    X(maintenance_not_breached) X(liquidation_price) X(liquidation_quantity) X(penalty_mismatch) X(mark_out_of_band)     \
    X(price_missing) X(price_stale) X(trade_not_authorised) X(swap_not_authorised) X(fee_out_of_range)                   \
    X(terms_not_authorised) X(withdraw_total_not_increasing) X(withdraw_unaffordable) X(withdraw_outstanding)            \
    X(close_with_positions) X(close_with_locks) X(close_deadline_out_of_range) X(proposal_out_of_order)                  \
    X(in_doubt_limit) X(funding_mismatch) X(balance_below_penalty) X(liquidate_not_by_counterparty)                      \
    /* oracle packages */                                                                                                \
    X(package_malformed) X(package_unknown_signer) X(package_unsigned) X(package_stale) X(package_from_future)           \
    X(package_deviates) X(package_price_out_of_range) X(package_duplicate_signer) X(not_enough_signers)                  \
    X(package_wrong_feed) X(package_replayed)                                                                            \
    /* peers */                                                                                                          \
    X(protocol_version_unsupported) X(identity_mismatch) X(queue_full) X(peer_unknown) X(peer_disconnected)              \
    X(quote_unknown) X(quote_expired) X(quote_unavailable) X(invoice_malformed) X(invoice_expired) X(invoice_paid)       \
    X(client_ref_reused) X(timeout)                                                                                      \
    /* transport and store of a node */                                                                                  \
    X(peer_uri_malformed) X(node_id_malformed) X(host_malformed) X(port_out_of_range) X(peer_is_self) X(peer_limit)      \
    X(store_failed)                                                                                                      \
    /* market and settlement */                                                                                           \
    X(instrument_name_malformed) X(instrument_name_too_long) X(instrument_expiry_malformed)                                \
    X(instrument_strike_malformed) X(instrument_duplicate) X(tick_out_of_range) X(lot_out_of_range)                        \
    X(risk_rates_out_of_order) X(net_exceeds_holdings) X(payer_not_origin) X(payee_only) X(kind_unsupported)                                         \
    X(proposal_mismatch) X(state_already_signed)                                                                         \
    X(host_not_found) X(oracles_unacceptable)                                                                            \
    /* towers and backups */                                                                                             \
    X(tower_not_offered) X(tower_unknown) X(tower_limit) X(tower_record_unknown) X(tower_version_old)                    \
    X(tower_over_quota) X(tower_cannot_afford) X(tower_blob_size) X(tower_receipt_invalid) X(tower_receipt_broken)       \
    X(tower_not_subscribed) X(tower_exists) X(tower_behind) X(appointment_malformed) X(backup_unknown)                   \
    X(backup_older) X(backup_over_quota)                                                                                 \
    /* judged at our own prices; locks; expiry */                                                                        \
    X(liquidation_unjustified) X(withdraw_margin) X(lock_unexplained) X(lock_revealed) X(instrument_not_expired)         \
    X(expiry_price_missing) X(expiry_price_wrong)

enum class Rule : std::uint16_t {
#define HEDGEROW_RULE_ENUMERATOR(name) name,
    HEDGEROW_RULES(HEDGEROW_RULE_ENUMERATOR)
#undef HEDGEROW_RULE_ENUMERATOR
        count_
};

/// The rule's name as written above; "unknown_rule" for a number that has none.
[[nodiscard]] std::string_view rule_name(Rule rule);

}  // namespace hedgerow::channel
