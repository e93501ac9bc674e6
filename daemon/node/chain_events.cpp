#include "daemon/node/chain_events.h"

#include "daemon/node/disputes.h"
#include "daemon/store/channel_store.h"
#include "daemon/store/failpoint.h"
#include "wallet/chain/contract_calls.h"

namespace hedgerow::daemon {

using channel::Channel;
using channel::ChannelId;
using channel::Party;

namespace {
/// In memory; beyond, the older half goes, long past its locks' expiry.
constexpr std::size_t kMaxRevealed = 1'000'000;

void forget_older_half(channel::Revealed& revealed) {
    std::vector<std::uint64_t> times;
    times.reserve(revealed.size());
    for (const auto& [hash, time_s] : revealed) times.push_back(time_s);
    const auto middle = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2);
    std::nth_element(times.begin(), middle, times.end());
    std::erase_if(revealed, [&](const auto& entry) { return entry.second <= *middle; });
}
}  // namespace

std::optional<std::uint8_t> asset_index(const channel::Terms& terms, const channel::Address& token) {
    for (std::size_t i = 0; i < terms.assets.size(); ++i) {
        if (terms.assets[i].token == token) return static_cast<std::uint8_t>(i);
    }
    return std::nullopt;
}

void ChainEvents::take(const ChainBatch& batch) {
    failpoint("chain.before_batch");
    for (const ChainInput& input : batch.inputs) {
        if (const auto* pending = std::get_if<EventPending>(&input)) {
            seen(pending->event);
        } else if (const auto* deep = std::get_if<EventConfirmed>(&input)) {
            confirmed(deep->event);
        } else if (const auto* back = std::get_if<EventRolledBack>(&input)) {
            LOG_WARN("event rolled back", {"event", event_name(back->event.event)}, {"block", back->event.block_number},
                     {"confirmed", back->was_confirmed});
            rolled_back(back->event, back->was_confirmed);
        } else if (const auto* block = std::get_if<NewBlock>(&input)) {
            m_parts.height = block->block.number;
            m_parts.chain_time_s = block->block.timestamp;
            if (block->confirmed) m_parts.confirmed_chain_time_s = block->confirmed->timestamp;
        }
    }
    m_synced = batch.synced;
    m_parts.chain_seen |= batch.synced;
    if (batch.inputs.empty()) return;
    m_parts.outbox.persist(
        [text = write_cursor(batch.cursor)](Database& db) { put_meta(db, "chain_cursor", channel::as_bytes(text)); });
    failpoint("chain.after_batch");
}

void ChainEvents::seen(const ChainEvent& event) {
    if (const auto* challenge = std::get_if<wallet::Challenged>(&event.event)) {
        challenged(*challenge);
    } else if (const auto* respond = std::get_if<wallet::Responded>(&event.event)) {
        responded(*respond);
    } else if (const auto* reveal = std::get_if<wallet::Revealed>(&event.event)) {
        revealed(*reveal, event.timestamp);
    }
}

void ChainEvents::challenged(const wallet::Challenged& event) {
    const Channel* channel = m_parts.channels->find(event.channel_id);
    if (channel == nullptr) return;
    LOG_WARN("challenged", {"channel", event.channel_id}, {"version", event.state.version},
             {"ours", channel->agreed.state.version}, {"by_us", event.challenger == channel->me}, {"end", event.end});
    m_disputes.remember(event.channel_id, event.state);
    m_parts.channels->feed(event.channel_id, channel::ChainDispute{event.end - channel->terms.dispute_period, event.end,
                                                                   event.state.version, event.challenger});
}

void ChainEvents::responded(const wallet::Responded& event) {
    const Channel* channel = m_parts.channels->find(event.channel_id);
    if (channel == nullptr) return;
    LOG_INFO("responded", {"channel", event.channel_id}, {"version", event.state.version});
    m_disputes.remember(event.channel_id, event.state);
    if (!channel->dispute) return ask_dispute(event.channel_id);
    channel::ChainDispute dispute{channel->dispute->challenged_at, channel->dispute->end, event.state.version,
                                  channel->dispute->challenger};
    m_parts.channels->feed(event.channel_id, dispute);
}

void ChainEvents::revealed(const wallet::Revealed& event, std::uint64_t time_s) {
    if (m_parts.revealed.size() >= kMaxRevealed) forget_older_half(m_parts.revealed);
    m_parts.revealed[event.hash] = time_s;
    m_parts.outbox.persist([event, time_s](Database& db) {
        put_revealed(db, event.hash, time_s);
        put_preimage(db, event.hash, event.preimage);
    });
}

void ChainEvents::confirmed(const ChainEvent& event) {
    std::visit(
        [&](const auto& e) {
            using E = std::decay_t<decltype(e)>;
            if constexpr (std::is_same_v<E, wallet::Deposited>) {
                funds(e.channel_id, e.party, e.token, e.total, true);
            } else if constexpr (std::is_same_v<E, wallet::Withdrawn>) {
                funds(e.channel_id, e.party, e.token, e.total, false);
            } else if constexpr (std::is_same_v<E, wallet::Closed> || std::is_same_v<E, wallet::Settled>) {
                m_parts.channels->feed(e.channel_id, channel::ChainFinal{std::is_same_v<E, wallet::Settled>});
                m_disputes.end_confirmed(e.channel_id);
            } else if constexpr (std::is_same_v<E, wallet::Held>) {
                m_disputes.claim(e, event.block_number, event.log_index);
            }
        },
        event.event);
}

