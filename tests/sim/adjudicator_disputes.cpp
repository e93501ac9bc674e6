#include <algorithm>
#include <optional>
#include <set>

#include "channel/crypto/signature.h"
#include "channel/market/package.h"
#include "channel/settle/settlement.h"
#include "tests/sim/adjudicator_call.h"
#include "wallet/chain/contract_calls.h"

/// Disputes and their evidence: challenges, answers, settlement, preimages, prices.
namespace hedgerow::sim {

Bytes Call::challenge(ByteView data) {
    Terms terms;
    channel::Secret secret;
    wallet::abi::State given;
    Signature a;
    Signature b;
    wallet::abi::Authorization authorization;
    read(data, terms, secret, given, a, b, authorization);
    const ChannelId id = identify(terms);
    const channel::State state = wallet::abi::with_channel(id, std::move(given));
    if (m_state.disputes.contains(id)) {
        respond_with(terms, id, state, a, b);
        return {};
    }
    gas(25'500);
    const auto held = m_state.holdings.find({id, terms.assets[0].token});
    if (held != m_state.holdings.end() && held->second.is_final) revert("ChannelFinal");
    if (channel::keccak256(secret.view()) != terms.salt) revert("SaltMismatch");
    const Party challenger = challenger_of(terms, id, state.version, authorization);
    const Address tail = checked_digest(terms, state, a, b);
    const std::uint64_t end = m_context.now_s + terms.dispute_period;
    m_state.disputes[id] = {tail, state.version, end, 0, challenger};
    emit("Challenged(bytes32,uint8,bytes32,uint64," HEDGEROW_ABI_STATE ")", {topic(id)},
         channel::abi_encode(challenger, secret, end, wallet::abi::without_channel(state)));
    return {};
}

Bytes Call::respond(ByteView data) {
    Terms terms;
    wallet::abi::State given;
    Signature a;
    Signature b;
    read(data, terms, given, a, b);
    const ChannelId id = identify(terms);
    respond_with(terms, id, wallet::abi::with_channel(id, std::move(given)), a, b);
    return {};
}

void Call::respond_with(const Terms& terms, const ChannelId& id, const channel::State& state, const Signature& a,
                        const Signature& b) {
    gas(6'000);
    const auto open = m_state.disputes.find(id);
    if (open == m_state.disputes.end()) revert("NotDisputed");
    DisputeSlot& slot = open->second;
    if (m_context.now_s >= slot.end) revert("DisputeEnded");
    if (state.version <= slot.version) revert("VersionMustIncrease");
    slot.digest_tail = checked_digest(terms, state, a, b);
    slot.lead = std::min(slot.lead + (state.version - slot.version), channel::kMaxLead);
    slot.version = state.version;
    emit("Responded(bytes32," HEDGEROW_ABI_STATE ")", {topic(id)},
         channel::abi_encode(wallet::abi::without_channel(state)));
}

Bytes Call::settle(ByteView data) {
    Terms terms;
    wallet::abi::State given;
    read(data, terms, given);
    const ChannelId id = identify(terms);
    const channel::State state = wallet::abi::with_channel(id, std::move(given));
    const auto open = m_state.disputes.find(id);
    if (open == m_state.disputes.end()) revert("NotDisputed");
    const DisputeSlot slot = open->second;
    if (slot.version == 0) {
        check_initial(state);
    } else if (tail_of(channel::digest_of(state, m_rules.separator)) != slot.digest_tail) {
        revert("StateMismatch");
    }
    gas(9'000 + 2'000 * state.positions.size() + 3'300 * state.locks.size());
    const std::uint64_t due = channel::settle_due_time(slot.end, state);
    if (m_context.now_s < due) revert("SettlementNotDue", due);
    m_state.disputes.erase(open);
    const auto holdings = finalise(id, terms);
    const Hash set = wallet::oracle_set_of(terms.oracles);
    std::set<std::pair<Feed, std::uint64_t>> asked;
    const auto attested = [&](const Feed& feed, std::uint64_t time_s) -> std::optional<Price> {
        gas(asked.emplace(feed, time_s).second ? 2'700 : 600);
        const auto found = m_state.prices.find({set, feed, time_s});
        if (found == m_state.prices.end() || found->second.signers < terms.oracle_threshold) return std::nullopt;
        return found->second.price;
    };
    const auto registered = [&](const channel::LockHash& hash) {
        const auto found = m_state.revealed_at.find(hash);
        return found == m_state.revealed_at.end() ? std::uint64_t{0} : found->second;
    };
    const channel::OpenDispute dispute{slot.end, slot.lead, slot.challenger};
    const auto answer = channel::settle_at(terms, state, holdings, dispute, m_context.now_s, attested, registered);
    if (answer.status == channel::SettleStatus::waits_for_price) revert("PriceMissing", answer.due_s);
    pay_out(terms, answer.result.a, answer.result.b);
    emit("Settled(bytes32,uint64,uint256[],uint256[])", {topic(id)},
         channel::abi_encode(state.version, list_of(answer.result.a), list_of(answer.result.b)));
    return {};
}
// --- evidence -------------------------------------------------------------------------------------------------------

Bytes Call::reveal(ByteView data) {
    channel::List<channel::Preimage, 1024> preimages;
    read(data, preimages);
    for (const channel::Preimage& preimage : preimages) {
        gas(500);
        channel::LockHash hash;
        hash.data = channel::keccak256(preimage.view()).data;
        const bool is_new = m_state.revealed_at.emplace(hash, m_context.now_s).second;
        gas(is_new ? 22'100 : 2'100);
        if (!is_new) continue;
        emit("Revealed(bytes32,bytes32)", {topic(hash)}, channel::abi_encode(preimage));
    }
    return {};
}

namespace {

/// Packages.collect: per feed the values by oracle.
using Values = std::vector<std::map<Address, Price>>;

constexpr std::size_t kTrailer = channel::kPackageTrailerBytes;
constexpr std::size_t kPoint = channel::kPackagePointBytes;

std::uint64_t read_be(ByteView bytes) {
    std::uint64_t out = 0;
    for (const std::uint8_t byte : bytes) out = out << 8 | byte;
    return out;
}

/// ecrecover, which also takes the high s of a signature.
Address recover_rsv(const channel::Digest& digest, ByteView rsv) {
    static const auto kOrder = *channel::from_hex("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141");
    const U256 order = U256::from_be(ByteView(kOrder).first<32>());
    auto plain = *channel::FixedBytes<65, struct channel::RsvTag>::from(rsv);
    const U256 s = U256::from_be(rsv.subspan<32, 32>());
    if (plain.data[64] != 27 && plain.data[64] != 28) revert("BadSignature");
    if (s >= order) revert("BadSignature");
    if (s > order / U256(2)) {
        const auto low = (order - s).to_be();
        std::copy(low.begin(), low.end(), plain.data.begin() + 32);
        plain.data[64] = plain.data[64] == 27 ? 28 : 27;
    }
    const auto compact = channel::compact_from_rsv(plain);
    const auto key = compact ? channel::recover(digest, *compact) : std::nullopt;
    if (!key) revert("BadSignature");
    return channel::address_of(*key);
}

/// Packages.open: the points of a package, and who signed it.
std::pair<ByteView, Address> open_package(ByteView bytes, Uint128 timestamp_ms) {
    if (bytes.size() < kPoint + kTrailer + channel::kPackageSignatureBytes) revert("PackageMalformed");
    const ByteView data = bytes.first(bytes.size() - channel::kPackageSignatureBytes);
    const ByteView trailer = data.last(kTrailer);
    const std::uint64_t count = read_be(trailer.last(3));
    if (read_be(trailer.subspan(6, 4)) != 32 || count * kPoint + kTrailer != data.size()) revert("PackageMalformed");
    if (read_be(trailer.first(6)) != timestamp_ms) revert("PackageTimeMismatch");
    const channel::Digest digest{channel::keccak256(data).data};
    return {data.first(data.size() - kTrailer), recover_rsv(digest, bytes.last(channel::kPackageSignatureBytes))};
}

void collect(ByteView package, Uint128 timestamp_ms, std::span<const Address> oracles, std::span<const Feed> feeds,
             Values& values) {
    const auto [points, by] = open_package(package, timestamp_ms);
    if (std::find(oracles.begin(), oracles.end(), by) == oracles.end()) revert("PackageUnknownSigner");
    for (std::size_t at = 0; at < points.size(); at += kPoint) {
        const Feed feed = *Feed::from(points.subspan(at, 32));
        const U256 value = U256::from_be(points.subspan(at + 32).first<32>());
        for (std::size_t f = 0; f < feeds.size(); ++f) {
            if (feeds[f] != feed) continue;
            if (value.is_zero() || value.bits() > channel::kMarketBits) revert("PackagePriceOutOfRange");
            if (!values[f].emplace(by, Price::from_raw(*value.to_i128())).second) revert("PackageDuplicateSigner");
        }
    }
}

/// The lower of two middle ones.
Price lower_median(const std::map<Address, Price>& by_oracle) {
    std::vector<Price> sorted;
    for (const auto& [oracle, price] : by_oracle) sorted.push_back(price);
    std::sort(sorted.begin(), sorted.end());
    return sorted[(sorted.size() - 1) / 2];
}

}  // namespace

Bytes Call::attest(ByteView data) {
    channel::List<Address, 1024> oracles;
    std::uint64_t time = 0;
    channel::List<Feed, 1024> feeds;
    channel::List<Bytes, 1024> packages;
    read(data, oracles, time, feeds, packages);
    check_oracles(oracles);
    Values values(feeds.size());
    for (const Bytes& package : packages) {
        gas(6'700 + package.size() / kPoint * (600 + 200 * feeds.size()));
        collect(package, Uint128{time} * 1'000, oracles, feeds, values);
    }
    const Hash set = wallet::oracle_set_of(oracles);
    for (std::size_t i = 0; i < feeds.size(); ++i) {
        if (values[i].empty()) revert("PackageMissing");
        gas(2'600);
        const auto signers = static_cast<std::uint8_t>(values[i].size());
        AttestedEntry& entry = m_state.prices[{set, feeds[i], time}];
        gas(signers > entry.signers ? (entry.signers == 0 ? 22'100 : 5'000) : 2'100);
        if (signers <= entry.signers) continue;
        entry = {lower_median(values[i]), signers};
        emit("Attested(bytes32,bytes32,uint64,uint96,uint8)", {topic(set), topic(feeds[i])},
             channel::abi_encode(time, entry.price, entry.signers));
    }
    return {};
}

Bytes Call::multicall(ByteView data) {
    channel::List<Bytes, 1024> calls;
    read(data, calls);
    channel::List<Bytes, 1024> results;
    if (!m_context.value.is_zero()) throw Revert{};
    for (const Bytes& call : calls) {
        gas(3'000);
        results.push_back(run(call));
    }
    return channel::abi_encode(results);
}

}  // namespace hedgerow::sim
