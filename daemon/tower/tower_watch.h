#pragma once

#include <map>
#include <set>

#include "daemon/chain/tracker.h"
#include "daemon/node/enforcer.h"
#include "daemon/tower/appointment.h"
#include "daemon/tower/tower_service.h"

namespace hedgerow::daemon {

/// Gas that enforcing one appointment of that class takes at worst: respond and settle with their calldata, prices,
/// preimages.
[[nodiscard]] std::uint64_t enforcement_gas(std::size_t appointment_class);

/// Follows the chain for a tower: what challenges reveal and record, the appointments that answer them, and what is to
/// be done until each dispute is over (spec 10.4). The follower's cursor is stored with the effects of its batch; all
/// state is in the store, so that it goes on after a crash at any point.
class TowerWatcher final : public TowerWatch {
  public:
    static constexpr std::size_t kRecordsPerPage = 64;  ///< opened in one turn, of one dispute

    TowerWatcher(NodeParts& parts, const TowerLimits& policy) : m_parts(parts), m_policy(policy), m_enforcer(parts) {}

    /// Disputes of an earlier run; before the first batch.
    void resume();
    void take(const ChainBatch& batch);
    /// Whether what was followed last is still the newest block of the chain node.
    void note_sync(bool synced);
    /// At every block, and now and then.
    void tick();

    // TowerWatch
    [[nodiscard]] channel::Rule more(std::size_t blob_bytes) const override;
    void on_record(const channel::ChannelId& disputed, const channel::NodeId& client,
                   const channel::Locator& locator) override;

    struct Status {
        bool synced = false;
        std::uint64_t height = 0;
        std::uint64_t cases = 0;      ///< disputes with an appointment
        std::uint64_t answering = 0;  ///< of them: a newer state is here than the contract has
        std::uint64_t malformed = 0;  ///< appointments that could not be enforced, since the start
        channel::U256 reserved;       ///< wei that enforcing at worst is reckoned to need
    };
    [[nodiscard]] Status status() const;
    /// The state that would be enforced for that channel; nothing where there is none, or no dispute.
    [[nodiscard]] const CheckedAppointment* enforcing(const channel::ChannelId& id) const;

  private:
    struct Case {
        DisputeRow row;
        std::uint64_t number = 0;            ///< tells it from a later case of the same channel
        bool loaded = false;                 ///< `events` begin with those in the store
        std::set<channel::Party> searching;  ///< whose records are not all opened yet
        std::vector<RecordedEvent> events;   ///< ascending; none: a reorganisation took the dispute back
        std::optional<CheckedAppointment> best;
        std::array<bool, 2> protects{};
        std::map<channel::LockHash, channel::Preimage> preimages;
        bool looking = false;
        std::uint64_t looked_height = 0;
        std::uint64_t looked_ms = 0;

        [[nodiscard]] const RecordedEvent* recorded() const { return events.empty() ? nullptr : &events.back(); }
        [[nodiscard]] std::uint64_t end_s() const;
        [[nodiscard]] channel::Party challenger() const;
    };

    void seen(const ChainEvent& event);
    void confirmed(const ChainEvent& event);
    void rolled_back(const ChainEvent& event, bool was_confirmed);
    void challenged(const wallet::Challenged& event, const ChainEvent& at);
    void responded(const wallet::Responded& event, const ChainEvent& at);
    void forget(const channel::ChannelId& id);
    void open_case(const DisputeRow& row);
    void reload(Case& open);
    /// Opens what is kept for a channel, a page a turn; a case without anything good ends there.
    void search(const channel::ChannelId& id, std::uint64_t number, channel::Party party, std::int64_t after);
    void consider(Case& open, channel::Party party, std::uint64_t version, channel::ByteView blob);
    void engage(Case& open, CheckedAppointment appointment);
    [[nodiscard]] Case* find(const channel::ChannelId& id, std::uint64_t number);
    [[nodiscard]] Enforced enforced(const Case& open) const;
    void answer(Case& open);
    void look(Case& open);
    void act(const channel::ChannelId& id, std::uint64_t number, const DisputeLook& look);
    [[nodiscard]] channel::U256 reserve_for(std::size_t size_class) const;

    NodeParts& m_parts;
    const TowerLimits m_policy;
    Enforcer m_enforcer;
    std::map<channel::ChannelId, Case> m_cases;
    std::uint64_t m_last_case = 0;
    bool m_synced = false;
    bool m_ever_synced = false;
    std::uint64_t m_synced_ms = 0;  ///< steady
    std::uint64_t m_malformed = 0;
};

}  // namespace hedgerow::daemon
