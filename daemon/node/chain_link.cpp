#include "daemon/node/chain_link.h"

#include "daemon/store/channel_store.h"

namespace hedgerow::daemon {

std::unique_ptr<ChainWorker> start_chain_worker(const NodeParts& parts, const World& world) {
    const NodeOptions& options = parts.options;
    auto out = std::make_unique<ChainWorker>(world.chain(options.chain_url), options.chain_id, world.drive);
    parts.loop.watch(out->fd(), [worker = out.get()] { worker->run_completions(); });
    return out;
}

ChainLink::ChainLink(NodeParts& parts, const World& world)
    : m_parts(parts), m_chain(start_chain_worker(parts, world)), m_questions(start_chain_worker(parts, world)) {
    parts.chain = m_chain.get();
    parts.questions = m_questions.get();
    wallet::FeePolicy fees = parts.options.fees;
    fees.confirmations = parts.options.confirmations;
    m_transactions = std::make_unique<TxService>(parts.loop, parts.outbox, *m_chain, parts.keys->transactions(),
                                                 parts.options.chain_id, fees);
    parts.transactions = m_transactions.get();
    if (const auto restored = m_transactions->restore(all_tx_jobs(parts.reader)); !restored)
        throw StoreError(StoreErrorKind::corrupt,
                         std::string("tx_jobs: ").append(chain_fault_name(restored.error().fault)));
}

void ChainLink::tick() {
    m_transactions->expire();
    if (m_parts.steady_ms - m_last_look_ms >= kIdleLookMs || m_transactions->has_live()) new_block();
}

void ChainLink::new_block() {
    m_last_look_ms = m_parts.steady_ms;
    m_transactions->tick();
}

void ChainLink::stop() {
    m_chain.reset();
    m_questions.reset();
}

std::unique_ptr<ChainFollower> start_follower(NodeParts& parts, const World& world) {
    std::optional<FollowerCursor> cursor;
    if (const auto text = get_meta(parts.reader, "chain_cursor")) {
        auto read = read_cursor({reinterpret_cast<const char*>(text->data()), text->size()});
        if (!read) throw StoreError(StoreErrorKind::corrupt, "chain_cursor");
        if (!read->blocks.empty()) {
            parts.height = read->blocks.back().number;
            parts.chain_time_s = read->blocks.back().timestamp;
        }
        cursor = std::move(*read);
    }
    const NodeOptions& options = parts.options;
    FollowerConfig config;
    config.tracker = {options.chain_id, options.adjudicator, options.adjudicator_block, options.confirmations};
    config.poll_ms = options.chain_poll_ms;
    auto started = ChainFollower::start(world.chain(options.chain_url), config, std::move(cursor), world.drive);
    if (!started)
        throw StoreError(StoreErrorKind::corrupt,
                         std::string("chain cursor: ").append(chain_fault_name(started.error().fault)));
    return std::move(*started);
}

}  // namespace hedgerow::daemon
