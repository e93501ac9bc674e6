#pragma once

#include "tests/fuzz/core_model.h"
#include "tests/support/channel_pair.h"

/// Two production cores, driven by the records of a fuzzer's input, and the model beside them.
namespace hedgerow::fuzz {

/// One command of a schedule; inputs are a byte of set-up and then these, one after the other.
struct Record {
    static constexpr std::size_t kSize = 12;
    std::uint8_t command = 0;
    std::uint8_t kind = 0;
    std::uint8_t pick = 0;
    std::uint8_t shift = 0;
    std::uint16_t x = 0;
    std::uint16_t y = 0;
    std::uint32_t z = 0;
    [[nodiscard]] static Record read(const std::uint8_t* bytes);
};

enum class Mode : std::uint8_t {
    clean,    ///< both are honest: lost and repeated messages, crashes, lost disks, clocks, a chain
    liar_is_a,  ///< messages that A's core would never send, signed with A's key, reach B
    liar_is_b,
};

class CoreWorld {
  public:
    explicit CoreWorld(std::uint8_t setup);
    void perform(const Record& record);
    /// Both are connected again and time goes on: two honest sides end with one state.
    void finish();

  private:
    struct Tracked {
        std::size_t effects_seen = 0;
        std::size_t ops_seen = 0;
        std::optional<Model> model;
        bool lost_data = false;  ///< was started from an older disk: must not sign a State again
        std::size_t signed_count = 0;
        std::int64_t skew_ms = 0;
        struct Disk {
            channel::Bytes head;
            std::map<std::uint64_t, channel::PersistUpdate> updates;
            std::uint64_t version = 0;
            std::uint64_t highest_signed = 0;
        };
        std::deque<Disk> old_disks;
    };

    // Where things happen, with that side's clock.
    testing::Side& side(channel::Party party) { return m_pair.side(party); }
    Tracked& tracked(channel::Party party) { return m_tracked[party == channel::Party::A ? 0 : 1]; }
    void run(channel::Party party, const channel::Input& input);
    bool deliver(channel::Party from);
    void settle();

    void local_op(const Record& record);
    void network(const Record& record);
    void chain(const Record& record);
    void clock(const Record& record);
    void lose_data(channel::Party party, std::size_t which);
    void repeat_message(const Record& record);
    void garble_message(const Record& record);

    // A liar's words to the other one.
    [[nodiscard]] channel::Party liar() const { return m_mode == Mode::liar_is_a ? channel::Party::A : channel::Party::B; }
    void lie(const Record& record);
    [[nodiscard]] std::optional<channel::PeerMessage> lie_to_leader(const Record& record, const channel::Channel& victim);
    [[nodiscard]] std::optional<channel::PeerMessage> lie_to_follower(const Record& record, const channel::Channel& victim);
    [[nodiscard]] std::optional<channel::PeerMessage> lie_to_anyone(const Record& record, const channel::Channel& victim);
    [[nodiscard]] channel::Update signed_update(const Record& record, const channel::Channel& victim);
    [[nodiscard]] channel::Signature liars_signature(const channel::Digest& digest);

    [[nodiscard]] channel::Op op_from(const Record& record, channel::Party origin);
    [[nodiscard]] channel::Funds funds_from(const Record& record) const;

    void check();
    void check_agreed(channel::Party party, std::uint64_t version);
    void check_durable(channel::Party party);

    Mode m_mode;
    testing::Pair m_pair;
    std::uint64_t m_now_ms;
    std::array<Tracked, 2> m_tracked;
    DepositBounds m_deposits;
    std::map<std::uint64_t, Model> m_history;         ///< what each agreed version must be
    std::map<std::uint64_t, channel::Digest> m_digests;
    channel::Revealed m_revealed;
};

}  // namespace hedgerow::fuzz
