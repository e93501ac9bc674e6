#pragma once

#include <map>
#include <optional>
#include <set>
#include <span>

#include "daemon/node/node.h"

namespace hedgerow::daemon {

/// What a payee asks for. The text is "hrow1" and the hex of the wire encoding with the payee's Ed25519 signature behind it.
struct Invoice {
    channel::NodeId payee;
    std::uint64_t chain_id = 0;
    channel::Address token;
    channel::Amount amount;  ///< zero: the payer chooses
    channel::LockHash hash;
    std::uint64_t created_ms = 0;
    std::uint64_t expires_ms = 0;
    channel::Text<channel::kMaxMemo> memo;
    static constexpr auto fields() {
        using channel::field;
        return std::make_tuple(field("payee", &Invoice::payee), field("chainId", &Invoice::chain_id), field("token", &Invoice::token),
                               field("amount", &Invoice::amount), field("hash", &Invoice::hash), field("created", &Invoice::created_ms),
                               field("expires", &Invoice::expires_ms), field("memo", &Invoice::memo));
    }
};

/// invoice_malformed for anything but the exact text of an invoice whose payee signed it.
[[nodiscard]] channel::Expected<Invoice, channel::Rule> parse_invoice(std::string_view text);

enum class InvoiceStatus : std::uint8_t { open, paid };
struct OwnInvoice {
    std::string text;
    Invoice invoice;
    InvoiceStatus status = InvoiceStatus::open;
};

/// Whether a lock that pays us is one that our invoice asked for: Rule::none; lock_unexplained where none did (null), or where asset or amount
/// are not what it says; invoice_paid; invoice_expired (spec 5.10).
[[nodiscard]] channel::Rule judge_invoice_lock(const channel::Terms& terms, const channel::Lock& lock, const OwnInvoice* invoice,
                                               std::uint64_t now_ms);

/// Looks for the op that ended the lock `hash` of `lock`, among what came after it: one page of the channel's history, newest first. A lock
/// of the same hash can come and end later, so it is the first end behind the lock that counts: `end` is the earliest seen so far. True
/// once the lock itself is reached, and `end` is final.
[[nodiscard]] bool look_for_end(const channel::LockHash& hash, const HistoryCursor& lock, std::span<const HistoryItem> page,
                                std::optional<HistoryItem>& end);

struct PaymentResult {
    std::string id;
    std::string_view status;  ///< "done", "pending"
    channel::ChannelId channel;
    std::size_t asset = 0;
    channel::Amount amount;
    std::uint64_t time_ms = 0;
};

/// Payments to the peer of a channel: at once (`pay`), or against an invoice (`lock`, then the payee's `fulfil`).
class Payments {
  public:
    static constexpr std::size_t kMaxOpenInvoices = 100'000;
    static constexpr std::uint64_t kAnswerAgainMs = 5'000;  ///< a lock whose fulfilment or cancellation was refused
    static constexpr std::uint64_t kInvoiceWaitMs = 20'000;  ///< for the preimage; after it the payment is reported pending

    explicit Payments(Node& node);

    void pay(const channel::ChannelId& id, std::size_t asset, channel::Amount amount, const std::string& memo, const ClientRef& ref,
             Answer<PaymentResult> done);
    /// The same reference for the same invoice and amount is the same payment, across restarts and past its expiry.
    void pay_invoice(const Invoice& invoice, channel::Amount amount, const ClientRef& ref, Answer<PaymentResult> done);
    /// An open, connected channel with that peer which can pay so much; the error says what is in the way.
    [[nodiscard]] Result<channel::ChannelId> find_channel(const channel::NodeId& peer, const channel::Address& token, channel::Amount amount) const;

    [[nodiscard]] Result<OwnInvoice> create(const channel::Address& token, channel::Amount amount, const std::string& memo, std::uint64_t expiry_s);
    [[nodiscard]] std::vector<const OwnInvoice*> invoices() const;  ///< oldest first

    /// The verdict on locks towards us among a peer's ops, where there is none yet.
    void judge(const channel::Channel& channel, std::span<const channel::OpEntry> ops, std::vector<channel::Rule>& verdicts) const;
    /// Locks that a stop, or the loss of the peer, left unanswered are answered.
    void on_status(const channel::Channel& channel);
    /// Every op that both have signed: locks that pay an invoice are fulfilled, others let go.
    void on_agreed(const channel::Channel& channel, const channel::OpAgreed& op);
    void on_tick();

  private:
    struct Waiting {
        PaymentResult payment;
        ClientRef ref;
        std::vector<Answer<PaymentResult>> done;
        std::uint64_t until_ms = 0;
    };
    struct Owned {
        OwnInvoice invoice;
        channel::Preimage preimage;
    };
    void load();
    void answer_locks(const channel::Channel& channel);
    void answer_lock(const channel::Channel& channel, const channel::Lock& lock);
    [[nodiscard]] std::optional<channel::ChannelId> begun_in(const ClientRef& ref) const;
    void locked(const channel::LockHash& hash, const HistoryCursor& lock);
    [[nodiscard]] bool resolve(const channel::LockHash& hash, const channel::Op& op, const PaymentResult& at);
    void finish(const channel::LockHash& hash, const Result<PaymentResult>& result);

    Node& m_node;
    std::map<channel::LockHash, Owned> m_owned;
    std::map<channel::LockHash, Waiting> m_waiting;
    std::set<std::pair<channel::ChannelId, channel::LockHash>> m_answering;  ///< locks whose fulfilment or cancellation is under way
    std::set<channel::ChannelId> m_again;                                    ///< where one was refused
    std::uint64_t m_again_ms = 0;
};

[[nodiscard]] std::string payment_id(const channel::ChannelId& channel, std::uint64_t version, std::uint16_t index);

}  // namespace hedgerow::daemon
