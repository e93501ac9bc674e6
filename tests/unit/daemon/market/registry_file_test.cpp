#include "daemon/market/registry_file.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <fstream>
#include "tests/paths.h"

using namespace hedgerow::channel;
using namespace hedgerow::daemon;

namespace {

struct TempFile {
    std::filesystem::path path = std::filesystem::temp_directory_path() / ("hedgerow-registry-" + std::to_string(getpid()) + ".json");
    explicit TempFile(const std::string& text) { std::ofstream(path) << text; }
    ~TempFile() { std::filesystem::remove(path); }
};

Expected<Registry, RegistryFileError> read(const std::string& text) {
    const TempFile file(text);
    return read_registry_file(file.path);
}

std::string row(const std::string& name, const std::string& more = "") {
    return R"({"name": ")" + name + R"(", "tick": "0.5", "lot": "0.001", "initialBps": 1000, "maintenanceBps": 500, "penaltyBps": 100)" + more + "}";
}
std::string file_of(const std::string& rows) { return R"({"instruments": [)" + rows + "]}"; }

}  // namespace

TEST_CASE("registry file: what ships with the project is read") {
    const auto registry = read_registry_file(std::filesystem::path(HEDGEROW_SOURCE_DIR) / "contrib/instruments/perpetuals.json");
    REQUIRE(registry);
    const Instrument* btc = registry->find("BTC_USD-PERPETUAL");
    REQUIRE(btc != nullptr);
    CHECK(btc->tick == Price::from_raw(50'000'000));
    CHECK(btc->lot == Quantity::from_raw(100'000));
    CHECK(btc->risk.initial_bps == 1000);
}

TEST_CASE("registry file: every fault is named, with the instrument") {
    CHECK(read(file_of(row("BTC_USD-PERPETUAL"))));
    CHECK(read(file_of(row("BTC_USD-PERPETUAL") + "," + row("BTC_USD-PERPETUAL"))).error().rule == Rule::instrument_duplicate);
    CHECK(read(file_of(row("BTCUSD"))).error().rule == Rule::instrument_name_malformed);
    CHECK(read(file_of(row("BTC_USD-PERPETUAL", R"(, "colour": 1)"))).error().text == "BTC_USD-PERPETUAL: unknown member colour");
    CHECK(read(file_of(row("BTC_USD-PERPETUAL", R"(, "lot": "1")"))).error().text.find("lot") != std::string::npos);  // a key twice
    CHECK(read("{").error().text.find("hedgerow-registry") != std::string::npos);
    CHECK(read("[]").error().text.find("instruments") != std::string::npos);
    CHECK(read(R"({"instruments": [], "more": 1})").error().text.find("instruments") != std::string::npos);
    CHECK(read(R"({"instruments": [{"name": "BTC_USD-PERPETUAL"}]})").error().text == "BTC_USD-PERPETUAL: tick is missing");
    CHECK(read(file_of(R"({"name": "BTC_USD-PERPETUAL", "tick": 0.5})")).error().rule == Rule::amount_malformed);
    CHECK(read(file_of(R"({"name": "BTC_USD-PERPETUAL", "tick": "0", "lot": "1", "initialBps": 1000, "maintenanceBps": 500, "penaltyBps": 1})")).error().rule ==
          Rule::tick_out_of_range);
    CHECK(read(file_of(R"({"name": "BTC_USD-PERPETUAL", "tick": "1", "lot": "1", "initialBps": 100, "maintenanceBps": 500, "penaltyBps": 1})")).error().rule ==
          Rule::risk_rates_out_of_order);
    CHECK(read_registry_file("/nonexistent/registry.json").error().rule == Rule::none);
}
