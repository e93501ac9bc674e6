#include "channel/messages/ops.h"

namespace hedgerow::channel {

std::string_view op_name(const Op& op) {
    static constexpr std::array<std::string_view, std::variant_size_v<Op>> kNames = {
        "pay", "swap", "trade", "mark", "lock", "fulfil", "cancel", "liquidate", "terms", "withdraw", "close", "expire"};
    return kNames[op.index()];
}

namespace {

/// The type of a trade on the wire.
constexpr std::size_t kTrade = 2;
static_assert(std::is_same_v<std::variant_alternative_t<kTrade, Op>, TradeOp>);

TradeDefinition definition_of(const TradeOp& trade) {
    return {trade.instrument, trade.underlying, trade.kind, trade.expiry, trade.strike};
}

/// A value in full (number 0), or the one with this number.
template <typename T>
void write_recent(Writer& out, Recent<T>& recent, std::size_t number, const T& value) {
    if (number != 0) return;
    wire_write(out, value);
    recent.add(value);
}

template <typename T>
T read_recent(Reader& in, Recent<T>& recent, std::size_t number) {
    if (number > recent.size()) in.fail(Rule::field_out_of_range);
    T value{};
    if (!in.ok()) return value;
    if (number != 0) return recent[number];
    wire_read(in, value);
    if (recent.find(value) != 0) in.fail(Rule::field_out_of_range);  // it has a number: one encoding only
    recent.add(value);
    return value;
}

}  // namespace

void Sequence<OpEntry>::write_trade(Writer& out, const TradeOp& trade) {
    const TradeDefinition definition = definition_of(trade);
    const std::size_t known_definition = m_definitions.find(definition), known_quote = m_quotes.find(trade.quote);
    out.byte(static_cast<std::uint8_t>(known_definition << 4 | known_quote));
    write_recent(out, m_definitions, known_definition, definition);
    write_recent(out, m_quotes, known_quote, trade.quote);
    wire_write(out, trade.quantity);
    wire_write(out, trade.price);
    wire_write(out, trade.fee);
}

void Sequence<OpEntry>::read_trade(Reader& in, TradeOp& trade) {
    const std::uint8_t numbers = in.byte();
    const TradeDefinition definition = read_recent(in, m_definitions, numbers >> 4);
    trade.quote = read_recent(in, m_quotes, numbers & 15);
    trade.instrument = definition.instrument;
    trade.underlying = definition.underlying;
    trade.kind = definition.kind;
    trade.expiry = definition.expiry;
    trade.strike = definition.strike;
    wire_read(in, trade.quantity);
    wire_read(in, trade.price);
    wire_read(in, trade.fee);
}

void Sequence<OpEntry>::write(Writer& out, const OpEntry& entry) {
    const auto* trade = std::get_if<TradeOp>(&entry.op);
    if (trade == nullptr) return wire_write(out, entry);
    wire_write(out, entry.proposal);
    out.byte(kTrade);
    write_trade(out, *trade);
}

void Sequence<OpEntry>::read(Reader& in, OpEntry& entry) {
    wire_read(in, entry.proposal);
    const std::uint8_t type = in.byte();
    if (!in.ok()) return;
    if (type == kTrade) return read_trade(in, entry.op.emplace<TradeOp>());
    wire_read_alternative(in, type, entry.op);
}

}  // namespace hedgerow::channel
