#include "daemon/config/tower_values.h"

#include <algorithm>

#include "channel/base/assert.h"

namespace hedgerow::daemon {

namespace {

constexpr std::uint64_t kMost = std::uint64_t{1} << 40;
constexpr int kGweiDecimals = 9;
constexpr std::uint64_t kDayS = 86'400;

using View = std::string_view;

constexpr TowerSetting kSettings[] = {
    {"free-records", "N", "16", "Appointments of a client without a subscription; 0: none",
     [](TowerLimits& l, View t) { return read_number(t, l.free.records, 0, kMost); }},
    {"free-bytes", "BYTES", "1048576", "Bytes of them",
     [](TowerLimits& l, View t) { return read_number(t, l.free.bytes, 0, kMost); }},
    {"backup-slots", "N", "64", "Sealed backups of a client",
     [](TowerLimits& l, View t) { return read_number(t, l.free.backups, 0, kMost); }},
    {"backup-bytes", "BYTES", "4194304", "Bytes of them",
     [](TowerLimits& l, View t) { return read_number(t, l.free.backup_bytes, 0, kMost); }},
    {"concurrent-disputes", "N", "8", "That the wallet must be able to pay for at once, else no new record is taken",
     [](TowerLimits& l, View t) { return read_number(t, l.concurrent_disputes, 1, 1'000'000); }},
    {"fee-cap-gwei", "GWEI", "50", "The gas price that is reckoned with for that",
     [](TowerLimits& l, View t) { return read_wei(t, kGweiDecimals, l.fee_cap); }},
    {"settle-grace", "SECONDS", "60", "After a settlement is due, before the tower pays for it",
     [](TowerLimits& l, View t) { return read_number(t, l.settle_grace_s, 0, kDayS); }},
};

}  // namespace

std::span<const TowerSetting> tower_settings() {
    return kSettings;
}

Problem read_tower_setting(std::string_view name, TowerLimits& limits, std::string_view text) {
    const auto found =
        std::find_if(std::begin(kSettings), std::end(kSettings), [&](const TowerSetting& s) { return s.name == name; });
    ASSERT(found != std::end(kSettings));
    return found->read(limits, text);
}

Problem read_wei(std::string_view text, int decimals, channel::U256& out) {
    channel::Int128 wei = 0;
    const Problem problem = read_decimal(text, decimals, true, wei);
    if (!problem) out = channel::U256(static_cast<channel::Uint128>(wei));
    return problem;
}

}  // namespace hedgerow::daemon
