#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <random>

#include "channel/crypto/signature.h"
#include "wallet/signer/policy.h"

namespace hedgerow::wallet {

namespace {

using channel::Amount;
using channel::Party;
using channel::Rule;
using channel::Status;

PrivateKey key_of(std::uint8_t number) {
    channel::Bytes bytes(32, 0);
    bytes[31] = number;
    return PrivateKey::from_bytes(bytes).value();
}

/// One channel of ours (signer: key 2, as B unless said otherwise), known to a policy.
struct Fixture {
    channel::Hash separator = channel::domain_separator({31'337, {}});
    channel::Terms terms;
    channel::ChannelId id;
    SigningPolicy policy;

    explicit Fixture(std::uint8_t salt = 0) {
        terms.owner_a = key_of(11).address();
        terms.signer_a = key_of(1).address();
        terms.owner_b = key_of(12).address();
        terms.signer_b = key_of(2).address();
        terms.assets.resize(2);
        terms.salt.data[0] = salt;
        id = channel::channel_id_of(terms, separator);
        REQUIRE(policy.add_channel(terms, separator, Party::B, key_of(2)).has_value());
    }

    [[nodiscard]] channel::State state(std::uint64_t version, std::int64_t net = 0) const {
        channel::State out;
        out.channel_id = id;
        out.version = version;
        out.net = {Amount::from_raw(net), Amount()};
        out.asset_marks = {channel::Price::from_raw(1), channel::Price::from_raw(1)};
        return out;
    }
    [[nodiscard]] channel::Close close(std::uint64_t version, std::uint64_t deadline = 1000,
                                       std::int64_t net = 0) const {
        return {id, version, {Amount::from_raw(net), Amount()}, deadline};
    }
    Rule sign(const channel::State& s) { return rule_of(policy.sign_state(s)); }
    Rule sign(const channel::Close& c) { return rule_of(policy.sign_close(c)); }
    void status(Status status, std::uint64_t time = 0) { REQUIRE(policy.status_changed(id, status, time).has_value()); }

    template <typename T>
    static Rule rule_of(const T& result) {
        return result ? Rule::none : result.error();
    }
};

}  // namespace

TEST_CASE("policy: a channel is ours or is refused") {
    Fixture f;
    CHECK(f.policy.add_channel(f.terms, f.separator, Party::B, key_of(2)).error() == Rule::channel_exists);
    SigningPolicy other;
    CHECK(other.add_channel(f.terms, f.separator, Party::A, key_of(2)).error() == Rule::not_our_signer);
    SigningRecord record;
    CHECK(other.add_channel(f.terms, f.separator, Party::B, key_of(2), record).error() == Rule::channel_id_mismatch);
    record.channel_id = f.id;
    record.version = 7;
    REQUIRE(other.add_channel(f.terms, f.separator, Party::B, key_of(2), record).has_value());
    CHECK(Fixture::rule_of(other.sign_state(f.state(7))) == Rule::two_states_of_one_version);
    CHECK(Fixture::rule_of(other.sign_state(f.state(6))) == Rule::version_must_increase);
    CHECK(Fixture::rule_of(other.sign_state(f.state(8))) == Rule::none);

    channel::State foreign = f.state(1);
    foreign.channel_id.data[0] ^= 1;
    CHECK(f.sign(foreign) == Rule::channel_unknown);
    channel::Close close = f.close(1);
    close.channel_id = foreign.channel_id;
    CHECK(f.sign(close) == Rule::channel_unknown);
    CHECK(f.policy.sign_withdraw({foreign.channel_id, Party::A, 0, Amount(), 1}).error() == Rule::channel_unknown);
    CHECK(f.policy.sign_challenge({foreign.channel_id, 0, 1}).error() == Rule::channel_unknown);
    CHECK(f.policy.status_changed(foreign.channel_id, Status::open, 0).error() == Rule::channel_unknown);
    CHECK(f.policy.raise_to(foreign.channel_id, 1, {}).error() == Rule::channel_unknown);
    CHECK_FALSE(f.policy.record(foreign.channel_id).has_value());
}

TEST_CASE("policy: what it signs is the EIP-712 digest of what it saw, and the record says so") {
    Fixture f;
    const channel::State state = f.state(5, 77);
    const auto made = f.policy.sign_state(state);
    REQUIRE(made.has_value());
    const channel::Digest digest = channel::digest_of(state, f.separator);
    CHECK(channel::verify(digest, made->signature, key_of(2).public_key()));
    CHECK(made->record.version == 5);
    CHECK(made->record.digest == digest);
    CHECK(f.policy.record(f.id) == made->record);

    const channel::Withdraw withdraw{f.id, Party::A, 1, Amount::from_raw(9), 50};
    CHECK(channel::verify(channel::digest_of(withdraw, f.separator), f.policy.sign_withdraw(withdraw).value(),
                          key_of(2).public_key()));
    const channel::Challenge challenge{f.id, 5, 50};
    CHECK(channel::verify(channel::digest_of(challenge, f.separator), f.policy.sign_challenge(challenge).value(),
                          key_of(2).public_key()));
    CHECK(f.policy.record(f.id) == made->record);
}

TEST_CASE("policy: the core's form of a state has the same digest and the same rules") {
    Fixture f;
    channel::RiskTerms risk;
    channel::ChannelState state =
        channel::initial_state(f.terms, risk, {channel::Price::from_raw(5), channel::Price::from_raw(6)});
    state.version = 3;
    channel::LockEntry lock;
    lock.lock.amount = Amount::from_raw(4);
    state.locks.edit().push_back(lock);
    state.refresh_derived();
    const auto made = f.policy.sign_state(f.id, state);
    REQUIRE(made.has_value());
    const auto typed = f.policy.sign_state(channel::typed_state(state, f.id));
    REQUIRE(typed.has_value());
    CHECK(typed->signature == made->signature);
    state.net[0] = Amount::from_raw(1);
    CHECK(Fixture::rule_of(f.policy.sign_state(f.id, state)) == Rule::two_states_of_one_version);
    state.version = 2;
    CHECK(Fixture::rule_of(f.policy.sign_state(f.id, state)) == Rule::version_must_increase);
    CHECK(Fixture::rule_of(f.policy.sign_state(channel::ChannelId{}, state)) == Rule::channel_unknown);
}

TEST_CASE("policy: versions rise, and one version has one state") {
    Fixture f;
    CHECK(f.sign(f.state(0)) == Rule::version_out_of_range);
    CHECK(f.sign(f.state(channel::kMaxVersion + 1)) == Rule::version_out_of_range);
    CHECK(f.sign(f.state(5)) == Rule::none);
    CHECK(f.sign(f.state(4)) == Rule::version_must_increase);
    CHECK(f.sign(f.state(5, 1)) == Rule::two_states_of_one_version);
    const auto first = f.policy.sign_state(f.state(5)).value();
    const auto again = f.policy.sign_state(f.state(5)).value();
    CHECK(first.signature == again.signature);
    CHECK(first.record == again.record);
    CHECK(f.sign(f.state(6, 1)) == Rule::none);
    CHECK(f.sign(f.state(5)) == Rule::version_must_increase);  // once superseded it is gone
    CHECK(f.sign(f.state(channel::kMaxVersion)) == Rule::none);
}

TEST_CASE("policy: states that no contract of the terms would take are not signed") {
    Fixture f;
    channel::State state = f.state(1);
    state.net.pop_back();
    CHECK(f.sign(state) == Rule::asset_out_of_range);
    state = f.state(1);
    state.net[1] = Amount::from_raw(channel::Int128{1} << 120);
    CHECK(f.sign(state) == Rule::net_out_of_range);
    state.net[1] = Amount::from_raw((channel::Int128{1} << 120) - 1);
    CHECK(f.sign(state) == Rule::none);

    channel::Close close = f.close(9);
    close.net.push_back(Amount());
    CHECK(f.sign(close) == Rule::asset_out_of_range);
    CHECK(f.sign(f.close(9, 0)) == Rule::close_deadline_out_of_range);
    CHECK(f.policy.sign_withdraw({f.id, Party::A, 2, Amount(), 1}).error() == Rule::asset_out_of_range);
    CHECK(f.policy.sign_withdraw({f.id, Party::A, 0, Amount::from_raw(-1), 1}).error() == Rule::amount_out_of_range);
    CHECK(f.policy.sign_withdraw({f.id, Party::A, 0, Amount::from_raw(channel::Int128{1} << 120), 1}).error() ==
          Rule::amount_out_of_range);
    CHECK(f.policy.sign_challenge({f.id, channel::kMaxVersion + 1, 1}).error() == Rule::version_out_of_range);
    CHECK(f.policy.record(f.id)->highest() == 1);
}

TEST_CASE("policy: a dispute stops everything but a challenge") {
    Fixture f;
    REQUIRE(f.sign(f.state(5)) == Rule::none);
    const auto changed = f.policy.status_changed(f.id, Status::disputed, 0);
    REQUIRE((changed && changed.value().has_value()));
    CHECK((*changed)->disputed);
    CHECK(f.sign(f.state(6)) == Rule::channel_disputed);
    CHECK(f.sign(f.state(5)) == Rule::channel_disputed);
    CHECK(f.sign(f.close(6)) == Rule::channel_disputed);
    CHECK(f.policy.sign_withdraw({f.id, Party::A, 0, Amount(), 1}).error() == Rule::channel_disputed);
    CHECK(f.policy.sign_challenge({f.id, 5, 1}).has_value());
    CHECK_FALSE(f.policy.status_changed(f.id, Status::disputed, 0).value().has_value());  // nothing new to store

    f.status(Status::open);  // a reorganisation took the challenge back
    CHECK(f.sign(f.state(5, 1)) == Rule::two_states_of_one_version);
    CHECK(f.sign(f.state(6)) == Rule::none);
}

TEST_CASE("policy: after a Close no State until it lapsed, then only above it") {
    Fixture f;
    REQUIRE(f.sign(f.state(5)) == Rule::none);
    CHECK(f.sign(f.close(5)) == Rule::two_states_of_one_version);
    CHECK(f.sign(f.close(4)) == Rule::version_must_increase);
    CHECK(f.sign(f.close(0)) == Rule::version_out_of_range);
    const auto made = f.policy.sign_close(f.close(7));
    REQUIRE(made.has_value());
    CHECK(made->record.close_version == 7);
    CHECK(made->record.close_outstanding);
    CHECK(f.policy.sign_close(f.close(7)).value().signature == made->signature);
    CHECK(f.sign(f.close(7, 1000, 1)) == Rule::channel_closing);
    CHECK(f.sign(f.close(8)) == Rule::channel_closing);
    CHECK(f.sign(f.state(6)) == Rule::channel_closing);
    CHECK(f.sign(f.state(8)) == Rule::channel_closing);
    CHECK(f.sign(f.state(5)) == Rule::none);  // a resend
    CHECK(f.sign(f.state(5, 1)) == Rule::channel_closing);
    CHECK(f.policy.sign_withdraw({f.id, Party::A, 0, Amount(), 1}).has_value());

    CHECK(f.policy.status_changed(f.id, Status::open, 999).error() == Rule::channel_closing);
    CHECK(f.sign(f.state(8)) == Rule::channel_closing);
    f.status(Status::closing, 1000);
    CHECK(f.sign(f.state(8)) == Rule::channel_closing);
    f.status(Status::open, 1000);
    CHECK(f.sign(f.state(6)) == Rule::version_must_increase);
    CHECK(f.sign(f.state(7)) == Rule::two_states_of_one_version);
    CHECK(f.sign(f.close(7)) == Rule::two_states_of_one_version);  // lapsed: worth nothing, not given again
    CHECK(f.sign(f.state(8)) == Rule::none);
    CHECK(f.sign(f.close(9, 2000)) == Rule::none);
}

TEST_CASE("policy: a dispute does not make a Close lapse") {
    Fixture f;
    REQUIRE(f.sign(f.close(7)) == Rule::none);
    f.status(Status::disputed, 2000);
    f.status(Status::closing, 2000);
    CHECK(f.sign(f.state(8)) == Rule::channel_closing);
    CHECK(f.sign(f.close(7)) == Rule::none);
}

TEST_CASE("policy: recovering signs nothing but a Close, for good") {
    Fixture f;
    f.status(Status::recovering);
    CHECK(f.sign(f.state(6)) == Rule::channel_recovering);
    CHECK(f.policy.sign_withdraw({f.id, Party::A, 0, Amount(), 1}).error() == Rule::channel_recovering);
    CHECK(f.policy.sign_challenge({f.id, 0, 1}).error() == Rule::channel_recovering);
    CHECK(f.sign(f.close(6)) == Rule::none);
    f.status(Status::disputed);
    f.status(Status::open, 5000);
    CHECK(f.sign(f.state(8)) == Rule::channel_recovering);
}

TEST_CASE("policy: final is final") {
    Fixture f;
    f.policy.forget_channel(f.id);
    CHECK(f.policy.record(f.id).has_value());  // not final: kept
    f.status(Status::closed);
    CHECK(f.sign(f.state(6)) == Rule::channel_final);
    CHECK(f.sign(f.close(6)) == Rule::channel_final);
    CHECK(f.policy.sign_withdraw({f.id, Party::A, 0, Amount(), 1}).error() == Rule::channel_final);
    CHECK(f.policy.sign_challenge({f.id, 0, 1}).error() == Rule::channel_final);
    CHECK(f.policy.status_changed(f.id, Status::open, 0).error() == Rule::channel_final);
    CHECK_FALSE(f.policy.status_changed(f.id, Status::closed, 0).value().has_value());
    f.policy.forget_channel(f.id);
    CHECK_FALSE(f.policy.record(f.id).has_value());
}

TEST_CASE("policy: locked and halted sign no new State, and go on defending") {
    Fixture f;
    REQUIRE(f.sign(f.state(5)) == Rule::none);
    for (const bool lock : {true, false}) {
        lock ? f.policy.set_locked(true) : f.policy.set_halted(true);
        CHECK(f.sign(f.state(6)) == (lock ? Rule::wallet_locked : Rule::node_halted));
        CHECK(f.sign(f.state(5)) == Rule::none);
        CHECK(f.policy.sign_challenge({f.id, 5, 1}).has_value());
        CHECK(f.policy.sign_withdraw({f.id, Party::A, 0, Amount(), 1}).has_value());
        CHECK(f.policy.record(f.id)->version == 5);
        lock ? f.policy.set_locked(false) : f.policy.set_halted(false);
    }
    CHECK(f.sign(f.state(6)) == Rule::none);
    f.policy.set_locked(true);
    CHECK(f.sign(f.close(7)) == Rule::none);
}

TEST_CASE("policy: a locked wallet signs obligations, a halted node only what voids, and neither twice one version") {
    using channel::SignReason;
    Fixture f;
    std::uint64_t version = 5;
    const auto sign = [&](SignReason reason) {
        channel::ChannelState state;
        state.version = ++version;
        state.net.resize(f.terms.assets.size());
        state.asset_marks.resize(f.terms.assets.size());
        return Fixture::rule_of(f.policy.sign_state(f.id, state, reason));
    };
    REQUIRE(sign(SignReason::business) == Rule::none);
    f.policy.set_locked(true);
    CHECK(sign(SignReason::business) == Rule::wallet_locked);
    CHECK(sign(SignReason::obligation) == Rule::none);
    CHECK(sign(SignReason::voiding) == Rule::none);
    f.policy.set_halted(true);
    CHECK(sign(SignReason::business) == Rule::node_halted);
    CHECK(sign(SignReason::obligation) == Rule::node_halted);
    CHECK(sign(SignReason::voiding) == Rule::none);
    version -= 2;
    CHECK(sign(SignReason::voiding) == Rule::version_must_increase);
}

TEST_CASE("policy: what turns up from a lost past only raises") {
    Fixture f;
    REQUIRE(f.sign(f.state(5)) == Rule::none);
    CHECK_FALSE(f.policy.raise_to(f.id, 5, {}).value().has_value());
    const channel::Digest digest = channel::digest_of(f.state(9), f.separator);
    CHECK(f.policy.raise_to(f.id, 9, digest).value().has_value());
    CHECK(f.sign(f.state(8)) == Rule::version_must_increase);
    CHECK(f.sign(f.state(9, 1)) == Rule::two_states_of_one_version);
    CHECK(f.sign(f.state(9)) == Rule::none);
    CHECK(f.policy.raise_to(f.id, 0, {}).error() == Rule::version_out_of_range);
    CHECK(f.policy.raise_to(f.id, channel::kMaxVersion + 1, {}).error() == Rule::version_out_of_range);
}

TEST_CASE("policy: channels do not touch each other") {
    Fixture f;
    Fixture g(1);
    REQUIRE(f.policy.add_channel(g.terms, g.separator, Party::B, key_of(2)).has_value());
    REQUIRE(f.sign(f.state(9)) == Rule::none);
    f.status(Status::disputed);
    CHECK(f.sign(g.state(1)) == Rule::none);
}

TEST_CASE("policy: the record survives the store") {
    SigningRecord record;
    record.channel_id.data[3] = 7;
    record.version = channel::kMaxVersion;
    record.digest.data[0] = 1;
    record.close_version = 12;
    record.close_digest.data[31] = 2;
    record.close_deadline = ~std::uint64_t{0};
    record.close_outstanding = true;
    record.recovering = true;
    const channel::Bytes bytes = encode_record(record);
    CHECK(decode_record(bytes).value() == record);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        CHECK(decode_record(channel::ByteView(bytes).first(size)).error() == Rule::frame_truncated);
    }
    channel::Bytes edited = bytes;
    edited.push_back(0);
    CHECK(decode_record(edited).error() == Rule::frame_trailing_bytes);
    edited = bytes;
    edited[0] = 2;
    CHECK(decode_record(edited).error() == Rule::protocol_version_unsupported);
    edited = bytes;
    edited.back() = 2;
    CHECK(decode_record(edited).error() == Rule::field_out_of_range);
    record.version = channel::kMaxVersion + 1;
    CHECK(decode_record(encode_record(record)).error() == Rule::field_out_of_range);
    record.version = record.close_version = 0;
    CHECK(decode_record(encode_record(record)).error() == Rule::field_out_of_range);
}

namespace {

/// Everything that left the policy, checked apart from it.
struct Witness {
    std::map<std::uint64_t, channel::Digest> by_version;
    std::uint64_t newest_state = 0;
    std::uint64_t highest = 0;
    std::uint64_t barred_until = 0;  ///< deadline of the newest Close

