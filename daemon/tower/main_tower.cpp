#include <fmt/format.h>
#include <sodium.h>

#include <cstdio>
#include <fstream>
#include <iostream>

#include "channel/crypto/signature.h"
#include "daemon/config/password.h"
#include "daemon/market/book_packages.h"
#include "daemon/node/clock.h"
#include "daemon/process/process.h"
#include "daemon/tower/tower.h"
#include "daemon/tower/tower_http.h"
#include "daemon/tower/tower_options.h"
#include "daemon/tower/tower_schema.h"
#include "rpc/auth.h"
#include "rpc/http_client.h"
#include "wallet/keys/process_hardening.h"
#include "wallet/keys/seed_file.h"

/// hedgerow-tower; exit codes: see run_process.
namespace {

using namespace hedgerow;
using namespace hedgerow::daemon;

constexpr std::string_view kName = "hedgerow-tower";

int complain(std::string_view what, std::string_view text, int code) {
    return daemon::complain(kName, what, text, code);
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
    const TowerHttp http(tower.loop(), tower, config.tower.node.datadir, config.http_host, config.http_port);
    LOG_INFO("tower", {"uri", tower.uri()}, {"account", channel::checksum_address(tower.account())},
             {"http", http.url()});
    fmt::print("uri {}\nhttp {}\n", tower.uri(), http.url());
    std::fflush(stdout);
    const StopOnSignal signals(tower);
    return tower.run();
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
    const TowerConfig& config = *parsed.config;
    return run_process({kName, config.tower.node.datadir, config.log, hardening.dumps_off},
                       [&] { return run(config); });
}
