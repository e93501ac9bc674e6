#include "cli/run.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "cli/command_line.h"
#include "cli/names.h"
#include "cli/render.h"
#include "cli/tower_proof.h"
#include "rpc/client.h"
#include "rpc/server.h"

namespace hedgerow::cli {

using channel::Unexpected;
using rpc::CallError;
using rpc::Json;
using rpc::Outcome;
namespace fs = std::filesystem;

namespace {

/// What the node of that data directory serves, as it says itself while it runs; else the default port.
std::string url_of(const std::filesystem::path& datadir) {
    std::ifstream file(datadir / rpc::kUrlFileName);
    std::string url;
    if (std::getline(file, url) && !url.empty()) return url;
    return fmt::format("http://127.0.0.1:{}", rpc::kDefaultRpcPort);
}


constexpr std::size_t kMaxSecret = 4096;
constexpr std::size_t kMaxPages = 100'000;

/// Says every second that an answer is awaited, once the first two have passed in silence.
class Progress {
  public:
    explicit Progress(Environment& environment) : m_err(environment.err) {
        if (environment.progress) m_thread = std::thread([this] { run(); });
    }
    ~Progress() {
        if (!m_thread.joinable()) return;
        {
            const std::lock_guard lock(m_mutex);
            m_over = true;
        }
        m_changed.notify_all();
        m_thread.join();
    }
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;

  private:
    void run() {
        std::unique_lock lock(m_mutex);
        int seconds = 0;
        while (!m_changed.wait_for(lock, std::chrono::seconds(1), [this] { return m_over; })) {
            if (++seconds >= 2) m_err << "\rwaiting for the node: " << seconds << " s " << std::flush;
        }
        if (seconds >= 2) m_err << "\r\x1b[K" << std::flush;
    }

