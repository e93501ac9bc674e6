#include <fmt/format.h>

#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <thread>

#include "daemon/app/app.h"
#include "daemon/config/password.h"
#include "daemon/market/market.h"
#include "daemon/process/process.h"
#include "tests/bench/counters.h"
#include "tests/bench/load_generator.h"
#include "wallet/keys/process_hardening.h"

/// hedgerowd with a load generator in it: the same command line, and lines of JSON on stdin, each answered by one on
/// stdout with the same id.
namespace {

using namespace hedgerow;
using namespace hedgerow::channel;
using Json = nlohmann::json;

void say(const Json& answer) {
    static std::mutex mutex;
    const std::lock_guard lock(mutex);
    std::cout << answer.dump() << std::endl;
}

std::uint64_t status_kib(const std::string& field) {
    std::ifstream in("/proc/self/status");
    for (std::string line; std::getline(in, line);) {
        if (line.starts_with(field)) return std::stoull(line.substr(field.size()));
    }
    return 0;
}

std::uint64_t io_bytes(const std::string& field) {
    std::ifstream in("/proc/self/io");
    for (std::string line; std::getline(in, line);) {
        if (line.starts_with(field)) return std::stoull(line.substr(field.size()));
    }
    return 0;
}

double percentile(const std::vector<float>& sorted, double share) {
    if (sorted.empty()) return 0;
    const auto at = static_cast<std::size_t>(share * static_cast<double>(sorted.size()));
    return sorted[std::min(at, sorted.size() - 1)];
}

class Bench {
  public:
    explicit Bench(daemon::App& app) : m_app(app), m_node(app.node()) {}

    void execute(const Json& ask) {
        const std::string what = ask.at("do");
        Json out{{"id", ask.at("id")}};
        if (what == "channels") {
            out.update(channels());
        } else if (what == "counters") {
            out.update(counted());
        } else if (what == "load") {
            return start(ask);
        } else if (what == "price") {
            return mark(ask);
        } else if (what == "tell") {
            generator().tell([](const Channel& channel, const OpsAgreed& agreed) {
                say({{"agreed", to_hex(channel.id)}, {"version", agreed.version}, {"ops", agreed.ops.size()}});
            });
        } else {
            out["error"] = "unknown";
        }
        say(out);
    }

  private:
    bench::LoadGenerator& generator() {
        if (!m_generator) m_generator = std::make_unique<bench::LoadGenerator>(m_node);
        return *m_generator;
    }

    Json channels() {
        std::size_t all = 0, connected = 0, quiet = 0, positions = 0, locks = 0;
        const Channel* last = nullptr;
        for (const Channel* c : m_node.channels()) {
            ++all;
            connected += c->connected ? 1 : 0;
            quiet += c->pending.empty() && c->queue.empty() && c->proposals.empty() ? 1 : 0;
            positions += c->agreed.state.positions.size();
            locks += c->agreed.state.locks.size();
            last = c;
        }
        Json out{{"all", all}, {"connected", connected}, {"quiet", quiet}, {"positions", positions}, {"locks", locks}};
        if (last == nullptr) return out;
        out["version"] = last->agreed.state.version;
        out["digest"] = to_hex(last->agreed.digest);
        return out;
    }

    Json counted() {
        const bench::Counters c = bench::counters();
        std::uint64_t sent = 0, received = 0;
        for (const daemon::PeerInfo& peer : m_node.peers()) {
            sent += peer.bytes_sent;
            received += peer.bytes_received;
        }
        return {{"flushes", c.flushes},
                {"signed", c.signed_},
                {"verified", c.verified},
                {"sent", sent},
                {"received", received},
                {"written", io_bytes("wchar:")},
                {"disk", io_bytes("write_bytes:")},
                {"cpu_s", bench::cpu_seconds()},
                {"rss_kib", status_kib("VmRSS:")}};
    }

    [[nodiscard]] std::vector<Op> ops(const Json& ask, Party me) {
        const std::string kind = ask.value("kind", "pay");
        std::vector<Op> out;
        if (kind == "pay") {
            out.push_back(PayOp{0, Amount::from_raw(sign_of(me)), {}});
            return out;
        }
        // Bought at the peer's ask and sold at its bid, in turn.
        for (const char* side : {"ask", "bid"}) {
            const auto quote = m_app.market().received(*fixed_from_hex<QuoteId>(ask.at(side).get<std::string>()));
            if (!quote) throw std::runtime_error("no such quote");
            auto trade = std::get<TradeOp>(quote->op);
            trade.quantity =
                Quantity::from_raw(trade.quantity.sign() * std::stoll(ask.at("quantity").get<std::string>()));
            out.push_back(trade);
        }
        return out;
    }

