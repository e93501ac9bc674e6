#pragma once

#include "daemon/api/payments.h"
#include "daemon/market/market.h"

namespace hedgerow::daemon {

/// What the node tells, to each who asked.
class Hooks final : public MarketHooks {
  public:
    Hooks(Market& market, Payments& payments) : m_market(market), m_payments(payments) {}
    std::vector<channel::Rule> judge(const channel::Channel& channel, std::span<const channel::OpEntry> ops, std::uint64_t now_ms) override {
        std::vector<channel::Rule> verdicts = m_market.judge(channel, ops, now_ms);
        m_payments.judge(channel, ops, verdicts);
        return verdicts;
    }
    [[nodiscard]] const channel::OwnPrices* prices() const override { return m_market.prices(); }
    void on_signed(const channel::Channel& channel, const channel::OpsAgreed& ops) override { m_market.on_signed(channel, ops); }
    void on_agreed(const channel::Channel& channel, const channel::OpAgreed& op) override {
        m_market.on_agreed(channel, op);
        m_payments.on_agreed(channel, op);
    }
    void on_state(const channel::Channel& channel) override { m_market.on_state(channel); }
    void on_status(const channel::Channel& channel) override {
        m_market.on_status(channel);
        m_payments.on_status(channel);
    }
    void on_funds(const channel::Channel& channel) override { m_market.on_funds(channel); }
    void on_market_message(const channel::Channel& channel, const channel::PeerMessage& message) override {
        m_market.on_market_message(channel, message);
    }
    void on_tick(std::uint64_t now_ms) override {
        m_market.on_tick(now_ms);
        m_payments.on_tick();
    }
    void on_halt(bool halted) override { m_market.on_halt(halted); }

  private:
    Market& m_market;
    Payments& m_payments;
};

}  // namespace hedgerow::daemon