    std::ostream& m_err;
    std::mutex m_mutex;
    std::condition_variable m_changed;
    bool m_over = false;
    std::thread m_thread;
};

/// One line of a file or of standard input ("-"), without its end.
channel::Expected<std::string, std::string> read_line(const std::string& path, Environment& environment) {
    std::string line;
    if (path == "-") {
        std::getline(environment.in, line);
    } else {
        std::ifstream file(path);
        if (!file) return Unexpected{fmt::format("cannot read {}", path)};
        std::getline(file, line);
    }
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (line.empty()) return Unexpected{fmt::format("{} holds no line of text", path == "-" ? "standard input" : path)};
    if (line.size() > kMaxSecret) return Unexpected{std::string("the secret is too long")};
    return line;
}

channel::Expected<std::string, std::string> read_secret(const rpc::Field& field, const Typed& typed,
                                                        Environment& environment) {
    const auto file = typed.named.find(field.name);
    if (file != typed.named.end()) return read_line(file->second.back(), environment);
    const auto ask = [&](const std::string& prompt) {
        return environment.ask_secret ? environment.ask_secret(prompt) : std::nullopt;
    };
    const auto first = ask(fmt::format("{}: ", field.name));
    if (!first)
        return Unexpected{fmt::format("no terminal to ask for the {}: name a file with {}, or - for standard input",
                                      field.name, option_name(field))};
    if (field.schema.chosen && ask(fmt::format("{} again: ", field.name)) != first)
        return Unexpected{fmt::format("the two {}s differ", field.name)};
    return *first;
}

std::string first_set(const std::string& given, Environment& environment, const char* variable,
                      const std::string& fallback) {
    if (!given.empty()) return given;
    return environment.variable(variable).value_or(fallback);
}

channel::Expected<rpc::RpcClientOptions, std::string> client_options(const GlobalOptions& options,
                                                                     Environment& environment) {
    const fs::path home = environment.variable("HOME").value_or(".");
    const fs::path datadir = first_set(options.datadir, environment, "HEDGEROW_DATADIR", (home / ".hedgerow").string());
    rpc::RpcClientOptions out;
    out.url = first_set(options.rpc_url, environment, "HEDGEROW_RPC", url_of(datadir));
    // A data directory that was named wins over a cookie that merely is in the environment.
    const std::string beside = (datadir / rpc::kCookieFileName).string();
    out.cookie_path = !options.datadir.empty() && options.cookie.empty()
                          ? beside
                          : first_set(options.cookie, environment, "HEDGEROW_COOKIE", beside);
    out.http.request_timeout_ms = static_cast<std::uint32_t>(options.timeout_s) * 1000U;
    if (!rpc::parse_http_url(out.url)) return Unexpected{fmt::format("--rpc is no http:// URL: {}", out.url)};
    if (options.token_file.empty()) return out;
    auto token = read_line(options.token_file, environment);
    if (!token) return Unexpected{fmt::format("--token-file: {}", token.error())};
    out.bearer_token = std::move(*token);
    return out;
}

int exit_code(const CallError& error) {
    if (error.kind == CallError::Kind::connect) return error.error.name == "url_malformed" ? kUsage : kCannotConnect;
    if (error.kind == CallError::Kind::unauthorised || error.error.name == "scope_denied") return kUnauthorised;
    switch (error.error.outcome) {
        case Outcome::not_done:
            return kNotDone;
        case Outcome::done:
            return kDoneWithError;
        case Outcome::unknown:
            return kOutcomeUnknown;
    }
    return kOutcomeUnknown;
}

int report(const CallError& failed, bool json, Environment& environment) {
    rpc::RpcError error = failed.error;
    if (failed.kind == CallError::Kind::connect && error.remedy.empty())
        error.remedy = "is hedgerowd running? --rpc says where";
    if (json) {
        environment.err << rpc::json_text(Json{{"error", rpc::error_json(error)}}) << "\n";
        return exit_code(failed);
    }
    environment.err << "error: " << printable(error.message) << " [" << printable(error.name) << "]\n";
    if (!error.remedy.empty()) environment.err << "remedy: " << printable(error.remedy) << "\n";
    if (error.outcome == Outcome::unknown) environment.err << "outcome: unknown; it may have been done\n";
    if (error.outcome == Outcome::done) environment.err << "outcome: it was done\n";
    return exit_code(failed);
}

int usage_error(const UsageError& error, Environment& environment) {
    environment.err << "error: " << printable(error.message) << "\n";
    environment.err << "see: hedgerow-cli " << error.see << (error.see.empty() ? "" : " ") << "--help\n";
    return kUsage;
}

/// One call, or with --all as many as it takes to have every page.
channel::Expected<Json, CallError> call_all(rpc::RpcClient& client, const std::string& method, Json params, bool all) {
    auto result = client.call(method, params);
    for (std::size_t page = 0; all && result && page < kMaxPages; ++page) {
        if (!result->is_object() || !result->contains("items") || !result->contains("cursor") ||
            !(*result)["cursor"].is_string())
            break;
        params["cursor"] = (*result)["cursor"];
        auto next = client.call(method, params);
        if (!next) return next;
        if (!next->is_object() || !next->contains("items")) break;
        for (Json& item : (*next)["items"]) (*result)["items"].push_back(std::move(item));
        (*result)["cursor"] = next->contains("cursor") ? (*next)["cursor"] : Json(nullptr);
    }
    return result;
}

int perform(const std::string& method, const Json& params, const GlobalOptions& options, Environment& environment) {
    auto connection = client_options(options, environment);
    if (!connection) return usage_error({connection.error(), {}}, environment);
    rpc::RpcClient client(std::move(*connection));
    const auto result = [&] {
        const Progress progress(environment);
        return call_all(client, method, params, options.all);
    }();
    if (!result) return report(result.error(), options.json, environment);
    environment.out << (options.json ? rpc::json_pretty(*result) + "\n" : render(*result));
    return kDone;
}

bool wanted(const std::string& filter, const Json& id) {
    return filter.empty() || (id.is_string() && id.get<std::string>() == filter);
}

/// Everything that tower_proof says about what tower_list lists.
channel::Expected<Json, CallError> collect_receipts(rpc::RpcClient& client, const ExportReceipts& command) {
    auto node = client.call("node_info", Json::object());
    if (!node) return node;
    const Json& chain = node->at("chains").at(0);
    Json bundle{{"kind", kBundleKind},
                {"format", kBundleFormat},
                {"chainId", chain.at("chainId")},
                {"adjudicator", chain.at("adjudicator")},
                {"proofs", Json::array()}};
    auto towers = call_all(client, "tower_list", Json::object(), true);
    if (!towers) return towers;
    for (const Json& tower : towers->at("items")) {
        if (!wanted(command.tower, tower.at("nodeId"))) continue;
        for (const Json& channel : tower.at("channels")) {
            if (!channel.contains("receipt") || !wanted(command.channel, channel.at("channelId"))) continue;
            auto proof = client.call("tower_proof", Json{{"channelId", channel.at("channelId")}, {"tower", tower.at("nodeId")}});
            if (!proof) return proof;
            bundle["proofs"].push_back(std::move(*proof));
        }
    }
    return bundle;
}

/// A new private file. What went wrong, or nothing.
std::optional<std::string> write_new(const std::string& path, const std::string& content) {
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (fd < 0) return fmt::format("{}: {}", path, std::strerror(errno));
    std::string_view rest = content;
    while (!rest.empty()) {
        const ssize_t written = ::write(fd, rest.data(), rest.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) break;
        rest.remove_prefix(static_cast<std::size_t>(written));
    }
    const bool good = rest.empty() && ::fsync(fd) == 0;
    const std::string error = std::strerror(errno);
    ::close(fd);
    if (good) return std::nullopt;
    ::unlink(path.c_str());  // ours: made just now
    return fmt::format("{}: {}", path, error);
}

int export_receipts(const ExportReceipts& command, Environment& environment) {
    auto connection = client_options(command.options, environment);
    if (!connection) return usage_error({connection.error(), {}}, environment);
    rpc::RpcClient client(std::move(*connection));
    const auto bundle = collect_receipts(client, command);
    if (!bundle) return report(bundle.error(), command.options.json, environment);
    const auto checked = check_bundle(*bundle);
    if (!checked) {
        environment.err << "error: the node's own receipts do not hold: " << checked.error() << "\n";
        return kNotDone;
    }
    if (const auto error = write_new(command.file, rpc::json_pretty(*bundle) + "\n")) {
        environment.err << "error: " << *error << "\n";
        return kNotDone;
    }
    environment.out << checked->size() << " promises written to " << command.file << "\n";
    return kDone;
}

int verify_receipts(const VerifyReceipts& command, Environment& environment) {
    std::ifstream file(command.file);
    if (!file) return usage_error({fmt::format("cannot read {}", command.file), "tower verify"}, environment);
    const std::string content((std::istreambuf_iterator<char>(file)), {});
    const auto bundle = rpc::parse_json(content);
    const auto checked = bundle ? check_bundle(*bundle)
                                : channel::Expected<std::vector<ProvenPromise>, std::string>(Unexpected{bundle.error().message});
    if (!checked) {
        environment.err << "error: " << printable(checked.error()) << "\n";
        return kNotDone;
    }
    Json rows = Json::array();
    for (const ProvenPromise& p : *checked) {
        rows.push_back({{"channelId", p.channel}, {"tower", p.tower}, {"version", p.version}, {"receipt", p.number}, {"time", p.time_ms}, {"stateProven", p.with_state}, {"contradictions", p.broken}});
    }
    const Json result{{"items", std::move(rows)}};
    environment.out << (command.options.json ? rpc::json_pretty(result) + "\n" : render(result));
    return kDone;
}

struct Visitor {
    Environment& environment;

