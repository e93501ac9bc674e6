#pragma once

#include <map>

#include "daemon/node/node_parts.h"
#include "daemon/tower/tower_tables.h"

namespace hedgerow::daemon {

/// Why a tower takes no more than it has now, and who hears of records for channels that are in dispute already.
class TowerWatch {
  public:
    virtual ~TowerWatch() = default;
    /// tower_behind, tower_cannot_afford (one more of that blob's class, and it could not pay for enforcing), or none.
    [[nodiscard]] virtual channel::Rule more(std::size_t blob_bytes) const = 0;
    virtual void on_record(const channel::ChannelId& disputed, const channel::NodeId& client,
                           const channel::Locator& locator) = 0;
};

/// One page of what two keepers have for one client above the same slot: ascending, of a slot that both have the newer
/// copy, at most kMaxBackupsPerMessage.
[[nodiscard]] channel::BackupItems merge_backups(const channel::BackupItems& a, const channel::BackupItems& b);

/// The tower's half of the protocol with its clients (spec 10): what a linked peer asks is judged and done in one
/// transaction of the store, and answered once that is durable. All stores of one turn share a commit.
class TowerService {
  public:
    /// Blobs on the way to the disk; beyond, the loop takes no inputs until the store catches up.
    static constexpr std::size_t kMaxBytesInFlight = std::size_t{64} << 20;

    /// `parts` with keys, peers and outbox; the store is a tower's.
    TowerService(NodeParts& parts, TowerWatch& watch, const TowerQuota& free, const TowerFee& fee)
        : m_parts(parts), m_watch(watch), m_free(free), m_fee(fee) {}

    // What a client may send. Every other message of PeerMessage is no tower's business.
    void on_message(const channel::NodeId& client, const channel::TowerStore& store);
    void on_message(const channel::NodeId& client, const channel::TowerEnd& end);
    void on_message(const channel::NodeId& client, const channel::TowerFetch& fetch);
    void on_message(const channel::NodeId& client, const channel::BackupStore& backup);
    void on_message(const channel::NodeId& client, const channel::BackupFetch& fetch) {
        fetch_backups(client, fetch.after, {});
    }
    void on_message(const channel::NodeId& client, const channel::TowerPlanAsk&) { send_plan(client); }
    /// What a subscription costs, and what this client has once all so far is durable.
    void send_plan(const channel::NodeId& client);
    /// Answers with what is kept here and `others`, which another keeper in this program has for that client.
    void fetch_backups(const channel::NodeId& client, const channel::Locator& after,
                       const channel::BackupItems& others);

    [[nodiscard]] bool accepts() const { return m_in_flight < kMaxBytesInFlight; }

    struct Counts {
        std::uint64_t stored = 0, repeated = 0, ended = 0, fetched = 0, backups = 0;
        std::map<channel::Rule, std::uint64_t> refused;
    };
    /// Since the start.
    [[nodiscard]] const Counts& counts() const { return m_counts; }

  private:
    /// Sends what `make` gives once everything so far is durable.
    void answer_later(const channel::NodeId& client, std::function<channel::PeerMessage()> make);
    using Judge = std::function<StoreOutcome(Database&, const ReceiptMaker&)>;
    void change(const channel::NodeId& client, const channel::Locator& locator, std::uint64_t version,
                std::size_t bytes, Judge judge, std::uint64_t Counts::*counter);
    [[nodiscard]] channel::PeerMessage answer(const StoreOutcome& outcome, const channel::NodeId& client,
                                              const channel::Locator& locator, std::uint64_t version,
                                              std::uint64_t Counts::*counter);
    [[nodiscard]] channel::TowerRefuse refusal(const channel::Locator& locator, std::uint64_t version,
                                               channel::Rule rule);
    [[nodiscard]] ReceiptMaker maker() const;

    NodeParts& m_parts;
    TowerWatch& m_watch;
    const TowerQuota m_free;
    const TowerFee m_fee;
    std::size_t m_in_flight = 0;
    Counts m_counts;
};

}  // namespace hedgerow::daemon
