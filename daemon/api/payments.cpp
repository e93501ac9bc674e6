#include "daemon/api/payments.h"

#include <sodium.h>

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
    return to_hex(channel).substr(0, 18) + "-" + std::to_string(version) + "-" + std::to_string(index);
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
    if (channel == nullptr) return done(Unexpected{fault(Rule::channel_unknown)});
    const PayOp op{static_cast<std::uint8_t>(asset), channel->me == Party::A ? amount : -amount, Text<kMaxMemo>(std::string_view(memo))};
    m_node.submit_op(id, op, ref, [id, asset, amount, done = std::move(done)](Result<OpDone> op_done) {
        if (!op_done) return done(Unexpected{op_done.error()});
        done(PaymentResult{payment_id(id, op_done->version, op_done->index), "done", id, asset, amount, op_done->timestamp_ms});
    });
}

Result<ChannelId> Payments::find_channel(const NodeId& peer, const Address& token, Amount amount) const {
    const Context at = m_node.context();
    Fault best = rpc::from_node_error(rpc::NodeError::payment_no_route);
    for (const Channel* channel : m_node.channels()) {
        if (channel->peer != peer || channel->status != Status::open) continue;
        for (std::size_t i = 0; i < channel->terms.assets.size(); ++i) {
            if (channel->terms.assets[i].token != token) continue;
            if (!channel->connected) {
                best = fault(Rule::peer_disconnected);
            } else if (available_of(at, *channel, channel->tip, channel->me, i) < amount) {
                best = fault(Rule::insufficient_balance);
            } else {
                return channel->id;
            }
        }
    }
    return Unexpected{best};
}

void Payments::pay_invoice(const Invoice& invoice, Amount amount, const ClientRef& ref, Answer<PaymentResult> done) {
    const std::uint64_t now = m_node.now_ms();
    if (invoice.chain_id != m_node.options().chain_id) return done(Unexpected{fault(Rule::wrong_chain)});
    if (now >= invoice.expires_ms) return done(Unexpected{fault(Rule::invoice_expired)});
    if (m_waiting.contains(invoice.hash)) return done(Unexpected{fault(Rule::lock_duplicate)});
    const auto id = find_channel(invoice.payee, invoice.token, amount);
    if (!id) return done(Unexpected{id.error()});
    const Channel& channel = *m_node.find(*id);
    std::size_t asset = 0;
    while (channel.terms.assets[asset].token != invoice.token) ++asset;
    const Lock lock{invoice.hash, now / 1000 + kLockSeconds, static_cast<std::uint8_t>(asset), channel.me == Party::A ? amount : -amount};
    const LockHash hash = invoice.hash;
    m_waiting[hash] = {{to_hex(hash), "pending", *id, asset, amount, now}, std::move(done), m_node.steady_ms() + kInvoiceWaitMs};
    m_node.submit_op(*id, LockOp{lock}, ref, [this, hash](const Result<OpDone>& locked) {
        if (!locked) finish(hash, Unexpected{locked.error()});
    });
}

void Payments::finish(const LockHash& hash, Result<PaymentResult> result) {
    const auto it = m_waiting.find(hash);
    if (it == m_waiting.end()) return;
    const Answer<PaymentResult> done = std::move(it->second.done);
    m_waiting.erase(it);
    done(std::move(result));
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
        return finish(cancel->hash, Unexpected{fault(Rule::lock_expired)});
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
    if (const auto it = m_waiting.find(fulfil->hash); it != m_waiting.end()) {
        PaymentResult paid = it->second.payment;
        paid.status = "done";
        paid.id = payment_id(channel.id, op.version, op.index);
        paid.time_ms = op.timestamp_ms;
        finish(fulfil->hash, std::move(paid));
    }
}

void Payments::on_tick() {
    const std::uint64_t now_ms = m_node.steady_ms();
    std::vector<LockHash> late;
    for (const auto& [hash, waiting] : m_waiting) {
        if (now_ms >= waiting.until_ms) late.push_back(hash);
    }
    for (const LockHash& hash : late) finish(hash, m_waiting.at(hash).payment);
    if (m_again.empty() || now_ms < m_again_ms) return;
    m_again_ms = now_ms + kAnswerAgainMs;
    for (const ChannelId& id : std::exchange(m_again, {})) {
        if (const Channel* channel = m_node.find(id)) answer_locks(*channel);
    }
}

}  // namespace hedgerow::daemon
