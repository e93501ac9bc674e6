#pragma once

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <vector>

namespace hedgerow::testing {

/// In the child: one value more.
inline void report(int pipe_fd, std::uint64_t value) {
    if (write(pipe_fd, &value, sizeof value) != sizeof value) _exit(5);
}

struct ChildReports {
    std::vector<std::uint64_t> values;  ///< in order
    int status = 0;                     ///< of waitpid

    [[nodiscard]] bool was_killed() const { return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL; }
};

/// What a child process that runs `run(pipe_fd)`, which never returns, reports before it ends; with kill_after > 0 it is killed once so many
/// values were seen.
template <typename Run>
ChildReports reports_of_child(std::size_t kill_after, Run&& run) {
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    const pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        run(ends[1]);
        _exit(8);
    }
    close(ends[1]);
    ChildReports out;
    for (std::uint64_t value = 0; read(ends[0], &value, sizeof value) == sizeof value;) {
        out.values.push_back(value);
        if (out.values.size() == kill_after) kill(child, SIGKILL);
    }
    close(ends[0]);
    REQUIRE(waitpid(child, &out.status, 0) == child);
    return out;
}

}  // namespace hedgerow::testing
