#include "tests/support/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <stdexcept>

namespace hedgerow::test {

namespace {

void apply(const ChildOptions& options) {
    for (const auto& [name, value] : options.environment) ::setenv(name.c_str(), value.c_str(), 1);
    constexpr int kDacOverride = 1;  // linux/capability.h
    if (options.obey_modes) ::prctl(PR_CAPBSET_DROP, kDacOverride, 0, 0, 0);
    if (options.max_file_bytes == 0) return;
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{options.max_file_bytes, options.max_file_bytes};
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) ::_exit(126);
}

int exit_code(int status) {
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);  // as a shell has it
}

}  // namespace

ChildProcess::ChildProcess(const std::vector<std::string>& arguments, const ChildOptions& options) {
    std::array<int, 2> in{};
    std::array<int, 2> out{};
    if (::pipe2(in.data(), O_CLOEXEC) != 0 || ::pipe2(out.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe");
    std::vector<char*> argv;
    for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    // Who writes to a child that has died hears it from write(), and lives.
    std::signal(SIGPIPE, SIG_IGN);
    m_pid = ::fork();
    if (m_pid == 0) {
        std::signal(SIGPIPE, SIG_DFL);
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        ::dup2(in[0], 0);
        ::dup2(out[1], 1);
        apply(options);
        ::execv(argv[0], argv.data());
        ::_exit(127);
    }
    ::close(in[0]);
    ::close(out[1]);
    m_in = in[1];
    m_out = out[0];
}

ChildProcess::~ChildProcess() {
    kill();
    ::close(m_in);
    ::close(m_out);
}

void ChildProcess::write(const std::string& line) {
    const std::string text = line + "\n";
    if (::write(m_in, text.data(), text.size()) != static_cast<ssize_t>(text.size()))
        throw std::runtime_error("the child does not read");
}

std::string ChildProcess::read(int timeout_ms) {
    for (;;) {
        if (const auto end = m_buffer.find('\n'); end != std::string::npos) {
            std::string line = m_buffer.substr(0, end);
            m_buffer.erase(0, end + 1);
            return line;
        }
        pollfd fd{m_out, POLLIN, 0};
        if (::poll(&fd, 1, timeout_ms) <= 0) throw std::runtime_error("no answer from the child");
        std::array<char, 4096> bytes{};
        const ssize_t size = ::read(m_out, bytes.data(), bytes.size());
        if (size <= 0) throw std::runtime_error("the child has ended");
        m_buffer.append(bytes.data(), static_cast<std::size_t>(size));
    }
}

void ChildProcess::kill() {
    if (m_pid <= 0) return;
    ::kill(m_pid, SIGKILL);
    ::waitpid(m_pid, nullptr, 0);
    m_pid = 0;
}

int ChildProcess::wait() {
    int status = 0;
    ::waitpid(m_pid, &status, 0);
    m_pid = 0;
    return exit_code(status);
}

std::optional<int> ChildProcess::ended() {
    int status = 0;
    if (m_pid <= 0 || ::waitpid(m_pid, &status, WNOHANG) != m_pid) return std::nullopt;
    m_pid = 0;
    return exit_code(status);
}

}  // namespace hedgerow::test
