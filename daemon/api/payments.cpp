#include "daemon/api/payments.h"

#include <sodium.h>

#include <tuple>

#include "channel/crypto/keccak.h"
#include "channel/machine/apply.h"
#include "daemon/log/log.h"
#include "daemon/store/channel_store.h"
#include "wallet/keys/node_identity.h"
#include "wallet/signer/keyring.h"

namespace hedgerow::daemon {

using namespace channel;

namespace {

constexpr std::string_view kPrefix = "hrow1";
constexpr std::uint64_t kLockSeconds = 3'600;  ///< an invoice's lock outlives the wait for its preimage by far, and no close for long
constexpr std::string_view kSignatureDomain = "invoice";

Party payer_of(const Lock& lock) { return lock.amount.sign() > 0 ? Party::A : Party::B; }

Fault fault(Rule rule) { return rpc::from_rule(rule); }

}  // namespace

std::string payment_id(const ChannelId& channel, std::uint64_t version, std::uint16_t index) {
    return to_hex(channel.view().first(8)) + "-" + std::to_string(version) + "-" + std::to_string(index);
}

Expected<Invoice, Rule> parse_invoice(std::string_view text) {
    if (!text.starts_with(kPrefix)) return Unexpected{Rule::invoice_malformed};
    const std::string_view digits = text.substr(kPrefix.size());
    const auto bytes = digits.starts_with("0x") ? std::nullopt : from_hex(digits);
    if (!bytes || bytes->size() <= wallet::NodeSignature::kSize) return Unexpected{Rule::invoice_malformed};
    const ByteView body = ByteView(*bytes).first(bytes->size() - wallet::NodeSignature::kSize);
    const auto signature = *wallet::NodeSignature::from(ByteView(*bytes).last(wallet::NodeSignature::kSize));
    auto invoice = wire_decode<Invoice>(body);
    if (!invoice || invoice->amount.sign() < 0 || !invoice->amount.within_bits(kMarketBits)) return Unexpected{Rule::invoice_malformed};
    if (!wallet::verify_node_signature(invoice->payee, kSignatureDomain, body, signature)) return Unexpected{Rule::invoice_malformed};
    return invoice;
}

Payments::Payments(Node& node) : m_node(node) { load(); }

void Payments::load() {
    Query rows = m_node.reader().query("SELECT id, status FROM invoices ORDER BY created_ms");
    while (rows.step()) {
        const std::string text = rows.text(0);
        auto invoice = parse_invoice(text);
        if (!invoice) continue;
        const auto preimage = find_preimage(m_node.reader(), invoice->hash);
        if (!preimage) continue;
        m_owned[invoice->hash] = {{text, *invoice, static_cast<InvoiceStatus>(rows.int64(1))}, *preimage};
    }
}

void Payments::pay(const ChannelId& id, std::size_t asset, Amount amount, const std::string& memo, const ClientRef& ref,
                   Answer<PaymentResult> done) {
    const Channel* channel = m_node.find(id);
    if (channel == nullptr) return done(Unexpected{m_node.unknown_channel()});
    const PayOp op{static_cast<std::uint8_t>(asset), channel->me == Party::A ? amount : -amount, Text<kMaxMemo>(std::string_view(memo))};
    m_node.submit_op(id, op, ref, [id, asset, amount, done = std::move(done)](Result<OpDone> op_done) {
        if (!op_done) return done(Unexpected{op_done.error()});
        done(PaymentResult{payment_id(id, op_done->version, op_done->index), "done", id, asset, amount, op_done->timestamp_ms});
    });
}

Result<ChannelId> Payments::find_channel(const NodeId& peer, const Address& token, Amount amount) const {
    const Context at = m_node.context();
    Fault best = m_node.may_lack_channels() ? m_node.unknown_channel() : rpc::from_node_error(rpc::NodeError::payment_no_route);
    for (const Channel* channel : m_node.channels()) {
        if (channel->peer != peer || channel->status != Status::open) continue;
        for (std::size_t i = 0; i < channel->terms.assets.size(); ++i) {
            if (channel->terms.assets[i].token != token) continue;
            if (!channel->connected) {
                best = fault(Rule::peer_disconnected);
            } else if (available_of(at, *channel, channel->tip(), channel->me, i) < amount) {
                best = fault(Rule::insufficient_balance);
            } else {
                return channel->id;
            }
        }
    }
    return Unexpected{best};
}

/// The channel of a payment that was asked for under that reference before, perhaps by an earlier run, and was not refused.
std::optional<ChannelId> Payments::begun_in(const ClientRef& ref) const {
    const auto row = ref.empty() ? std::nullopt : m_node.find_client_ref(ref);
    if (!row || row->outcome == RefOutcome::refused || !row->channel || m_node.find(*row->channel) == nullptr) return std::nullopt;
    return row->channel;
}

void Payments::pay_invoice(const Invoice& invoice, Amount amount, const ClientRef& ref, Answer<PaymentResult> done) {
    const std::uint64_t now = m_node.now_ms();
    if (invoice.chain_id != m_node.options().chain_id) return done(Unexpected{fault(Rule::wrong_chain)});
    if (const auto live = m_waiting.find(invoice.hash); live != m_waiting.end()) {
        if (ref.empty() || live->second.ref != ref) return done(Unexpected{fault(Rule::lock_duplicate)});
        if (live->second.payment.amount != amount) return done(Unexpected{fault(Rule::client_ref_reused)});
        live->second.done.push_back(std::move(done));
        return;
    }
    const auto begun = begun_in(ref);
    if (!begun && now >= invoice.expires_ms) return done(Unexpected{fault(Rule::invoice_expired)});
    const auto id = begun ? Result<ChannelId>(*begun) : find_channel(invoice.payee, invoice.token, amount);
    if (!id) return done(Unexpected{id.error()});
    const Channel& channel = *m_node.find(*id);
    const auto& assets = channel.terms.assets;
    const auto listed = std::find_if(assets.begin(), assets.end(), [&](const Asset& a) { return a.token == invoice.token; });
    if (channel.peer != invoice.payee || listed == assets.end()) return done(Unexpected{fault(Rule::client_ref_reused)});
    const auto asset = static_cast<std::size_t>(listed - assets.begin());
    const Lock lock{invoice.hash, now / 1000 + kLockSeconds, static_cast<std::uint8_t>(asset), channel.me == Party::A ? amount : -amount};
    const LockHash hash = invoice.hash;
    m_waiting[hash] = {{to_hex(hash), "pending", *id, asset, amount, now}, ref, {std::move(done)}, m_node.steady_ms() + kInvoiceWaitMs};
    m_node.submit_op(*id, LockOp{lock}, ref, [this, hash](const Result<OpDone>& done_op) {
        if (!done_op) return finish(hash, Unexpected{done_op.error()});
        locked(hash, {done_op->version, done_op->index});
    });
}

bool look_for_end(const LockHash& hash, const HistoryCursor& lock, std::span<const HistoryItem> page, std::optional<HistoryItem>& end) {
    for (const HistoryItem& item : page) {
        if (std::tie(item.version, item.index) <= std::tie(lock.version, lock.index)) return true;
        const auto* fulfil = std::get_if<FulfilOp>(&item.entry.op);
        const auto* cancel = std::get_if<CancelOp>(&item.entry.op);
        const bool ends = (fulfil != nullptr && fulfil->hash == hash) || (cancel != nullptr && cancel->hash == hash);
        if (ends && item.agreed) end = item;
    }
    return false;
}

/// Both have signed the lock. Where it was asked for before, what became of it may lie in the past as well.
void Payments::locked(const LockHash& hash, const HistoryCursor& lock) {
    constexpr std::size_t kLook = 1'000;
    const auto it = m_waiting.find(hash);
    if (it == m_waiting.end()) return;
    PaymentResult at = it->second.payment;
    std::optional<HistoryItem> end;
    HistoryCursor cursor;
    for (;;) {
        const auto page = m_node.history(at.channel, cursor, kLook);
        if (!page) return;  // then it is reported as pending
        if (look_for_end(hash, lock, *page, end) || page->size() < kLook) break;
        cursor = {page->back().version, page->back().index};
    }
    if (!end) return;
    at.id = payment_id(at.channel, end->version, end->index);
    at.time_ms = end->timestamp_ms;
    (void)resolve(hash, end->entry.op, at);
}

/// Whether that op, which both have signed, ends the payment; `at`: as what it was paid then.
bool Payments::resolve(const LockHash& hash, const Op& op, const PaymentResult& at) {
    if (const auto* cancel = std::get_if<CancelOp>(&op); cancel != nullptr && cancel->hash == hash) {
        finish(hash, Unexpected{fault(Rule::lock_expired)});
        return true;
    }
    const auto* fulfil = std::get_if<FulfilOp>(&op);
    if (fulfil == nullptr || fulfil->hash != hash) return false;
    PaymentResult paid = at;
    paid.status = "done";
    finish(hash, paid);
    return true;
}

void Payments::finish(const LockHash& hash, const Result<PaymentResult>& result) {
    const auto it = m_waiting.find(hash);
    if (it == m_waiting.end()) return;
    const std::vector<Answer<PaymentResult>> waiting = std::move(it->second.done);
    m_waiting.erase(it);
    for (const auto& done : waiting) done(result);
}

Result<OwnInvoice> Payments::create(const Address& token, Amount amount, const std::string& memo, std::uint64_t expiry_s) {
    if (m_node.wallet_locked()) return Unexpected{fault(Rule::wallet_locked)};
    const auto open = std::count_if(m_owned.begin(), m_owned.end(), [](const auto& o) { return o.second.invoice.status == InvoiceStatus::open; });
    if (static_cast<std::size_t>(open) >= kMaxOpenInvoices) return Unexpected{fault(Rule::queue_full)};
    Owned owned;
    randombytes_buf(owned.preimage.data.data(), owned.preimage.data.size());
    Invoice& invoice = owned.invoice.invoice;
    invoice.payee = m_node.info().node_id;
    invoice.chain_id = m_node.options().chain_id;
    invoice.token = token;
    invoice.amount = amount;
    invoice.hash.data = keccak256(owned.preimage.view()).data;
    invoice.created_ms = m_node.now_ms();
    invoice.expires_ms = invoice.created_ms + expiry_s * 1000;
    invoice.memo = Text<kMaxMemo>(std::string_view(memo));
    const Bytes body = wire_encode(invoice);
    Bytes whole = body;
    append(whole, m_node.keyring()->identity().sign(kSignatureDomain, body).view());
    owned.invoice.text = std::string(kPrefix) + to_hex(whole).substr(2);
    m_node.persist([text = owned.invoice.text, invoice, body, preimage = owned.preimage](Database& db) {
        put_preimage(db, invoice.hash, preimage);
        db.run("INSERT INTO invoices (id, body, status, created_ms) VALUES (?, ?, 0, ?)", text, body, invoice.created_ms);
    });
    m_owned[invoice.hash] = owned;
    return owned.invoice;
}

std::vector<const OwnInvoice*> Payments::invoices() const {
    std::vector<const OwnInvoice*> out;
    for (const auto& [hash, owned] : m_owned) out.push_back(&owned.invoice);
    std::sort(out.begin(), out.end(), [](const auto* a, const auto* b) { return a->invoice.created_ms < b->invoice.created_ms; });
    return out;
}

Rule judge_invoice_lock(const Terms& terms, const Lock& lock, const OwnInvoice* own, std::uint64_t now_ms) {
    if (own == nullptr || lock.asset >= terms.assets.size()) return Rule::lock_unexplained;
    const Invoice& invoice = own->invoice;
    if (terms.assets[lock.asset].token != invoice.token || lock.amount.abs() < invoice.amount) return Rule::lock_unexplained;
    if (own->status == InvoiceStatus::paid) return Rule::invoice_paid;
    return now_ms < invoice.expires_ms ? Rule::none : Rule::invoice_expired;
}

void Payments::judge(const Channel& channel, std::span<const OpEntry> ops, std::vector<Rule>& verdicts) const {
    for (std::size_t i = 0; i < ops.size(); ++i) {
        const auto* op = std::get_if<LockOp>(&ops[i].op);
        if (op == nullptr || verdicts[i] != Rule::none || ops[i].origin() == channel.me) continue;
        const auto own = m_owned.find(op->lock.hash);
        verdicts[i] = judge_invoice_lock(channel.terms, op->lock, own == m_owned.end() ? nullptr : &own->second.invoice, m_node.now_ms());
        // The answer to an earlier one is agreed, but its turn is not stored yet: whether that paid the invoice shows only then.
        if (verdicts[i] == Rule::none && m_answering.contains({channel.id, op->lock.hash})) verdicts[i] = Rule::lock_duplicate;
    }
}

/// A lock that pays one of our open invoices is fulfilled, for when it was taken the invoice had not expired; any other is let go, so that
/// the payer need not wait for its expiry.
void Payments::answer_lock(const Channel& channel, const Lock& lock) {
    if (payer_of(lock) == channel.me || !m_answering.emplace(channel.id, lock.hash).second) return;
    const auto it = m_owned.find(lock.hash);
    const bool known = it != m_owned.end() && judge_invoice_lock(channel.terms, lock, &it->second.invoice, 0) == Rule::none;
    const Op answer = known ? Op(FulfilOp{lock.hash, it->second.preimage}) : Op(CancelOp{lock.hash});
    m_node.submit_op(channel.id, answer, [this, id = channel.id, hash = lock.hash](Rule rule) {
        LOG_WARN("lock not resolved", {"channel", id}, {"rule", rule});
        m_answering.erase({id, hash});
        m_again.insert(id);
    });
}

void Payments::answer_locks(const Channel& channel) {
    if (channel.status != Status::open || !channel.connected) return;
    const ChannelState& state = channel.agreed.state;
    for (const LockEntry& entry : state.locks) answer_lock(channel, entry.lock);
}

void Payments::on_status(const Channel& channel) { answer_locks(channel); }

void Payments::on_agreed(const Channel& channel, const OpAgreed& op) {
    if (const auto* lock = std::get_if<LockOp>(&op.entry.op)) {
        return answer_lock(channel, lock->lock);
    }
    if (const auto* cancel = std::get_if<CancelOp>(&op.entry.op)) {
        m_answering.erase({channel.id, cancel->hash});
        (void)resolve(cancel->hash, op.entry.op, {});
        return;
    }
    const auto* fulfil = std::get_if<FulfilOp>(&op.entry.op);
    if (fulfil == nullptr) return;
    m_answering.erase({channel.id, fulfil->hash});
    if (const auto it = m_owned.find(fulfil->hash); it != m_owned.end() && op.entry.origin() == channel.me) {
        it->second.invoice.status = InvoiceStatus::paid;
        m_node.persist([text = it->second.invoice.text, id = channel.id, version = op.version, index = op.index](Database& db) {
            db.run("UPDATE invoices SET status = 1, paid_channel = ?, paid_version = ?, paid_op = ? WHERE id = ?", id, version,
                   static_cast<std::int64_t>(index), text);
        });
    }
    const auto it = m_waiting.find(fulfil->hash);
    if (it == m_waiting.end()) return;
    PaymentResult paid = it->second.payment;
    paid.id = payment_id(channel.id, op.version, op.index);
    paid.time_ms = op.timestamp_ms;
    (void)resolve(fulfil->hash, op.entry.op, paid);
}

void Payments::on_tick() {
    const std::uint64_t now_ms = m_node.steady_ms();
    std::vector<LockHash> late;
    for (const auto& [hash, waiting] : m_waiting) {
        if (now_ms >= waiting.until_ms) late.push_back(hash);
    }
    for (const LockHash& hash : late) {
        const PaymentResult pending = m_waiting.at(hash).payment;
        finish(hash, pending);
    }
    if (m_again.empty() || now_ms < m_again_ms) return;
    m_again_ms = now_ms + kAnswerAgainMs;
    for (const ChannelId& id : std::exchange(m_again, {})) {
        if (const Channel* channel = m_node.find(id)) answer_locks(*channel);
    }
}

}  // namespace hedgerow::daemon