    int operator()(const ExportReceipts& command) const { return export_receipts(command, environment); }
    int operator()(const VerifyReceipts& command) const { return verify_receipts(command, environment); }

    int operator()(const ShowText& show) const {
        environment.out << show.text;
        return kDone;
    }
    int operator()(const UsageError& error) const { return usage_error(error, environment); }
    int operator()(const CallMethod& call) const {
        const auto secrets = [&](const rpc::Field& field) { return read_secret(field, call.typed, environment); };
        const auto params = build_params(*call.method, call.typed, secrets);
        if (!params)
            return usage_error(
                {params.error(), fmt::format("{} {}", namespace_of(*call.method), verb_of(*call.method))}, environment);
        return perform(call.method->name, *params, call.options, environment);
    }
    int operator()(const CallRaw& call) const {
        auto params =
            call.params.empty() ? channel::Expected<Json, rpc::JsonError>(Json()) : rpc::parse_json(call.params);
        if (!params) return usage_error({fmt::format("params: {}", params.error().message), {}}, environment);
        if (!params->is_structured() && !params->is_null())
            return usage_error({"params must be a JSON object or array", {}}, environment);
        return perform(call.method, *params, call.options, environment);
    }
};

}  // namespace

int run(const std::vector<std::string>& arguments, Environment& environment) {
    return std::visit(Visitor{environment}, parse_command_line(arguments));
}

}  // namespace hedgerow::cli
