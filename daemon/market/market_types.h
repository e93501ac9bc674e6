#pragma once

#include <optional>
#include <string>

#include "channel/market/margin.h"
#include "channel/market/registry.h"
#include "daemon/market/quote_book.h"
#include "daemon/node/node_types.h"

namespace hedgerow::daemon {

/// How this node trades. Prices are medians of the oracles.
struct MarketOptions {
    bool make = false;                      ///< answers quote requests with firm prices, and streams what `sizes` lists
    std::vector<std::pair<channel::Feed, channel::Quantity>> sizes;  ///< streamed, and how much of it each way
    std::uint32_t refresh_ms = 500;         ///< how often
    std::uint32_t spread_bps = 10;          ///< of a quote, each side of the median
    std::uint32_t swap_spread_bps = 10;
    channel::Quantity max_quantity;         ///< of one quote; zero: no bound but margin
    std::uint32_t quote_validity_ms = 5'000;
    std::uint32_t quote_timeout_ms = 5'000; ///< how long a taker waits for an answer
    std::uint32_t mark_interval_ms = 1'000; ///< the leader marks open positions this often …
    std::uint32_t mark_move_bps = 20;       ///< … or as soon as the price moved by this
    std::uint32_t mark_band_bps = 100;      ///< farthest from our own median that a peer's mark may lie
};

/// A price that a taker may accept.
struct QuoteInfo {
    channel::QuoteId id;
    channel::ChannelId channel;
    channel::Op op;
    std::uint64_t expires_ms = 0;
};

/// A two-way quote that was streamed; to several peers, the last one's.
struct Published {
    std::optional<channel::QuoteId> bid;
    std::optional<channel::QuoteId> ask;
    std::uint64_t expires_ms = 0;
};

struct SwapAsk {
    std::size_t give_asset = 0;  ///< indices of the channel's assets
    channel::Amount give;        ///< one of the two is zero: asked for
    std::size_t take_asset = 0;
    channel::Amount take;
};

/// One of our fills; quantities are ours (positive: bought).
struct TradeRecord {
    channel::ChannelId channel;
    std::uint64_t version = 0;
    std::uint16_t index = 0;
    std::uint64_t time_ms = 0;
    std::string kind;            ///< "trade", "liquidation" or "expiry"
    channel::Feed instrument;    ///< of a swap: zero
    channel::Quantity quantity;
    channel::Price price;
    channel::Amount fee;         ///< paid, of assets[0]
};

/// What the ledger knows of a position beside what the state says.
struct PositionBook {
    channel::Quantity quantity;       ///< ours
    channel::Price average;           ///< entry
    channel::I256 realised16;         ///< of closed parts against the average, less fees not included
    channel::I256 settled16;          ///< variation settled into net since the position was opened
};

struct PositionInfo {
    channel::ChannelId channel;
    channel::Position position;
    channel::Quantity quantity;  ///< ours
    channel::Price average;
    channel::Price price;        ///< of the oracles, or the mark where there is none
    channel::I256 realised16;
    channel::I256 unrealised16;  ///< quantity * (price - average)
    std::optional<channel::Price> liquidation;
    channel::I256 initial16;
    channel::I256 maintenance16;
};

enum class MarginStatus : std::uint8_t { ok, call, breach };  ///< equity at least initial; below it; below maintenance
[[nodiscard]] std::string_view margin_status_name(MarginStatus status);

struct MarginInfo {
    channel::Margin margin;
    MarginStatus status = MarginStatus::ok;
    std::uint64_t calls = 0;         ///< margin calls since start
    std::uint64_t last_call_ms = 0;
    std::uint64_t liquidations = 0;  ///< of us, since start
    std::vector<PositionInfo> positions;
};

}  // namespace hedgerow::daemon
