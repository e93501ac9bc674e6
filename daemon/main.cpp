#include <atomic>
#include <csignal>
#include <cstdio>
#include <exception>

#include "channel/base/assert.h"
#include "daemon/app/app.h"
#include "daemon/config/password.h"
#include "daemon/store/database.h"
#include "wallet/keys/process_hardening.h"

/// hedgerowd: exit codes 0 stopped, 1 configuration, 2 wallet, 3 database, 4 any other fault.
namespace {

using namespace hedgerow::daemon;

std::atomic<App*> g_app{nullptr};

void on_signal(int) {
    if (App* app = g_app.load()) app->stop();
}

void on_assert(const char* expression, const char* file, int line) {
    LOG_ERROR("assertion failed", {"expression", expression}, {"file", file}, {"line", line});
    flush_log();
}

int complain(std::string_view what, std::string_view text, int code) {
    std::fprintf(stderr, "hedgerowd: %.*s: %.*s\n", static_cast<int>(what.size()), what.data(),
                 static_cast<int>(text.size()), text.data());
    return code;
}

void handle_signals() {
    struct sigaction action {};
    action.sa_handler = on_signal;
    ::sigaction(SIGINT, &action, nullptr);
    ::sigaction(SIGTERM, &action, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
}

int run(const Config& config) {
    auto password = read_password(config.wallet);
    if (!password) return complain(config_error_name(password.error().kind), password.error().text, 1);
    App app(config);
    if (*password) app.unlock_with(std::move(**password));
    g_app.store(&app);
    handle_signals();
    const int code = app.run();
    g_app.store(nullptr);
    return code;
}

}  // namespace

int main(int argc, char** argv) {
    const hedgerow::wallet::Hardening hardening = hedgerow::wallet::harden_process();
    const auto parsed = parse_command_line(argc, argv);
    if (!parsed) return complain(config_error_name(parsed.error().kind), parsed.error().text, 1);
    if (parsed->action == ParsedCommandLine::Action::print) {
        std::fputs(parsed->text.c_str(), stdout);
        return 0;
    }
    try {
        std::filesystem::create_directories(parsed->config.datadir);
        start_log(parsed->config.log);
        hedgerow::channel::set_assert_handler(on_assert);
        LOG_INFO("hedgerowd starts", {"version", HEDGEROW_VERSION}, {"datadir", parsed->config.datadir.string()});
        if (!hardening.dumps_off) LOG_WARN("core dumps cannot be turned off; keys could reach the disk");
        const int code = run(parsed->config);
        LOG_INFO("hedgerowd has stopped", {"code", code});
        flush_log();
        return code;
    } catch (const StoreError& error) {
        LOG_ERROR("the database cannot be used", {"error", store_error_name(error.kind())}, {"text", error.what()});
        flush_log();
        return complain(store_error_name(error.kind()), error.what(), 3);
    } catch (const std::exception& error) {
        flush_log();
        return complain("cannot run", error.what(), 4);
    }
}
