#include "daemon/tower/tower_options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <ctime>

#include "daemon/config/tower_values.h"
#include "daemon/tower/appointment.h"

namespace hedgerow::daemon {

namespace {

constexpr const char* kAbout =
    "hedgerow-tower - a watchtower: enforces other people's channels while they are away\n"
    "\n"
    "Clients hand it sealed appointments; it reads none of them before a challenge on chain reveals the channel's\n"
    "secret, then answers with the newest state, attests prices, reveals preimages and settles. It pays the gas from\n"
    "its own wallet: create that with `hedgerow-tower init`, fund the account that it prints, and run.";
constexpr const char* kExamples =
    "Examples:\n"
    "  hedgerow-tower init --datadir /var/lib/hedgerow-tower --password-file pw\n"
    "  hedgerow-tower --datadir /var/lib/hedgerow-tower --password-file pw --chain-rpc http://127.0.0.1:8545 \\\n"
    "      --chain-id 1 --adjudicator 0x... --bind 0.0.0.0:9737\n"
    "  hedgerow-tower grant --datadir /var/lib/hedgerow-tower CLIENT --records 100 --until 2027-12-31\n"
    "\n"
    "Every option can stand in the configuration file as `option = value`. GET /metrics, /healthz and /readyz are\n"
    "served on --http. SIGTERM stops it in order; after kill -9 it goes on where it was.\n"
    "Exit codes: 0 stopped, 1 configuration, 2 wallet, 3 database, 4 other.";

constexpr int kCoinDecimals = 18;

using Reader = std::function<Problem(const std::string&)>;

/// An option whose text is read by the same functions as hedgerowd's.
CLI::Option* add(CLI::App& app, const std::string& name, const std::string& help, Reader read, const char* fallback,
                 const char* type) {
    if (*fallback != '\0') ASSERT(!read(fallback));
    CLI::Option* option = app.add_option_function<std::string>(
        "--" + name,
        [name, read](const std::string& text) {
            if (const Problem problem = read(text)) throw CLI::ValidationError("--" + name, problem->text);
        },
        help);
    option->type_name(type);
    if (*fallback != '\0') option->default_str(fallback);
    return option;
}

template <typename T, typename Read>
void add_list(CLI::App& app, const std::string& name, const std::string& help, std::vector<T>& list, Read read,
              const char* type) {
    app.add_option_function<std::vector<std::string>>(
           "--" + name,
           [name, &list, read](const std::vector<std::string>& texts) {
               for (const std::string& text : texts) {
                   T item{};
                   if (const Problem problem = read(text, item)) throw CLI::ValidationError("--" + name, problem->text);
                   list.push_back(std::move(item));
               }
           },
           help)
        ->type_name(type)
        ->take_all();
}

Problem read_node_id(const std::string& text, channel::NodeId& out) {
    const auto id = channel::fixed_from_hex<channel::NodeId>(text);
    if (!id) return malformed(text, "a node's id: 64 hex digits");
    out = *id;
    return {};
}

void add_general(CLI::App& app, TowerConfig& c) {
    NodeOptions& node = c.tower.node;
    add(
        app, "datadir", "keep everything there",
        [&node](const std::string& t) {
            std::filesystem::path path;
            Problem problem = read_path(t, path);
            if (!problem) node.datadir = expand_home(path);
            return problem;
        },
        "~/.hedgerow-tower", "DIR");
    add(
        app, "password-file", "the wallet's password (mode 0600 or less)",
        [&c](const std::string& t) { return read_path(t, c.wallet.password_file); }, "", "FILE");
    add(
        app, "password-credential", "or a systemd credential with it",
        [&c](const std::string& t) {
            if (t.empty() || t.find('/') != std::string::npos || t.front() == '.')
                return malformed(t, "a credential's name");
            c.wallet.password_credential = t;
            return Problem();
        },
        "", "NAME");
    add(
        app, "http", "metrics, health and the operator's commands; keep it on loopback",
        [&c](const std::string& t) { return read_endpoint(t, c.http_host, c.http_port, 0); }, "127.0.0.1:9738",
        "HOST:PORT");
    add(
        app, "log-level", "trace, debug, info, warn, error or off",
        [&c](const std::string& t) {
            const auto level = log_level_from(t);
            if (!level) return malformed(t, "a level");
            c.log.level = *level;
            return Problem();
        },
        "info", "LEVEL");
    add(
        app, "log-file", "log there too (rotated)", [&c](const std::string& t) { return read_path(t, c.log.file); }, "",
        "FILE");
}

void add_chain(CLI::App& app, TowerConfig& c) {
    NodeOptions& node = c.tower.node;
    constexpr std::uint64_t kMost = std::uint64_t{1} << 62;
    add(
        app, "chain-rpc", "JSON-RPC of an EVM node",
        [&node](const std::string& t) { return read_url(t, "http", node.chain_url); }, "http://127.0.0.1:8545", "URL");
    add(
        app, "chain-id", "chain that it must be on (required to run)",
        [&node](const std::string& t) { return read_number(t, node.chain_id, 1, kMost); }, "", "N");
    add(
        app, "adjudicator", "Hedgerow's contract there (required to run)",
        [&node](const std::string& t) { return read_address(t, node.adjudicator); }, "", "ADDRESS");
    add(
        app, "adjudicator-block", "block that it was deployed in",
        [&node](const std::string& t) { return read_number(t, node.adjudicator_block, 0, kMost); }, "0", "N");
    add(
        app, "confirmations", "blocks after which an event counts (1 to 1000)",
        [&node](const std::string& t) { return read_number(t, node.confirmations, 1, 1'000); }, "12", "N");
    add(
        app, "chain-poll-ms", "how often to ask for a new block (50 to 60000)",
        [&node](const std::string& t) { return read_number(t, node.chain_poll_ms, 50, 60'000); }, "1000", "MS");
    add(
        app, "chain-block-ms", "time between blocks (50 to 600000)",
        [&node](const std::string& t) { return read_number(t, node.fees.block_ms, 50, 600'000); }, "12000", "MS");
    add_list(app, "oracle", "where an oracle publishes and serves its history; may repeat", c.oracles, read_oracle,
             "tcp://H:P,http://H:P");
    add_list(app, "oracle-signer", "an oracle whose packages are kept and attested; may repeat", c.oracle_signers,
             read_address, "ADDRESS");
}

void add_service(CLI::App& app, TowerConfig& c) {
    NodeOptions& node = c.tower.node;
    TowerLimits& policy = c.tower.policy;
    add(
        app, "bind", "where clients connect; port 0 takes a free one",
        [&node](const std::string& t) {
            return read_endpoint(t, node.transport.listen_host, node.transport.listen_port, 0);
        },
        "127.0.0.1:9737", "HOST:PORT");
    add(
        app, "advertise", "address in this tower's URI, where it differs from --bind",
        [&node](const std::string& t) { return read_host(t, node.advertised_host); }, "", "HOST");
    add(
        app, "max-clients", "links at once (1 to 65536)",
        [&node](const std::string& t) { return read_number(t, node.transport.max_incoming, 1, 65'536); }, "1024", "N");
    for (const TowerSetting& setting : tower_settings()) {
        add(
            app, std::string(setting.name), setting.help,
            [&policy, read = setting.read](const std::string& t) { return read(policy, t); }, setting.default_text,
            setting.value_name);
    }
    add(
        app, "dispute-budget", "most that one transaction of a dispute may cost in fees, in the chain's coin",
        [&node](const std::string& t) { return read_wei(t, kCoinDecimals, node.fees.defence_budget); }, "0.2", "COINS");
}

void add_commands(CLI::App& app, TowerConfig& c) {
    app.require_subcommand(0, 1);
    const auto command = [&](const char* name, const char* help, TowerCommand which) {
        CLI::App* sub = app.add_subcommand(name, help);
        sub->fallthrough();
        sub->callback([&c, which] { c.command = which; });
        return sub;
    };
    command("run", "serve and watch (the default)", TowerCommand::run);
    command("init", "make the wallet; prints its phrase once, its account and the tower's id", TowerCommand::init);
    command("restore", "make the wallet again from its phrase, read from standard input", TowerCommand::restore);
    command("clients", "who keeps what here", TowerCommand::clients);
    CLI::App* grant = command("grant", "a client's subscription; replaces its earlier one", TowerCommand::grant);
    grant
        ->add_option_function<std::string>(
            "CLIENT",
            [&c](const std::string& text) {
                if (const Problem problem = read_node_id(text, c.client))
                    throw CLI::ValidationError("CLIENT", problem->text);
            },
            "its node's id")
        ->required();
    grant->add_option("--records", c.records, "appointments")->required()->check(CLI::Range(0, 1'000'000'000));
    grant->add_option("--bytes", c.bytes, "bytes of them (default: 16 KiB each)");
    grant
        ->add_option_function<std::string>(
            "--until",
            [&c](const std::string& text) {
                const auto time = parse_date_ms(text);
                if (!time) throw CLI::ValidationError("--until", "expected 2027-03-31 or 2027-03-31T12:00:00Z");
                c.until_ms = *time;
            },
            "when it ends, UTC")
        ->required();
}

Problem finish(TowerConfig& c) {
    NodeOptions& node = c.tower.node;
    node.transport.max_connections = node.transport.max_incoming * 2;
    node.fees.confirmations = node.confirmations;
    node.agent = "hedgerow-tower/" HEDGEROW_VERSION;
    if (c.bytes == 0) c.bytes = c.records * (kAppointmentClasses[1] + kAppointmentOverhead);
    if (c.command != TowerCommand::run) return {};
    if (node.chain_id == 0) return ConfigError{ConfigErrorKind::missing_required, "--chain-id is required"};
    if (node.adjudicator.is_zero()) return ConfigError{ConfigErrorKind::missing_required, "--adjudicator is required"};
    if (!c.oracles.empty() && c.oracle_signers.empty())
        return ConfigError{ConfigErrorKind::missing_required, "--oracle needs the --oracle-signer that signs there"};
    return {};
}

}  // namespace

ParsedTower parse_tower(int argc, const char* const* argv) {
    CLI::App app(kAbout, "hedgerow-tower");
    app.footer(kExamples);
    app.get_formatter()->column_width(34);
    app.set_version_flag("--version", "hedgerow-tower " HEDGEROW_VERSION);
    app.set_config("--config", "", "read settings from FILE")->type_name("FILE");
    TowerConfig config;
    add_general(app, config);
    add_chain(app, config);
    add_service(app, config);
    add_commands(app, config);
    try {
        app.parse(argc, argv);
    } catch (const CLI::Success& asked) {
        const bool is_version = dynamic_cast<const CLI::CallForVersion*>(&asked) != nullptr;
        return {std::nullopt, 0, is_version ? std::string(asked.what()).append("\n") : app.help()};
    } catch (const CLI::Error& error) {
        return {std::nullopt, 1, fmt::format("hedgerow-tower: {}\nTry --help.\n", error.what())};
    }
    if (const Problem problem = finish(config))
        return {std::nullopt, 1,
                fmt::format("hedgerow-tower: {}: {}\n", config_error_name(problem->kind), problem->text)};
    return {std::move(config), 0, {}};
}

std::optional<std::uint64_t> parse_date_ms(std::string_view text) {
    std::string full(text);
    if (text.size() == 10) full += "T00:00:00Z";
    if (full.size() != 20) return std::nullopt;
    std::tm parts{};
    const char* end = ::strptime(full.c_str(), "%Y-%m-%dT%H:%M:%SZ", &parts);
    if (end == nullptr || *end != '\0') return std::nullopt;
    const std::tm asked = parts;
    const std::time_t seconds = ::timegm(&parts);
    // timegm corrects 31 February in silence.
    if (seconds < 0 || parts.tm_mday != asked.tm_mday || parts.tm_mon != asked.tm_mon) return std::nullopt;
    return static_cast<std::uint64_t>(seconds) * 1'000;
}

}  // namespace hedgerow::daemon
