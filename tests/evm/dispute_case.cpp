#include "tests/evm/dispute_case.h"

#include <algorithm>

#include "channel/crypto/keccak.h"
#include "channel/crypto/signature.h"
#include "channel/market/package.h"
#include "tests/evm/contract_rig.h"
#include "tests/evm/random.h"
#include "tests/evm/settlement_case.h"
#include "wallet/chain/contract_calls.h"

namespace hedgerow::tests {

using namespace hedgerow::channel;

namespace {

wallet::PrivateKey key_of(std::string_view name) {
    return std::move(*wallet::PrivateKey::from_bytes(keccak256(as_bytes(name)).view()));
}

constexpr std::uint32_t kSlot = 60;
constexpr std::size_t kMaxLocksHere = 6;  // many locks are settlement_differential's business

class Builder {
  public:
    Builder(std::uint64_t seed, std::uint64_t index, const Cast& cast, const Domain& domain, std::uint64_t start_s)
        : m_random(seed ^ 0xd15b07e5ULL, index),
          m_cast(cast),
          m_separator(domain_separator(domain)),
          m_contract(domain.contract),
          m_start(start_s),
          m_base(random_settlement(seed, 16 + index)) {}

    DisputeCase build() {
        set_terms();
        m_id = channel_id_of(m_out.terms, m_separator);
        set_state();
        fund();
        agree_to_close();
        attest_prices();
        dispute();
        attempt_to_settle();
        std::stable_sort(m_out.steps.begin(), m_out.steps.end(),
                         [](const Step& a, const Step& b) { return a.time_s < b.time_s; });
        return std::move(m_out);
    }

