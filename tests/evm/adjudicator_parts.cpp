#include "tests/evm/adjudicator_parts.h"

#include <algorithm>

#include "channel/crypto/keccak.h"
#include "channel/crypto/signature.h"
#include "tests/evm/contract_rig.h"

namespace hedgerow::tests {

using namespace hedgerow::channel;

namespace {

const U256& group_order() {
    static const U256 order = [] {
        const auto bytes = *from_hex("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141");
        return U256::from_be(ByteView(bytes).first<32>());
    }();
    return order;
}

/// n - s of 32 bytes.
void negate(std::span<std::uint8_t, 32> s) {
    const auto other = (group_order() - U256::from_be(s)).to_be();
    std::copy(other.begin(), other.end(), s.begin());
}

template <typename T>
T raised(int bits) {
    return T::from_raw(static_cast<Int128>(1) << bits);
}

/// 2^bits - 1, 2^bits, or the negative of either.
template <typename T>
T around(int bits, Random& random) {
    const T size = random.one_in(2) ? raised<T>(bits) : raised<T>(bits) - T::from_raw(1);
    return random.one_in(2) ? size : -size;
}

std::uint64_t near(std::uint64_t time_s, Random& random) {
    return time_s + random.below(3) - 1;
}

}  // namespace

wallet::PrivateKey play_key(std::string_view name) {
    return std::move(*wallet::PrivateKey::from_bytes(keccak256(as_bytes(name)).view()));
}

Feed play_feed(std::size_t index) {
    return *feed_from_name(std::string("F").append(std::to_string(index % kPlayFeeds)));
}

const std::vector<Preimage>& play_preimages() {
    static const std::vector<Preimage> all = [] {
        std::vector<Preimage> out(4);
        for (std::size_t i = 0; i < out.size(); ++i) out[i].data[31] = static_cast<std::uint8_t>(i + 1);
        return out;
    }();
    return all;
}

void Hands::spoil(Signature& signature, Random& random) {
    switch (random.below(3)) {
        case 0:
            signature.data[random.below(64)] ^= static_cast<std::uint8_t>(1U << random.below(8));
            return;
        case 1:
            signature = Signature();
            return;
        default: {
            const std::uint8_t parity = signature.data[32] & 0x80U;
            signature.data[32] &= 0x7fU;
            negate(std::span(signature.data).subspan<32, 32>());
            if (parity == 0 && signature.data[32] < 0x80U) signature.data[32] |= 0x80U;
            return;
        }
    }
}

Terms random_terms(Random& random, const Cast& cast, const Address& contract) {
    Terms out;
    const std::size_t count = 1 + random.below(3);
    const std::size_t coin = random.below(count + 1);
    for (std::size_t i = 0; i < count; ++i) {
        Asset asset;
        if (i != coin) asset.token = case_token(i);
        if (!random.one_in(3)) asset.feed = play_feed(i);
        asset.decimals = static_cast<std::uint8_t>(random.one_in(8) ? 18 : random.below(7));
        asset.haircut_bps = static_cast<std::uint16_t>(random.one_in(4) ? 10'000 : random.below(10'000));
        out.assets.push_back(asset);
    }
    out.signer_a = cast.signer_a.address();
    out.signer_b = cast.signer_b.address();
    out.owner_a.data = {0xaa, 0xaa};
    out.owner_b.data = {0xbb, 0xbb};
    switch (random.below(10)) {
        case 0:
            out.owner_a = out.owner_b;
            break;
        case 1:
            out.owner_a = contract;
            break;
        case 2:
            out.owner_b = case_token(0);
            break;
        case 3:
        case 4:
            out.owner_a = out.signer_a;
            break;
        default:
            break;
    }
    for (const auto& oracle : cast.oracles) out.oracles.push_back(oracle.address());
    out.oracle_threshold = static_cast<std::uint8_t>(1 + random.below(3));
    out.price_slot = random.one_in(2) ? 10 : 60;
    out.price_grace = static_cast<std::uint32_t>(random.below(3) * 30);
    out.dispute_period = random.one_in(8) ? 0 : static_cast<std::uint32_t>(100 + random.below(500));
    out.stale_penalty = Amount::from_raw(static_cast<Int128>(random.below(3'000)));
    return out;
}

void break_terms(Terms& terms, Random& random) {
    switch (random.below(12)) {
        case 0:
            (random.one_in(2) ? terms.owner_a : terms.owner_b) = Address();
            return;
        case 1:
            (random.one_in(2) ? terms.signer_a : terms.signer_b) = Address();
            return;
        case 2:
            terms.signer_a = terms.signer_b;
            return;
        case 3:
            terms.price_slot = 0;
            return;
        case 4:
            terms.assets.clear();
            return;
        case 5:
            terms.assets.back().decimals = static_cast<std::uint8_t>(18 + random.below(2));
            return;
        case 6:
            terms.assets.back().haircut_bps = static_cast<std::uint16_t>(10'000 + random.below(2));
            return;
        case 7:
            terms.assets.push_back(terms.assets.front());
            return;
        case 8:
            std::swap(terms.oracles.front(), terms.oracles.back());
            return;
        case 9:
            terms.oracles.push_back(terms.oracles.back());
            return;
        case 10:
            terms.oracle_threshold = static_cast<std::uint8_t>(random.one_in(2) ? 0 : terms.oracles.size() + 1);
            return;
        default:
            terms.stale_penalty += Amount::from_raw(1);  // sound, and another channel
            return;
    }
}

State random_state(Random& random, const Terms& terms, const ChannelId& id, std::uint64_t version,
                   std::uint64_t around_s) {
    State out;
    out.channel_id = id;
    out.version = version;
    out.context = keccak256(as_bytes(std::to_string(random.word())));
    for (std::size_t i = 0; i < terms.assets.size(); ++i) {
        out.net.push_back(Amount::from_raw(static_cast<Int128>(random.below(8'000)) - 4'000));
        out.asset_marks.push_back(Price::from_raw(static_cast<Int128>(50'000'000 + random.below(100'000'000))));
    }
    const std::uint64_t slot = terms.price_slot;
    for (std::size_t i = random.below(4); i > 0 && !random.one_in(3); --i) {
        Position position;
        position.instrument = play_feed(random.below(2));
        position.underlying = play_feed(2);
        position.kind = static_cast<Kind>(random.below(5));
        if (random.one_in(2)) position.expiry = (around_s / slot + random.below(5)) * slot;
        position.strike = Price::from_raw(static_cast<Int128>(random.below(200'000'000)));
        position.quantity = Quantity::from_raw(static_cast<Int128>(random.below(40'000)) - 20'000);
        position.mark = Price::from_raw(static_cast<Int128>(random.below(100'000'000)));
        out.positions.push_back(position);
    }
    for (std::size_t i = random.below(4); i > 0 && !random.one_in(3); --i) {
        Lock lock;
        lock.hash = LockHash{keccak256(play_preimages()[random.below(3)].view()).data};
        lock.expiry = near(around_s + random.below(3) * terms.dispute_period / 2 + random.below(60), random);
        lock.asset = static_cast<std::uint8_t>(random.below(terms.assets.size()));
        lock.amount = Amount::from_raw(static_cast<Int128>(random.below(2'000)) - 1'000);
        out.locks.push_back(lock);
    }
    return out;
}

void stretch_state(State& state, const Terms& terms, Random& random) {
    const std::uint64_t too_late = (std::uint64_t{1} << 40) / terms.price_slot * terms.price_slot;
    if (state.positions.empty()) state.positions.push_back({play_feed(0), play_feed(2), Kind::linear, 0, {}, {}, {}});
    if (state.locks.empty()) state.locks.push_back({{}, 7, 0, {}});
    Position& position = state.positions.back();
    Lock& lock = state.locks.back();
    switch (random.below(12)) {
        case 0:
            state.version = kMaxVersion + random.below(2);
            return;
        case 1:
            state.net.pop_back();
            return;
        case 2:
            state.asset_marks.push_back(state.asset_marks.back());
            return;
        case 3:
            state.net.back() = around<Amount>(kNetBits, random);
            return;
        case 4:
            state.asset_marks.back() = random.one_in(3) ? Price() : around<Price>(kMarketBits, random).abs();
            return;
        case 5:
            position.expiry = random.one_in(2) ? terms.price_slot + 1 : too_late + random.below(2) * terms.price_slot;
            return;
        case 6:
            position.strike = around<Price>(kMarketBits, random).abs();
            return;
        case 7:
            position.quantity = around<Quantity>(kMarketBits, random);
            return;
        case 8:
            position.mark = around<Price>(kMarketBits, random);
            return;
        case 9:
            lock.asset = static_cast<std::uint8_t>(terms.assets.size());
            return;
        case 10:
            lock.amount = around<Amount>(kMarketBits, random);
            return;
        default:
            lock.expiry = (std::uint64_t{1} << 40) - random.below(2);
            return;
    }
}

Bytes package_bytes(std::span<const std::pair<Feed, U256>> points, std::uint64_t timestamp_ms,
                    const wallet::PrivateKey& by) {
    Bytes out;
    for (const auto& [feed, value] : points) {
        append(out, feed.view());
        append(out, value.to_be());
    }
    const auto write = [&out](std::uint64_t value, int size) {
        for (int i = size; i-- > 0;) out.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
    };
    write(timestamp_ms, 6);
    write(32, 4);
    write(points.size(), 3);
    append(out, rsv_from_compact(by.sign(Digest{keccak256(out).data})).view());
    return out;
}

void spoil_package(Bytes& package, Random& random) {
    const std::size_t end = package.size() - 65;
    switch (random.below(7)) {
        case 0:
            package[random.below(package.size())] ^= static_cast<std::uint8_t>(1U << random.below(8));
            return;
        case 1:
            package.resize(random.below(package.size()));
            return;
        case 2:
            package[end - 4] = 31;  // the size of a value
            return;
        case 3:
            package[end - 1] = static_cast<std::uint8_t>(package[end - 1] + 1);  // the count of points
            return;
        case 4:
            package.back() = static_cast<std::uint8_t>(package.back() - 27);
            return;
        case 5:
            std::fill(package.begin() + static_cast<std::ptrdiff_t>(end), package.end() - 1, std::uint8_t{0});
            return;
        default:  // the other s, which ecrecover takes
            negate(std::span(package).subspan(end + 32).first<32>());
            package.back() = package.back() == 27 ? 28 : 27;
            return;
    }
}

}  // namespace hedgerow::tests
