#include "daemon/config/config.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <fstream>

#include "daemon/config/config_file.h"
#include "daemon/config/options.h"
#include "daemon/config/password.h"
#include "tests/unit/daemon/store/temp_dir.h"

using namespace hedgerow::daemon;
using hedgerow::channel::Amount;
using hedgerow::channel::Expected;
using hedgerow::channel::Quantity;

namespace {

constexpr const char* kAdjudicator = "0x00000000000000000000000000000000000000aa";
constexpr const char* kToken = "0x00000000000000000000000000000000000000bb";
constexpr const char* kSigner1 = "0x0000000000000000000000000000000000000001";
constexpr const char* kSigner2 = "0x0000000000000000000000000000000000000002";
constexpr const char* kSigner3 = "0x0000000000000000000000000000000000000003";
constexpr const char* kNodeId =
    "d04ab232742bb4ab3a1368bd4615e4e6d0224ab71a016baf8520a332c9778737";  // RFC 8032's test keys

/// The least that a node must be told, then `extra`; the data directory is `dir`.
std::vector<std::string> minimal(const TempDir& dir, std::vector<std::string> extra = {}) {
    std::vector<std::string> out = {"--datadir",       dir.path().string(),
                                    "--chain-id",      "31337",
                                    "--adjudicator",   kAdjudicator,
                                    "--asset",         std::string("USDH,") + kToken + ",6,usd,0",
                                    "--asset",         "ETH,native,18,ETH,1000",
                                    "--oracle-signer", kSigner2};
    out.insert(out.end(), extra.begin(), extra.end());
    return out;
}

Expected<ParsedCommandLine, ConfigError> parse(const std::vector<std::string>& words) {
    std::vector<const char*> argv = {"hedgerowd"};
    for (const std::string& word : words) argv.push_back(word.c_str());
    return parse_command_line(static_cast<int>(argv.size()), argv.data());
}

Config good(const std::vector<std::string>& words) {
    const auto parsed = parse(words);
    if (!parsed) FAIL(parsed.error().text);
    REQUIRE(parsed->action == ParsedCommandLine::Action::run);
    return parsed->config;
}

ConfigError bad(const std::vector<std::string>& words) {
    const auto parsed = parse(words);
    REQUIRE_FALSE(parsed);
    return parsed.error();
}

void write_file(const std::filesystem::path& path, const std::string& text, mode_t mode = 0600) {
    std::ofstream(path) << text;
    REQUIRE(chmod(path.c_str(), mode) == 0);
}

}  // namespace

