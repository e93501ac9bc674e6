#include "channel/crypto/signature.h"
#include "channel/market/package.h"
#include "daemon/oracle/price_book.h"
#include "tests/bench/limit_probe.h"
#include "tests/bench/scenarios.h"
#include "tests/support/channel_pair.h"
#include "tests/unit/daemon/store/temp_dir.h"

namespace hedgerow::bench {

using namespace channel;

namespace {

constexpr std::size_t kOracles = 5;
constexpr std::uint64_t kStart = 1'800'000'000'000;

/// What a node does as five oracles say a price, each from its own endpoint: every package decoded, judged and counted,
/// then the median; a tenth of them are of slot times and go to the history's file.
std::vector<Figure> oracle_median(const RunOptions& options) {
    std::vector<testing::TestKey> keys;
    for (std::uint8_t i = 1; i <= kOracles; ++i) keys.emplace_back(i);
    const Feed feed = *feed_from_name("BTC_USD");
    Figure figure{"oracle_median", "verifies", "five packages and their median at most 5.5 ECDSA verifications"};
    for (std::size_t run = 0; run < options.runs; ++run) {
        TempDir dir;
        daemon::PriceBookConfig config;
        for (const testing::TestKey& key : keys) config.oracles.push_back(address_of(key.key));
        std::sort(config.oracles.begin(), config.oracles.end());
        config.threshold = 3;
        config.history.file = dir.path() / "prices";
        daemon::PriceBook book(config);
        const auto rounds = static_cast<std::size_t>(400 * options.seconds);
        std::vector<Bytes> packages;
        for (std::size_t r = 0; r < rounds; ++r) {
            for (const testing::TestKey& key : keys) {
                const DataPackage data =
                    single_price_package(feed, Price::from_raw(10'000'000'000'000), kStart + 100 * r);
                packages.push_back(encode_signed_package({data, key.sign(package_digest(data))}));
            }
        }
        double one = 0, five = 0;
        for (std::size_t r = 0; r < rounds; ++r) {
            // Verifications beside what they are compared with, and both by the thread's CPU time: whatever else the
            // machine does then weighs on both alike.
            one += verify_us(kOracles, r);
            const double start = thread_cpu_us();
            for (std::size_t i = 0; i < kOracles; ++i) {
                if (!book.submit(packages[r * kOracles + i], kStart + 100 * r, i))
                    throw std::runtime_error("a package is refused");
            }
            if (!book.median(feed, kStart + 100 * r)) throw std::runtime_error("no median");
            five += thread_cpu_us() - start;
        }
        one /= static_cast<double>(rounds);
        five /= static_cast<double>(rounds);
        figure.values.push_back(five / one);
        figure.more["us CPU, five packages and the median"].push_back(five);
        figure.more["us CPU, one verification"].push_back(one);
    }
    return {figure};
}

}  // namespace

std::vector<Scenario> oracle_scenarios() {
    return {{"oracle_median", oracle_median}};
}

}  // namespace hedgerow::bench
