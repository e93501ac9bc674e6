#include <cstdio>

#include "daemon/app/app.h"
#include "daemon/config/password.h"
#include "daemon/process/process.h"
#include "wallet/keys/process_hardening.h"

/// hedgerowd; exit codes: see run_process.
namespace {

using namespace hedgerow::daemon;

constexpr std::string_view kName = "hedgerowd";

int run(const Config& config) {
    LOG_INFO("hedgerowd starts", {"version", HEDGEROW_VERSION}, {"datadir", config.datadir.string()});
    auto password = read_password(config.wallet);
    if (!password) return complain(kName, config_error_name(password.error().kind), password.error().text, 1);
    App app(config);
    if (*password) app.unlock_with(std::move(**password));
    const StopOnSignal signals(app);
    const int code = app.run();
    LOG_INFO("hedgerowd has stopped", {"code", code});
    return code;
}

}  // namespace

int main(int argc, char** argv) {
    const hedgerow::wallet::Hardening hardening = hedgerow::wallet::harden_process();
    const auto parsed = parse_command_line(argc, argv);
    if (!parsed) return complain(kName, config_error_name(parsed.error().kind), parsed.error().text, 1);
    if (parsed->action == ParsedCommandLine::Action::print) {
        std::fputs(parsed->text.c_str(), stdout);
        return 0;
    }
    const Config& config = parsed->config;
    return run_process({kName, config.datadir, config.log, hardening.dumps_off}, [&] { return run(config); });
}