TEST_CASE("config: the least that is needed, and defaults for the rest") {
    const TempDir dir;
    const Config config = good(minimal(dir));
    CHECK(config.datadir == dir.path());
    CHECK(config.network.listen);
    CHECK(config.network.listen_host == "127.0.0.1");
    CHECK(config.network.listen_port == 9735);
    CHECK(config.rpc.host == "127.0.0.1");
    CHECK(config.rpc.cookie_file == dir.path() / ".cookie");
    CHECK(config.chain.rpc_url == "http://127.0.0.1:8545");
    CHECK(config.chain.confirmations == 6);
    REQUIRE(config.assets.size() == 2);
    CHECK(config.assets[0].symbol == "USDH");
    CHECK(config.assets[0].feed.is_zero());
    CHECK(config.assets[0].decimals == 6);
    CHECK(config.assets[1].token.is_zero());
    CHECK(config.assets[1].feed == *hedgerow::channel::feed_from_name("ETH"));
    CHECK(config.assets[1].haircut_bps == 1000);
    CHECK(config.oracle.threshold == 1);
    CHECK(config.channel.dispute_period_s == 86'400);
    CHECK(config.channel.stale_penalty.is_zero());
    CHECK_FALSE(config.maker.enabled);
    CHECK(config.wallet.password_file.empty());
    CHECK(config.log.level == LogLevel::info);
    CHECK(config.log.file.empty());
}

TEST_CASE("config: every option is understood on the command line") {
    const TempDir dir;
    const Config config = good(minimal(dir, {"--listen=false",
                                             "--bind",
                                             "[::1]:0",
                                             "--advertise=node.example",
                                             "--peer",
                                             std::string(kNodeId) + "@h:1",
                                             "--rpc-bind",
                                             "0.0.0.0:1",
                                             "--rpc-cookie-file=/c",
                                             "--chain-rpc",
                                             "http://u:p@h:1/key",
                                             "--adjudicator-block",
                                             "5",
                                             "--confirmations=1",
                                             "--chain-poll-ms=50",
                                             "--oracle-signer",
                                             kSigner3,
                                             "--oracle-signer",
                                             kSigner1,
                                             "--oracle-threshold",
                                             "3",
                                             "--oracle",
                                             "tcp://127.0.0.1:5555,http://127.0.0.1:80",
                                             "--max-deviation-bps=1",
                                             "--max-price-age-ms=100",
                                             "--accept-channels=false",
                                             "--dispute-period=60",
                                             "--min-dispute-period=60",
                                             "--price-slot=1",
                                             "--price-grace=0",
                                             "--stale-penalty=1.5",
                                             "--max-stale-penalty=2",
                                             "--risk-class",
                                             "BTC_USD,1000,500,100,0.001",
                                             "--max-in-doubt=0.5",
                                             "--ack-timeout-ms=100",
                                             "--funding-deadband-bps=0",
                                             "--funding-cap-bps=7",
                                             "--instruments=/i",
                                             "--quote-validity-ms=50",
                                             "--maker",
                                             "--maker-spread-bps=20",
                                             "--maker-refresh-ms=60",
                                             "--maker-size",
                                             "BTC_USD-PERPETUAL,0.25",
                                             "--password-file=/p",
                                             "--log-level=debug",
                                             "--log-file=node.log",
                                             "--log-stderr=false",
                                             "--accept-restored-database"}));
    CHECK_FALSE(config.network.listen);
    CHECK(config.network.listen_host == "::1");
    CHECK(config.network.advertised_host == "node.example");
    REQUIRE(config.network.peers.size() == 1);
    CHECK(config.rpc.cookie_file == "/c");
    CHECK(config.oracle.signers.size() == 3);
    CHECK(std::is_sorted(config.oracle.signers.begin(), config.oracle.signers.end()));
    CHECK(config.oracle.threshold == 3);
    CHECK(config.oracle.endpoints.at(0).publish == "tcp://127.0.0.1:5555");
    CHECK(config.oracle.endpoints.at(0).http == "http://127.0.0.1:80");
    CHECK(config.channel.stale_penalty == Amount::from_raw(1'500'000));
    CHECK(config.channel.max_stale_penalty == Amount::from_raw(2'000'000));
    CHECK(config.channel.max_lock_s == 86'400);
    CHECK(config.channel.max_locks == 64);
    CHECK(config.channel.min_lock.raw() == 100'000'000'000'000);  // 0.01 USD
    CHECK(config.channel.max_deadline_s == 7'200);
    REQUIRE(config.risk.classes.size() == 1);
    CHECK(config.risk.classes[0].initial_bps == 1000);
    CHECK(config.risk.classes[0].lot == Quantity::from_raw(100'000));
    CHECK(config.risk.max_in_doubt.raw() == 5'000'000'000'000'000);
    CHECK(config.risk.funding_cap_bps == 7);
    CHECK(config.maker.enabled);
    CHECK(config.maker.sizes.at(0).size == Quantity::from_raw(25'000'000));
    CHECK(config.log.level == LogLevel::debug);
    CHECK(config.log.file == dir.path() / "node.log");
    CHECK_FALSE(config.log.to_stderr);
    CHECK(config.accept_stale_database);
}

TEST_CASE("config: the file is read, and the command line overrides it") {
    const TempDir dir;
    write_file(
        dir.path() / "hedgerow.conf",
        "# a comment\n; another\n\n  confirmations =  3 \nbind = \"127.0.0.1:1000\"\r\nchain-id=1\nadjudicator = " +
            std::string(kAdjudicator) + "\nasset = A,native,18,usd,0\noracle-signer = " + kSigner1 +
            "\noracle-signer = " + kSigner2 + "\nmaker = false");
    const std::string datadir = "--datadir=" + dir.path().string();
    const Config from_file = good({datadir});
    CHECK(from_file.chain.confirmations == 3);
    CHECK(from_file.network.listen_port == 1000);
    CHECK(from_file.oracle.signers.size() == 2);
    CHECK(from_file.oracle.threshold == 2);
    const Config overridden = good({datadir, "--confirmations=9", "--oracle-signer", kSigner3});
    CHECK(overridden.chain.confirmations == 9);
    CHECK(overridden.oracle.signers.size() == 1);
    CHECK(overridden.network.listen_port == 1000);
    const Config named = good({"--config", (dir.path() / "hedgerow.conf").string(), "--datadir=/elsewhere"});
    CHECK(named.datadir == "/elsewhere");
    CHECK(named.chain.confirmations == 3);
}

TEST_CASE("config: unknown, repeated and malformed file lines are named with key and line") {
    const TempDir dir;
    const auto file = dir.path() / "c.conf";
    const auto error_of = [&](const std::string& text) {
        write_file(file, text);
        return bad(minimal(dir, {"--config", file.string()}));
    };
    ConfigError error = error_of("confirmations=1\n\ncolour=blue\n");
    CHECK(error.kind == ConfigErrorKind::unknown_key);
    CHECK(error.text.find("line 3: unknown key colour") != std::string::npos);
    error = error_of("confirmations=1\nconfirmations=2");
    CHECK(error.kind == ConfigErrorKind::duplicate_key);
    CHECK(error.text.find("line 2: confirmations") != std::string::npos);
    error = error_of("confirmations=0");
    CHECK(error.kind == ConfigErrorKind::out_of_range);
    CHECK(error.text.find("line 1: confirmations: 0 is not between 1 and 1000") != std::string::npos);
    CHECK(error_of("[network]").kind == ConfigErrorKind::malformed_line);
    CHECK(error_of("just words").kind == ConfigErrorKind::malformed_line);
    CHECK(error_of("Confirmations=1").kind == ConfigErrorKind::malformed_line);
    CHECK(error_of("bind=\"127.0.0.1:1").kind == ConfigErrorKind::malformed_line);
    CHECK(error_of("config=other").kind == ConfigErrorKind::unknown_key);
    CHECK(error_of(std::string((1 << 20) + 1, '#')).kind == ConfigErrorKind::file_unreadable);
    CHECK(bad(minimal(dir, {"--config", "/no/such/file"})).kind == ConfigErrorKind::file_unreadable);
    CHECK(bad(minimal(dir, {"--config", dir.path().string()})).kind == ConfigErrorKind::file_unreadable);
}

TEST_CASE("config: command lines that cannot be understood are named") {
    const TempDir dir;
    const auto kind = [&](std::vector<std::string> extra) { return bad(minimal(dir, std::move(extra))).kind; };
    CHECK(kind({"--colour=blue"}) == ConfigErrorKind::unknown_option);
    CHECK(kind({"word"}) == ConfigErrorKind::unknown_option);
    CHECK(kind({"-x"}) == ConfigErrorKind::unknown_option);
    CHECK(kind({"--"}) == ConfigErrorKind::unknown_option);
    CHECK(kind({"--confirmations"}) == ConfigErrorKind::missing_value);
    CHECK(kind({"--confirmations", "--listen"}) == ConfigErrorKind::missing_value);
    CHECK(kind({"--confirmations=1", "--confirmations=1"}) == ConfigErrorKind::duplicate_key);
    CHECK(bad(minimal(dir, {"--colour=blue"})).text.find("--colour") != std::string::npos);
}

TEST_CASE("config: each value is checked") {
    const TempDir dir;
    using Kind = ConfigErrorKind;
    const std::pair<std::string, Kind> cases[] = {
        {"--confirmations=", Kind::malformed_value},
        {"--confirmations=six", Kind::malformed_value},
        {"--confirmations=-1", Kind::malformed_value},
        {"--confirmations=1.5", Kind::malformed_value},
        {"--confirmations=1001", Kind::out_of_range},
        {"--confirmations=99999999999999999999999", Kind::out_of_range},
        {"--listen=yes", Kind::malformed_value},
        {"--bind=9735", Kind::malformed_value},
        {"--bind=::1:9735", Kind::malformed_value},
        {"--bind=127.0.0.1:65536", Kind::out_of_range},
        {"--bind=a b:1", Kind::malformed_value},
        {"--peer=abc@h:1", Kind::malformed_value},
        {"--chain-rpc=ftp://x", Kind::malformed_value},
        {"--chain-rpc=http://", Kind::malformed_value},
        {"--asset=A,B", Kind::malformed_value},
        {"--asset=A,native,18,usd,0,x", Kind::malformed_value},
        {"--asset=,native,18,usd,0", Kind::malformed_value},
        {"--asset=A,native,19,usd,0", Kind::out_of_range},
        {"--asset=A,native,18,usd,10001", Kind::out_of_range},
        {"--asset=A,0x0000000000000000000000000000000000000000,18,usd,0", Kind::out_of_range},
        {"--asset=A,0x12,18,usd,0", Kind::malformed_value},
        {"--oracle=tcp://h:1", Kind::malformed_value},
        {"--oracle=http://h:1,tcp://h:1", Kind::malformed_value},
        {"--oracle=tcp://h:0,http://h:1", Kind::out_of_range},
        {"--oracle-signer=0x0000000000000000000000000000000000000000", Kind::out_of_range},
        // a checksum that is not EIP-55's
        {"--oracle-signer=0xFB6916095ca1df60bB79Ce92cE3Ea74c37c5d359", Kind::malformed_value},
        {"--oracle-threshold=0", Kind::out_of_range},
        {"--risk-class=BTC_USD,500,1000,100,1", Kind::out_of_range},
        {"--risk-class=BTC_USD,1000,500,501,1", Kind::out_of_range},
        {"--risk-class=BTC_USD,1000,500,100,0", Kind::out_of_range},
        {"--risk-class=BTC_USD,1000,500,100,0.000000001", Kind::out_of_range},
        {"--max-in-doubt=-1", Kind::out_of_range},
        {"--max-in-doubt=x", Kind::malformed_value},
        {"--stale-penalty=0.0000001", Kind::out_of_range},
        {"--max-lock-expiry=59", Kind::out_of_range},
        {"--max-lock-expiry=2592001", Kind::out_of_range},
        {"--max-peer-locks=257", Kind::out_of_range},
        {"--min-lock=-1", Kind::out_of_range},
        {"--max-close-deadline=604801", Kind::out_of_range},
        {"--stale-penalty=1e3", Kind::malformed_value},
        {"--maker-size=BTC_USD-PERPETUAL,0", Kind::out_of_range},
        {"--log-level=loud", Kind::malformed_value},
        {"--password-credential=../x", Kind::malformed_value},
        {"--datadir=", Kind::malformed_value},
    };
    for (const auto& [word, kind] : cases) {
        CAPTURE(word);
        std::vector<std::string> words = minimal(dir, {word});
        if (word == "--datadir=") words = {word};
        const ConfigError error = bad(words);
        CHECK(config_error_name(error.kind) == config_error_name(kind));
        const std::string name = word.substr(2, word.find('=') - 2);
        CHECK(error.text.find(name) != std::string::npos);
    }
}

TEST_CASE("config: what is missing or does not fit together is named") {
    const TempDir dir;
    using Kind = ConfigErrorKind;
    CHECK(bad({"--datadir", dir.path().string()}).kind == Kind::missing_required);
    CHECK(bad({"--datadir", dir.path().string()}).text == "chain-id is required");
    const auto kind = [&](std::vector<std::string> extra) { return bad(minimal(dir, std::move(extra))).kind; };
    CHECK(kind({"--oracle-signer", kSigner2}) == Kind::inconsistent);
    CHECK(kind({"--oracle-signer", kSigner1, "--oracle-threshold=1"}) == Kind::inconsistent);
    CHECK(kind({"--oracle-threshold=2"}) == Kind::inconsistent);
    CHECK(kind({"--asset", "ETH,0x00000000000000000000000000000000000000cc,6,usd,0"}) == Kind::inconsistent);
    CHECK(kind({"--asset", "WETH,native,18,usd,0"}) == Kind::inconsistent);
    CHECK(kind({"--dispute-period=60"}) == Kind::inconsistent);
    CHECK(kind({"--stale-penalty=2", "--max-stale-penalty=1"}) == Kind::inconsistent);
    CHECK(kind({"--password-file=/a", "--password-credential=b"}) == Kind::inconsistent);
    CHECK(kind({"--maker", "--instruments=/i"}) == Kind::inconsistent);
    CHECK(kind({"--tower-fee=5,USDH,30,10"}) == Kind::inconsistent);
    CHECK(kind({"--tower", "--tower-fee=5,WBTC,30,10"}) == Kind::inconsistent);
    CHECK(kind({"--tower", "--tower-fee=5,USDH,30"}) == Kind::malformed_value);
    CHECK(kind({"--tower", "--tower-fee=0,USDH,30,10"}) == Kind::out_of_range);
    CHECK(kind({"--tower", "--tower-fee=5,USDH,0,10"}) == Kind::out_of_range);
    CHECK(kind({"--maker", "--maker-size=A,1"}) == Kind::inconsistent);
    CHECK(kind({"--maker-size=A,1", "--maker-size=A,2"}) == Kind::inconsistent);
    CHECK(kind({"--risk-class=B,2,1,1,1", "--risk-class=B,2,1,1,1"}) == Kind::out_of_range);
    std::vector<std::string> nine;
    for (int i = 0; i < 9; ++i) nine.push_back("--asset=A" + std::to_string(i) + ",native,18,usd,0");
    CHECK(kind(nine) == Kind::out_of_range);
}

TEST_CASE("config: help names every option with its group, version prints, neither needs the rest") {
    const auto help = parse({"--help"});
    REQUIRE(help);
    CHECK(help->action == ParsedCommandLine::Action::print);
    for (const Option& option : all_options()) {
        CAPTURE(option.name);
        CHECK(help->text.find(std::string("--") + option.name) != std::string::npos);
        CHECK(help->text.find(option.group) != std::string::npos);
        CHECK((option.repeats ? option.clear != nullptr : option.clear == nullptr));
        CHECK(find_option(option.name) == &option);  // no name stands twice
    }
    for (std::size_t begin = 0; begin < help->text.size();) {
        const std::size_t end = help->text.find('\n', begin);
        CHECK(end - begin <= 120);
        begin = end + 1;
    }
    const auto version = parse({"--nonsense-is-not-reached", "x"});
    CHECK_FALSE(version);
    CHECK(parse({"--version"})->text.starts_with("hedgerowd "));
}

TEST_CASE("config: the dump holds no secret") {
    const TempDir dir;
    const Config config =
        good(minimal(dir, {"--chain-rpc=http://user:pass@host:8545/v3/apikey?token=t", "--password-file=/secret"}));
    const std::string dump = dump_config(config);
    CHECK(dump.find("chain-rpc=http://host:8545/...\n") != std::string::npos);
    for (const char* secret : {"user", "pass@", "apikey", "token=t", "/secret"})
        CHECK(dump.find(secret) == std::string::npos);
    // Nor does the error about a malformed one.
    CHECK(bad(minimal(dir, {"--chain-rpc=wss://host/apikey"})).text.find("apikey") == std::string::npos);
}

TEST_CASE("password: from a file of the owner only, without its line break") {
    const TempDir dir;
    WalletConfig config;
    REQUIRE(read_password(config));
    CHECK_FALSE(read_password(config)->has_value());
    config.password_file = dir.path() / "password";
    CHECK(read_password(config).error().kind == ConfigErrorKind::file_unreadable);
    const auto text_of = [&](const std::string& contents) {
        write_file(config.password_file, contents);
        const auto password = read_password(config);
        REQUIRE(password);
        return std::string(hedgerow::wallet::reveal_text(**password));
    };
    CHECK(text_of("secret") == "secret");
    CHECK(text_of("secret\n") == "secret");
    CHECK(text_of("secret\r\n") == "secret");
    CHECK(text_of(" two words \n\n") == " two words \n");
    CHECK(text_of(std::string(1024, 'x')).size() == 1024);
    for (const std::string& contents : {std::string(), std::string("\n"), std::string(1025, 'x')}) {
        write_file(config.password_file, contents);
        CHECK(read_password(config).error().kind == ConfigErrorKind::malformed_value);
    }
    write_file(config.password_file, "secret", 0640);
    CHECK(read_password(config).error().kind == ConfigErrorKind::inconsistent);
    CHECK(read_password(config).error().text.find("secret") == std::string::npos);
    config.password_file = dir.path();
    CHECK(read_password(config).error().kind == ConfigErrorKind::file_unreadable);
}

TEST_CASE("password: from a systemd credential") {
    const TempDir dir;
    WalletConfig config;
    config.password_credential = "hedgerow";
    unsetenv("CREDENTIALS_DIRECTORY");
    CHECK(read_password(config).error().kind == ConfigErrorKind::inconsistent);
    setenv("CREDENTIALS_DIRECTORY", dir.path().c_str(), 1);
    write_file(dir.path() / "hedgerow", "pass\n", 0400);
    const auto password = read_password(config);
    unsetenv("CREDENTIALS_DIRECTORY");
    REQUIRE(password);
    CHECK(hedgerow::wallet::reveal_text(**password) == "pass");
}
