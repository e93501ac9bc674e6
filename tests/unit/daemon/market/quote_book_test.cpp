#include "daemon/market/quote_book.h"

#include <doctest/doctest.h>

using namespace hedgerow::channel;
using namespace hedgerow::daemon;

namespace {

QuoteId id_of(std::uint8_t n) {
    QuoteId id;
    id.data[0] = n;
    return id;
}
ChannelId channel_of(std::uint8_t n) {
    ChannelId id;
    id.data[0] = n;
    return id;
}
TradeOp trade(long quantity, long price, const QuoteId& quote) {
    TradeOp op;
    op.instrument = *feed_from_name("BTC_USD-PERPETUAL");
    op.underlying = *feed_from_name("BTC_USD");
    op.quantity = Quantity::from_raw(quantity);
    op.price = Price::from_raw(price);
    op.quote = quote;
    return op;
}

}  // namespace

TEST_CASE("quote book: a firm quote is used once, by its own channel, unchanged, before it expires") {
    QuoteBook book;
    const Op op = trade(5, 100, id_of(1));
    const auto give = [&] { book.add(id_of(1), {channel_of(1), op, 1'000, false, {}}); };
    give();
    CHECK(book.take(channel_of(2), op, 0) == Rule::quote_unknown);
    CHECK(book.take(channel_of(1), trade(6, 100, id_of(1)), 0) == Rule::quote_unavailable);
    CHECK(book.take(channel_of(1), trade(5, 99, id_of(1)), 0) == Rule::quote_unavailable);
    CHECK(book.take(channel_of(1), trade(-5, 100, id_of(1)), 0) == Rule::quote_unavailable);
    CHECK(book.take(channel_of(1), op, 1'000) == Rule::quote_expired);
    CHECK(book.take(channel_of(1), op, 999) == Rule::none);
    CHECK(book.take(channel_of(1), op, 999) == Rule::quote_unknown);
    CHECK(book.take(channel_of(1), trade(5, 100, {}), 0) == Rule::quote_unknown);
    CHECK(book.take(channel_of(1), PayOp{}, 0) == Rule::quote_unknown);
}

TEST_CASE("quote book: a streamed quote is taken in parts, never beyond its size") {
    QuoteBook book;
    book.add(id_of(1), {channel_of(1), trade(-10, 100, id_of(1)), 1'000, true, Quantity::from_raw(10)});
    CHECK(book.take(channel_of(1), trade(-4, 100, id_of(1)), 0) == Rule::none);
    CHECK(book.take(channel_of(1), trade(-7, 100, id_of(1)), 0) == Rule::quote_unavailable);
    CHECK(book.take(channel_of(1), trade(4, 100, id_of(1)), 0) == Rule::quote_unavailable);
    CHECK(book.take(channel_of(1), trade(-6, 100, id_of(1)), 0) == Rule::none);
    CHECK(book.take(channel_of(1), trade(-1, 100, id_of(1)), 0) == Rule::quote_unknown);
}

TEST_CASE("quote book: expiry, a channel's end, and the bound") {
    QuoteBook book;
    for (std::size_t i = 0; i < QuoteBook::kMaxQuotes + 10; ++i) {
        QuoteId id;
        id.data[0] = static_cast<std::uint8_t>(i);
        id.data[1] = static_cast<std::uint8_t>(i >> 8);
        book.add(id, {channel_of(1), trade(1, 1, id), 1'000 + i, false, {}});
    }
    CHECK(book.size() == QuoteBook::kMaxQuotes);
    CHECK(book.find(id_of(0)) == nullptr);  // the first to expire went first
    book.expire(1'000 + QuoteBook::kMaxQuotes);
    CHECK(book.size() == 9);
    book.erase_channel(channel_of(1));
    CHECK(book.size() == 0);
}
