#include "daemon/oracle/oracle_options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <ctime>

namespace hedgerow::daemon {

namespace {

constexpr const char* kAbout =
    "hedgerow-oracle signs prices and publishes them, as RedStone data packages.\n"
    "\n"
    "Prices come from a recording (--replay) or from a seeded generator (--generate). Oracles that are given the same\n"
    "source, --seed and --start-time agree on every price up to their own --noise-bps, so several of them, each with\n"
    "its own key, make a k-of-n set. Packages go out over ZeroMQ (PUB: feed id, package) and HTTP:\n"
    "  GET /v1/latest?feeds=A,B   GET /v1/packages?feed=A&time=SECONDS   GET /v1/info   GET /healthz\n"
    "On start one line of JSON on standard output says what was bound and who signs. SIGTERM or Ctrl-C ends it.";
constexpr const char* kExamples =
    "Examples:\n"
    "  hedgerow-oracle --key-file o1.key --generate-key --generate --crash-after 60 --crash-size 0.25 --crash-duration "
    "15\n"
    "  hedgerow-oracle --key-file o1.key --generate --scenario crash.json --seed 7 --start-time 2026-11-21T12:00:00Z\n"
    "  hedgerow-oracle --key-file o1.key --replay BTC_USD=btc.csv.gz --replay-from 2021-05-19T12:00:00Z --speed 60\n"
    "\n"
    "Exit codes: 0 ended as asked, 1 could not start or go on, 2 mistake on the command line.";

void add_source(CLI::App& app, OracleOptions& o) {
    const char* group = "Prices";
    auto* generate = app.add_flag("--generate", o.generate, "make prices: a seeded jump diffusion")->group(group);
    auto* replay = app.add_option("--replay", o.replays,
                                  "replay a recording: CSV, plain or .gz, with the columns "
                                  "ts_ms,open,high,low,close,volume; FEED is BTC_USD where not given; may be repeated")
                       ->type_name("[FEED=]FILE")
                       ->group(group);
    generate->excludes(replay);
    app.add_option("--scenario", o.scenario_file, "feeds and how they move, a JSON file (see daemon/oracle/scenarios)")
        ->check(CLI::ExistingFile)
        ->type_name("FILE")
        ->group(group);
    app.add_option("--seed", o.seed, "of the generator; oracles of one set share it")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str()
        ->group(group);
    app.add_option("--start-time", o.start_time,
                   "when the prices begin: Unix s or ms, or 2026-11-21T12:00:00Z; now where not given; "
                   "oracles of one set share it")
        ->type_name("TIME")
        ->group(group);
    app.add_option("--price", o.prices, "a feed's price at the start, in place of the scenario's; may be repeated")
        ->type_name("FEED=PRICE")
        ->group(group);
    app.add_option("--crash-after", o.crash_after_s, "schedule a crash so many seconds after the start")
        ->check(CLI::Range(0.0, 1e7))
        ->group(group);
    app.add_option("--crash-size", o.crash_size, "the part of the price that it takes (default 0.25)")
        ->check(CLI::Range(0.0, 0.95))
        ->group(group);
    app.add_option("--crash-duration", o.crash_duration_s, "within so many seconds (default 15)")
        ->check(CLI::Range(0.001, 1e6))
        ->group(group);
    app.add_option("--speed", o.speed, "of a replay: how many recorded seconds a second")
        ->check(CLI::Range(0.001, 100'000.0))
        ->capture_default_str()
        ->group(group);
    app.add_option("--replay-from", o.replay_from, "recorded time at which a replay begins; its first where not given")
        ->type_name("TIME")
        ->group(group);
    app.add_flag("--hold-at-end", o.hold_at_end,
                 "at the end of a recording keep signing its last price rather than exit")
        ->group(group);
}

void add_signing(CLI::App& app, OracleOptions& o) {
    const char* group = "Signing";
    app.add_option("--key-file", o.key_file, "secp256k1 key: 64 hex digits, readable by its owner only (mode 600)")
        ->required()
        ->type_name("FILE")
        ->group(group);
    app.add_flag("--generate-key", o.generate_key,
                 "make the key file where there is none; without a source of prices that is all")
        ->group(group);
    app.add_flag("--show-address", o.show_address, "print the signer's address and exit")->group(group);
    app.add_option("--feeds", o.feeds, "sign these feeds only")->delimiter(',')->type_name("A,B,...")->group(group);
    app.add_option("--interval-ms", o.service.interval_ms,
                   "between ticks, which lie on its multiples; whole seconds are signed besides")
        ->check(CLI::Range(10, 60'000))
        ->capture_default_str()
        ->group(group);
    app.add_option("--noise-bps", o.service.noise_bps,
                   "how far this oracle's prices lie about the common ones, by its key")
        ->check(CLI::Range(0.0, 1'000.0))
        ->capture_default_str()
        ->group(group);
}

void add_publishing(CLI::App& app, OracleOptions& o) {
    const char* group = "Publishing";
    app.add_option("--publish", o.service.publish, "ZeroMQ endpoint to publish on; port 0 is any free one")
        ->capture_default_str()
        ->type_name("tcp://ADDRESS:PORT")
        ->group(group);
    app.add_option("--http", o.http, "address to serve HTTP on; port 0 is any free one")
        ->capture_default_str()
        ->type_name("ADDRESS:PORT")
        ->group(group);
    app.add_option("--history-dir", o.history_directory,
                   "keep the history in this directory, so that it survives a restart; made where there is none")
        ->type_name("DIR")
        ->group(group);
    app.add_option("--history", o.history_tiers,
                   "keep packages of every SLOT seconds for KEEP seconds; may be repeated "
                   "(default 1:21600 60:2592000)")
        ->type_name("SLOT:KEEP")
        ->group(group);
}

std::optional<std::uint64_t> number(std::string_view text) {
    std::uint64_t out = 0;
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), out);
    return code == std::errc() && end == text.data() + text.size() && !text.empty() ? std::optional(out) : std::nullopt;
}

std::uint64_t time_option(const char* option, const std::string& text) {
    const auto out = parse_time_ms(text);
    if (!out)
        throw OptionError(fmt::format("{}: '{}' is no time such as 1700000000 or 2026-11-21T12:00:00Z", option, text));
    return *out;
}

Scenario make_scenario(const OracleOptions& o) {
    Scenario out = o.scenario_file.empty() ? default_scenario() : load_scenario(o.scenario_file);
    if (o.crash_after_s || o.crash_size || o.crash_duration_s) {
        if (!out.crash && !o.crash_after_s) throw OptionError("--crash-size and --crash-duration need --crash-after");
        CrashModel crash = out.crash.value_or(CrashModel{});
        crash.after_s = o.crash_after_s.value_or(crash.after_s);
        crash.size = o.crash_size.value_or(crash.size);
        crash.duration_s = o.crash_duration_s.value_or(crash.duration_s);
        out.crash = crash;
    }
    for (const std::string& text : o.prices) {
        const std::size_t equals = text.find('=');
        const auto raw = equals == std::string::npos ? channel::Expected<channel::Int128, channel::Rule>(
                                                           channel::Unexpected{channel::Rule::amount_malformed})
                                                     : channel::parse_decimal(std::string_view(text).substr(equals + 1),
                                                                              channel::kPriceDecimals);
        if (!raw) throw OptionError(fmt::format("--price: '{}' is not FEED=PRICE with at most 8 decimals", text));
        bool known = false;
        const auto set = [&](auto& model) {
            if (model.feed != std::string_view(text).substr(0, equals)) return;
            model.price = static_cast<double>(*raw) / 1e8;
            known = true;
        };
        std::for_each(out.assets.begin(), out.assets.end(), set);
        std::for_each(out.stables.begin(), out.stables.end(), set);
        if (!known) throw OptionError(fmt::format("--price: '{}' names no asset or stable of the scenario", text));
    }
    check_scenario(out);
    return out;
}

/// Only what is recorded, and what derives from it.
void keep_recorded(Scenario& scenario, const Replay& replay) {
    std::erase_if(scenario.assets, [&](const AssetModel& model) { return !replay.series.contains(model.feed); });
    const auto lost = [&](const auto& model) {
        return std::none_of(scenario.assets.begin(), scenario.assets.end(), [&](const AssetModel& asset) {
            return model.feed.size() > asset.feed.size() && model.feed.starts_with(asset.feed) &&
                   model.feed[asset.feed.size()] == '-';
        });
    };
    std::erase_if(scenario.perpetuals, lost);
    std::erase_if(scenario.futures, lost);
}

Replay load_replay(const OracleOptions& o) {
    Replay out;
    out.speed = o.speed;
    std::uint64_t begin_ms = 0, end_ms = UINT64_MAX;
    for (const std::string& text : o.replays) {
        const std::size_t equals = text.find('=');
        const std::string feed = equals == std::string::npos ? "BTC_USD" : text.substr(0, equals);
        const std::string file = equals == std::string::npos ? text : text.substr(equals + 1);
        const auto [at, added] = out.series.emplace(feed, ReplaySeries::load(file));
        if (!added) throw OptionError(fmt::format("--replay: {} is given twice", feed));
        begin_ms = std::max(begin_ms, at->second.begin_ms());
        end_ms = std::min(end_ms, at->second.end_ms());
    }
    out.from_ms = o.replay_from.empty() ? begin_ms : time_option("--replay-from", o.replay_from);
    if (!out.series.empty() && (out.from_ms < begin_ms || out.from_ms >= end_ms)) {
        throw OptionError(fmt::format("--replay-from: the recordings go from {} to {} (Unix ms)", begin_ms, end_ms));
    }
    return out;
}

}  // namespace

ParsedOptions parse_options(int argc, const char* const* argv) {
    CLI::App app(kAbout, "hedgerow-oracle");
    app.footer(kExamples);
    app.get_formatter()->column_width(34);
    app.set_version_flag("--version", "hedgerow-oracle 0.1.0");
    OracleOptions options;
    add_signing(app, options);
    add_source(app, options);
    add_publishing(app, options);
    try {
        app.parse(argc, argv);
        // A scenario is made to be generated.
        if (!options.scenario_file.empty() && options.replays.empty()) options.generate = true;
        if (options.generate_key && !options.generate && options.replays.empty()) options.show_address = true;
        if (!options.show_address && !options.generate && options.replays.empty()) {
            throw CLI::RequiredError("one of --generate, --scenario and --replay");
        }
    } catch (const CLI::Success& asked) {
        const bool is_version = dynamic_cast<const CLI::CallForVersion*>(&asked) != nullptr;
        return {std::nullopt, 0, is_version ? std::string(asked.what()).append("\n") : app.help()};
    } catch (const CLI::Error& error) {
        return {std::nullopt, 2, fmt::format("hedgerow-oracle: {}\nTry --help.\n", error.what())};
    }
    return {std::move(options), 0, {}};
}

std::optional<std::uint64_t> parse_time_ms(std::string_view text) {
    if (const auto plain = number(text)) {
        if (*plain >= 1ULL << 48) return std::nullopt;
        return *plain < 1'000'000'000'000ULL ? *plain * 1'000 : *plain;
    }
    std::tm parts{};
    const std::string terminated(text);
    const char* end = ::strptime(terminated.c_str(), "%Y-%m-%dT%H:%M:%SZ", &parts);
    if (end == nullptr || *end != '\0' || text.size() != 20) return std::nullopt;
    const std::tm asked = parts;
    const std::time_t seconds = ::timegm(&parts);
    // timegm corrects 31 February in silence.
    if (seconds < 0 || parts.tm_mday != asked.tm_mday || parts.tm_mon != asked.tm_mon) return std::nullopt;
    return static_cast<std::uint64_t>(seconds) * 1'000;
}

MarketModel make_model(const OracleOptions& options, std::uint64_t now_ms) {
    Scenario scenario = make_scenario(options);
    Replay replay = load_replay(options);
    for (const auto& [feed, series] : replay.series) {
        const bool known = std::any_of(scenario.assets.begin(), scenario.assets.end(),
                                       [&](const AssetModel& a) { return a.feed == feed; });
        if (known) continue;
        AssetModel asset;  // a feed that the scenario does not know has no derivatives, and its recording says the rest
        asset.feed = feed;
        scenario.assets.push_back(asset);
    }
    if (!replay.series.empty()) keep_recorded(scenario, replay);
    const std::uint64_t start_ms =
        options.start_time.empty() ? (now_ms + 999) / 1'000 * 1'000 : time_option("--start-time", options.start_time);
    if (now_ms > start_ms && now_ms - start_ms > MarketModel::kMaxSpanMs)
        throw OptionError("--start-time: more than 30 days ago");
    return MarketModel(std::move(scenario), options.seed, start_ms, std::move(replay));
}

OracleServiceConfig make_service_config(const OracleOptions& options) {
    OracleServiceConfig out = options.service;
    for (const std::string& name : options.feeds) {
        const auto feed = channel::feed_from_name(name);
        if (!feed) throw OptionError(fmt::format("--feeds: '{}' is no feed name", name));
        out.feeds.push_back(*feed);
    }
    const std::size_t colon = options.http.rfind(':');
    const auto port =
        colon == std::string::npos ? std::nullopt : number(std::string_view(options.http).substr(colon + 1));
    if (!port || *port > 65'535) throw OptionError(fmt::format("--http: '{}' is not ADDRESS:PORT", options.http));
    out.http_address = options.http.substr(0, colon);
    if (out.http_address.starts_with('[') && out.http_address.ends_with(']'))
        out.http_address = out.http_address.substr(1, out.http_address.size() - 2);
    out.http_port = static_cast<std::uint16_t>(*port);
    if (!out.publish.starts_with("tcp://"))
        throw OptionError(fmt::format("--publish: '{}' is not tcp://ADDRESS:PORT", out.publish));
    if (!options.history_directory.empty()) {
        std::error_code error;
        std::filesystem::create_directories(options.history_directory, error);
        if (error)
            throw OptionError(
                fmt::format("--history-dir: {}: {}", options.history_directory.string(), error.message()));
        out.history.file = options.history_directory / "packages";
    }
    if (!options.history_tiers.empty()) out.history.tiers.clear();
    for (const std::string& text : options.history_tiers) {
        const std::size_t middle = text.find(':');
        const auto slot = number(std::string_view(text).substr(0, middle));
        const auto keep =
            middle == std::string::npos ? std::nullopt : number(std::string_view(text).substr(middle + 1));
        if (!slot || !keep || *slot == 0 || *slot > 1'000'000'000 || *keep > 1'000'000'000) {
            throw OptionError(fmt::format("--history: '{}' is not SLOT:KEEP in seconds", text));
        }
        out.history.tiers.push_back({static_cast<std::uint32_t>(*slot), static_cast<std::uint32_t>(*keep)});
    }
    return out;
}

}  // namespace hedgerow::daemon
