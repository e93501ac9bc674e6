#include "daemon/config/config.h"

#include <fmt/format.h>

#include <optional>
#include <set>

#include "channel/crypto/signature.h"
#include "daemon/config/config_file.h"
#include "daemon/config/options.h"

namespace hedgerow::daemon {

using channel::Expected;
using channel::Unexpected;

namespace {

constexpr std::string_view kDefaultFile = "hedgerow.conf";

struct Argument {
    const Option* option = nullptr;
    std::string value;
};

struct CommandLine {
    std::vector<Argument> arguments;
    std::optional<std::string> print;
};

ConfigError error(ConfigErrorKind kind, std::string text) {
    return {kind, std::move(text)};
}

/// One argument that begins at argv[index], which is moved to its last word.
Expected<Argument, ConfigError> read_argument(int argc, const char* const* argv, int& index) {
    const std::string_view word(argv[index]);
    if (!word.starts_with("--") || word.size() == 2)
        return Unexpected{
            error(ConfigErrorKind::unknown_option, fmt::format("unexpected argument '{}'; see --help", word))};
    const std::size_t equals = word.find('=');
    const std::string_view name = word.substr(2, equals == std::string_view::npos ? equals : equals - 2);
    const Option* option = find_option(name);
    if (option == nullptr)
        return Unexpected{error(ConfigErrorKind::unknown_option, fmt::format("unknown option --{}; see --help", name))};
    if (equals != std::string_view::npos) return Argument{option, std::string(word.substr(equals + 1))};
    if (*option->value_name == '\0') return Argument{option, "true"};
    // "--peer --listen" is a forgotten value, not a peer named --listen.
    if (index + 1 >= argc || std::string_view(argv[index + 1]).starts_with("--"))
        return Unexpected{
            error(ConfigErrorKind::missing_value, fmt::format("--{} needs a value: {}", name, option->value_name))};
    return Argument{option, argv[++index]};
}

Expected<CommandLine, ConfigError> read_arguments(int argc, const char* const* argv) {
    CommandLine out;
    std::set<const Option*> seen;
    for (int index = 1; index < argc; ++index) {
        const std::string_view word(argv[index]);
        if (word == "--help" || word == "-h") return CommandLine{{}, help_text()};
        if (word == "--version") return CommandLine{{}, fmt::format("hedgerowd {}\n", HEDGEROW_VERSION)};
        auto argument = read_argument(argc, argv, index);
        if (!argument) return Unexpected{argument.error()};
        if (!seen.insert(argument->option).second && !argument->option->repeats)
            return Unexpected{
                error(ConfigErrorKind::duplicate_key, fmt::format("--{} is given twice", argument->option->name))};
        out.arguments.push_back(std::move(*argument));
    }
    return out;
}

Problem apply(Draft& draft, const Option& option, std::string_view value, std::string_view place) {
    Problem problem = option.apply(draft, value);
    if (problem) problem->text = fmt::format("{}{}: {}", place, option.name, problem->text);
    return problem;
}

Problem apply_file(Draft& draft, const std::filesystem::path& file) {
    const auto entries = read_config_file(file);
    if (!entries) return entries.error();
    std::set<const Option*> seen;
    for (const ConfigEntry& entry : *entries) {
        const std::string place = fmt::format("{} line {}: ", file.string(), entry.line);
        const Option* option = find_option(entry.key);
        if (option == nullptr || entry.key == "config")
            return error(ConfigErrorKind::unknown_key, fmt::format("{}unknown key {}", place, entry.key));
        if (!seen.insert(option).second && !option->repeats)
            return error(ConfigErrorKind::duplicate_key, fmt::format("{}{} is given twice", place, entry.key));
        if (auto problem = apply(draft, *option, entry.value, place)) return problem;
    }
    return {};
}

Problem apply_arguments(Draft& draft, const std::vector<Argument>& arguments) {
    std::set<const Option*> cleared;
    for (const Argument& argument : arguments) {
        const Option& option = *argument.option;
        if (option.repeats && cleared.insert(&option).second) option.clear(draft);
        if (auto problem = apply(draft, option, argument.value, "--")) return problem;
    }
    return {};
}

Draft defaults() {
    Draft draft;
    for (const Option& option : all_options()) {
        if (*option.default_text != '\0') ASSERT(!option.apply(draft, option.default_text));
    }
    return draft;
}

/// The file to read: --config, or the one in the data directory that the command line (or the default) names.
Expected<std::filesystem::path, ConfigError> config_file(const Draft& draft, const std::vector<Argument>& arguments) {
    std::filesystem::path datadir = draft.config.datadir;
    for (const Argument& argument : arguments) {
        const std::string_view name(argument.option->name);
        std::filesystem::path path;
        if (name != "config" && name != "datadir") continue;
        if (auto problem = read_path(argument.value, path)) {
            problem->text = fmt::format("--{}: {}", name, problem->text);
            return Unexpected{*problem};
        }
        if (name == "config") return expand_home(path);
        datadir = path;
    }
    const std::filesystem::path usual = expand_home(datadir) / kDefaultFile;
    std::error_code ignored;
    return std::filesystem::exists(usual, ignored) ? usual : std::filesystem::path();
}

/// A URL without what may be secret in it: user, password, path and query (chain providers put their keys there).
std::string public_part(const std::string& url) {
    const std::size_t host = url.find("://") + 3;
    const std::size_t end = std::min(url.find_first_of("/?#", host), url.size());
    const std::size_t at = url.rfind('@', end);
    const std::size_t begin = at == std::string::npos || at < host ? host : at + 1;
    std::string out = url.substr(0, host).append(url, begin, end - begin);
    if (end < url.size()) out.append("/...");
    return out;
}

}  // namespace

std::string_view config_error_name(ConfigErrorKind kind) {
    switch (kind) {
        case ConfigErrorKind::unknown_option:
            return "config_unknown_option";
        case ConfigErrorKind::unknown_key:
            return "config_unknown_key";
        case ConfigErrorKind::missing_value:
            return "config_missing_value";
        case ConfigErrorKind::malformed_value:
            return "config_malformed_value";
        case ConfigErrorKind::out_of_range:
            return "config_out_of_range";
        case ConfigErrorKind::duplicate_key:
            return "config_duplicate_key";
        case ConfigErrorKind::malformed_line:
            return "config_malformed_line";
        case ConfigErrorKind::file_unreadable:
            return "config_file_unreadable";
        case ConfigErrorKind::missing_required:
            return "config_missing_required";
        case ConfigErrorKind::inconsistent:
            return "config_inconsistent";
    }
    return "config_error";
}

Expected<ParsedCommandLine, ConfigError> parse_command_line(int argc, const char* const* argv) {
    const auto line = read_arguments(argc, argv);
    if (!line) return Unexpected{line.error()};
    ParsedCommandLine out;
    if (line->print) {
        out.action = ParsedCommandLine::Action::print;
        out.text = *line->print;
        return out;
    }
    Draft draft = defaults();
    const auto file = config_file(draft, line->arguments);
    if (!file) return Unexpected{file.error()};
    Problem problem;
    if (!file->empty()) problem = apply_file(draft, *file);
    if (!problem) problem = apply_arguments(draft, line->arguments);
    if (problem) return Unexpected{*problem};
    auto config = finish_config(std::move(draft));
    if (!config) return Unexpected{config.error()};
    out.config = std::move(*config);
    return out;
}

std::string dump_config(const Config& config) {
    std::string out;
    const auto line = [&out](std::string_view key, const auto& value) { out += fmt::format("{}={}\n", key, value); };
    line("datadir", config.datadir.string());
    line("listen", config.network.listen);
    line("bind", fmt::format("{}:{}", config.network.listen_host, config.network.listen_port));
    for (const PeerUri& peer : config.network.peers) line("peer", format_peer_uri(peer));
    line("rpc-bind", fmt::format("{}:{}", config.rpc.host, config.rpc.port));
    line("chain-rpc", public_part(config.chain.rpc_url));
    line("chain-id", config.chain.chain_id);
    line("adjudicator", channel::checksum_address(config.chain.adjudicator));
    line("confirmations", config.chain.confirmations);
    for (const AssetConfig& asset : config.assets) {
        line("asset",
             fmt::format("{},{},{},{},{}", asset.symbol, channel::checksum_address(asset.token), asset.decimals,
                         asset.feed.is_zero() ? "usd" : channel::feed_name(asset.feed), asset.haircut_bps));
    }
    for (const auto& signer : config.oracle.signers) line("oracle-signer", channel::checksum_address(signer));
    line("oracle-threshold", config.oracle.threshold);
    for (const OracleAddress& oracle : config.oracle.endpoints) line("oracle", oracle.publish + "," + oracle.http);
    line("dispute-period", config.channel.dispute_period_s);
    line("price-slot", config.channel.price_slot_s);
    line("max-lock-expiry", config.channel.max_lock_s);
    line("max-close-deadline", config.channel.max_deadline_s);
    line("maker", config.maker.enabled);
    line("tower", config.tower.enabled);
    line("password-source", !config.wallet.password_file.empty()         ? "file"
                            : !config.wallet.password_credential.empty() ? "credential"
                                                                         : "none");
    line("log-level", log_level_name(config.log.level));
    return out;
}

}  // namespace hedgerow::daemon