    void start(const Json& ask) {
        bench::Load load;
        const auto wanted = ask.at("channels").get<std::size_t>();
        Party me = Party::A;
        for (const Channel* c : m_node.channels()) {
            if (!c->connected || c->status != Status::open || load.channels.size() == wanted) continue;
            if (ask.contains("loaded") && ask.at("loaded").get<bool>() == c->agreed.state.locks.empty()) continue;
            load.channels.push_back(c->id);
            me = c->me;
        }
        if (load.channels.size() != wanted) throw std::runtime_error("too few channels");
        load.in_flight = ask.at("inFlight");
        load.warm_up_s = ask.value("warmUp", 0.5);
        load.seconds = ask.at("seconds");
        load.ops = ops(ask, me);
        const Json before = counted();
        generator().run(load, [this, before, id = ask.at("id")](const bench::LoadResult& r) {
            std::vector<float> held = r.held.ms(), durable = r.durable.ms();
            std::sort(held.begin(), held.end());
            std::sort(durable.begin(), durable.end());
            say({{"id", id},
                 {"agreed", r.agreed},
                 {"refused", r.refused},
                 {"rule", rule_name(r.rule)},
                 {"versions", r.versions},
                 {"seconds", r.seconds},
                 {"cpu_s", r.cpu_s},
                 {"p50_ms", percentile(held, 0.5)},
                 {"p99_ms", percentile(held, 0.99)},
                 {"p999_ms", percentile(held, 0.999)},
                 {"durable_p50_ms", percentile(durable, 0.5)},
                 {"durable_p99_ms", percentile(durable, 0.99)},
                 {"before", before},
                 {"after", counted()}});
        });
    }

    /// Packages with a new price; answers when every position is marked at it, with how long that took in each channel.
    void mark(const Json& ask) {
        for (const Json& package : ask.at("packages")) {
            const Rule rule = m_app.take_package(*from_hex(package.get<std::string>()));
            if (rule != Rule::none) throw std::runtime_error(std::string("package: ").append(rule_name(rule)));
        }
        if (!ask.at("wait").get<bool>()) return say({{"id", ask.at("id")}});
        m_mark = Price::from_raw(std::stoll(ask.at("price").get<std::string>()));
        m_marks = {};
        m_since = std::chrono::steady_clock::now();
        look_for_marks(ask.at("id"));
    }

    void look_for_marks(const Json& id) {
        std::size_t done = 0, all = 0;
        for (const Channel* c : m_node.channels()) {
            if (c->agreed.state.positions.empty()) continue;
            ++all;
            done += c->agreed.state.positions[0].position.mark == m_mark ? 1 : 0;
        }
        const auto ms = std::chrono::duration<float, std::milli>(std::chrono::steady_clock::now() - m_since).count();
        m_marks.resize(done, ms);
        if (done == all)
            return say({{"id", id},
                        {"channels", all},
                        {"p50_ms", percentile(m_marks, 0.5)},
                        {"p99_ms", percentile(m_marks, 0.99)},
                        {"most_ms", ms}});
        m_node.loop().after(1, [this, id] { look_for_marks(id); });
    }

    daemon::App& m_app;
    daemon::Node& m_node;
    Price m_mark;
    std::vector<float> m_marks;
    std::chrono::steady_clock::time_point m_since;
    std::unique_ptr<bench::LoadGenerator> m_generator;
};

void read_commands(daemon::App& app, Bench& bench) {
    std::string line;
    while (std::getline(std::cin, line)) {
        const bool posted = app.node().loop().post([&bench, line] {
            Json ask;
            try {
                ask = Json::parse(line);
                bench.execute(ask);
            } catch (const std::exception& error) {
                say({{"id", ask.is_object() ? ask.value("id", 0) : 0}, {"error", error.what()}});
            }
        });
        if (!posted) return;
    }
    app.stop();
}

int run(const daemon::Config& config) {
    auto password = daemon::read_password(config.wallet);
    if (!password) return 1;
    daemon::App app(config);
    if (*password) app.unlock_with(std::move(**password));
    const daemon::StopOnSignal signals(app);
    // Whoever would answer the locks of its invoices at once is left out: locks stay open.
    if (std::getenv("HEDGEROW_BENCH_KEEP_LOCKS") != nullptr) app.node().set_market(&app.market());
    Bench bench(app);
    std::thread commands([&] { read_commands(app, bench); });
    commands.detach();
    std::_Exit(app.run());  // the reader may still wait for stdin
}

}  // namespace

int main(int argc, char** argv) {
    const wallet::Hardening hardening = wallet::harden_process();
    const auto parsed = daemon::parse_command_line(argc, argv);
    if (!parsed) return daemon::complain("bench_node", config_error_name(parsed.error().kind), parsed.error().text, 1);
    const daemon::Config& config = parsed->config;
    return daemon::run_process({"bench_node", config.datadir, config.log, hardening.dumps_off},
                               [&] { return run(config); });
}
