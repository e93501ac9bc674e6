#include <fmt/format.h>
#include <sodium.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <exception>
#include <fstream>
#include <iostream>

#include "channel/base/assert.h"
#include "channel/crypto/signature.h"
#include "daemon/config/password.h"
#include "daemon/market/book_packages.h"
#include "daemon/node/clock.h"
#include "daemon/tower/tower_http.h"
#include "daemon/tower/tower_options.h"
#include "daemon/tower/tower_schema.h"
#include "rpc/auth.h"
#include "rpc/http_client.h"
#include "wallet/keys/process_hardening.h"
#include "wallet/keys/seed_file.h"

/// hedgerow-tower: exit codes 0 stopped, 1 configuration, 2 wallet, 3 database, 4 any other fault.
namespace {

using namespace hedgerow;
using namespace hedgerow::daemon;

std::atomic<Tower*> g_tower{nullptr};

void on_signal(int) {
    if (Tower* tower = g_tower.load()) tower->stop();
}

void on_assert(const char* expression, const char* file, int line) {
    LOG_ERROR("assertion failed", {"expression", expression}, {"file", file}, {"line", line});
    flush_log();
}

int complain(std::string_view what, std::string_view text, int code) {
    fmt::print(stderr, "hedgerow-tower: {}: {}\n", what, text);
    return code;
}

void handle_signals() {
    struct sigaction action {};
    action.sa_handler = on_signal;
    ::sigaction(SIGINT, &action, nullptr);
    ::sigaction(SIGTERM, &action, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
}

std::filesystem::path seed_path(const TowerConfig& config) {
    return config.tower.node.datadir / "wallet.seed";
}

wallet::WalletExpected<wallet::MasterSeed> seed_from_input() {
    std::string phrase;
    std::getline(std::cin, phrase);
    auto seed = wallet::MasterSeed::from_mnemonic(phrase);
    sodium_memzero(phrase.data(), phrase.size());
    return seed;
}

int init(const TowerConfig& config, std::string_view password) {
    const bool is_new = config.command == TowerCommand::init;
    auto seed = is_new ? wallet::WalletExpected<wallet::MasterSeed>(wallet::MasterSeed::generate()) : seed_from_input();
    const auto created = seed ? wallet::create_seed_file(seed_path(config), *seed, password)
                              : wallet::WalletExpected<void>(channel::Unexpected{seed.error()});
    if (!created) return complain("wallet", wallet_fault_name(created.error()), 2);
    if (is_new) {
        const wallet::SecretBytes phrase = seed->mnemonic();
        fmt::print("phrase {}\n", reveal_text(phrase));
    }
    const NodeKeys keys(std::move(*seed));
    fmt::print("account {}\nid {}\n", channel::checksum_address(keys.owners().front()),
               channel::to_hex(keys.keyring().identity().node_id()).substr(2));
    return 0;
}

/// The operator's command to the tower that runs on this data directory; nothing where none does.
std::optional<int> ask_running(const TowerConfig& config) {
    std::ifstream file(config.tower.node.datadir / "http.url");
    std::string url;
    const auto cookie = rpc::read_cookie(config.tower.node.datadir / ".cookie");
    if (!std::getline(file, url) || !cookie) return std::nullopt;
    rpc::HttpClient client(url);
    const rpc::HttpFields fields{{"Authorization", rpc::basic_authorization(*cookie)}};
    const std::string target =
        fmt::format("/grant?client={}&records={}&bytes={}&untilMs={}", channel::to_hex(config.client).substr(2),
                    config.records, config.bytes, config.until_ms);
    const auto answer = config.command == TowerCommand::grant ? client.post("", "text/plain", target, fields)
                                                              : client.get("/clients", fields);
    if (!answer) return std::nullopt;
    fmt::print(answer->status == 200 ? stdout : stderr, "{}", answer->body);
    return answer->status == 200 ? 0 : 4;
}

int operate(const TowerConfig& config) {
    if (const auto done = ask_running(config)) return *done;
    Database db(tower_database(config.tower.node.datadir / kTowerFileName));
    if (config.command == TowerCommand::clients) {
        channel::NodeId after;
        for (auto page = list_clients(db, after, 1'000); !page.empty(); page = list_clients(db, after, 1'000)) {
            for (const ClientAccount& client : page) fmt::print("{}\n", client_line(client));
            after = page.back().node;
        }
        return 0;
    }
    db.begin();
    grant(db, config.client, config.records, config.bytes, config.until_ms);
    db.commit();
    fmt::print("granted\n");
    return 0;
}

/// The prices of the oracles that are configured, kept for disputes.
class Prices {
  public:
    explicit Prices(const TowerConfig& config) : m_book(book_config(config)), m_packages(m_book, m_pointer) {
        OracleClientConfig client;
        for (const OracleAddress& oracle : config.oracles) client.endpoints.push_back({oracle.publish, oracle.http});
        m_client = std::make_unique<OracleClient>(
            client, m_book, wall_clock_ms, [](const std::vector<channel::Feed>&) {},
            [](const std::string& text) {
                LOG_ERROR("oracle client", {"text", text});
            });
        m_pointer = m_client.get();
    }
    [[nodiscard]] PackageSource* packages() { return &m_packages; }

  private:
    static PriceBookConfig book_config(const TowerConfig& config) {
        PriceBookConfig out;
        out.oracles = config.oracle_signers;
        out.history.file = config.tower.node.datadir / "prices";
        return out;
    }
    PriceBook m_book;
    OracleClient* m_pointer = nullptr;
    BookPackages m_packages;
    std::unique_ptr<OracleClient> m_client;
};

int serve(const TowerConfig& config, std::string_view password) {
    auto seed = wallet::open_seed_file(seed_path(config), password);
    if (!seed) return complain("wallet", wallet_fault_name(seed.error()), 2);
    std::optional<Prices> prices;
    if (!config.oracles.empty()) prices.emplace(config);
    Tower tower(config.tower, std::move(*seed), prices ? prices->packages() : nullptr);
    const TowerHttp http(tower, config.tower.node.datadir, config.http_host, config.http_port);
    LOG_INFO("tower", {"uri", tower.uri()}, {"account", channel::checksum_address(tower.account())},
             {"http", http.url()});
    fmt::print("uri {}\nhttp {}\n", tower.uri(), http.url());
    std::fflush(stdout);
    g_tower.store(&tower);
    handle_signals();
    const int code = tower.run();
    g_tower.store(nullptr);
    return code;
}

int run(const TowerConfig& config) {
    if (config.command == TowerCommand::grant || config.command == TowerCommand::clients) return operate(config);
    const auto password = read_password(config.wallet);
    if (!password) return complain(config_error_name(password.error().kind), password.error().text, 1);
    if (!*password) return complain("config_missing_required", "--password-file or --password-credential", 1);
    const std::string_view text = reveal_text(**password);
    return config.command == TowerCommand::run ? serve(config, text) : init(config, text);
}

}  // namespace

int main(int argc, char** argv) {
    const wallet::Hardening hardening = wallet::harden_process();
    const ParsedTower parsed = parse_tower(argc, argv);
    if (!parsed.config) {
        fmt::print(parsed.exit_code == 0 ? stdout : stderr, "{}", parsed.output);
        return parsed.exit_code;
    }
    try {
        const std::filesystem::path& datadir = parsed.config->tower.node.datadir;
        std::filesystem::create_directories(datadir);
        std::filesystem::permissions(datadir, std::filesystem::perms::owner_all);
        start_log(parsed.config->log);
        channel::set_assert_handler(on_assert);
        if (!hardening.dumps_off) LOG_WARN("core dumps cannot be turned off; keys could reach the disk");
        const int code = run(*parsed.config);
        flush_log();
        return code;
    } catch (const StoreError& error) {
        flush_log();
        return complain(store_error_name(error.kind()), error.what(), 3);
    } catch (const std::exception& error) {
        flush_log();
        return complain("cannot run", error.what(), 4);
    }
}
