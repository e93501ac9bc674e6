#include "daemon/node/enforcer.h"
#include "wallet/chain/eth_client.h"

namespace hedgerow::daemon {

namespace {

/// Calls of the contract's views; the first failure sticks.
class Views {
  public:
    Views(wallet::EthClient& client, const channel::Address& contract) : m_client(client), m_contract(contract) {}

    template <typename T>
    T ask(channel::Bytes data, wallet::ChainExpected<T> (*read)(channel::ByteView)) {
        if (m_failed) return T{};
        wallet::CallRequest request;
        request.to = m_contract;
        request.data = std::move(data);
        const auto answer = m_client.call(request);
        auto value = answer ? read(*answer) : channel::Unexpected{answer.error()};
        if (!value) m_failed = true;
        return value ? *value : T{};
    }
    void fail() { m_failed = true; }
    [[nodiscard]] bool failed() const { return m_failed; }

  private:
    wallet::EthClient& m_client;
    const channel::Address& m_contract;
    bool m_failed = false;
};

}  // namespace

DisputeLook look_at_dispute(wallet::EthClient& client, const channel::Address& contract, const channel::ChannelId& id,
                            const channel::Terms& terms, const channel::State& state) {
    DisputeLook look;
    Views views(client, contract);
    const auto head = client.block(wallet::BlockTag::latest());
    if (!head) views.fail();
    look.now_s = head ? head->timestamp : 0;
    look.view = views.ask(wallet::dispute_call(id), wallet::read_dispute);
    for (const channel::Asset& asset : terms.assets) {
        const wallet::HoldingsView h = views.ask(wallet::holdings_call(id, asset.token), wallet::read_holdings);
        look.holdings.push_back({h.deposit_a, h.deposit_b, h.withdrawn_a, h.withdrawn_b});
        look.is_final = look.is_final || h.is_final;
    }
    const channel::Hash oracle_set = wallet::oracle_set_of(terms.oracles);
    const auto attested = [&](const channel::Feed& feed, std::uint64_t time_s) -> std::optional<channel::Price> {
        const auto known = look.attested.find({feed, time_s});
        const wallet::AttestedView view =
            known != look.attested.end()
                ? known->second
                : views.ask(wallet::attested_call(oracle_set, feed, time_s), wallet::read_attested);
        look.attested[{feed, time_s}] = view;
        if (view.signers < terms.oracle_threshold || view.price.is_zero()) return std::nullopt;
        return view.price;
    };
    const auto revealed = [&](const channel::LockHash& hash) {
        const auto known = look.revealed.find(hash);
        if (known != look.revealed.end()) return known->second;
        return look.revealed[hash] = views.ask(wallet::revealed_at_call(hash), wallet::read_uint64);
    };
    look.current = look.view.end != 0 && look.view.version == state.version && !views.failed();
    if (look.current) {
        const channel::OpenDispute dispute{look.view.end, look.view.lead, look.view.challenger};
        look.answer = channel::settle_at(terms, state, look.holdings, dispute, look.now_s, attested, revealed);
    }
    look.failed = views.failed();
    return look;
}

}  // namespace hedgerow::daemon
