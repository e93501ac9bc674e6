// Settlement (spec 3.2 to 3.11): whatever the contract's check accepts is settled without an assertion, everything held is paid
// out and nobody is paid less than nothing, and the integers are those of spec 3 written down once more with unbounded numbers.
#include "channel/settle/settlement.h"

#include <map>

#include "tests/fuzz/big.h"
#include "tests/fuzz/fuzz_data.h"

namespace {

using namespace hedgerow::channel;
using namespace hedgerow::fuzz;

constexpr std::uint64_t kStart = 1'800'000'000;

struct Case {
    Terms terms;
    State state;
    std::vector<Holdings> holdings;
    OpenDispute dispute;
    std::uint64_t now_s = 0;
    std::map<std::pair<Feed, std::uint64_t>, Price> attested;
    std::map<LockHash, std::uint64_t> registered;

    [[nodiscard]] std::optional<Price> price(const Feed& feed, std::uint64_t time) const {
        const auto it = attested.find({feed, time});
        return it == attested.end() ? std::nullopt : std::optional(it->second);
    }
};

Feed feed_number(std::uint64_t n) {
    Feed out;
    out.data[0] = static_cast<std::uint8_t>(1 + n);
    return out;
}

Price price_from(FuzzData& data) {
    return Price::from_raw(std::max<Int128>(static_cast<Int128>(data.sized(kMarketBits)), 1));
}

/// Deposits that the contract can hold (each total below 2^120) and withdrawals within them together.
Holdings holdings_from(FuzzData& data) {
    Holdings out;
    out.deposit_a = Amount::from_raw(static_cast<Int128>(data.sized(kNetBits)));
    out.deposit_b = Amount::from_raw(static_cast<Int128>(data.sized(kNetBits)));
    const Int128 all = (out.deposit_a + out.deposit_b).raw();
    out.withdrawn_a = Amount::from_raw(std::min(static_cast<Int128>(data.sized(kNetBits)), all));
    out.withdrawn_b =
        Amount::from_raw(std::min(static_cast<Int128>(data.sized(kNetBits)), all - out.withdrawn_a.raw()));
    return out;
}

void add_asset(FuzzData& data, Case& out) {
    Asset asset;
    asset.token.data[19] = static_cast<std::uint8_t>(out.terms.assets.size());
    asset.decimals = static_cast<std::uint8_t>(data.below(19));
    asset.haircut_bps = data.flag() ? static_cast<std::uint16_t>(data.below(10'001)) : std::uint16_t{10'000};
    if (data.flag()) asset.feed = feed_number(data.below(4));
    out.terms.assets.push_back(asset);
    out.holdings.push_back(holdings_from(data));
    out.state.net.push_back(Amount::from_raw(data.either(kNetBits)));
    out.state.asset_marks.push_back(price_from(data));
}

void add_position(FuzzData& data, Case& out) {
    Position position;
    position.instrument = feed_number(data.below(6));
    position.underlying = feed_number(data.below(4));
    position.kind = static_cast<Kind>(data.below(EnumCount<Kind>::value));
    if (data.flag()) position.expiry = (kStart / out.terms.price_slot + data.below(8)) * out.terms.price_slot;
    position.strike = Price::from_raw(static_cast<Int128>(data.sized(kMarketBits)));
    position.quantity = Quantity::from_raw(data.either(kMarketBits));
    position.mark = Price::from_raw(data.either(kMarketBits));
    out.state.positions.push_back(position);
}

void add_lock(FuzzData& data, Case& out) {
    Lock lock;
    lock.hash.data[0] = data.byte();
    lock.expiry = data.flag() ? kStart + data.below(100'000) : static_cast<std::uint64_t>(data.sized(40));
    lock.asset = static_cast<std::uint8_t>(data.below(out.terms.assets.size()));
    lock.amount = Amount::from_raw(data.either(kMarketBits));
    const std::uint64_t at[] = {0, lock.expiry - 1, lock.expiry, lock.expiry + 1};
    out.registered[lock.hash] = at[data.below(4)];
    out.state.locks.push_back(lock);
}

Case case_from(FuzzData& data) {
    Case out;
    out.terms.price_slot = 1 + static_cast<std::uint32_t>(data.flag() ? data.below(600) : data.sized(32) / 2);
    out.terms.price_grace = static_cast<std::uint32_t>(data.sized(32));
    out.terms.dispute_period = static_cast<std::uint32_t>(data.sized(32));
    out.terms.stale_penalty = Amount::from_raw(static_cast<Int128>(data.sized(127)));
    const std::uint64_t assets = 1 + data.below(kMaxAssets);
    const std::uint64_t positions = data.below(data.flag() ? 4 : kMaxPositions + 1);
    const std::uint64_t locks = data.below(data.flag() ? 4 : kMaxLocks + 1);
    const bool initial = data.below(16) == 0;
    for (std::uint64_t i = 0; i < assets; ++i) add_asset(data, out);
    if (initial) {
        out.state = State();  // version 0: deposits only (spec 3.6)
    } else {
        out.state.version = 1 + static_cast<std::uint64_t>(data.sized(47));
        for (std::uint64_t i = 0; i < positions; ++i) add_position(data, out);
        for (std::uint64_t i = 0; i < locks; ++i) add_lock(data, out);
    }
    out.dispute.end_s = kStart + out.terms.dispute_period;
    out.dispute.lead = data.below(kMaxLead + 1);
    out.dispute.challenger = data.flag() ? Party::A : Party::B;
    const std::uint64_t valuation = valuation_time(kStart, out.terms.price_slot);
    out.now_s = data.flag() ? kStart + static_cast<std::uint64_t>(data.sized(41))
                            : marks_time(valuation, out.terms) + data.below(3) - 1;
    for (std::uint64_t feed = 0; feed < 6; ++feed) {
        const std::uint64_t slot = valuation + data.below(kPriceSlots + 3) * out.terms.price_slot;
        if (data.flag()) out.attested[{feed_number(feed), slot}] = price_from(data);
    }
    for (const Position& position : out.state.positions) {
        if (data.flag()) out.attested[{position.underlying, position.expiry}] = price_from(data);
    }
    return out;
}

/// Spec 3.4 to 3.9 as they read, in numbers without a size.
class NaiveSettlement {
  public:
    explicit NaiveSettlement(const Case& facts) : m_case(facts) {
        m_time = (kStart / m_case.terms.price_slot + 2) * m_case.terms.price_slot;
        base();
        if (!m_case.state.positions.empty()) profit();
        shortfall();
        penalty();
    }
    std::vector<Big> a;
    std::vector<Big> total;
    Big left_uncovered = 0;
    Big penalty_paid = 0;
    bool price_absent = false;

  private:
    std::optional<Big> slot(const Feed& feed) const {
        for (std::uint64_t i = 0; i <= 8; ++i) {
            const auto found = m_case.price(feed, m_time + i * m_case.terms.price_slot);
            if (found) return big(*found);
        }
        return std::nullopt;
    }
    Big asset_price(std::size_t i) {
        const Feed& feed = m_case.terms.assets[i].feed;
        if (feed.is_zero()) return 100'000'000;
        if (const auto found = slot(feed)) return *found;
        price_absent = true;
        return big(m_case.state.asset_marks[i]);
    }
    void base() {
        for (std::size_t i = 0; i < m_case.holdings.size(); ++i) {
            const Holdings& held = m_case.holdings[i];
            const Big net = m_case.state.net.empty() ? Big(0) : big(m_case.state.net[i]);
            a.push_back(big(held.deposit_a) - big(held.withdrawn_a) - net);
            total.push_back(big(held.deposit_a) + big(held.deposit_b) - big(held.withdrawn_a) - big(held.withdrawn_b));
        }
        for (const Lock& lock : m_case.state.locks) {
            const std::uint64_t at = m_case.registered.at(lock.hash);
            if (at != 0 && at < lock.expiry) a[lock.asset] -= big(lock.amount);
        }
    }
    std::optional<Big> value(const Position& position) const {
        if (position.expiry == 0 || m_time < position.expiry) return slot(position.instrument);
        const auto found = m_case.price(position.underlying, position.expiry);
        if (!found) return std::nullopt;
        const Big x = big(*found);
        const Big strike = big(position.strike);
        switch (position.kind) {
            case Kind::linear:
                return x;
            case Kind::call:
                return x > strike ? Big(x - strike) : Big(0);
            case Kind::put:
                return strike > x ? Big(strike - x) : Big(0);
            case Kind::digital_call:
                return x >= strike ? Big(100'000'000) : Big(0);
            case Kind::digital_put:
                return x < strike ? Big(100'000'000) : Big(0);
        }
        return std::nullopt;
    }
    void profit() {
        std::map<Feed, bool> lacking;
        for (const Position& position : m_case.state.positions) {
            if (!value(position)) lacking[position.underlying] = true;
        }
        Big sum = 0;
        for (const Position& position : m_case.state.positions) {
            if (lacking.contains(position.underlying)) continue;
            sum += big(position.quantity) * (*value(position) - big(position.mark));
        }
        price_absent = price_absent || !lacking.empty();
        a[0] += sum * ten_to(m_case.terms.assets[0].decimals) / (asset_price(0) * 100'000'000);  // toward zero
    }
    void shortfall() {
        const bool a_loses = a[0] < 0;
        left_uncovered = a_loses ? Big(-a[0]) : a[0] > total[0] ? Big(a[0] - total[0]) : Big(0);
        for (std::size_t i = 0; i < a.size(); ++i) a[i] = a[i] < 0 ? Big(0) : a[i] > total[i] ? total[i] : a[i];
        if (m_case.state.version == 0) return;
        for (std::size_t i = 1; i < a.size() && left_uncovered > 0; ++i) {
            const Asset& asset = m_case.terms.assets[i];
            const Big have = a_loses ? a[i] : Big(total[i] - a[i]);
            if (have == 0 || asset.haircut_bps == 10'000) continue;
            const Big num = asset_price(0) * ten_to(asset.decimals) * 10'000;
            const Big den = ten_to(m_case.terms.assets[0].decimals) * asset_price(i) * (10'000 - asset.haircut_bps);
            const Big wanted = ceil_div(left_uncovered * num, den);
            const Big take = wanted < have ? wanted : have;
            a[i] += a_loses ? Big(-take) : take;
            const Big covered = take * den / num;
            left_uncovered -= take < have || covered > left_uncovered ? left_uncovered : covered;
        }
    }
    void penalty() {
        const bool a_challenged = m_case.dispute.challenger == Party::A;
        if (m_case.dispute.lead <= (a_challenged ? 64U : 0U)) return;
        const Big has = a_challenged ? a[0] : Big(total[0] - a[0]);
        penalty_paid = std::min(big(m_case.terms.stale_penalty), has);
        a[0] += a_challenged ? Big(-penalty_paid) : penalty_paid;
    }

    const Case& m_case;
    std::uint64_t m_time = 0;
};

void check_against_model(const Case& facts, const SettleAnswer& answer) {
    const NaiveSettlement naive(facts);
    const Settlement& result = answer.result;
    ASSERT(result.a.size() == naive.a.size() && result.b.size() == naive.a.size());
    for (std::size_t i = 0; i < naive.a.size(); ++i) {
        ASSERT(result.a[i].sign() >= 0 && result.b[i].sign() >= 0);
        ASSERT(big(result.a[i]) + big(result.b[i]) == naive.total[i]);
        ASSERT(big(result.a[i]) == naive.a[i]);
    }
    ASSERT(big(result.shortfall) == naive.left_uncovered);
    ASSERT(big(result.penalty) == naive.penalty_paid);
    ASSERT(result.marks_used == naive.price_absent);
    std::uint64_t due = facts.dispute.end_s;
    for (const Lock& lock : facts.state.locks) due = std::max(due, lock.expiry);
    const std::uint64_t marks = marks_time(valuation_time(kStart, facts.terms.price_slot), facts.terms);
    const bool waits = facts.now_s < due || (naive.price_absent && facts.now_s < marks);
    ASSERT((answer.status == SettleStatus::due) == !waits);
}

void check_close(const Case& facts) {
    if (facts.state.net.empty()) return;
    const auto paid = cooperative_payout(facts.state.net, facts.holdings);
    bool payable = true;
    for (std::size_t i = 0; i < facts.holdings.size(); ++i) {
        const Holdings& held = facts.holdings[i];
        const Big a = big(held.deposit_a) - big(held.withdrawn_a) - big(facts.state.net[i]);
        payable = payable && a >= 0 && a <= big(held.total());
        ASSERT(!paid || big((*paid)[i]) == a);
    }
    ASSERT(paid.has_value() == payable);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    FuzzData data(bytes, size);
    const Case facts = case_from(data);
    const auto attested = [&](const Feed& feed, std::uint64_t time) { return facts.price(feed, time); };
    const auto registered = [&](const LockHash& hash) { return facts.registered.at(hash); };
    check_against_model(facts, settle_at(facts.terms, facts.state, facts.holdings, facts.dispute, facts.now_s, attested,
                                         registered));
    check_close(facts);
    return 0;
}
