#include "daemon/chain/follower.h"
#include "daemon/node/chain_events.h"
#include "daemon/node/disputes.h"

/// The past of channels that came from a backup: the follower has passed it already, so a second tracker walks there
/// from the adjudicator's first block, beside the follower, and feeds these channels only.
namespace hedgerow::daemon {

using channel::ChannelId;

namespace {

constexpr std::size_t kStepsPerQuestion = 16;
constexpr std::uint64_t kRetryMs = 1'000;

}  // namespace

struct ChainEvents::LookBack {
    ChainTracker tracker;
    std::set<ChannelId> ids;
    std::uint64_t until = 0;  ///< the follower's height at the beginning: what comes above it, it says itself
    std::map<ChannelId, channel::State> recorded{};  ///< newest of each dispute
    // Of one question.
    std::vector<ChainBatch> batches{};
    bool failed = false;
};

void ChainEvents::resume() {
    look_back(m_looking_back.left());
    for (const ChannelId& id : m_asking_dispute.left()) ask_dispute(id);
    for (const ChannelId& id : m_asking_holdings.left()) ask_holdings(id);
}

void ChainEvents::look_back(const std::vector<ChannelId>& ids) {
    if (ids.empty()) return;
    const NodeOptions& options = m_parts.options;
    const TrackerConfig config{options.chain_id, options.adjudicator, options.adjudicator_block, options.confirmations};
    m_looking_back.insert(ids);
    look_further(std::make_shared<LookBack>(LookBack{ChainTracker(config), {ids.begin(), ids.end()}, m_parts.height}));
}

void ChainEvents::look_further(const std::shared_ptr<LookBack>& look) {
    const auto again = [this, look] { look_further(look); };
    const bool asked =
        m_parts.questions->post([this, look, again, to = m_parts.options.adjudicator](wallet::EthClient& client) {
            // Only the worker touches it until its completion runs.
            EthSource source(client, to);
            look->batches.clear();
            look->failed = false;
            for (std::size_t i = 0; i < kStepsPerQuestion && !look->failed; ++i) {
                auto batch = look->tracker.step(source);
                look->failed = !batch;
                if (!batch) break;
                look->batches.push_back(std::move(*batch));
                if (look->batches.back().synced) break;
            }
            return ChainWorker::Completion([this, look, again] {
                bool done = false;
                for (const ChainBatch& batch : look->batches) {
                    for (const ChainInput& input : batch.inputs) looked(*look, input);
                    done = batch.synced || look->tracker.height() >= look->until;
                }
                if (done) return looked_back(*look);
                m_parts.loop.after(look->failed ? kRetryMs : 0, again);
            });
        });
    if (!asked) m_parts.loop.after(kRetryMs, again);
}

void ChainEvents::looked(LookBack& look, const ChainInput& input) {
    const auto ours = [&](const ChainEvent& event) {
        const auto id = wallet::event_channel(event.event);
        return id && look.ids.contains(*id);
    };
    if (const auto* pending = std::get_if<EventPending>(&input)) {
        if (!ours(pending->event)) return;
        if (const auto* challenge = std::get_if<wallet::Challenged>(&pending->event.event))
            look.recorded[challenge->channel_id] = challenge->state;
        else if (const auto* respond = std::get_if<wallet::Responded>(&pending->event.event))
            look.recorded[respond->channel_id] = respond->state;
    } else if (const auto* deep = std::get_if<EventConfirmed>(&input)) {
        if (ours(deep->event) && !behind_known(deep->event)) confirmed(deep->event);
    }
}

/// Totals only rise where they are confirmed: one that is not above ours is an older one than the follower has said.
bool ChainEvents::behind_known(const ChainEvent& event) const {
    const auto known = [&](const ChannelId& id, const channel::Address& token, auto total_of) {
        const channel::Channel* channel = m_parts.channels->find(id);
        const auto asset = channel == nullptr ? std::nullopt : asset_index(channel->terms, token);
        return asset ? total_of(channel->funds_seen, *asset) : channel::Amount();
    };
    if (const auto* in = std::get_if<wallet::Deposited>(&event.event)) {
        return in->total <= known(in->channel_id, in->token, [&](const channel::Funds& funds, std::size_t asset) {
                   return funds.deposit(in->party)[asset];
               });
    }
    if (const auto* out = std::get_if<wallet::Withdrawn>(&event.event)) {
        return out->total <= known(out->channel_id, out->token, [&](const channel::Funds& funds, std::size_t asset) {
                   return funds.withdrawn(out->party)[asset];
               });
    }
    return false;
}

void ChainEvents::looked_back(const LookBack& look) {
    for (const ChannelId& id : look.ids) {
        const channel::Channel* channel = m_parts.channels->find(id);
        if (channel == nullptr || channel->status == channel::Status::closed) continue;
        const auto recorded = look.recorded.find(id);
        const bool newer = recorded != look.recorded.end() &&
                           (!channel->dispute || channel->dispute->version <= recorded->second.version);
        if (newer) m_disputes.remember(id, recorded->second);
        ask_dispute(id);
    }
    m_looking_back.erase(std::vector<ChannelId>(look.ids.begin(), look.ids.end()));
    LOG_INFO("looked back", {"channels", look.ids.size()}, {"height", look.tracker.height()});
}

}  // namespace hedgerow::daemon
