#include "daemon/market/market.h"

#include <sodium.h>

#include "channel/market/convert.h"
#include "daemon/log/log.h"
#include "daemon/oracle/price_book.h"

namespace hedgerow::daemon {

using namespace channel;

namespace {

Fault fault(Rule rule) { return rpc::from_rule(rule); }

/// Up or down to a multiple of `step`.
Price to_step(Price price, Price step, bool up) {
    const Int128 rest = price.raw() % step.raw();
    if (rest == 0) return price;
    return Price::from_raw(price.raw() - rest + (up ? step.raw() : 0));
}

Price with_spread(Price mid, std::uint32_t bps, bool up) {
    const auto part = (U256(static_cast<Uint128>(mid.raw())) * U256(bps) / U256(10'000)).to_i128();
    return up ? mid + Price::from_raw(*part) : mid - Price::from_raw(*part);
}

/// The peer's op to a request is what we asked for, no more and no other.
bool answers(const QuoteRequest& request, const Op& op, const Registry& registry, Party me) {
    if (const auto* trade = std::get_if<TradeOp>(&op)) {
        const Instrument* instrument = registry.find(request.instrument);
        if (request.is_swap || instrument == nullptr) return false;
        const Definition& d = instrument->definition;
        return trade->instrument == d.instrument && trade->underlying == d.underlying && trade->kind == d.kind && trade->expiry == d.expiry &&
               trade->strike == d.strike && trade->quantity == request.quantity && trade->fee.is_zero();
    }
    const auto* swap = std::get_if<SwapOp>(&op);
    if (swap == nullptr || !request.is_swap) return false;
    const int sign = sign_of(me);  // we give: from A's side positive where we are A
    const bool sides = swap->give_asset == request.give_asset && swap->take_asset == request.take_asset && swap->give.sign() == sign &&
                       swap->take.sign() == -sign;
    const bool give = request.give.is_zero() || swap->give.abs() == request.give;
    const bool take = request.take.is_zero() || swap->take.abs() == request.take;
    return sides && give && take;
}

}  // namespace

Market::Market(Node& node, PriceBook& prices, Registry registry, MarketOptions options)
    : m_node(node),
      m_prices(prices),
      m_registry(std::move(registry)),
      m_options(std::move(options)),
      m_fresh(prices, [&node] { return node.now_ms(); }),
      m_ledger(node),
      m_risk(node, m_options, m_fresh) {
    m_ledger.load();
}

QuoteId Market::fresh_id() const {
    QuoteId id;
    randombytes_buf(id.data.data(), id.data.size());
    return id;
}

// --- taker ------------------------------------------------------------------------------------------------------------

void Market::ask_trade(const ChannelId& id, const Feed& instrument, Quantity quantity, Answer<QuoteInfo> done) {
    const Channel* channel = m_node.find(id);
    if (channel == nullptr) return done(Unexpected{m_node.unknown_channel()});
    const Instrument* row = m_registry.find(instrument);
    if (row == nullptr) return done(Unexpected{fault(Rule::instrument_unknown)});
    const Rule rule = check_price_quantity(*row, row->tick, quantity, m_node.now_ms() / 1000);
    if (rule != Rule::none) return done(Unexpected{fault(rule)});
    QuoteRequest request;
    request.instrument = instrument;
    request.quantity = channel->me == Party::A ? quantity : -quantity;
    ask(*channel, std::move(request), std::move(done));
}

void Market::ask_swap(const ChannelId& id, const SwapAsk& ask_for, Answer<QuoteInfo> done) {
    const Channel* channel = m_node.find(id);
    if (channel == nullptr) return done(Unexpected{m_node.unknown_channel()});
    const std::size_t n = channel->terms.assets.size();
    if (ask_for.give_asset >= n || ask_for.take_asset >= n || ask_for.give_asset == ask_for.take_asset) {
        return done(Unexpected{fault(Rule::asset_out_of_range)});
    }
    if (ask_for.give.sign() < 0 || ask_for.take.sign() < 0 || ask_for.give.is_zero() == ask_for.take.is_zero()) {
        return done(Unexpected{fault(Rule::amount_must_be_positive)});
    }
    QuoteRequest request;
    request.is_swap = true;
    request.give_asset = static_cast<std::uint8_t>(ask_for.give_asset);
    request.give = ask_for.give;
    request.take_asset = static_cast<std::uint8_t>(ask_for.take_asset);
    request.take = ask_for.take;
    ask(*channel, std::move(request), std::move(done));
}

void Market::ask(const Channel& channel, QuoteRequest request, Answer<QuoteInfo> done) {
    if (m_node.wallet_locked()) return done(Unexpected{fault(Rule::wallet_locked)});
    if (m_node.halted()) return done(Unexpected{fault(Rule::node_halted)});
    if (!channel.connected) return done(Unexpected{fault(Rule::peer_disconnected)});
    if (m_waiting.size() >= kMaxWaiting) return done(Unexpected{fault(Rule::queue_full)});
    request.channel = channel.id;
    request.request = fresh_id();
    m_waiting[request.request] = {channel.id, request, std::move(done), m_node.steady_ms() + m_options.quote_timeout_ms};
    m_node.send_to_peer(channel.id, request);
}

void Market::answer(const QuoteId& request, Result<QuoteInfo> result) {
    const auto it = m_waiting.find(request);
    if (it == m_waiting.end()) return;
    const Answer<QuoteInfo> done = std::move(it->second.done);
    m_waiting.erase(it);
    done(std::move(result));
}

void Market::on_quote(const Channel& channel, const Quote& quote) {
    const auto it = m_waiting.find(quote.request);
    if (it == m_waiting.end() || it->second.channel != channel.id) return;  // too late, or never asked for
    const QuoteId* id = quote_of(quote.op);
    if (id == nullptr || id->is_zero() || !answers(it->second.request, quote.op, m_registry, channel.me)) {
        LOG_WARN("quote does not answer the request", {"channel", channel.id});
        return answer(quote.request, Unexpected{fault(Rule::quote_unavailable)});
    }
    m_received.add(*id, {channel.id, quote.op, quote.expires_ms, false, {}});
    answer(quote.request, QuoteInfo{*id, channel.id, quote.op, quote.expires_ms});
}

void Market::on_refused(const Channel& channel, const QuoteRefuse& refuse) {
    const auto it = m_waiting.find(refuse.request);
    if (it == m_waiting.end() || it->second.channel != channel.id) return;
    answer(refuse.request, Unexpected{fault(refuse.rule == Rule::none ? Rule::quote_unavailable : refuse.rule)});
}

std::optional<QuoteInfo> Market::received(const QuoteId& id) const {
    const QuoteEntry* entry = m_received.find(id);
    if (entry == nullptr) return std::nullopt;
    return QuoteInfo{id, entry->channel, entry->op, entry->expires_ms};
}

void Market::accept(const QuoteId& id, const ClientRef& ref, Answer<std::pair<QuoteInfo, OpDone>> done) {
    const auto quote = received(id);
    if (!quote) return done(Unexpected{fault(Rule::quote_unknown)});
    if (m_node.now_ms() >= quote->expires_ms) return done(Unexpected{fault(Rule::quote_expired)});
    if (m_node.wallet_locked()) return done(Unexpected{fault(Rule::wallet_locked)});
    m_node.submit_op(quote->channel, quote->op, ref, [quote = *quote, done = std::move(done)](Result<OpDone> op) {
        if (!op) return done(Unexpected{op.error()});
        done(std::pair(quote, *op));
    });
}

// --- maker ------------------------------------------------------------------------------------------------------------

Expected<Op, Rule> Market::price_trade(const Channel&, const QuoteRequest& request) {
    const Instrument* row = m_registry.find(request.instrument);
    if (row == nullptr) return Unexpected{Rule::instrument_unknown};
    const Rule rule = check_price_quantity(*row, row->tick, request.quantity, m_node.now_ms() / 1000);
    if (rule != Rule::none) return Unexpected{rule};
    if (!m_options.max_quantity.is_zero() && request.quantity.abs() > m_options.max_quantity) return Unexpected{Rule::quantity_out_of_range};
    const auto mid = m_prices.median(request.instrument, m_node.now_ms());
    if (!mid) return Unexpected{mid.error()};
    const Definition& d = row->definition;
    return Op(TradeOp{d.instrument, d.underlying, d.kind, d.expiry, d.strike, request.quantity, mid->price, {}, {}});
}

/// What the taker gives is worth what it takes, less our spread, rounded to our favour.
Expected<Op, Rule> Market::price_swap(const Channel& channel, const QuoteRequest& request) {
    const std::size_t n = channel.terms.assets.size();
    if (request.give_asset >= n || request.take_asset >= n || request.give_asset == request.take_asset) return Unexpected{Rule::asset_out_of_range};
    const bool give_known = request.give.sign() > 0 && request.take.is_zero();
    const bool take_known = request.take.sign() > 0 && request.give.is_zero();
    if (give_known == take_known || !request.give.within_bits(kMarketBits) || !request.take.within_bits(kMarketBits)) {
        return Unexpected{Rule::amount_must_be_positive};
    }
    const auto value_of = [&](std::size_t asset) -> Expected<U256, Rule> {  // of one unit, times 10^18
        const Asset& a = channel.terms.assets[asset];
        Price price = Price::from_raw(100'000'000);
        if (!a.feed.is_zero()) {
            const auto median = m_prices.median(a.feed, m_node.now_ms());
            if (!median) return Unexpected{median.error()};
            price = median->price;
        }
        return U256(static_cast<Uint128>(price.raw())) * U256(pow10(18 - a.decimals));
    };
    const auto give_value = value_of(request.give_asset);
    const auto take_value = value_of(request.take_asset);
    if (!give_value) return Unexpected{give_value.error()};
    if (!take_value) return Unexpected{take_value.error()};
    const U256 worth(10'000 - std::min(m_options.swap_spread_bps, std::uint32_t{9'999}));
    const U256 whole(10'000);
    Amount give = request.give;
    Amount take = request.take;
    if (give_known) {
        const auto units = mul_div_floor(U256(static_cast<Uint128>(give.raw())) * worth, *give_value, *take_value * whole);
        if (!units || !units->to_i128()) return Unexpected{Rule::amount_out_of_range};
        take = Amount::from_raw(*units->to_i128());
    } else {
        const auto units = mul_div_ceil(U256(static_cast<Uint128>(take.raw())) * whole, *take_value, *give_value * worth);
        if (!units || !units->to_i128()) return Unexpected{Rule::amount_out_of_range};
        give = Amount::from_raw(*units->to_i128());
    }
    if (give.is_zero() || take.is_zero()) return Unexpected{Rule::amount_must_be_positive};
    if (!give.within_bits(kMarketBits) || !take.within_bits(kMarketBits)) return Unexpected{Rule::amount_out_of_range};
    const bool taker_is_a = channel.me == Party::B;
    return Op(SwapOp{request.give_asset, taker_is_a ? give : -give, request.take_asset, taker_is_a ? -take : take, {}});
}

void Market::on_request(const Channel& channel, const QuoteRequest& request) {
    const auto refuse = [&](Rule rule) { m_node.send_to_peer(channel.id, QuoteRefuse{channel.id, request.request, rule}); };
    if (!m_options.make) return refuse(Rule::quote_unavailable);
    if (m_node.halted()) return refuse(Rule::node_halted);
    if (m_node.wallet_locked()) return refuse(Rule::wallet_locked);
    auto op = request.is_swap ? price_swap(channel, request) : price_trade(channel, request);
    if (!op) return refuse(op.error());
    const QuoteId id = fresh_id();
    if (auto* trade = std::get_if<TradeOp>(&*op)) {
        const Instrument* row = m_registry.find(request.instrument);
        const bool taker_buys = (trade->quantity.sign() > 0) == (channel.me == Party::B);
        trade->price = to_step(with_spread(trade->price, m_options.spread_bps, taker_buys), row->tick, taker_buys);
        if (trade->price.sign() <= 0) return refuse(Rule::price_out_of_range);
        trade->quote = id;
    } else {
        std::get<SwapOp>(*op).quote = id;
    }
    const std::uint64_t expires = m_node.now_ms() + m_options.quote_validity_ms;
    m_issued.add(id, {channel.id, *op, expires, false, {}});
    m_node.send_to_peer(channel.id, Quote{channel.id, request.request, *op, expires});
}

Result<Published> Market::publish(const std::optional<ChannelId>& id, const Feed& instrument, std::optional<Price> bid, std::optional<Price> ask,
                                  Quantity size, std::uint64_t valid_ms) {
    const Instrument* row = m_registry.find(instrument);
    if (row == nullptr) return Unexpected{fault(Rule::instrument_unknown)};
    if (m_node.halted()) return Unexpected{fault(Rule::node_halted)};
    if (m_node.wallet_locked()) return Unexpected{fault(Rule::wallet_locked)};
    for (const auto& price : {bid, ask}) {
        const Rule rule = price && !size.is_zero() ? check_price_quantity(*row, *price, size, m_node.now_ms() / 1000) : Rule::none;
        if (rule != Rule::none) return Unexpected{fault(rule)};
    }
    if (bid && ask && *bid >= *ask) return Unexpected{fault(Rule::price_out_of_range)};
    const std::uint64_t expires = m_node.now_ms() + valid_ms;
    std::optional<Published> last;
    for (const Channel* channel : m_node.channels()) {
        if ((id && channel->id != *id) || !channel->connected || channel->status != Status::open) continue;
        auto& ids = m_streams[{channel->id, instrument}];
        m_issued.erase(ids[0]);
        m_issued.erase(ids[1]);
        StreamQuote quote{channel->id, fresh_id(), fresh_id(), instrument, bid.value_or(Price()), ask.value_or(Price()), {}, {}, expires};
        if (bid) quote.bid_size = size;
        if (ask) quote.ask_size = size;
        ids[0] = quote.bid_id;
        ids[1] = quote.ask_id;
        const Definition& d = row->definition;
        const auto offer = [&](const QuoteId& quote_id, Price price, bool peer_buys) {
            const Quantity from_a = peer_buys == (channel->me == Party::B) ? size : -size;
            m_issued.add(quote_id, {channel->id, TradeOp{d.instrument, d.underlying, d.kind, d.expiry, d.strike, from_a, price, {}, quote_id}, expires, true, size});
        };
        if (bid && !size.is_zero()) offer(quote.bid_id, *bid, false);
        if (ask && !size.is_zero()) offer(quote.ask_id, *ask, true);
        m_node.send_to_peer(channel->id, quote);
        last = {bid ? std::optional(quote.bid_id) : std::nullopt, ask ? std::optional(quote.ask_id) : std::nullopt, expires};
    }
    if (!last) return Unexpected{fault(id ? Rule::channel_unknown : Rule::peer_disconnected)};
    return *last;
}

void Market::on_stream(const Channel& channel, const StreamQuote& quote) {
    const Instrument* row = m_registry.find(quote.instrument);
    if (row == nullptr || quote.bid_id == quote.ask_id) return;
    auto& ids = m_streams[{channel.id, quote.instrument}];
    m_received.erase(ids[2]);
    m_received.erase(ids[3]);
    ids[2] = quote.bid_id;
    ids[3] = quote.ask_id;
    const Definition& d = row->definition;
    const auto take = [&](const QuoteId& id, Price price, Quantity size, bool we_buy) {
        if (size.sign() <= 0 || check_price_quantity(*row, price, size, m_node.now_ms() / 1000) != Rule::none) return;
        const Quantity from_a = we_buy == (channel.me == Party::A) ? size : -size;
        m_received.add(id, {channel.id, TradeOp{d.instrument, d.underlying, d.kind, d.expiry, d.strike, from_a, price, {}, id}, quote.expires_ms, true, size});
    };
    take(quote.bid_id, quote.bid, quote.bid_size, false);
    take(quote.ask_id, quote.ask, quote.ask_size, true);
}

void Market::on_market_message(const Channel& channel, const PeerMessage& message) {
    if (const auto* request = std::get_if<QuoteRequest>(&message)) return on_request(channel, *request);
    if (const auto* quote = std::get_if<Quote>(&message)) return on_quote(channel, *quote);
    if (const auto* refuse = std::get_if<QuoteRefuse>(&message)) return on_refused(channel, *refuse);
    if (const auto* stream = std::get_if<StreamQuote>(&message)) return on_stream(channel, *stream);
}

// --- the judge ----------------------------------------------------------------------------------------------------------

Rule Market::judge_price(const Feed& feed, Price price, std::uint64_t now_ms) const {
    const auto ours = m_prices.median(feed, now_ms);
    if (!ours) return ours.error();
    const U256 distance(static_cast<Uint128>((price - ours->price).abs().raw()));
    const U256 band = U256(static_cast<Uint128>(ours->price.raw())) * U256(m_options.mark_band_bps);
    return distance * U256(10'000) > band ? Rule::mark_out_of_band : Rule::none;
}

Rule Market::judge_mark(const Channel& channel, const MarkOp& op, std::uint64_t now_ms) const {
    if (!op.price.within_bits(kMarketBits) || !op.index.within_bits(kMarketBits)) return Rule::price_out_of_range;
    if (const Rule rule = judge_price(op.feed, op.price, now_ms); rule != Rule::none) return rule;
    if (op.index.is_zero()) return Rule::none;
    const PositionEntry* entry = channel.tip().find_position(op.feed);
    const Instrument* row = m_registry.find(op.feed);
    if (entry == nullptr && row == nullptr) return Rule::instrument_unknown;
    return judge_price(entry != nullptr ? entry->position.underlying : row->definition.underlying, op.index, now_ms);
}

Rule Market::judge_op(const Channel& channel, const Op& op, std::uint64_t now_ms) {
    if (std::holds_alternative<SwapOp>(op)) {
        const Rule rule = m_issued.take(channel.id, op, now_ms);
        return rule == Rule::quote_unknown ? Rule::swap_not_authorised : rule;
    }
    if (std::holds_alternative<TradeOp>(op)) {
        const Rule rule = m_issued.take(channel.id, op, now_ms);
        return rule == Rule::quote_unknown ? Rule::trade_not_authorised : rule;
    }
    if (const auto* mark = std::get_if<MarkOp>(&op)) return judge_mark(channel, *mark, now_ms);
    if (const auto* liquidate = std::get_if<LiquidateOp>(&op)) return judge_price(liquidate->instrument, liquidate->price, now_ms);
    if (const auto* terms = std::get_if<TermsOp>(&op)) {
        return terms->risk == m_node.options().opening.risk ? Rule::none : Rule::terms_not_authorised;
    }
    return Rule::none;
}

std::vector<Rule> Market::judge(const Channel& channel, std::span<const OpEntry> ops, std::uint64_t now_ms) {
    std::vector<Rule> out(ops.size(), Rule::none);
    for (std::size_t i = 0; i < ops.size(); ++i) {
        if (ops[i].origin() != channel.me) out[i] = judge_op(channel, ops[i].op, now_ms);
    }
    return out;
}

// --- events ---------------------------------------------------------------------------------------------------------------

void Market::on_agreed(const Channel& channel, const OpAgreed& op) {
    m_risk.on_agreed(channel, op);
    if (const QuoteId* id = quote_of(op.entry.op); id != nullptr && op.entry.origin() == channel.me) m_received.erase(*id);
}

void Market::watch(const Channel& channel) {
    const bool exposed = channel.status != Status::closed && !(channel.tip().positions.empty() && channel.agreed.state.positions.empty());
    if (exposed)
        m_exposed.insert(channel.id);
    else
        m_exposed.erase(channel.id);
    m_risk.check(channel, m_node.now_ms());
}

/// Quotes do not outlive the connection: what was accepted and not yet signed is proposed again, and must then be asked for again.
void Market::on_status(const Channel& channel) {
    watch(channel);
    if (channel.connected && channel.status == Status::open) return;
    m_issued.erase_channel(channel.id);
    m_received.erase_channel(channel.id);
    std::vector<QuoteId> lost;
    for (const auto& [id, waiting] : m_waiting) {
        if (waiting.channel == channel.id) lost.push_back(id);
    }
    for (const QuoteId& id : lost) answer(id, Unexpected{fault(Rule::peer_disconnected)});
    if (channel.status == Status::closed) m_risk.forget(channel.id);
}

void Market::on_prices() {
    m_fresh.forget();
    if (!m_looked && !m_node.starting() && !m_node.wallet_addresses().empty()) {
        m_looked = true;
        for (const Channel* channel : m_node.channels()) watch(*channel);
    }
    for (const ChannelId& id : std::vector<ChannelId>(m_exposed.begin(), m_exposed.end())) {
        if (const Channel* channel = m_node.find(id)) m_risk.check(*channel, m_node.now_ms());
    }
}

/// What the maker offers anyone who is connected, around the oracles' price; a feed without a price has no quote.
void Market::stream_quotes(std::uint64_t now_ms) {
    if (!m_options.make || m_node.halted() || m_node.wallet_locked() || m_node.steady_ms() - m_streamed_ms < m_options.refresh_ms) return;
    m_streamed_ms = m_node.steady_ms();
    for (const auto& [instrument, size] : m_options.sizes) {
        const Instrument* row = m_registry.find(instrument);
        const auto mid = m_prices.median(instrument, now_ms);
        if (row == nullptr || !mid) continue;
        const Price bid = to_step(with_spread(mid->price, m_options.spread_bps, false), row->tick, false);
        const Price ask = to_step(with_spread(mid->price, m_options.spread_bps, true), row->tick, true);
        if (bid.sign() <= 0 || bid >= ask) continue;
        const auto done = publish(std::nullopt, instrument, bid, ask, size, m_options.quote_validity_ms);
        if (!done && done.error().name != rule_name(Rule::peer_disconnected)) LOG_WARN("quote not published", {"error", done.error().name});
    }
}

void Market::on_tick(std::uint64_t now_ms) {
    stream_quotes(now_ms);
    m_issued.expire(now_ms);
    m_received.expire(now_ms);
    std::vector<QuoteId> late;
    for (const auto& [id, waiting] : m_waiting) {
        if (m_node.steady_ms() >= waiting.until_ms) late.push_back(id);
    }
    for (const QuoteId& id : late) answer(id, Unexpected{fault(Rule::timeout)});
    on_prices();
}

void Market::on_halt(bool halted) {
    if (!halted) return;
    for (auto& [key, ids] : m_streams) {
        if (ids[0].is_zero()) continue;
        m_node.send_to_peer(key.first, StreamQuote{key.first, fresh_id(), fresh_id(), key.second, {}, {}, {}, {}, m_node.now_ms()});
        ids[0] = ids[1] = QuoteId{};
    }
    m_issued.clear();
}

MarginInfo Market::margin(const Channel& channel) const {
    MarginInfo out = m_risk.margin(channel);
    for (PositionInfo& info : out.positions) {
        const PositionBook* book = m_ledger.find(channel.id, info.position.instrument);
        info.average = book != nullptr && book->quantity == info.quantity ? book->average : info.position.mark;
        if (book != nullptr) info.realised16 = book->realised16;
        info.unrealised16 = pnl16(info.quantity, info.price, info.average);
    }
    return out;
}

}  // namespace hedgerow::daemon
