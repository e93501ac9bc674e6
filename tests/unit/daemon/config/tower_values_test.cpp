#include "daemon/config/tower_values.h"

#include <doctest/doctest.h>

#include "daemon/config/options.h"

using namespace hedgerow;
using namespace hedgerow::daemon;

TEST_CASE("tower settings: hedgerowd has each as --tower-name, with the same default, read the same") {
    for (const TowerSetting& setting : tower_settings()) {
        CAPTURE(setting.name);
        const Option* option = find_option(std::string("tower-").append(setting.name));
        REQUIRE(option != nullptr);
        CHECK(std::string_view(option->default_text) == setting.default_text);
        CHECK(std::string_view(option->value_name) == setting.value_name);
        TowerLimits limits;
        CHECK_FALSE(read_tower_setting(setting.name, limits, setting.default_text));
        for (const char* wrong : {"", "-1", "x", "1e3", "99999999999999999999999999999999999999999999999"}) {
            CAPTURE(wrong);
            CHECK(setting.read(limits, wrong));
            Draft draft;
            CHECK(option->apply(draft, wrong));
        }
    }
}

TEST_CASE("tower settings: each sets what it names") {
    TowerLimits limits;
    const auto read = [&](std::string_view name, std::string_view text) {
        CHECK_FALSE(read_tower_setting(name, limits, text));
    };
    read("free-records", "3");
    read("free-bytes", "5000");
    read("backup-slots", "7");
    read("backup-bytes", "9000");
    read("concurrent-disputes", "2");
    read("fee-cap-gwei", "0.5");
    read("settle-grace", "11");
    CHECK(limits.free.records == 3);
    CHECK(limits.free.bytes == 5'000);
    CHECK(limits.free.backups == 7);
    CHECK(limits.free.backup_bytes == 9'000);
    CHECK(limits.concurrent_disputes == 2);
    CHECK(limits.fee_cap == channel::U256(500'000'000ull));
    CHECK(limits.settle_grace_s == 11);
    CHECK(read_tower_setting("concurrent-disputes", limits, "0"));
    CHECK(read_tower_setting("fee-cap-gwei", limits, "0"));
    CHECK(read_tower_setting("settle-grace", limits, "86401"));
    channel::U256 wei;
    CHECK_FALSE(read_wei("0.2", 18, wei));
    CHECK(wei == channel::U256(200'000'000'000'000'000ull));
}
