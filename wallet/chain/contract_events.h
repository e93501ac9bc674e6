#pragma once

#include <optional>
#include <variant>

#include "channel/messages/typed.h"
#include "wallet/chain/chain_error.h"
#include "wallet/chain/eth_types.h"

/// The Adjudicator's events (channel/contract/IAdjudicator.sol), typed.
namespace hedgerow::wallet {

using AssetAmounts = channel::List<channel::Amount, channel::kMaxAssets>;

struct Deposited {
    channel::ChannelId channel_id;
    channel::Party party;
    channel::Address token;
    channel::Amount total;  ///< cumulative
    bool operator==(const Deposited&) const = default;
};
struct Withdrawn {
    channel::ChannelId channel_id;
    channel::Party party;
    channel::Address token;
    channel::Amount total;  ///< cumulative
    channel::Amount paid;   ///< this time
    bool operator==(const Withdrawn&) const = default;
};
struct Recovered {
    channel::ChannelId channel_id;
    channel::Party party;
    channel::Address token;
    channel::Amount amount;
    bool operator==(const Recovered&) const = default;
};
struct Challenged {
    channel::ChannelId channel_id;
    channel::Party challenger;
    channel::Secret secret;
    std::uint64_t end;  ///< Unix seconds
    channel::State state;
    bool operator==(const Challenged&) const = default;
};
struct Responded {
    channel::ChannelId channel_id;
    channel::State state;
    bool operator==(const Responded&) const = default;
};
struct Closed {
    channel::ChannelId channel_id;
    std::uint64_t version;
    AssetAmounts paid_a;
    AssetAmounts paid_b;
    bool operator==(const Closed&) const = default;
};
struct Settled {
    channel::ChannelId channel_id;
    std::uint64_t version;
    AssetAmounts paid_a;
    AssetAmounts paid_b;
    bool operator==(const Settled&) const = default;
};
struct Held {
    channel::Address token;
    channel::Address payee;
    channel::U256 amount;
    bool operator==(const Held&) const = default;
};
struct Claimed {
    channel::Address token;
    channel::Address payee;
    channel::U256 amount;
    bool operator==(const Claimed&) const = default;
};
struct Revealed {
    channel::LockHash hash;
    channel::Preimage preimage;
    bool operator==(const Revealed&) const = default;
};
struct Attested {
    channel::Hash oracle_set;  ///< oracle_set_of the oracles
    channel::Feed feed;
    std::uint64_t time;  ///< Unix seconds
    channel::Price price;
    std::uint8_t signers;
    bool operator==(const Attested&) const = default;
};

using AdjudicatorEvent = std::variant<Deposited, Withdrawn, Recovered, Challenged, Responded, Closed, Settled, Held,
                                      Claimed, Revealed, Attested>;

/// The event of a log of that contract: log_wrong_contract, log_unknown_event (another first topic) or log_malformed
/// (topics or data that the event cannot have).
[[nodiscard]] ChainExpected<AdjudicatorEvent> decode_event(const LogEntry& log, const channel::Address& contract);

/// The channel an event is about; nothing for Held, Claimed, Revealed and Attested.
[[nodiscard]] std::optional<channel::ChannelId> event_channel(const AdjudicatorEvent& event);
/// "Deposited", "Challenged", …
[[nodiscard]] std::string_view event_name(const AdjudicatorEvent& event);

}  // namespace hedgerow::wallet
