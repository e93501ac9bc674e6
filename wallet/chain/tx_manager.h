#pragma once

#include <map>
#include <string>
#include <vector>

#include "wallet/chain/tx_fees.h"

namespace hedgerow::wallet {

/// Signs for one account. The keys stay behind it; it refuses spending by wallet_locked while the wallet is locked,
/// never defence.
class TransactionSigner {
  public:
    virtual ~TransactionSigner() = default;
    [[nodiscard]] virtual channel::Address account() const = 0;
    [[nodiscard]] virtual ChainExpected<channel::Signature> sign(const Transaction& transaction, TxPurpose purpose) = 0;
};

/// The one nonce manager of an account on a chain. It turns jobs into transactions, replaces their fees, and watches
/// every variant until it is deep in the chain. It does no I/O and has no clock: the shell asks the chain what
/// queries() names, hands the answers to tick(), and performs the actions in order, with everything persisted before
/// anything is broadcast.
///
/// Idempotent: a job of one id is done at most once. A nonce is never skipped: it is assigned when a transaction is
/// signed, as the lowest that neither the chain nor another of our jobs has used.
class TxManager {
  public:
    static constexpr std::size_t kMaxLive = 256;         ///< unsettled jobs; spending stops at three quarters
    static constexpr std::size_t kMaxSettled = 4096;     ///< settled ones remembered for idempotency
    static constexpr std::size_t kMaxVariants = 64;      ///< of one job
    static constexpr std::size_t kMaxData = 128 * 1024;  ///< calldata, bytes: what nodes accept in one transaction
    static constexpr std::uint32_t kMaxRejections = 3;   ///< of a spending transaction, before its nonce is freed

    TxManager(TransactionSigner& signer, std::uint64_t chain_id, FeePolicy policy = {});

    /// Takes a stored job back, before the first tick: job_record_malformed, or client_ref_reused for an id twice.
    [[nodiscard]] ChainExpected<void> restore(std::string_view record);

    /// Accepts a job; persist record(id) before reporting it accepted. The same request again is the same job (true: it
    /// is new). Refused: client_ref_reused (another request under that id), job_limit, gas_reserve_needed (spending
    /// that the last seen balance does not cover besides the reserve), job_unknown (`after`), job_record_malformed (id
    /// or data too long).
    [[nodiscard]] ChainExpected<bool> submit(const JobRequest& request, std::uint64_t now_ms);

    /// Withdraws a job: at once where it is not signed, else by using its nonce up; takes effect with the next tick.
    /// Persist record(id) after it. job_unknown where there is none.
    [[nodiscard]] ChainExpected<void> cancel(const std::string& id);

    /// What to look up for the next tick.
    [[nodiscard]] ChainQueries queries(std::uint64_t now_ms) const;
    [[nodiscard]] std::vector<TxAction> tick(std::uint64_t now_ms, const ChainView& view);
    /// What the node said to a BroadcastTx; nothing said: no call.
    void broadcast_answered(const std::string& id, const ChainExpected<channel::TxHash>& answer);

    [[nodiscard]] const Job* find(const std::string& id) const;
    [[nodiscard]] std::string record(const std::string& id) const;
    [[nodiscard]] std::vector<std::string> job_ids() const;
    /// What spending could use now: the last seen balance less the reserve and what live transactions may cost.
    [[nodiscard]] channel::U256 spendable() const;
    /// The last seen balance less what live transactions may cost; nothing before the first look.
    [[nodiscard]] std::optional<channel::U256> uncommitted() const;
    /// Some live transaction waits; the shell then ticks more often.
    [[nodiscard]] bool has_live() const;
    [[nodiscard]] const FeePolicy& policy() const { return m_policy; }

  private:
    /// A job as the jobs behind it need it: a nonce below a defence is itself worth a defence.
    struct Stake {
        TxPurpose purpose;
        channel::U256 budget;
    };

    void look(Job& job, const ChainView& view, std::uint64_t now_ms);
    void reorged_out(Job& job, std::uint64_t now_ms);
    void settle(Job& job, const ChainView& view);
    void check_nonce(Job& job, const ChainView& view);
    void take_estimates(const ChainView& view, std::uint64_t now_ms);
    void maintain(Job& job, const Stake& stake, const ChainView& view, std::uint64_t now_ms);
    void start(Job& job, const ChainView& view, std::uint64_t now_ms);
    [[nodiscard]] bool ready(Job& job, std::uint64_t now_ms);
    void settle_unsigned(Job& job, ChainFault fault, std::string detail = {});
    [[nodiscard]] bool add_variant(Job& job, const Fees& fees, TxPurpose purpose, std::uint64_t now_ms);
    [[nodiscard]] channel::U256 affordable(const Job& job, TxPurpose purpose) const;
    [[nodiscard]] channel::U256 committed(const Job* except) const;
    [[nodiscard]] std::uint64_t next_nonce(const ChainView& view) const;
    [[nodiscard]] std::map<std::string, Stake> stakes() const;
    void change(Job& job, JobStatus status, std::optional<ChainFault> fault, std::string detail = {});
    void note(Job& job, ChainFault fault, std::string detail = {});
    void broadcast(Job& job, const TxVariant& variant, std::uint64_t now_ms);
    void persist(const Job& job);
    void forget_oldest();

    TransactionSigner& m_signer;
    std::uint64_t m_chain_id;
    FeePolicy m_policy;
    std::map<std::string, Job> m_jobs;
    std::optional<channel::U256> m_balance;
    std::uint64_t m_head = 0;
    std::uint64_t m_next_sequence = 1;
    std::vector<TxAction> m_actions;
};

}  // namespace hedgerow::wallet
