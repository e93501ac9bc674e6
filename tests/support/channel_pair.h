#pragma once

#include <secp256k1.h>
#include <secp256k1_recovery.h>

#include <deque>
#include <map>
#include <random>
#include <set>

#include "channel/crypto/signature.h"
#include "channel/machine/apply.h"
#include "channel/machine/channel.h"

/// Two channels of the production core with a wire and two disks between them, for tests. The harness performs effects as
/// the shell does: what is persisted before a message is on disk when the message leaves.
namespace hedgerow::testing {

using namespace channel;

struct TestKey {
    std::array<std::uint8_t, 32> secret{};
    PublicKey key;

    explicit TestKey(std::uint8_t seed) {
        secret[31] = seed;
        secret[0] = 1;
        secp256k1_pubkey point;
        ASSERT(secp256k1_ec_pubkey_create(context(), &point, secret.data()) == 1);
        std::array<std::uint8_t, 65> bytes{};
        std::size_t size = bytes.size();
        secp256k1_ec_pubkey_serialize(context(), bytes.data(), &size, &point, SECP256K1_EC_UNCOMPRESSED);
        key = *PublicKey::from(ByteView(bytes).subspan(1));
    }
    [[nodiscard]] Signature sign(const Digest& digest) const {
        secp256k1_ecdsa_recoverable_signature signature;
        ASSERT(secp256k1_ecdsa_sign_recoverable(context(), &signature, digest.data.data(), secret.data(), nullptr, nullptr) == 1);
        Signature out;
        int id = 0;
        secp256k1_ecdsa_recoverable_signature_serialize_compact(context(), out.data.data(), &id, &signature);
        out.data[32] = static_cast<std::uint8_t>(out.data[32] | (id << 7));
        return out;
    }
    static secp256k1_context* context() {
        static secp256k1_context* c = secp256k1_context_create(SECP256K1_CONTEXT_SIGN);
        return c;
    }
};

inline Feed feed(const char* name) { return *feed_from_name(name); }
inline Amount units(long n) { return Amount::from_raw(n); }
inline Price usd(double n) { return Price::from_raw(static_cast<Int128>(n * 1e8)); }
inline Quantity coins(double n) { return Quantity::from_raw(static_cast<Int128>(n * 1e8)); }

inline Terms sample_terms(const TestKey& a, const TestKey& b, const Secret& secret) {
    Terms terms;
    terms.owner_a = terms.signer_a = address_of(a.key);
    terms.owner_b = terms.signer_b = address_of(b.key);
    Asset cash;
    cash.token.data[0] = 1;
    cash.decimals = 6;
    Asset coin;
    coin.feed = feed("ETH_USD");
    coin.decimals = 9;
    coin.haircut_bps = 1000;
    terms.assets = {cash, coin};
    Address oracle;
    oracle.data[0] = 1;
    terms.oracles.push_back(oracle);
    terms.oracle_threshold = 1;
    terms.price_slot = 10;
    terms.price_grace = 60;
    terms.dispute_period = 3600;
    terms.stale_penalty = units(0);
    terms.salt = keccak256(secret.view());
    return terms;
}

inline RiskTerms sample_risk() {
    RiskTerms risk;
    risk.classes.push_back({feed("BTC_USD"), 1000, 500, 100, coins(0.001)});
    return risk;
}

struct Side {
    TestKey key;
    Channel channel;
    std::deque<PeerMessage> outbox;
    // The disk.
    Bytes head;
    std::map<std::uint64_t, PersistUpdate> updates;
    // What a user was told, and what the signing policy would see.
    std::map<std::uint64_t, Digest> signed_digests;
    std::set<LocalId> agreed_ids;
    std::map<LocalId, Rule> refused;
    std::vector<OpEntry> history;
    struct Agreed {
        std::uint64_t version = 0;
        std::uint64_t timestamp_ms = 0;
        OpEntry entry;
    };
    std::vector<Agreed> agreed_ops;  ///< the same with their versions
    std::vector<Rule> faults;
    std::vector<Effect> other;  ///< everything else, in order
    bool linked_out = true;     ///< false: what it sends is lost
    std::vector<Withdraw> withdraws_signed;  ///< for the other side
    std::deque<PeerMessage> sent;            ///< the last messages that left, for replays
    const OwnPrices* prices = nullptr;       ///< what it judges the other side by; null: the marks
    bool locked = false;                     ///< its wallet is
    bool halted = false;

