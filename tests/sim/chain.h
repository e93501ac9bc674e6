#pragma once

#include <memory>
#include <optional>

#include "tests/sim/adjudicator.h"
#include "tests/sim/random.h"
#include "wallet/chain/eth_types.h"
#include "wallet/chain/transaction.h"

namespace hedgerow::sim {

struct MinedTx {
    std::shared_ptr<const wallet::SignedTransaction> transaction;
    Address sender;
    bool success = false;
    std::uint64_t gas_used = 0;
    U256 gas_price;
    Bytes revert_data;
    std::vector<wallet::LogEntry> logs;
};

struct Block {
    wallet::BlockHeader header;
    std::uint64_t gas_used = 0;
    U256 usual_tip;  ///< what eth_feeHistory reports for it
    std::vector<MinedTx> transactions;
    std::shared_ptr<const ChainState> after;
};

struct ChainConfig {
    std::uint64_t chain_id = 31'337;
    Address contract;
    std::uint64_t genesis_s = 0;
    std::uint64_t slot_s = 12;
    std::uint64_t block_gas = 30'000'000;
    U256 usual_base_fee{2'000'000'000};
    U256 usual_tip{100'000'000};
    std::uint64_t max_reorg = 3;  ///< no block this many below the highest ever seen is ever taken back
};

/// Others who fill the blocks: they pay up to `max_fee` a gas and tip `tip`; who tips more goes before them.
struct Congestion {
    U256 max_fee;
    U256 tip;
};

/// An EVM-like chain: real transactions, EIP-1559 fees, a mempool with replacement rules, blocks, reorganisations. It
/// runs `execute` of adjudicator.h. Times are Unix seconds.
class Chain {
  public:
    Chain(ChainConfig config, ChainRules rules, ChainState genesis, Random random);

    // What the miner does; `now_s` is a multiple of the slot.
    /// The slot's block on top of the newest, or none where the slot is missed.
    void produce(std::uint64_t now_s);
    /// Takes the newest `depth` blocks back (as far as finality allows) and mines others in the slots since. Their
    /// transactions return to the mempool, except those that `lose_per_mille` drops; each returned one is passed over by
    /// each new block with `delay_per_mille`. The number of blocks taken back.
    std::uint64_t reorganise(std::uint64_t depth, std::uint64_t now_s, std::uint64_t lose_per_mille,
                             std::uint64_t delay_per_mille);
    /// Nodes restart and forget what is pending.
    void lose_mempool(std::uint64_t per_mille);

    // Weather.
    void set_congestion(std::optional<Congestion> congestion) { m_congestion = congestion; }
    void set_missed_slots(std::uint64_t per_mille) { m_missed_per_mille = per_mille; }
    void set_delayed(std::uint64_t per_mille) { m_delayed_per_mille = per_mille; }

    /// The error text is Geth's.
    [[nodiscard]] channel::Expected<channel::TxHash, std::string> submit(ByteView raw);

    [[nodiscard]] const ChainConfig& config() const { return m_config; }
    [[nodiscard]] const ChainRules& rules() const { return m_rules; }
    [[nodiscard]] const Block& head() const { return *m_blocks.back(); }
    [[nodiscard]] std::uint64_t height() const { return m_blocks.size() - 1; }
    [[nodiscard]] const Block* block(std::uint64_t number) const;
    [[nodiscard]] const Block* block(const channel::BlockHash& hash) const;
    [[nodiscard]] const ChainState& state() const { return *head().after; }
    /// Of the newest block that no reorganisation takes back.
    [[nodiscard]] std::uint64_t final_height() const;
    [[nodiscard]] U256 next_base_fee(const Block& parent) const;
    struct Place {
        std::uint64_t block = 0;
        std::size_t index = 0;
    };
    [[nodiscard]] std::optional<Place> place_of(const channel::TxHash& hash) const;
    [[nodiscard]] bool is_pending(const channel::TxHash& hash) const;
    [[nodiscard]] std::uint64_t pending_nonce(const Address& account) const;
    [[nodiscard]] const std::optional<Congestion>& congestion() const { return m_congestion; }
    [[nodiscard]] std::uint64_t reorgs() const { return m_reorgs; }
    /// Rises whenever an answer may change.
    [[nodiscard]] std::uint64_t revision() const { return m_revision; }

  private:
    struct Pooled {
        std::shared_ptr<const wallet::SignedTransaction> transaction;
        std::uint64_t arrival = 0;
    };
    using Queue = std::map<std::uint64_t, Pooled>;  ///< by nonce

    void mine(std::uint64_t now_s, std::uint64_t delay_per_mille);
    /// The best transaction that fits next; nothing where there is none.
    [[nodiscard]] std::optional<std::pair<Address, Pooled>> next_transaction(const ChainState& state, const U256& base_fee,
                                                                             std::uint64_t gas_left,
                                                                             const std::set<channel::TxHash>& passed);
    [[nodiscard]] MinedTx apply(ChainState& state, const Pooled& pooled, const Address& sender, const U256& base_fee,
                                std::uint64_t now_s) const;
    void take_out(const Block& block);
    [[nodiscard]] bool is_crowded(const U256& base_fee) const;

    const ChainConfig m_config;
    const ChainRules m_rules;
    Random m_random;
    std::vector<std::shared_ptr<const Block>> m_blocks;
    std::map<channel::BlockHash, std::uint64_t> m_numbers;
    std::map<channel::TxHash, Place> m_mined;
    std::map<Address, Queue> m_pool;
    std::map<channel::TxHash, Address> m_pending;
    std::uint64_t m_arrivals = 0;
    std::uint64_t m_highest = 0;
    std::uint64_t m_branches = 0;
    std::uint64_t m_reorgs = 0;
    std::uint64_t m_revision = 0;
    std::optional<Congestion> m_congestion;
    std::uint64_t m_missed_per_mille = 0;
    std::uint64_t m_delayed_per_mille = 0;
};

}  // namespace hedgerow::sim
