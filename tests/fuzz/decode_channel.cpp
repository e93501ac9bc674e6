#include "channel/crypto/keccak.h"
#include "channel/crypto/signature.h"
#include "channel/machine/durable.h"
#include "channel/market/instrument.h"
#include "channel/market/package.h"
#include "channel/messages/peer.h"
#include "tests/fuzz/arbitrary.h"
#include "tests/fuzz/big.h"
#include "tests/fuzz/decoders.h"
#include "wallet/chain/contract_abi.h"

namespace hedgerow::fuzz {

using namespace channel;

namespace {

Terms terms_with_assets(std::size_t count) {
    Terms terms;
    for (std::size_t i = 0; i < count; ++i) terms.assets.emplace_back().token.data[0] = static_cast<std::uint8_t>(i);
    return terms;
}

/// abi.decode of abi.encode is the value, whatever detours the offsets of the first bytes took.
template <typename T>
void abi_round_trip(ByteView bytes) {
    T value{};
    if (!abi_decode(bytes, value)) return;
    const Bytes encoded = abi_encode(value);
    T again{};
    ASSERT(abi_decode(encoded, again));
    ASSERT(abi_encode(again) == encoded);
}

}  // namespace

void decode_peer_message(ByteView bytes) {
    static_cast<void>(canonical<PeerMessage>(bytes));
}

void decode_channel_state(ByteView bytes) {
    if (bytes.empty()) return;
    const Terms terms = terms_with_assets(bytes[0] % (kMaxAssets + 1));
    const auto state = decode_state(bytes.subspan(1), terms);
    if (!state) return;
    const Bytes again = wire_encode(*state);
    ASSERT(std::equal(again.begin(), again.end(), bytes.begin() + 1, bytes.end()));
    // What is signed is what the chain reads.
    const ChannelId id{};
    ASSERT(state_digest(*state, id, {}) == digest_of(typed_state(*state, id), {}));
}

/// The check bytes that guard against rot are put right, so that what lies behind them is reached.
void decode_channel_head(ByteView bytes) {
    const Bytes head = seal_head(bytes);
    const auto channel = restore_channel(head, {}, {});
    if (!channel) return;
    const Bytes again = encode_head(*channel);
    if (bytes[0] != 1) ASSERT(again == head);  // the first format is read, and written as the newest
    const auto second = restore_channel(again, {}, {});
    ASSERT(second.has_value() && encode_head(*second) == again);
}

void decode_wire_struct(ByteView bytes) {
    if (bytes.empty()) return;
    const ByteView body = bytes.subspan(1);
    switch (bytes[0] % 12) {
        case 0:
            if (const auto terms = canonical<Terms>(body)) {
                const Rule rule = check_terms(*terms);
                static_cast<void>(channel_id_of(*terms, {}));
                ASSERT(rule != Rule::none || (!terms->assets.empty() && terms->oracle_threshold != 0));
            }
            break;
        case 1: static_cast<void>(canonical<RiskTerms>(body)); break;
        case 2: static_cast<void>(canonical<Op>(body)); break;
        case 3: static_cast<void>(canonical<OpEntry>(body)); break;
        case 4: static_cast<void>(canonical<Update>(body)); break;
        case 5: static_cast<void>(canonical<Funds>(body)); break;
        case 6: static_cast<void>(canonical<State>(body)); break;
        case 7: static_cast<void>(canonical<Close>(body)); break;
        case 8: static_cast<void>(canonical<Withdraw>(body)); break;
        case 9: static_cast<void>(canonical<Appointment>(body)); break;
        case 10: static_cast<void>(canonical<TowerReceipt>(body)); break;
        default: static_cast<void>(canonical<Challenge>(body)); break;
    }
}

/// The other way round: every message that can be made is read back as itself, and not with a byte more or less.
void encode_any_message(ByteView bytes) {
    FuzzData data(bytes.data(), bytes.size());
    const auto message = arbitrary<PeerMessage>(data);
    Bytes encoded = wire_encode(message);
    const auto again = wire_decode<PeerMessage>(encoded);
    ASSERT(again.has_value() && again->index() == message.index() && wire_encode(*again) == encoded);
    ASSERT(wire_decode<PeerMessage>(ByteView(encoded).first(encoded.size() - 1)).error() == Rule::frame_truncated);
    encoded.push_back(0);
    ASSERT(wire_decode<PeerMessage>(encoded).error() == Rule::frame_trailing_bytes);
}

void decode_abi(ByteView bytes) {
    if (bytes.empty()) return;
    const ByteView body = bytes.subspan(1);
    switch (bytes[0] % 5) {
        case 0: abi_round_trip<wallet::abi::State>(body); break;
        case 1: abi_round_trip<Terms>(body); break;
        case 2: abi_round_trip<wallet::abi::Close>(body); break;
        case 3: abi_round_trip<Text<32>>(body); break;
        default: abi_round_trip<List<Blob<256>, 8>>(body); break;
    }
}

void decode_package(ByteView bytes) {
    const auto package = decode_signed_package(bytes);
    if (!package) return;
    const Bytes again = encode_signed_package(*package);
    ASSERT(std::equal(again.begin(), again.end(), bytes.begin(), bytes.end()));
    static_cast<void>(package_signer(*package));
    for (const DataPoint& point : package->data.points) {
        const auto price = price_of(package->data, point.feed);
        if (price) ASSERT(price->sign() > 0 && big(*price) == big(point.value));
    }
}

void decode_instrument_name(ByteView bytes) {
    const std::string_view name = text_of(bytes);
    const auto definition = parse_instrument(name);
    if (!definition) return;
    const auto again = format_instrument(*definition);
    ASSERT(again.has_value() && *again == name);  // one name an instrument
    ASSERT(feed_name(definition->instrument) == name);
}

void decode_decimal(ByteView bytes) {
    if (bytes.empty()) return;
    const int decimals = bytes[0] % 39;
    const auto value = parse_decimal(text_of(bytes.subspan(1)), decimals);
    if (!value) return;
    const std::string text = format_decimal(*value, decimals);
    const auto again = parse_decimal(text, decimals);
    ASSERT(again.has_value() && *again == *value && format_decimal(*again, decimals) == text);
}

void decode_big_integer(ByteView bytes) {
    if (const auto value = u256_from_decimal(text_of(bytes))) {
        const Big naive(std::string(text_of(bytes).substr(std::min(text_of(bytes).find_first_not_of('0'), bytes.size() - 1))));
        ASSERT(big(*value) == naive && to_decimal(*value) == naive.str());
    }
    FuzzData data(bytes.data(), bytes.size());
    std::array<U256, 3> numbers;
    for (U256& number : numbers) {
        std::array<std::uint8_t, 32> be{};
        const auto size = static_cast<std::size_t>(data.below(33));
        for (std::size_t i = 32 - size; i < 32; ++i) be[i] = data.byte();
        number = U256::from_be(be);
        ASSERT(number.to_be() == be && I256::from_be(be).to_be() == be);
        ASSERT(u256_from_decimal(to_decimal(number)) == number);
    }
    const auto& [a, b, d] = numbers;
    const Big limit = Big(1) << 256;
    ASSERT((a < b) == (big(a) < big(b)) && (a == b) == (big(a) == big(b)));
    if (big(a) + big(b) < limit) ASSERT(big(a + b) == big(a) + big(b));
    if (a >= b) ASSERT(big(a - b) == big(a) - big(b));
    if (big(a) * big(b) < limit) ASSERT(big(a * b) == big(a) * big(b));
    if (d.is_zero()) return;
    ASSERT(big(a / d) == big(a) / big(d) && big(a % d) == big(a) % big(d));
    const Big product = big(a) * big(b);
    const auto floor = mul_div_floor(a, b, d);
    const auto ceil = mul_div_ceil(a, b, d);
    ASSERT(floor.has_value() == (product / big(d) < limit) && ceil.has_value() == (ceil_div(product, big(d)) < limit));
    if (floor) ASSERT(big(*floor) == product / big(d));
    if (ceil) ASSERT(big(*ceil) == ceil_div(product, big(d)));
}

void decode_hex_and_names(ByteView bytes) {
    const std::string_view text = text_of(bytes);
    if (const auto raw = from_hex(text)) {
        ASSERT(from_hex(to_hex(*raw)) == raw);
    }
    if (const auto hash = fixed_from_hex<Hash>(text)) ASSERT(fixed_from_hex<Hash>(to_hex(*hash)) == hash);
    if (const auto address = parse_address(text)) ASSERT(parse_address(checksum_address(*address)) == address);
    if (const auto feed = feed_from_name(text)) ASSERT(feed_name(*feed) == text);
    if (const auto feed = Feed::from(bytes)) static_cast<void>(feed_name(*feed));
}

void decode_signature(ByteView bytes) {
    FuzzData data(bytes.data(), bytes.size());
    const auto digest = arbitrary<Digest>(data);
    const auto signature = arbitrary<Signature>(data);
    const auto key = arbitrary<PublicKey>(data);
    const bool valid = is_valid_key(key);
    if (verify(digest, signature, key)) ASSERT(valid && recover(digest, signature) == key);
    if (const auto signer = recover(digest, signature)) {
        ASSERT(is_valid_key(*signer) && verify(digest, signature, *signer));
        const auto rsv = rsv_from_compact(signature);
        ASSERT(compact_from_rsv(rsv) == signature);
    }
    static_cast<void>(compact_from_rsv(arbitrary<FixedBytes<65, struct RsvTag>>(data)));
}

}  // namespace hedgerow::fuzz
