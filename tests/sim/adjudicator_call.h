#pragma once

#include "channel/crypto/keccak.h"
#include "tests/sim/adjudicator.h"
#include "wallet/chain/contract_events.h"

/// One call of the simulated Adjudicator; for its own sources (adjudicator*.cpp) only.
namespace hedgerow::sim {

using channel::Party;
using channel::Price;
using channel::Terms;
using channel::Uint128;
using wallet::abi::Signature;

/// What a call ends with where a rule is broken: its revert data.
struct Revert {
    Bytes data;
};
[[noreturn]] void revert(std::string_view error);
[[noreturn]] void revert(std::string_view error, std::uint64_t value);

/// Whether an account can be sent coins: the contract and tokens refuse them as well.
[[nodiscard]] bool takes_coins(const ChainRules& rules, const Address& account);
[[nodiscard]] U256 unsigned_of(Amount amount);
/// Who made a compact signature; reverts with BadSignature.
[[nodiscard]] Address signer_of(const channel::Digest& digest, const Signature& signature);
/// As an event carries them.
[[nodiscard]] wallet::AssetAmounts list_of(const std::vector<Amount>& amounts);
/// What of a recorded state's digest is kept.
[[nodiscard]] Address tail_of(const channel::Digest& digest);

/// With everything that it may touch.
class Call {
  public:
    Call(const ChainRules& rules, ChainState& state, const CallContext& context, CallResult& result)
        : m_rules(rules), m_state(state), m_context(context), m_result(result) {}

    Bytes run(ByteView data);
    Bytes run_token(ByteView data);

  private:
    template <typename... T>
    static void read(ByteView data, T&... values) {
        if (!channel::abi_decode(data.subspan(4), values...)) throw Revert{};
    }
    void gas(std::uint64_t amount) { m_result.gas_used += amount; }
    /// Writing to storage that was not touched before (EIP-2929, EIP-3529).
    void gas_of_write(bool was_zero) { gas(was_zero ? 22'100 : 5'000); }
    void emit(std::string_view signature, std::vector<Hash> topics, Bytes data) {
        topics.insert(topics.begin(), channel::keccak256(channel::as_bytes(signature)));
        gas(375 * (topics.size() + 1) + 9 * data.size());
        m_result.logs.push_back({m_rules.contract, std::move(topics), std::move(data)});
    }
    template <typename Id>
    static Hash topic(const Id& id) {
        return Hash{channel::to_word(id)};
    }

    // Entry points.
    Bytes deposit(ByteView data);
    Bytes recover(ByteView data);
    Bytes withdraw(ByteView data);
    Bytes close(ByteView data);
    Bytes challenge(ByteView data);
    Bytes respond(ByteView data);
    Bytes settle(ByteView data);
    Bytes claim(ByteView data);
    Bytes reveal(ByteView data);
    Bytes attest(ByteView data);
    Bytes multicall(ByteView data);
    // Views.
    Bytes view_channel_id(ByteView data);
    Bytes view_state_digest(ByteView data);
    Bytes view_dispute(ByteView data);
    Bytes view_holdings(ByteView data);
    Bytes view_oracle_set(ByteView data);
    Bytes view_attested(ByteView data);
    Bytes view_revealed_at(ByteView data);
    Bytes view_claimable(ByteView data);

    // Rules.sol and the private parts of Adjudicator.sol.
    ChannelId identify(const Terms& terms);
    static void check_oracles(std::span<const Address> oracles);
    static void check_state(const Terms& terms, const channel::State& state);
    static void check_net(std::span<const Amount> net);
    static void check_initial(const channel::State& state);
    void check_signers(const Terms& terms, const channel::Digest& digest, const Signature& a, const Signature& b);
    Address checked_digest(const Terms& terms, const channel::State& state, const Signature& a, const Signature& b);
    Party challenger_of(const Terms& terms, const ChannelId& id, std::uint64_t version,
                        const wallet::abi::Authorization& authorization);
    void respond_with(const Terms& terms, const ChannelId& id, const channel::State& state, const Signature& a,
                      const Signature& b);
    std::vector<channel::Holdings> finalise(const ChannelId& id, const Terms& terms);
    void pay(const Address& token, const Address& payee, const U256& amount);
    void pay_out(const Terms& terms, const std::vector<Amount>& a, const std::vector<Amount>& b);
    U256 pull(const Address& token, const U256& wanted);
    void move_coin(const Address& from, const Address& to, const U256& amount);
    bool move_token(const Address& token, const Address& from, const Address& to, const U256& amount);

    const ChainRules& m_rules;
    ChainState& m_state;
    const CallContext& m_context;
    CallResult& m_result;
};

}  // namespace hedgerow::sim
