#include "daemon/tower/tower_fees.h"

#include "daemon/store/failpoint.h"
#include "daemon/store/tower_store.h"

namespace hedgerow::daemon {

void TowerFees::resume() {
    if (!m_fee.sold()) return;
    for (const TowerPayment& payment : uncredited_payments(m_node.reader)) credit(payment);
}

void TowerFees::on_agreed(const channel::Channel& channel, const channel::OpAgreed& op) {
    const auto* pay = std::get_if<channel::PayOp>(&op.entry.op);
    if (pay == nullptr || !m_fee.sold() || std::string_view(pay->memo) != channel::kTowerMemo) return;
    const channel::Party payer = pay->amount.sign() > 0 ? channel::Party::A : channel::Party::B;
    if (payer == channel.me || !m_fee.counts(pay->amount.abs())) return;
    if (channel.terms.assets[pay->asset].token != m_fee.token) {
        LOG_WARN("a tower's fee was paid in another asset", {"channel", channel.id}, {"version", op.version});
        return;
    }
    const TowerPayment payment{channel.id, op.version, op.index, channel.peer, pay->amount.abs()};
    m_node.outbox.persist([payment](Database& db) { put_uncredited(db, payment); });
    m_node.outbox.when_durable([this, payment] { credit(payment); });
}

void TowerFees::credit(const TowerPayment& payment) {
    failpoint("tower.paid");
    m_tower.outbox.persist([payment, fee = m_fee, now_ms = m_tower.now_ms](Database& db) {
        credit_payment(db, payment, fee, now_ms);
        failpoint("tower.credit");
    });
    m_tower.outbox.when_durable([this, payment] {
        LOG_INFO("a tower's fee", {"client", payment.client}, {"channel", payment.channel},
                 {"version", payment.version});
        failpoint("tower.credited");
        m_node.outbox.persist([payment](Database& db) { delete_uncredited(db, payment); });
        m_credited(payment.client);
    });
}

}  // namespace hedgerow::daemon
