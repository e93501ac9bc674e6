#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <exception>
#include <nlohmann/json.hpp>
#include <system_error>

#include "daemon/oracle/key_file.h"
#include "daemon/oracle/oracle_options.h"
#include "rpc/json.h"
#include "wallet/keys/process_hardening.h"

namespace {

using namespace hedgerow;
using namespace hedgerow::daemon;
using rpc::Json;

/// The one clock of this process.
std::uint64_t wall_clock_ms() {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
}

void log(std::string_view level, std::string_view event, Json fields = Json::object()) {
    Json line{{"time", wall_clock_ms()}, {"level", level}, {"event", event}};
    line.update(fields);
    fmt::print(stderr, "{}\n", rpc::json_text(line));
}

/// SIGTERM and SIGINT as a descriptor; blocked before the first thread starts, so that all inherit it.
class EndSignals {
  public:
    EndSignals() {
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGTERM);
        sigaddset(&set, SIGINT);
        if (sigprocmask(SIG_BLOCK, &set, nullptr) != 0)
            throw std::system_error(errno, std::generic_category(), "sigprocmask");
        m_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
        if (m_fd < 0) throw std::system_error(errno, std::generic_category(), "signalfd");
    }
    ~EndSignals() { ::close(m_fd); }
    EndSignals(const EndSignals&) = delete;
    EndSignals& operator=(const EndSignals&) = delete;

    /// True where one came within `wait_ms`.
    [[nodiscard]] bool wait(int wait_ms) const {
        pollfd item{m_fd, POLLIN, 0};
        return ::poll(&item, 1, wait_ms) > 0;
    }

  private:
    int m_fd = -1;
};

void announce(const OracleService& service, std::uint64_t start_ms, const OracleOptions& options) {
    Json feeds = Json::array();
    for (const auto& feed : service.feeds()) feeds.push_back(channel::feed_name(feed));
    const Json line{{"event", "started"},
                    {"pid", ::getpid()},
                    {"signer", channel::to_hex(service.signer())},
                    {"publish", service.publish_endpoint()},
                    {"http", service.http_url()},
                    {"feeds", feeds},
                    {"intervalMs", options.service.interval_ms},
                    {"startTimeMs", start_ms},
                    {"seed", options.seed}};
    fmt::print("{}\n", rpc::json_text(line));
    std::fflush(stdout);
}

void run(OracleService& service, const EndSignals& signals, bool hold_at_end) {
    std::uint64_t skipped_ms = 0;
    while (true) {
        const std::uint64_t now_ms = wall_clock_ms();
        service.run_until(now_ms);
        if (service.skipped_ms() != skipped_ms) {
            log("warning", "ticks_skipped", {{"totalMs", service.skipped_ms()}});
            skipped_ms = service.skipped_ms();
        }
        if (!hold_at_end && service.is_over(now_ms)) {
            log("info", "recording_ended");
            return;
        }
        const std::uint64_t due = service.next_tick_ms(), then = wall_clock_ms();
        const std::uint64_t wait_ms = due > then ? std::min<std::uint64_t>(due - then, 1'000) : 0;
        if (signals.wait(static_cast<int>(wait_ms))) return;
    }
}

int serve(const OracleOptions& options, const EndSignals& signals) {
    if (options.generate_key && generate_key_file(options.key_file))
        log("info", "key_generated", {{"file", options.key_file.string()}});
    wallet::PrivateKey key = load_key_file(options.key_file);
    if (options.show_address) {
        fmt::print("{}\n", channel::to_hex(key.address()));
        return 0;
    }
    const std::uint64_t now_ms = wall_clock_ms();
    const OracleServiceConfig config = make_service_config(options);
    MarketModel model = make_model(options, now_ms);
    const std::uint64_t start_ms = model.start_ms();
    OracleService service(config, std::move(key), std::move(model), wall_clock_ms, now_ms);
    if (!service.history_warning().empty()) log("warning", "history_damaged", {{"text", service.history_warning()}});
    announce(service, start_ms, options);
    run(service, signals, options.hold_at_end);
    log("info", "stopped");
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    const wallet::Hardening hardening = wallet::harden_process();
    const ParsedOptions parsed = parse_options(argc, argv);
    if (!parsed.options) {
        fmt::print(parsed.exit_code == 0 ? stdout : stderr, "{}", parsed.output);
        return parsed.exit_code;
    }
    try {
        const EndSignals signals;
        if (!hardening.dumps_off) log("warning", "core_dumps_not_disabled");
        return serve(*parsed.options, signals);
    } catch (const OptionError& error) {
        fmt::print(stderr, "hedgerow-oracle: {}\nTry --help.\n", error.what());
        return 2;
    } catch (const std::exception& error) {
        log("error", "failed", {{"text", error.what()}});
        fmt::print(stderr, "hedgerow-oracle: {}\n", error.what());
        return 1;
    }
}
