#include <algorithm>

#include "daemon/node/channel_manager.h"

/// How a turn of many channels ends. What each comes to (the core's step, verifying and making signatures) is its own affair, and is computed on
/// all workers at once; what follows from it for the node is performed afterwards on the node's thread, one channel after the other. With one
/// worker the same happens in the same order.
namespace hedgerow::daemon {

namespace {
constexpr std::size_t kUsualEffects = 8;  ///< of a step
}

/// One channel of each peer in turn, those that have waited longest first: what is left for the next turn is left fairly.
void ChannelManager::take_turns(std::vector<Entry*>& entries) {
    std::map<channel::NodeId, std::size_t> seen;
    std::vector<std::pair<std::size_t, Entry*>> order;
    order.reserve(entries.size());
    for (Entry* e : entries) order.emplace_back(seen[e->channel.peer]++, e);
    if (seen.size() == 1) return;
    std::stable_sort(order.begin(), order.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    std::transform(order.begin(), order.end(), entries.begin(), [](const auto& one) { return one.second; });
}

/// Performed in order; of a channel to which something happens through another's effects, before that (settle).
void ChannelManager::compute(std::vector<Computed>& all, const std::function<void(Computed&)>& piece) {
    m_workers.run(all.size(), [&](std::size_t i) { piece(all[i]); });
    for (Computed& computed : all) computed.entry->computed = &computed;
    for (Computed& computed : all) {
        if (Computed* mine = std::exchange(computed.entry->computed, nullptr)) perform(*mine);
    }
}

void ChannelManager::take_acks() {
    std::vector<Entry*> acked;
    acked.swap(m_acked);
    std::vector<Computed> all;
    for (Entry* e : acked) {
        if (!e->ack) continue;  // something else happened, and it was taken before; or it is listed twice for that
        touch(*e);
        Computed& computed = all.emplace_back();
        computed.entry = e;
        computed.ack = std::move(e->ack);
    }
    const channel::Context context = m_parts.context();
    compute(all, [&](Computed& out) {
        out.before.reserve(kUsualEffects);
        channel::step(context, out.entry->channel, channel::FromPeer{*out.ack, {}}, out.before);
    });
}

void ChannelManager::flush(const channel::Context& context, Computed& out) {
    Entry& e = *out.entry;
    const std::size_t waiting = e.channel.queue.size();
    channel::Effects effects;
    effects.reserve(kUsualEffects);
    channel::step(context, e.channel, channel::Flush{}, effects);
    const auto signs = std::find_if(effects.begin(), effects.end(), [](const channel::Effect& effect) {
        return std::holds_alternative<channel::SignState>(effect);
    });
    out.before.assign(std::make_move_iterator(effects.begin()), std::make_move_iterator(signs));
    if (signs != effects.end()) {
        const auto& effect = std::get<channel::SignState>(*signs);
        out.signature = sign(e, effect);
        if (*out.signature) channel::step(context, e.channel, channel::StateSigned{effect.version, (*out.signature)->signature}, out.after);
        out.after.insert(out.after.end(), std::make_move_iterator(std::next(signs)), std::make_move_iterator(effects.end()));
    }
    out.again = !e.channel.queue.empty() && e.channel.queue.size() < waiting;
}

void ChannelManager::flush(std::span<Entry* const> entries) {
    std::vector<Computed> all(entries.size());
    for (std::size_t i = 0; i < entries.size(); ++i) {
        all[i].entry = entries[i];
        entries[i]->touched = false;  // from here on whatever happens to it calls for another turn
    }
    const channel::Context context = m_parts.context();
    compute(all, [&](Computed& out) { flush(context, out); });
    for (const Computed& computed : all) {
        if (computed.again) touch(*computed.entry);
    }
}

void ChannelManager::end_of_turn() {
    connect_more();
    take_acks();
    std::vector<Entry*> touched;
    touched.swap(m_touched);
    if (touched.size() > kMaxSignaturesPerTurn && m_by_peer.size() > 1) take_turns(touched);
    m_signed = 0;
    std::vector<Entry*> now;
    for (std::size_t next = 0; next < touched.size();) {
        now.clear();
        for (; next < touched.size() && now.size() + m_signed < kMaxSignaturesPerTurn; ++next) {
            Entry* e = touched[next];
            if (e->turns_in_flight >= kMaxTurnsPerChannel)
                m_touched.push_back(e);
            else
                now.push_back(e);
        }
        if (now.empty()) {
            m_touched.insert(m_touched.end(), touched.begin() + static_cast<std::ptrdiff_t>(next), touched.end());
            break;
        }
        flush(now);
    }
    store_heads();
}

}  // namespace hedgerow::daemon
