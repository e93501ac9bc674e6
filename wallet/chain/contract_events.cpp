#include "wallet/chain/contract_events.h"

#include <algorithm>
#include <array>

#include "channel/crypto/keccak.h"
#include "wallet/chain/contract_abi.h"

namespace hedgerow::wallet {

using channel::Address;
using channel::Amount;
using channel::ByteView;
using channel::ChannelId;
using channel::Hash;

namespace {

using Decoded = std::optional<AdjudicatorEvent>;

template <typename T>
bool read_topic(const LogEntry& log, std::size_t index, T& out) {
    const auto value = channel::from_word<T>(log.topics[index].data);
    if (value) out = *value;
    return value.has_value();
}

template <typename... T>
bool read_data(const LogEntry& log, T&... values) {
    return channel::abi_decode(log.data, values...);
}

bool non_negative(const AssetAmounts& amounts) {
    return std::all_of(amounts.begin(), amounts.end(), [](Amount a) { return a.sign() >= 0; });
}

/// Unsigned members that our types hold as signed numbers.
bool plausible(const abi::State& state) {
    return std::all_of(state.asset_marks.begin(), state.asset_marks.end(),
                       [](channel::Price p) { return p.sign() >= 0; }) &&
           std::all_of(state.positions.begin(), state.positions.end(),
                       [](const channel::Position& p) { return p.strike.sign() >= 0; });
}

Decoded decode_deposited(const LogEntry& log) {
    Deposited e{};
    if (!read_topic(log, 1, e.channel_id) || !read_data(log, e.party, e.token, e.total) || e.total.sign() < 0)
        return std::nullopt;
    return e;
}

Decoded decode_withdrawn(const LogEntry& log) {
    Withdrawn e{};
    if (!read_topic(log, 1, e.channel_id) || !read_data(log, e.party, e.token, e.total, e.paid)) return std::nullopt;
    if (e.total.sign() < 0 || e.paid.sign() < 0) return std::nullopt;
    return e;
}

Decoded decode_recovered(const LogEntry& log) {
    Recovered e{};
    if (!read_topic(log, 1, e.channel_id) || !read_data(log, e.party, e.token, e.amount) || e.amount.sign() < 0)
        return std::nullopt;
    return e;
}

Decoded decode_challenged(const LogEntry& log) {
    Challenged e{};
    abi::State state;
    if (!read_topic(log, 1, e.channel_id) || !read_data(log, e.challenger, e.secret, e.end, state) || !plausible(state))
        return std::nullopt;
    e.state = abi::with_channel(e.channel_id, std::move(state));
    return e;
}

Decoded decode_responded(const LogEntry& log) {
    Responded e{};
    abi::State state;
    if (!read_topic(log, 1, e.channel_id) || !read_data(log, state) || !plausible(state)) return std::nullopt;
    e.state = abi::with_channel(e.channel_id, std::move(state));
    return e;
}

template <typename Event>
Decoded decode_end(const LogEntry& log) {
    Event e{};
    if (!read_topic(log, 1, e.channel_id) || !read_data(log, e.version, e.paid_a, e.paid_b)) return std::nullopt;
    if (!non_negative(e.paid_a) || !non_negative(e.paid_b) || e.paid_a.size() != e.paid_b.size()) return std::nullopt;
    return e;
}

template <typename Event>
Decoded decode_payment(const LogEntry& log) {
    Event e{};
    if (!read_topic(log, 1, e.token) || !read_topic(log, 2, e.payee) || !read_data(log, e.amount)) return std::nullopt;
    return e;
}

Decoded decode_revealed(const LogEntry& log) {
    Revealed e{};
    if (!read_topic(log, 1, e.hash) || !read_data(log, e.preimage)) return std::nullopt;
    // The node may lie; what a preimage opens is checked here, not believed.
    if (channel::keccak256(e.preimage.view()).data != e.hash.data) return std::nullopt;
    return e;
}

Decoded decode_attested(const LogEntry& log) {
    Attested e{};
    if (!read_topic(log, 1, e.oracle_set) || !read_topic(log, 2, e.feed) || !read_data(log, e.time, e.price, e.signers))
        return std::nullopt;
    if (e.price.sign() <= 0) return std::nullopt;
    return e;
}

struct Decoder {
    Hash topic;
    std::size_t topics;
    Decoded (*decode)(const LogEntry&);
};

const std::array<Decoder, std::variant_size_v<AdjudicatorEvent>>& decoders() {
    const auto topic = [](std::string_view signature) { return channel::keccak256(channel::as_bytes(signature)); };
    static const std::array<Decoder, std::variant_size_v<AdjudicatorEvent>> table = {{
        {topic("Deposited(bytes32,uint8,address,uint256)"), 2, decode_deposited},
        {topic("Withdrawn(bytes32,uint8,address,uint256,uint256)"), 2, decode_withdrawn},
        {topic("Recovered(bytes32,uint8,address,uint256)"), 2, decode_recovered},
        {topic("Challenged(bytes32,uint8,bytes32,uint64," HEDGEROW_ABI_STATE ")"), 2, decode_challenged},
        {topic("Responded(bytes32," HEDGEROW_ABI_STATE ")"), 2, decode_responded},
        {topic("Closed(bytes32,uint64,uint256[],uint256[])"), 2, decode_end<Closed>},
        {topic("Settled(bytes32,uint64,uint256[],uint256[])"), 2, decode_end<Settled>},
        {topic("Held(address,address,uint256)"), 3, decode_payment<Held>},
        {topic("Claimed(address,address,uint256)"), 3, decode_payment<Claimed>},
        {topic("Revealed(bytes32,bytes32)"), 2, decode_revealed},
        {topic("Attested(bytes32,bytes32,uint64,uint96,uint8)"), 3, decode_attested},
    }};
    return table;
}

}  // namespace

ChainExpected<AdjudicatorEvent> decode_event(const LogEntry& log, const Address& contract) {
    if (log.address != contract) return chain_error(ChainFault::log_wrong_contract, channel::to_hex(log.address));
    if (log.topics.empty()) return chain_error(ChainFault::log_unknown_event, "no topic");
    const auto at =
        std::find_if(decoders().begin(), decoders().end(), [&](const Decoder& d) { return d.topic == log.topics[0]; });
    if (at == decoders().end()) return chain_error(ChainFault::log_unknown_event, channel::to_hex(log.topics[0]));
    auto event = log.topics.size() == at->topics ? at->decode(log) : std::nullopt;
    if (!event) return chain_error(ChainFault::log_malformed, channel::to_hex(log.tx_hash));
    return std::move(*event);
}

std::optional<ChannelId> event_channel(const AdjudicatorEvent& event) {
    return std::visit(
        [](const auto& e) -> std::optional<ChannelId> {
            if constexpr (requires { e.channel_id; }) return e.channel_id;
            return std::nullopt;
        },
        event);
}

std::string_view event_name(const AdjudicatorEvent& event) {
    static constexpr std::array<std::string_view, std::variant_size_v<AdjudicatorEvent>> kNames = {
        "Deposited", "Withdrawn", "Recovered", "Challenged", "Responded", "Closed",
        "Settled",   "Held",      "Claimed",   "Revealed",   "Attested"};
    return kNames[event.index()];
}

}  // namespace hedgerow::wallet
