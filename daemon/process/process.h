#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <string_view>

#include "daemon/log/log.h"

namespace hedgerow::daemon {

/// A daemon's process. Exit codes: 0 stopped, 1 configuration, 2 wallet, 3 database, 4 any other fault.
struct ProcessOptions {
    std::string_view name;  ///< before what it says on standard error
    std::filesystem::path datadir;
    LogOptions log;
    bool dumps_off = false;  ///< harden_process() could turn core dumps off
};

/// Makes the data directory for the owner alone, starts the log, runs `body` and ends the log. What it throws is said on
/// standard error with its exit code.
[[nodiscard]] int run_process(const ProcessOptions& options, const std::function<int()>& body);

/// "name: what: text" on standard error; `code`.
int complain(std::string_view name, std::string_view what, std::string_view text, int code);

/// While it lives, SIGINT and SIGTERM call `stop`, which must be safe in a signal handler; SIGPIPE is ignored. One at a
/// time (asserted).
class StopOnSignal {
  public:
    using Stop = void (*)(void* object);
    template <typename Program>
    explicit StopOnSignal(Program& program)
        : StopOnSignal(&program, [](void* object) { static_cast<Program*>(object)->stop(); }) {}
    ~StopOnSignal();
    StopOnSignal(const StopOnSignal&) = delete;
    StopOnSignal& operator=(const StopOnSignal&) = delete;

  private:
    StopOnSignal(void* object, Stop stop);
};

}  // namespace hedgerow::daemon
