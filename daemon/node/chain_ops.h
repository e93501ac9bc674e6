#pragma once

#include "daemon/node/channel_manager.h"
#include "daemon/node/node_parts.h"
#include "daemon/store/channel_store.h"

namespace hedgerow::daemon {

class Disputes;
class Openings;

/// What users want done on chain: deposits, withdrawals, closes, transfers. References make each of them happen once.
class ChainOps {
  public:
    ChainOps(NodeParts& parts, Openings& openings, Disputes& disputes)
        : m_parts(parts), m_openings(openings), m_disputes(disputes) {}

    /// Deposits of openings that a stop interrupted.
    void resume();

    void open_channel(const OpenOrder& order, Answer<OpenedChannel> done);
    void deposit(const channel::ChannelId& id, std::size_t asset_index, channel::Amount amount, const ClientRef& ref,
                 Answer<channel::TxHash> done);
    void withdraw(const channel::ChannelId& id, std::size_t asset_index, channel::Amount amount, const ClientRef& ref,
                  Answer<channel::TxHash> done);
    void close(const channel::ChannelId& id, const ClientRef& ref, Answer<channel::TxHash> done);
    void force_close(const channel::ChannelId& id, Answer<channel::TxHash> done);
    void send(const channel::Address& to, std::size_t asset, channel::Amount amount, const ClientRef& ref,
              Answer<channel::TxHash> done);
    void balance(Answer<std::vector<WalletBalance>> done);

  private:
    struct Deposit {
        std::uint8_t asset = 0;
        channel::Amount amount;
        static constexpr auto fields() {
            using channel::field;
            return std::make_tuple(field("asset", &Deposit::asset), field("amount", &Deposit::amount));
        }
    };
    using Deposits = channel::List<Deposit, channel::kMaxAssets>;

    /// 1 to 64 printable characters; true where the reference may be used.
    [[nodiscard]] static bool valid_ref(const ClientRef& ref);
    [[nodiscard]] std::string fresh_id(std::string_view what, const ClientRef& ref);
    [[nodiscard]] const channel::Channel* usable(const channel::ChannelId& id, channel::Rule& rule) const;
    void opened(const channel::ChannelId& id, const Deposits& deposits, const ClientRef& ref,
                Answer<OpenedChannel> done);
    void deposit_all(const channel::ChannelId& id, const Deposits& deposits, Answer<channel::TxHash> first);
    void deposit_job(const std::string& job, const channel::ChannelId& id, std::uint8_t asset, channel::Amount amount,
                     Answer<channel::TxHash> done);
    void with_allowance(const channel::Address& token, channel::Amount amount,
                        std::function<void(Result<std::string>)> ready);
    void approve(const channel::Address& token, std::function<void(Result<std::string>)> ready);
    void submit(const std::string& id, const channel::Address& to, channel::Bytes data, const channel::U256& value,
                const std::string& after, Answer<channel::TxHash> done);
    /// Answers from what the reference did before, or notes that it is under way; true where there is nothing to do.
    [[nodiscard]] bool answered_before(const ClientRef& ref, const char* kind, const channel::Hash& request,
                                       const Answer<channel::TxHash>& done);
    [[nodiscard]] channel::WithdrawOp fresh_withdrawal(const channel::Channel& channel, std::uint8_t asset,
                                                       channel::Amount amount) const;
    [[nodiscard]] std::optional<channel::WithdrawOp> begun_withdrawal(const channel::Channel& channel,
                                                                      const ClientRef& ref) const;
    void note_withdrawal(const ClientRef& ref, const channel::Hash& request, const channel::ChannelId& id,
                         RefOutcome outcome, const channel::WithdrawOp& op);
    void answer_durably(const ClientRef& ref, std::function<void()> answer);
    void finish_ref(const ClientRef& ref, const char* kind, const channel::Hash& request, const channel::ChannelId& id,
                    channel::TxHash tx);

    NodeParts& m_parts;
    Openings& m_openings;
    Disputes& m_disputes;
    std::uint64_t m_counter = 0;
    std::map<ClientRef, channel::Hash>
        m_under_way;  ///< references of withdrawals, closes and openings without an answer yet
    std::multimap<channel::Address, std::function<void(Result<std::string>)>> m_approving;
};

}  // namespace hedgerow::daemon
