#pragma once

#include "daemon/node/node_parts.h"
#include "daemon/oracle/price_book.h"
#include "tests/sim/oracles.h"

namespace hedgerow::sim {

/// A program's price book, and its way to the oracles' histories: as the oracle client's over HTTP, an answer comes
/// later, or never.
class Packages final : public daemon::PackageSource {
  public:
    using Later = std::function<void(std::function<void()>)>;  ///< unless the process ends before
    Packages(const Oracles& oracles, std::function<std::uint64_t()> now_ms, Later later)
        : book(config_of(oracles)), m_oracles(oracles), m_now_ms(std::move(now_ms)), m_later(std::move(later)) {}

    std::vector<channel::Bytes> packages(const channel::Feed& feed, std::uint64_t time_s,
                                         std::span<const channel::Address> oracles) override {
        return book.packages(feed, time_s, oracles);
    }
    void fetch(const channel::Feed& feed, std::uint64_t time_s) override {
        m_later([this, feed, time_s] {
            for (const channel::Bytes& raw : m_oracles.history(feed, time_s)) {
                (void)book.submit_history(raw, m_now_ms());
            }
        });
    }

    daemon::PriceBook book;

  private:
    static daemon::PriceBookConfig config_of(const Oracles& oracles) {
        daemon::PriceBookConfig out;
        out.oracles = oracles.addresses();
        out.threshold = Oracles::kThreshold;
        out.max_age_ms = 3 * 1'000 * oracles.slot_s();
        return out;
    }

    const Oracles& m_oracles;
    const std::function<std::uint64_t()> m_now_ms;
    const Later m_later;
};

}  // namespace hedgerow::sim