void ChainEvents::funds(const ChannelId& id, Party party, const channel::Address& token, channel::Amount total,
                        bool deposit) {
    const Channel* channel = m_parts.channels->find(id);
    if (channel == nullptr) return;
    const auto asset = asset_index(channel->terms, token);
    if (!asset) return;  // a token that the channel does not list; its sender can recover it
    LOG_INFO(deposit ? "deposit confirmed" : "withdrawal confirmed", {"channel", id}, {"party", party_name(party)},
             {"asset", *asset});
    if (deposit)
        m_parts.channels->feed(id, channel::ChainDeposit{party, *asset, total});
    else
        m_parts.channels->feed(id, channel::ChainWithdrawal{party, *asset, total});
    if (m_parts.market == nullptr) return;
    m_parts.outbox.when_durable([this, channel] { m_parts.market->on_funds(*channel); });
}

void ChainEvents::rolled_back(const ChainEvent& event, bool was_confirmed) {
    std::visit(
        [&](const auto& e) {
            using E = std::decay_t<decltype(e)>;
            if constexpr (std::is_same_v<E, wallet::Challenged> || std::is_same_v<E, wallet::Responded>) {
                ask_dispute(e.channel_id);
            } else if constexpr (std::is_same_v<E, wallet::Deposited> || std::is_same_v<E, wallet::Withdrawn>) {
                if (was_confirmed) ask_holdings(e.channel_id);
            } else if constexpr (std::is_same_v<E, wallet::Revealed>) {
                m_parts.revealed.erase(e.hash);
                m_parts.outbox.persist([hash = e.hash](Database& db) { delete_revealed(db, hash); });
            } else if constexpr (std::is_same_v<E, wallet::Closed> || std::is_same_v<E, wallet::Settled>) {
                if (was_confirmed) m_disputes.end_undone(e.channel_id);
            }
        },
        event.event);
}

/// What the contract records now, after a reorganisation or an event without its beginning.
void ChainEvents::ask_dispute(const ChannelId& id) {
    if (m_parts.channels->find(id) == nullptr) return;
    m_asking_dispute.insert(std::span(&id, 1));
    const bool asked = m_parts.questions->post([this, id, to = m_parts.options.adjudicator](wallet::EthClient& client) {
        wallet::CallRequest request;
        request.to = to;
        request.data = wallet::dispute_call(id);
        auto answer = client.call(request);
        auto view = answer ? wallet::read_dispute(*answer) : channel::Unexpected{answer.error()};
        return ChainWorker::Completion([this, id, view = std::move(view)] {
            const Channel* channel = m_parts.channels->find(id);
            if (!view) return m_parts.loop.after(1'000, [this, id] { ask_dispute(id); });
            failpoint("chain.dispute_asked");
            m_asking_dispute.erase(std::span(&id, 1));
            if (view->end == 0) return m_parts.channels->feed(id, channel::ChainDisputeGone{});
            m_parts.channels->feed(id, channel::ChainDispute{view->end - channel->terms.dispute_period, view->end,
                                                             view->version, view->challenger});
        });
    });
    if (!asked) m_parts.loop.after(1'000, [this, id] { ask_dispute(id); });
}

void ChainEvents::ask_holdings(const ChannelId& id) {
    const Channel* channel = m_parts.channels->find(id);
    if (channel == nullptr) return;
    m_asking_holdings.insert(std::span(&id, 1));
    const bool asked = m_parts.questions->post(
        [this, id, terms = channel->terms, to = m_parts.options.adjudicator](wallet::EthClient& client) {
            std::vector<wallet::HoldingsView> holdings;
            for (const channel::Asset& asset : terms.assets) {
                wallet::CallRequest request;
                request.to = to;
                request.data = wallet::holdings_call(id, asset.token);
                const auto answer = client.call(request);
                const auto view = answer ? wallet::read_holdings(*answer) : channel::Unexpected{answer.error()};
                if (!view) break;
                holdings.push_back(*view);
            }
            return ChainWorker::Completion([this, id, holdings = std::move(holdings), count = terms.assets.size()] {
                if (holdings.size() != count) return m_parts.loop.after(1'000, [this, id] { ask_holdings(id); });
                m_asking_holdings.erase(std::span(&id, 1));
                for (std::size_t i = 0; i < count; ++i) {
                    const auto asset = static_cast<std::uint8_t>(i);
                    m_parts.channels->feed(id, channel::ChainDeposit{Party::A, asset, holdings[i].deposit_a});
                    m_parts.channels->feed(id, channel::ChainDeposit{Party::B, asset, holdings[i].deposit_b});
                    m_parts.channels->feed(id, channel::ChainWithdrawal{Party::A, asset, holdings[i].withdrawn_a});
                    m_parts.channels->feed(id, channel::ChainWithdrawal{Party::B, asset, holdings[i].withdrawn_b});
                }
            });
        });
    if (!asked) m_parts.loop.after(1'000, [this, id] { ask_holdings(id); });
}

}  // namespace hedgerow::daemon