    void saw(bool is_close, std::uint64_t version, const channel::Digest& digest, std::uint64_t deadline,
             std::uint64_t time) {
        const bool again = by_version.contains(version);
        if (again) {
            REQUIRE(by_version[version] == digest);
            if (!is_close) REQUIRE(version == newest_state);
            return;
        }
        REQUIRE(version > highest);
        REQUIRE(time >= barred_until);
        by_version[version] = digest;
        highest = version;
        if (is_close) barred_until = deadline;
        if (!is_close) newest_state = version;
    }
};

/// One random life of a channel. The policy forgets nothing across restarts from the stored record, is asked for
/// anything, in any order, with a clock that a confused node reads wrongly (status_changed is tried at any time, its
/// verdict respected). How many States it signed.
std::size_t live(std::uint32_t seed) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    const auto upto = [&](std::uint32_t n) { return static_cast<std::uint32_t>(random() % n); };
    Fixture f(static_cast<std::uint8_t>(seed));
    Witness witness;
    std::uint64_t time = 1;
    bool disputed = false;
    std::size_t made = 0;
    for (int i = 0; i < 150; ++i) {
        time += upto(4);
        const std::uint64_t around = witness.highest + upto(5);
        const std::uint64_t version = around > 2 ? around - 2 : around;
        const auto net = static_cast<std::int64_t>(upto(2));
        const std::uint32_t what = upto(12);
        if (what < 7) {
            const auto out = f.policy.sign_state(f.state(version, net));
            if (!out) continue;
            REQUIRE_FALSE(disputed);
            witness.saw(false, version, channel::digest_of(f.state(version, net), f.separator), 0, time);
            ++made;
        } else if (what < 9) {
            const channel::Close close = f.close(version, time + upto(20) + 1, net);
            const auto out = f.policy.sign_close(close);
            if (!out) continue;
            REQUIRE_FALSE(disputed);
            witness.saw(true, version, channel::digest_of(close, f.separator), close.deadline, time);
        } else if (what < 11) {
            const Status status = std::array{Status::open, Status::closing, Status::disputed, Status::open}[upto(4)];
            if (f.policy.status_changed(f.id, status, time)) disputed = status == Status::disputed;
        } else {
            const auto record = decode_record(encode_record(f.policy.record(f.id).value()));
            REQUIRE(record.has_value());
            f.policy = SigningPolicy();
            REQUIRE(f.policy.add_channel(f.terms, f.separator, Party::B, key_of(2), *record).has_value());
        }
    }
    return made;
}

}  // namespace

TEST_CASE("policy: random lives never yield two digests of one version, nor a falling one") {
    const std::uint32_t first = std::random_device{}();
    MESSAGE("seeds from " << first);
    std::size_t made = 0;  // not in every life: one may be disputed before its first State
    for (std::uint32_t i = 0; i < 60; ++i) made += live(first + i);
    for (std::uint32_t i = 0; i < 40; ++i) made += live(i);
    made += live(2175588380);
    CHECK(made > 0);
}

}  // namespace hedgerow::wallet
