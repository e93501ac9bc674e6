#include "daemon/process/process.h"

#include <fmt/format.h>

#include <csignal>
#include <exception>

#include "channel/base/assert.h"
#include "daemon/store/database.h"

namespace hedgerow::daemon {

namespace {

constexpr int kExitStore = 3;
constexpr int kExitError = 4;

// A handler sees the object only with what stops it: it is written last and cleared first.
StopOnSignal::Stop g_stop = nullptr;
std::atomic<void*> g_object{nullptr};

void on_signal(int) {
    if (void* object = g_object.load()) g_stop(object);
}

void on_assert(const char* expression, const char* file, int line) {
    LOG_ERROR("assertion failed", {"expression", expression}, {"file", file}, {"line", line});
    flush_log();
}

}  // namespace

int complain(std::string_view name, std::string_view what, std::string_view text, int code) {
    fmt::print(stderr, "{}: {}: {}\n", name, what, text);
    return code;
}

int run_process(const ProcessOptions& options, const std::function<int()>& body) {
    try {
        std::filesystem::create_directories(options.datadir);
        std::filesystem::permissions(options.datadir, std::filesystem::perms::owner_all);
        start_log(options.log);
        channel::set_assert_handler(on_assert);
        if (!options.dumps_off) LOG_WARN("core dumps cannot be turned off; keys could reach the disk");
        const int code = body();
        flush_log();
        return code;
    } catch (const StoreError& error) {
        LOG_ERROR("the database cannot be used", {"error", store_error_name(error.kind())}, {"text", error.what()});
        flush_log();
        return complain(options.name, store_error_name(error.kind()), error.what(), kExitStore);
    } catch (const std::exception& error) {
        flush_log();
        return complain(options.name, "cannot run", error.what(), kExitError);
    }
}

StopOnSignal::StopOnSignal(void* object, Stop stop) {
    ASSERT(g_object.load() == nullptr);
    g_stop = stop;
    g_object.store(object);
    struct sigaction action {};
    action.sa_handler = on_signal;
    ::sigaction(SIGINT, &action, nullptr);
    ::sigaction(SIGTERM, &action, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
}

StopOnSignal::~StopOnSignal() {
    g_object.store(nullptr);
}

}  // namespace hedgerow::daemon