    explicit Side(std::uint8_t seed) : key(seed) {}
};

struct Pair {
    Side a{1};
    Side b{2};
    Context context;
    std::optional<std::uint64_t> steady_ms;  ///< as now_ms where nothing is said
    bool linked = false;

    explicit Pair(Amount deposit = units(1'000'000'000), void (*alter)(Terms&, RiskTerms&) = nullptr) {
        Secret secret;
        secret.data[3] = 7;
        Terms terms = sample_terms(a.key, b.key, secret);
        RiskTerms risk = sample_risk();
        if (alter != nullptr) alter(terms, risk);
        const Hash separator = domain_separator({31337, {}});
        const List<Price, kMaxAssets> marks = {usd(1), usd(2000)};
        a.channel = make_channel(terms, risk, marks, separator, Party::A, {}, b.key.key, secret);
        b.channel = make_channel(terms, risk, marks, separator, Party::B, {}, a.key.key, secret);
        context.now_ms = 1'800'000'000'000;
        context.chain_time_s = context.confirmed_chain_time_s = context.now_ms / 1000;
        for (Side* side : {&a, &b}) {
            side->head = encode_head(side->channel);
            run(*side, Opened{});
            for (const Party party : {Party::A, Party::B}) {
                run(*side, ChainDeposit{party, 0, deposit});
                run(*side, ChainDeposit{party, 1, deposit});
            }
        }
        link();
        settle();
    }

    Side& side(Party party) { return party == Party::A ? a : b; }

    void run(Side& side, const Input& input) {
        Effects effects;
        Context seen = context;
        seen.steady_ms = steady_ms.value_or(context.now_ms);
        seen.prices = side.prices;
        seen.locked = side.locked;
        seen.halted = side.halted || context.halted;
        step(seen, side.channel, input, effects);
        perform(side, effects);
    }

    void perform(Side& side, const Effects& effects) {
        for (const Effect& effect : effects) {
            const Status status = side.channel.status;  // what the wallet's policy would refuse stops a node: it must never be asked
            if (const auto* sign = std::get_if<SignState>(&effect)) {
                ASSERT(status == Status::open);
                const auto [it, fresh] = side.signed_digests.emplace(sign->version, sign->digest);
                ASSERT(fresh && std::next(it) == side.signed_digests.end());  // never twice one version, never a lower one
                run(side, StateSigned{sign->version, side.key.sign(sign->digest)});
            } else if (const auto* close = std::get_if<SignClose>(&effect)) {
                ASSERT(status == Status::closing || status == Status::recovering);
                run(side, CloseSigned{side.key.sign(digest_of(close->close, side.channel.separator))});
            } else if (const auto* withdraw = std::get_if<SignWithdraw>(&effect)) {
                ASSERT(status == Status::open || status == Status::closing);
                side.withdraws_signed.push_back(withdraw->withdraw);
                if (linked) side.outbox.push_back(WithdrawSignature{withdraw->withdraw, side.key.sign(digest_of(withdraw->withdraw, side.channel.separator))});
            } else if (std::holds_alternative<PersistHead>(effect)) {
                side.head = encode_head(side.channel);
            } else if (const auto* update = std::get_if<PersistUpdate>(&effect)) {
                side.updates[update->update.version] = *update;
            } else if (const auto* send = std::get_if<Send>(&effect)) {
                if (linked && side.linked_out) side.outbox.push_back(send->message);
            } else if (const auto* agreed = std::get_if<OpsAgreed>(&effect)) {
                for_each_op(*agreed, [&](const OpAgreed& op) {
                    side.history.push_back(op.entry);
                    side.agreed_ops.push_back({op.version, op.timestamp_ms, op.entry});
                    if (op.local_id != 0) ASSERT(side.agreed_ids.insert(op.local_id).second && !side.refused.contains(op.local_id));
                });
            } else if (const auto* refused = std::get_if<OpRefused>(&effect)) {
                ASSERT(!side.agreed_ids.contains(refused->local_id) && side.refused.emplace(refused->local_id, refused->rule).second);
            } else if (const auto* fault = std::get_if<PeerFault>(&effect)) {
                side.faults.push_back(fault->rule);
            } else {
                side.other.push_back(effect);
            }
        }
    }

    /// Verdicts as a daemon's judge would give them: pays with the memo "no" are refused.
    static std::vector<Rule> judge(const PeerMessage& message) {
        std::vector<Rule> out;
        const auto verdict = [](const Op& op) {
            const auto* pay = std::get_if<PayOp>(&op);
            return pay != nullptr && pay->memo == "no" ? Rule::trade_not_authorised : Rule::none;
        };
        if (const auto* update = std::get_if<Update>(&message)) {
            for (const OpEntry& e : update->ops) out.push_back(verdict(e.op));
        } else if (const auto* propose = std::get_if<Propose>(&message)) {
            for (const Op& op : propose->ops) out.push_back(verdict(op));
        }
        return out;
    }

    bool deliver_one(Side& from) {
        if (from.outbox.empty()) return false;
        // Through the codec, as on the wire.
        const auto message = wire_decode<PeerMessage>(wire_encode(from.outbox.front()));
        ASSERT(message.has_value());
        from.sent.push_back(from.outbox.front());
        if (from.sent.size() > 64) from.sent.pop_front();
        from.outbox.pop_front();
        run(&from == &a ? b : a, FromPeer{*message, judge(*message)});
        return true;
    }

    void link() {
        linked = true;
        run(a, Connected{});
        run(b, Connected{});
    }
    void unlink() {
        linked = false;
        a.outbox.clear();
        b.outbox.clear();
        run(a, Disconnected{});
        run(b, Disconnected{});
    }
    /// kill -9 and start again from the disk.
    void crash(Side& side) {
        const bool was_linked = linked;
        if (was_linked) unlink();
        std::vector<PersistUpdate> stored;
        for (const auto& [version, update] : side.updates) stored.push_back(update);
        auto restored = restore_channel(side.head, side.channel.separator, stored);
        ASSERT(restored.has_value());
        ASSERT(restored->highest_signed == side.channel.highest_signed);
        ASSERT(restored->agreed.digest == side.channel.agreed.digest);
        side.channel = std::move(*restored);
        if (was_linked) link();
    }
    /// Delivers and flushes until nothing moves.
    void settle() {
        int rounds = 0;
        for (bool moved = true; moved;) {
            moved = false;
            ASSERT(++rounds < 10'000);  // two sides must not argue for ever
            run(a, Flush{});
            run(b, Flush{});
            while (deliver_one(a)) moved = true;
            while (deliver_one(b)) moved = true;
        }
    }
    LocalId next_id = 1;
    LocalId submit(Party party, Op op) {
        run(side(party), LocalOp{next_id, std::move(op)});
        return next_id++;
    }
    /// Submits and settles: Rule::none where the op was agreed, else why it was refused.
    Rule attempt(Party party, Op op) {
        const LocalId id = submit(party, std::move(op));
        settle();
        Side& s = side(party);
        if (s.agreed_ids.contains(id)) return Rule::none;
        ASSERT(s.refused.contains(id));
        return s.refused[id];
    }
    [[nodiscard]] Amount available(Party viewer, Party party, std::size_t asset) {
        Channel& c = side(viewer).channel;
        return available_of(context, c, c.agreed.state, party, asset);
    }
    [[nodiscard]] bool same() const {
        return a.channel.agreed.state == b.channel.agreed.state && a.channel.agreed.digest == b.channel.agreed.digest &&
               a.channel.agreed.signature_a == b.channel.agreed.signature_a && a.channel.agreed.signature_b == b.channel.agreed.signature_b;
    }
};

inline PayOp pay(long amount, const char* memo = "") { return PayOp{0, units(amount), Text<kMaxMemo>(std::string_view(memo))}; }
inline TradeOp perp(double quantity, double price) {
    return TradeOp{feed("BTC_USD-PERPETUAL"), feed("BTC_USD"), Kind::linear, 0, {}, coins(quantity), usd(price), {}, {}};
}
inline MarkOp mark(double price, double index) { return MarkOp{feed("BTC_USD-PERPETUAL"), usd(price), usd(index)}; }

}  // namespace hedgerow::testing
