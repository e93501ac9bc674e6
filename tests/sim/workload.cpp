#include <fmt/format.h>

#include "channel/machine/apply.h"
#include "tests/sim/world.h"

/// What users do.
namespace hedgerow::sim {

namespace {

constexpr channel::Int128 kUsd = 1'000'000;
constexpr channel::Int128 kMilliEther = 1'000'000'000'000'000;

Amount usd(std::uint64_t amount) {
    return Amount::from_raw(static_cast<channel::Int128>(amount) * kUsd);
}

}  // namespace

std::string World::fresh_ref(const char* kind) {
    return fmt::format("{}-{}", kind, ++m_sequence);
}

// --- openings
// ---------------------------------------------------------------------------------------------------------------

void World::set_up() {
    for (std::size_t i = 0; i < m_nodes.size(); ++i) {
        if (!node(i).start()) return fail("a fresh node does not start: " + node(i).fatal());
    }
    for (const auto& one : m_towers) {
        if (!one->start()) return fail("a fresh tower does not start: " + one->fatal());
    }
    advance(2'000);
    for (std::size_t i = 1; i < m_nodes.size(); ++i) {
        node(i).node().connect_peer(node(0).uri(), [](const daemon::Result<daemon::PeerInfo>&) {});
    }
    advance(2'000);
    for (std::size_t i = 0; i < m_nodes.size() && !m_towers.empty(); ++i) join_towers(i);
    for (std::size_t i = 1; i < m_nodes.size(); ++i) open_line(0, i);
    const bool opened = advance_until(240'000, [this] {
        if (m_lines.size() + 1 < m_nodes.size()) return false;
        for (const Line& line : m_lines) {
            for (const std::size_t side : {line.hub, line.client}) {
                const channel::Channel* c = channel_at(side, line.id);
                if (c == nullptr || c->status != channel::Status::open || !c->connected) return false;
                for (std::size_t asset = 0; asset < 2; ++asset) {
                    if (c->funds_seen.deposit_a[asset].is_zero() || c->funds_seen.deposit_b[asset].is_zero())
                        return false;
                    if (c->funds_peer.deposit_a[asset].is_zero() || c->funds_peer.deposit_b[asset].is_zero())
                        return false;
                }
            }
        }
        return true;
    });
    if (!opened) {
        if (m_verdict.failures().empty()) fail("the channels do not open without any fault");
        return;
    }
    for (Line& line : m_lines) {
        const channel::Channel* c = channel_at(line.client, line.id);
        line.terms = c->terms;
        line.secret = c->secret;
        line.opener = c->me;
        use_towers(line);
    }
}

void World::open_line(std::size_t hub, std::size_t client) {
    daemon::OpenOrder order;
    order.peer = node(hub).id();
    order.deposits.push_back({0, usd(m_random.between(20'000, 60'000))});
    order.deposits.push_back({1, Amount::from_raw(static_cast<channel::Int128>(m_random.between(2'000, 9'000)) * kMilliEther)});
    order.client_ref = fresh_ref("open");
    node(client).node().open_channel(order, [this, hub, client](const daemon::Result<daemon::OpenedChannel>& opened) {
        if (!opened) return fail("opening refused: " + opened.error().name);
        note("open");
        m_trace.line(node(client).name(), "opened {}", channel::to_hex(opened->id).substr(0, 10));
        Line line;
        line.id = opened->id;
        line.hub = hub;
        line.client = client;
        m_lines.push_back(std::move(line));
        for (std::size_t asset = 0; asset < 2; ++asset) {
            const Amount amount = asset == 0 ? usd(m_random.between(20'000, 60'000))
                                             : Amount::from_raw(static_cast<channel::Int128>(m_random.between(2'000, 9'000)) * kMilliEther);
            node(hub).node().deposit(opened->id, asset, amount, fresh_ref("deposit"),
                                     [](const daemon::Result<channel::TxHash>&) {});
        }
    });
}

// --- what goes on
// ----------------------------------------------------------------------------------------------------------

void World::act_later() {
    m_queue.after(m_random.between(1, 2 * m_scenario.mean_action_ms), [this] {
        if (!m_active) return;
        act();
        act_later();
    });
}

void World::act() {
    Line& line = m_lines[m_random.below(m_lines.size())];
    const std::size_t who = m_random.chance(500) ? line.hub : line.client;
    if (is_liar(who) && channel_at(who, line.id) != nullptr && line.saved.size() < 20) {
        line.saved.push_back(channel_at(who, line.id)->agreed);
    }
    if (!node(who).running() || channel_at(who, line.id) == nullptr) return;
    const std::uint64_t dice = m_random.below(1'000);
    if (dice < 550) return pay(line, who);
    if (dice < 650) return retry_payments();
    if (dice < 720) return invoice(line, who);
    if (dice < 800) return swap(line, who);
    if (dice < 920) return m_scenario.trading ? trade(line, who) : pay(line, who);
    if (dice < 950) return fund(line, who);
    if (dice < 985) return withdraw(line, who);
    if (m_scenario.faults.contains("end")) end_line(line, who, m_random.chance(500));
}

void World::pay(Line& line, std::size_t payer) {
    Payment payment;
    payment.payer = payer;
    payment.channel = line.id;
    payment.asset = m_random.below(2);
    payment.amount = payment.asset == 0
                         ? Amount::from_raw(static_cast<channel::Int128>(m_random.between(1, 3'000'000'000)))
                         : Amount::from_raw(static_cast<channel::Int128>(m_random.between(1, 500)) * kMilliEther);
    payment.ref = fresh_ref("pay");
    m_payments.push_back(payment);
    m_checkers->on_payment_asked(payment.ref, node(payer).id(), line.id);
    const std::size_t burst = m_random.chance(100) ? m_random.between(2, 20) : 0;
    ask(m_payments.size() - 1);
    for (std::size_t i = 0; i < burst; ++i) {
        payment.ref = fresh_ref("pay");
        m_payments.push_back(payment);
        m_checkers->on_payment_asked(payment.ref, node(payer).id(), line.id);
        ask(m_payments.size() - 1);
    }
}

void World::ask(std::size_t index) {
    Payment& payment = m_payments[index];
    SimNode& payer = node(payment.payer);
    if (!payer.running() || payment.over) return;
    payment.asked_epoch = payer.epoch();
    payment.waiting = true;
    note("pay");
    payer.payments().pay(payment.channel, payment.asset, payment.amount, payment.ref, payment.ref,
                         [this, index](const daemon::Result<daemon::PaymentResult>& result) {
                             Payment& p = m_payments[index];
                             p.waiting = false;
                             if (result) {
                                 p.over = true;
                                 const std::string& id = result->id;  // channel-version-index
                                 const std::size_t from = id.find('-') + 1;
                                 m_checkers->on_payment_done(p.ref, std::stoull(id.substr(from)));
                                 m_trace.line(node(p.payer).name(), "paid {} ({})", p.ref, id);
                             } else if (result.error().outcome == rpc::Outcome::not_done) {
                                 p.over = true;
                                 m_checkers->on_payment_refused(p.ref);
                                 m_trace.line(node(p.payer).name(), "refused {}: {}", p.ref, result.error().name);
                             } else {
                                 m_trace.line(node(p.payer).name(), "unknown {}: {}", p.ref, result.error().name);
                             }
                         });
}

void World::retry_payments() {
    for (std::size_t i = 0; i < m_payments.size(); ++i) {
        const Payment& p = m_payments[i];
        if (p.over || !node(p.payer).running()) continue;
        if (p.waiting && p.asked_epoch == node(p.payer).epoch()) continue;
        note("pay again");
        ask(i);
    }
}

void World::invoice(Line& line, std::size_t payer) {
    const std::size_t payee = payer == line.hub ? line.client : line.hub;
    if (!node(payee).running()) return;
    const auto made = node(payee).payments().create(node(payee).node().options().assets[0].token,
                                                    usd(m_random.between(1, 500)), "invoice", 600);
    if (!made) return;
    note("invoice");
    m_checkers->on_invoice(made->invoice.hash, node(payee).id());
    node(payer).payments().pay_invoice(made->invoice, made->invoice.amount, fresh_ref("invoice"),
                                       [this, payer](const daemon::Result<daemon::PaymentResult>& result) {
                                           m_trace.line(node(payer).name(), "invoice {}",
                                                        result ? result->status : result.error().name);
                                       });
}

void World::swap(Line& line, std::size_t taker) {
    daemon::SwapAsk wanted;
    wanted.give_asset = m_random.below(2);
    wanted.take_asset = 1 - wanted.give_asset;
    wanted.give = wanted.give_asset == 0 ? usd(m_random.between(10, 1'000))
                                         : Amount::from_raw(static_cast<channel::Int128>(m_random.between(1, 300)) * kMilliEther);
    note("swap");
    node(taker).market().ask_swap(line.id, wanted, [this, taker, epoch = node(taker).epoch()](
                                                       const daemon::Result<daemon::QuoteInfo>& quote) {
        if (!quote || !node(taker).running() || node(taker).epoch() != epoch) return;
        node(taker).market().accept(quote->id, fresh_ref("swap"), [this, taker](const auto& done) {
            m_trace.line(node(taker).name(), "swap {}", done ? "done" : done.error().name);
        });
    });
}

void World::trade(Line& line, std::size_t taker) {
    const auto lots = static_cast<channel::Int128>(m_random.between(1, 400));
    const auto quantity = channel::Quantity::from_raw((m_random.chance(500) ? 1 : -1) * lots * 100'000);
    note("trade");
    node(taker).market().ask_trade(
        line.id, Oracles::perpetual(), quantity,
        [this, taker, epoch = node(taker).epoch()](const daemon::Result<daemon::QuoteInfo>& quote) {
            if (!quote || !node(taker).running() || node(taker).epoch() != epoch) return;
            node(taker).market().accept(quote->id, fresh_ref("trade"), [this, taker](const auto& done) {
                m_trace.line(node(taker).name(), "trade {}", done ? "done" : done.error().name);
            });
        });
}

void World::fund(Line& line, std::size_t who) {
    const std::size_t asset = m_random.below(2);
    const Amount amount = asset == 0 ? usd(m_random.between(100, 5'000))
                                     : Amount::from_raw(static_cast<channel::Int128>(m_random.between(1, 900)) * kMilliEther);
    note("deposit");
    node(who).node().deposit(line.id, asset, amount, fresh_ref("deposit"), [this, who](const auto& tx) {
        m_trace.line(node(who).name(), "deposit {}", tx ? "sent" : tx.error().name);
    });
}

void World::withdraw(Line& line, std::size_t who) {
    const std::size_t asset = m_random.below(2);
    const Amount amount = asset == 0 ? usd(m_random.between(100, 5'000))
                                     : Amount::from_raw(static_cast<channel::Int128>(m_random.between(1, 900)) * kMilliEther);
    note("withdraw");
    node(who).node().withdraw(line.id, asset, amount, fresh_ref("withdraw"), [this, who](const auto& tx) {
        m_trace.line(node(who).name(), "withdraw {}", tx ? "sent" : tx.error().name);
    });
}

void World::end_line(Line& line, std::size_t who, bool force) {
    note(force ? "force close" : "close");
    m_trace.line(node(who).name(), "{} {}", force ? "forces" : "closes", channel::to_hex(line.id).substr(0, 10));
    line.ending = true;
    const auto done = [this, who](const daemon::Result<channel::TxHash>& tx) {
        m_trace.line(node(who).name(), "ending: {}", tx ? "sent" : tx.error().name);
    };
    if (force) {
        node(who).node().force_close(line.id, fresh_ref("force"), done);
    } else {
        node(who).node().close(line.id, fresh_ref("close"), done);
    }
}

}  // namespace hedgerow::sim
