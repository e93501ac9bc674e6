#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace hedgerow::test {

struct ChildOptions {
    std::vector<std::pair<std::string, std::string>> environment;  ///< over this process's own
    std::uint64_t max_file_bytes = 0;  ///< RLIMIT_FSIZE with SIGXFSZ ignored, so that writes beyond fail; 0: none
    bool obey_modes = false;  ///< also as root: no CAP_DAC_OVERRIDE
};

/// A child process spoken to line by line. Killed with the object, by its own pid.
class ChildProcess {
  public:
    explicit ChildProcess(const std::vector<std::string>& arguments, const ChildOptions& options = {});
    ~ChildProcess();
    ChildProcess(const ChildProcess&) = delete;
    ChildProcess& operator=(const ChildProcess&) = delete;

    void write(const std::string& line);
    /// The next line; throws std::runtime_error where none comes in time.
    [[nodiscard]] std::string read(int timeout_ms = 20'000);
    [[nodiscard]] std::string ask(const std::string& line, int timeout_ms = 20'000) {
        write(line);
        return read(timeout_ms);
    }
    [[nodiscard]] int pid() const { return m_pid; }
    /// kill -9, and waits.
    void kill();
    /// Waits for its end; the exit code, 128 where a signal ended it.
    [[nodiscard]] int wait();
    /// The exit code where it has ended by itself, once; nothing while it runs.
    [[nodiscard]] std::optional<int> ended();

  private:
    int m_pid = 0;
    int m_in = -1;
    int m_out = -1;
    std::string m_buffer;
};

}  // namespace hedgerow::test
