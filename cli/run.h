#pragma once

#include <functional>
#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

namespace hedgerow::cli {

/// What a script can rely on.
enum ExitCode : int {
    kDone = 0,
    kNotDone = 1,  ///< the node refused; nothing was done
    kUsage = 2,
    kCannotConnect = 3,
    kUnauthorised = 4,
    kOutcomeUnknown = 5,  ///< no answer, or an unclear one, after the request may have arrived
    kDoneWithError = 6,
};

/// The process around a command, so that tests can stand in for it.
struct Environment {
    std::ostream& out;
    std::ostream& err;
    std::istream& in;
    std::function<std::optional<std::string>(const std::string& name)> variable;  ///< of the environment
    /// Asks at the terminal without echo; nothing where there is none.
    std::function<std::optional<std::string>(const std::string& prompt)> ask_secret;
    bool progress = false;  ///< say on err that an answer is awaited
};

/// Runs one command line (without the program's name).
[[nodiscard]] int run(const std::vector<std::string>& arguments, Environment& environment);

}  // namespace hedgerow::cli