  private:
    void set_terms() {
        Terms& terms = m_out.terms;
        terms.assets = m_base.terms.assets;
        const std::size_t coin = m_random.below(terms.assets.size() + 1);
        for (std::size_t i = 0; i < terms.assets.size(); ++i)
            terms.assets[i].token = i == coin ? Address() : case_token(i);
        terms.signer_a = m_cast.signer_a.address();
        terms.signer_b = m_cast.signer_b.address();
        terms.owner_a.data = {0xaa, 0xaa};
        terms.owner_b.data = {0xbb, 0xbb};
        for (const auto& oracle : m_cast.oracles) terms.oracles.push_back(oracle.address());
        terms.oracle_threshold = 2;
        terms.price_slot = kSlot;
        terms.price_grace = static_cast<std::uint32_t>(m_random.below(3) * 300);
        terms.dispute_period = static_cast<std::uint32_t>(60 + m_random.below(3'000));
        terms.stale_penalty = m_base.terms.stale_penalty;
        for (std::uint8_t& byte : m_secret.data) byte = static_cast<std::uint8_t>(m_random.below(256));
        terms.salt = keccak256(m_secret.view());
        m_challenge = m_start + 1'000 + m_random.below(120);
        m_valuation = valuation_time(m_challenge, kSlot);
        m_out.dispute.end_s = m_challenge + terms.dispute_period;
    }

    void set_state() {
        State& state = m_out.state;
        state = m_base.state;
        state.channel_id = m_id;
        for (Position& position : state.positions) {
            position.instrument = *feed_from_name(std::string("I").append(std::to_string(m_random.below(4))));
            position.underlying = *feed_from_name(std::string("U").append(std::to_string(m_random.below(3))));
            const std::uint64_t expiries[] = {0, m_valuation - kSlot, m_valuation, m_valuation + kSlot};
            position.expiry = expiries[m_random.below(4)];
        }
        if (state.locks.size() > kMaxLocksHere) state.locks.resize(kMaxLocksHere);
        for (std::size_t i = 0; i < state.locks.size(); ++i) set_lock(state.locks[i], i);
    }

    /// Gives a lock a preimage, and reveals it just in time, just too late, or never.
    void set_lock(Lock& lock, std::size_t index) {
        Preimage preimage;
        for (std::uint8_t& byte : preimage.data) byte = static_cast<std::uint8_t>(m_random.below(256));
        preimage.data[0] = static_cast<std::uint8_t>(index);
        lock.hash = *LockHash::from(keccak256(preimage.view()).view());
        const std::uint64_t end = m_out.dispute.end_s;
        const std::uint64_t expiries[] = {m_challenge - 5, m_challenge + 30, end - 1, end, end + 40};
        lock.expiry = expiries[m_random.below(5)];
        if (m_random.one_in(3)) return;
        const std::uint64_t at = lock.expiry - m_random.below(2);
        m_out.registered[lock.hash] = at;
        m_out.steps.push_back({at, m_contract, wallet::reveal_call(std::vector{preimage}), {}, false});
    }

    void fund() {
        m_out.holdings = m_base.holdings;
        for (std::size_t i = 0; i < m_out.holdings.size(); ++i) {
            deposit(i, Party::A, m_out.holdings[i].deposit_a);
            deposit(i, Party::B, m_out.holdings[i].deposit_b);
            withdraw(i, Party::A, m_out.holdings[i].withdrawn_a);
            withdraw(i, Party::B, m_out.holdings[i].withdrawn_b);
        }
    }
    void deposit(std::size_t asset, Party party, Amount amount) {
        if (amount.is_zero()) return;
        const Address token = m_out.terms.assets[asset].token;
        if (!token.is_zero()) {
            m_out.steps.push_back({m_start, token, abi_call("mint(address,uint256)", Address{}, amount), {}, false});
            m_out.steps.push_back(
                {m_start, token, abi_call("approve(address,uint256)", m_contract, amount), {}, false});
        }
        const Bytes data = wallet::deposit_call(m_id, party, token, amount);
        m_out.steps.push_back({m_start, m_contract, data, token.is_zero() ? amount : Amount(), false});
    }
    void withdraw(std::size_t asset, Party party, Amount total) {
        if (total.is_zero()) return;
        const Withdraw agreed{m_id, party, static_cast<std::uint8_t>(asset), total, m_start + 1};
        m_out.steps.push_back(
            {m_start, m_contract, wallet::withdraw_call(m_out.terms, agreed, signed_by_both(agreed)), {}, false});
    }

    void agree_to_close() {
        Close agreed{m_id, 1 + m_random.below(kMaxVersion), {}, m_start + 2};
        const std::size_t beyond = m_random.one_in(3) ? m_random.below(m_out.holdings.size()) : m_out.holdings.size();
        for (std::size_t i = 0; i < m_out.holdings.size(); ++i) {
            const Holdings& held = m_out.holdings[i];
            const Int128 total = held.total().raw();
            Int128 share = m_random.one_in(3) ? total * static_cast<Int128>(m_random.below(2))
                                              : m_random.sized(kNetBits) % (total + 1);
            if (i == beyond) share = m_random.one_in(2) ? -1 : total + 1;
            agreed.net.push_back(held.deposit_a - held.withdrawn_a - Amount::from_raw(share));
            if (!agreed.net.back().within_bits(kNetBits)) agreed.net.back() = Amount();
        }
        m_out.close_net = agreed.net;
        for (const Step& step : m_out.steps) {
            if (step.time_s == m_start) m_out.close_steps.push_back(step);
        }
        m_out.close_steps.push_back(
            {m_start + 1, m_contract, wallet::close_call(m_out.terms, agreed, signed_by_both(agreed)), {}, false});
    }

    /// Prices of instruments and assets around T to T + 8 slots, of underlyings at expiries; by one to three oracles.
    void attest_prices() {
        std::vector<Feed> slot_feeds;
        for (int i = 0; i < 4; ++i) slot_feeds.push_back(*feed_from_name(std::string("I").append(std::to_string(i))));
        for (const Asset& asset : m_out.terms.assets) {
            if (!asset.feed.is_zero()) slot_feeds.push_back(asset.feed);
        }
        for (const Feed& feed : slot_feeds) {
            if (m_random.one_in(12)) continue;
            const std::uint64_t first = m_random.one_in(3) ? m_random.below(10) : 0;
            attest(feed, m_valuation + first * kSlot, m_random.one_in(8) ? 1 : 3);
            attest(feed, m_valuation + (first + 1 + m_random.below(3)) * kSlot, 2);
            attest(feed, m_valuation - kSlot, 3);  // before T: of no use
        }
        for (int i = 0; i < 3; ++i) {
            const Feed feed = *feed_from_name(std::string("U").append(std::to_string(i)));
            for (const std::uint64_t time : {m_valuation - kSlot, m_valuation, m_valuation + kSlot}) {
                if (!m_random.one_in(10)) attest(feed, time, m_random.one_in(8) ? 1 : 2 + m_random.below(2));
            }
        }
    }
    void attest(const Feed& feed, std::uint64_t time, std::uint64_t signers) {
        std::vector<Bytes> packages;
        std::vector<Price> prices;
        const Int128 middle = 1 + m_random.sized(m_random.one_in(4) ? kMarketBits : 44);
        for (std::size_t k = 0; k < signers; ++k) {
            const Int128 top = (Int128{1} << kMarketBits) - 1;
            prices.push_back(Price::from_raw(std::clamp<Int128>(middle + m_random.either(20), 1, top)));
            const DataPackage package = single_price_package(feed, prices.back(), time * 1'000);
            packages.push_back(encode_signed_package({package, m_cast.oracles[k].sign(package_digest(package))}));
        }
        m_out.steps.push_back({m_start,
                               m_contract,
                               wallet::attest_call(m_out.terms.oracles, time, std::vector{feed}, packages),
                               {},
                               false});
        if (signers < m_out.terms.oracle_threshold) return;
        std::sort(prices.begin(), prices.end());
        m_out.attested[{feed, time}] = prices[(prices.size() - 1) / 2];
    }

    /// A challenge with the newest version or an older one, and then the answer to it.
    void dispute() {
        const State& newest = m_out.state;
        State challenged = newest;
        if (newest.version > 0 && m_random.one_in(2)) {
            const std::uint64_t leads[] = {1, 2, 64, 65, 126, 127, 128, newest.version};
            const std::uint64_t lead = std::min(leads[m_random.below(8)], newest.version);
            challenged.version -= lead;
            challenged.positions.clear();
            if (challenged.version == 0) {
                challenged = State();
                challenged.channel_id = m_id;
            }
        }
        m_out.dispute.lead = dispute_lead(newest.version, challenged.version);
        m_out.dispute.challenger = m_random.one_in(2) ? Party::A : Party::B;
        const Challenge made{m_id, challenged.version, m_challenge + 100};
        const auto& key = m_out.dispute.challenger == Party::A ? m_cast.signer_a : m_cast.signer_b;
        const wallet::ChallengeAuthorization by{made.deadline, key.sign(digest_of(made, m_separator))};
        m_out.steps.push_back(
            {m_challenge,
             m_contract,
             wallet::challenge_call(m_out.terms, m_secret, challenged, signed_by_both(challenged), by),
             {},
             false});
        if (challenged.version == newest.version) return;
        const std::uint64_t last = m_out.dispute.end_s - 1;
        const std::uint64_t at = m_random.one_in(2) ? last : std::min(last, m_challenge + m_random.below(50));
        m_out.steps.push_back(
            {at, m_contract, wallet::respond_call(m_out.terms, newest, signed_by_both(newest)), {}, false});
    }

    /// A second before and at every time that matters, and at last when nothing can be waited for any more.
    void attempt_to_settle() {
        const std::uint64_t due = settle_due_time(m_out.dispute.end_s, m_out.state);
        const std::uint64_t marks = marks_time(m_valuation, m_out.terms);
        std::vector<std::uint64_t> times = {due - 1, due, marks - 1, marks, std::max(due, marks)};
        std::sort(times.begin(), times.end());
        times.erase(std::unique(times.begin(), times.end()), times.end());
        for (const std::uint64_t time : times) {
            if (time < m_out.dispute.end_s - 1) continue;
            m_out.steps.push_back({time, m_contract, wallet::settle_call(m_out.terms, m_out.state), {}, true});
        }
    }

    template <typename T>
    wallet::BothSignatures signed_by_both(const T& typed) {
        const Digest digest = digest_of(typed, m_separator);
        return {m_cast.signer_a.sign(digest), m_cast.signer_b.sign(digest)};
    }

    Random m_random;
    const Cast& m_cast;
    Hash m_separator;
    Address m_contract;
    std::uint64_t m_start;
    SettlementInput m_base;
    Secret m_secret;
    ChannelId m_id;
    std::uint64_t m_challenge = 0;
    std::uint64_t m_valuation = 0;
    DisputeCase m_out;
};

}  // namespace

Cast Cast::make() {
    Cast out{key_of("signer A"), key_of("signer B"), {}};
    for (const char* name : {"oracle 1", "oracle 2", "oracle 3"}) out.oracles.push_back(key_of(name));
    std::sort(out.oracles.begin(), out.oracles.end(),
              [](const auto& a, const auto& b) { return a.address() < b.address(); });
    return out;
}

SettleAnswer DisputeCase::settle_at(std::uint64_t now_s) const {
    const auto price = [this](const Feed& feed, std::uint64_t time) -> std::optional<Price> {
        const auto found = attested.find({feed, time});
        return found == attested.end() ? std::nullopt : std::optional(found->second);
    };
    const auto time = [this](const LockHash& hash) {
        const auto found = registered.find(hash);
        return found == registered.end() ? std::uint64_t{0} : found->second;
    };
    return channel::settle_at(terms, state, holdings, dispute, now_s, price, time);
}

DisputeCase random_dispute(std::uint64_t seed, std::uint64_t index, const Cast& cast, const Domain& domain,
                           std::uint64_t start_s) {
    return Builder(seed, index, cast, domain, start_s).build();
}

}  // namespace hedgerow::tests
