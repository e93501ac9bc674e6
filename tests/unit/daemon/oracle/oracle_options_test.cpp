#include "daemon/oracle/oracle_options.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <fstream>

#include "daemon/oracle/key_file.h"
#include "tests/unit/daemon/oracle/oracle_support.h"
#include "tests/unit/daemon/store/temp_dir.h"

using namespace hedgerow::channel;
using namespace hedgerow::daemon;
using hedgerow::daemon::testing::feed;

namespace {

constexpr std::uint64_t kNow = 1'795'255'200'000;

ParsedOptions parse(std::vector<const char*> arguments) {
    arguments.insert(arguments.begin(), "hedgerow-oracle");
    return parse_options(static_cast<int>(arguments.size()), arguments.data());
}
OracleOptions good(std::vector<const char*> more) {
    more.insert(more.begin(), {"--key-file", "k", "--generate"});
    auto parsed = parse(more);
    REQUIRE_MESSAGE(parsed.options.has_value(), parsed.output);
    return *parsed.options;
}

}  // namespace

TEST_CASE("options: help names every option, mistakes are errors") {
    const ParsedOptions help = parse({"--help"});
    CHECK(help.exit_code == 0);
    for (const char* option : {"--key-file", "--generate-key", "--replay", "--speed", "--start-time", "--generate",
                               "--seed", "--crash-after", "--crash-size", "--crash-duration", "--noise-bps",
                               "--interval-ms", "--publish", "--http", "--history-dir"}) {
        CHECK_MESSAGE(help.output.find(option) != std::string::npos, option);
    }
    CHECK(parse({"--bogus"}).exit_code == 2);
    CHECK(parse({"--key-file", "k"}).exit_code == 2);
    CHECK(parse({"--generate"}).exit_code == 2);
    CHECK(parse({"--key-file", "k", "--generate", "positional"}).exit_code == 2);
    CHECK(parse({"--key-file", "k", "--generate", "--seed", "-1"}).exit_code == 2);
}

TEST_CASE("options: what is asked for is what comes out") {
    const OracleOptions options =
        good({"--feeds", "BTC_USD,USDC_USD", "--interval-ms", "500", "--history", "10:100", "--history", "60:6000",
              "--http", "[::1]:99", "--publish", "tcp://127.0.0.1:5"});
    const OracleServiceConfig config = make_service_config(options);
    CHECK(config.feeds == std::vector{feed("BTC_USD"), feed("USDC_USD")});
    CHECK(config.interval_ms == 500);
    CHECK(config.http_address == "::1");
    CHECK(config.http_port == 99);
    CHECK(config.publish == "tcp://127.0.0.1:5");
    REQUIRE(config.history.tiers.size() == 2);
    CHECK(config.history.tiers[1].slot_s == 60);
    CHECK(config.history.tiers[1].keep_s == 6000);
    CHECK_THROWS_AS(make_service_config(good({"--history", "10"})), OptionError);
    CHECK_THROWS_AS(make_service_config(good({"--http", "127.0.0.1:70000"})), OptionError);
}

TEST_CASE("options: a crash and prices change the scenario") {
    MarketModel model = make_model(good({"--crash-after", "1", "--crash-size", "0.5", "--crash-duration", "1",
                                         "--price", "BTC_USD=1000", "--start-time", "1795255200"}),
                                   kNow);
    CHECK(model.start_ms() == kNow);
    CHECK(model.prices_at(kNow)[0].price == testing::price("1000"));
    CHECK(model.prices_at(kNow + 2'000)[0].price < testing::price("510"));
    CHECK_THROWS_AS(make_model(good({"--crash-size", "0.5"}), kNow), OptionError);
    CHECK_THROWS_AS(make_model(good({"--price", "BTC_USD=1e5"}), kNow), OptionError);
    CHECK_THROWS_AS(make_model(good({"--price", "BTC_USD=0"}), kNow), ScenarioError);
    CHECK_THROWS_AS(make_model(good({"--start-time", "1700000000"}), kNow), OptionError);  // years ago
    CHECK(make_model(good({}), kNow + 1).start_ms() == kNow + 1'000);
}

TEST_CASE("options: times") {
    CHECK(parse_time_ms("1700000000") == 1'700'000'000'000);
    CHECK(parse_time_ms("1700000000123") == 1'700'000'000'123);
    CHECK(parse_time_ms("2021-05-19T12:00:00Z") == 1'621'425'600'000);
    for (const char* wrong :
         {"", "x", "-1", "2021-05-19", "2021-05-19T12:00:00", "2021-02-30T12:00:00Z", "2021-05-19T12:00:00Zx", "1e9"}) {
        CHECK_MESSAGE(!parse_time_ms(wrong), wrong);
    }
}

TEST_CASE("key file: made once, private, and read back") {
    const TempDir dir;
    const auto file = dir.path() / "key";
    CHECK(generate_key_file(file));
    CHECK_FALSE(generate_key_file(file));
    struct stat status {};
    REQUIRE(::stat(file.c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0600);
    CHECK(load_key_file(file).address() == load_key_file(file).address());
    ::chmod(file.c_str(), 0640);
    CHECK_THROWS_WITH_AS(load_key_file(file), doctest::Contains("others can read it"), KeyFileError);
}

TEST_CASE("key file: refused without a word of the key") {
    const TempDir dir;
    const auto file = dir.path() / "key";
    CHECK_THROWS_AS(load_key_file(file), KeyFileError);
    const auto write = [&](const std::string& text) {
        std::ofstream(file) << text;
        ::chmod(file.c_str(), 0600);
    };
    const std::string digits(64, '1');
    write("0x" + digits + "\r\n");
    CHECK(load_key_file(file).address() == hedgerow::wallet::PrivateKey::from_bytes(Bytes(32, 0x11))->address());
    for (const std::string& wrong : {std::string(), digits.substr(1), digits + "1", digits + " ",
                                     "x" + digits.substr(1), digits + "\n" + digits}) {
        write(wrong);
        CHECK_THROWS_WITH_AS(load_key_file(file), doctest::Contains("not 64 hex digits"), KeyFileError);
    }
    write(std::string(64, '0'));
    CHECK_THROWS_WITH_AS(load_key_file(file), doctest::Contains("key_out_of_range"), KeyFileError);
    write(std::string(64, 'f'));
    CHECK_THROWS_WITH_AS(load_key_file(file), doctest::Contains("key_out_of_range"), KeyFileError);
}
