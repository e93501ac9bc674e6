#pragma once

#include <algorithm>

#include "channel/crypto/keccak.h"
#include "tests/evm/adjudicator_parts.h"
#include "tests/evm/adjudicator_play.h"
#include "tests/evm/contract_rig.h"
#include "wallet/chain/contract_calls.h"

/// Who makes a play up as it goes, with the simulator's state at hand; for adjudicator_play.cpp and
/// adjudicator_moves.cpp only.
namespace hedgerow::tests {

using namespace hedgerow::channel;
using sim::DisputeSlot;

inline constexpr int kRichBits = 125;
inline constexpr std::uint64_t kDayS = 86'400;

/// A channel as its parties know it.
struct PlayChannel {
    Terms terms;
    Secret secret;
    ChannelId id;
    std::uint64_t newest = 0;
    std::map<Address, State> states;  ///< that both signed, by the tail of the digest
    std::vector<Bytes> sent;          ///< calls that may be sent again
};

/// A call to be made.
struct Move {
    std::string what;
    Address from;
    Address to;
    U256 value;
    Bytes data;
    bool is_malformed = false;
};

class Player {
  public:
    Player(std::uint64_t seed, std::uint64_t index, const Cast& cast, const Domain& domain, std::uint64_t start_s)
        : m_random(seed ^ 0xad10d1caULL, index),
          m_hands(cast, play_key("stranger"), domain_separator(domain)),
          m_now(start_s + m_random.below(100)) {
        m_play.rules.chain_id = domain.chain_id;
        m_play.rules.contract = domain.contract;
        m_play.rules.separator = domain_separator(domain);
        for (std::size_t i = 0; i < 4; ++i) m_play.rules.tokens[case_token(i)] = 0;
        open_channels();
        make_genesis();
    }

    Play play() {
        begin();
        for (std::size_t left = 14 + m_random.below(14); left > 0; --left) {
            pass_time();
            act(any_move());
        }
        if (!m_random.one_in(4)) finish();
        for (std::size_t left = m_random.below(4); left > 0; --left) act(any_move());
        return std::move(m_play);
    }

  private:
    // The stage.
    void open_channels();
    void make_genesis();
    void begin();
    void finish();
    void pass_time();
    void relent();
    void act(Move move);
    void look();
    void ask(std::string what, const Address& to, Bytes data);
    sim::CallResult run(const Move& move);
    // Moves.
    Move any_move();
    Move deposit();
    Move recover();
    Move withdraw();
    Move close();
    Move challenge();
    Move respond();
    Move settle();
    Move claim();
    Move reveal();
    Move attest();
    Move multicall();
    Move again();
    Move token_call();
    Move coins();
    Move nonsense();
    // What they are made of.
    PlayChannel& channel() { return m_channels[m_random.one_in(6) ? 1 : 0]; }
    Terms terms_of(const PlayChannel& channel);
    State new_state(PlayChannel& channel, std::uint64_t version);
    State some_state(PlayChannel& channel, std::uint64_t above);
    std::optional<State> recorded(const PlayChannel& channel) const;
    std::uint64_t deadline();
    Address anyone();
    Address any_token(const PlayChannel& channel);
    Amount total_of(const PlayChannel& channel, std::size_t asset) const;
    Move to_contract(std::string what, Bytes data) {
        return {std::move(what), anyone(), m_play.rules.contract, {}, std::move(data), false};
    }
    const DisputeSlot* open_dispute(const PlayChannel& channel) const {
        const auto found = m_state.disputes.find(channel.id);
        return found == m_state.disputes.end() ? nullptr : &found->second;
    }

    Random m_random;
    Hands m_hands;
    std::uint64_t m_now;
    std::vector<PlayChannel> m_channels;
    std::vector<Address> m_senders;
    std::set<std::uint64_t> m_edges;  ///< seconds at which something ends or begins
    std::vector<std::pair<Feed, std::uint64_t>> m_attested;
    sim::ChainState m_state;
    Play m_play;
};

}  // namespace hedgerow::tests
