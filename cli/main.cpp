#include <fcntl.h>
#include <termios.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>

#include "cli/run.h"

namespace {

constexpr std::size_t kMaxSecret = 4096;

/// The terminal with its echo off; on again whatever happens.
class Terminal {
  public:
    Terminal() : m_fd(::open("/dev/tty", O_RDWR | O_CLOEXEC)) {
        if (m_fd < 0 || ::tcgetattr(m_fd, &m_before) != 0) return;
        termios silent = m_before;
        silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
        m_silent = ::tcsetattr(m_fd, TCSAFLUSH, &silent) == 0;
    }
    ~Terminal() {
        if (m_silent) ::tcsetattr(m_fd, TCSAFLUSH, &m_before);
        if (m_fd >= 0) ::close(m_fd);
    }
    Terminal(const Terminal&) = delete;
    Terminal& operator=(const Terminal&) = delete;

    std::optional<std::string> ask(const std::string& prompt) const {
        if (!m_silent) return std::nullopt;
        write(prompt);
        std::string out;
        char c = 0;
        while (out.size() < kMaxSecret && ::read(m_fd, &c, 1) == 1 && c != '\n') out.push_back(c);
        write("\n");
        if (out.empty()) return std::nullopt;
        return out;
    }

  private:
    void write(const std::string& text) const {
        if (::write(m_fd, text.data(), text.size()) < 0) return;
    }
    int m_fd;
    termios m_before{};
    bool m_silent = false;
};

std::optional<std::string> variable(const std::string& name) {
    const char* value = std::getenv(name.c_str());
    if (value == nullptr || *value == '\0') return std::nullopt;
    return std::string(value);
}

}  // namespace

int main(int argc, char** argv) {
    hedgerow::cli::Environment environment{
        .out = std::cout,
        .err = std::cerr,
        .in = std::cin,
        .variable = variable,
        .ask_secret = [](const std::string& prompt) { return Terminal().ask(prompt); },
        .progress = ::isatty(STDERR_FILENO) == 1,
    };
    try {
        return hedgerow::cli::run(std::vector<std::string>(argv + 1, argv + argc), environment);
    } catch (const std::exception& error) {
        std::cerr << "error: " << error.what() << "\n";
        return hedgerow::cli::kOutcomeUnknown;
    }
}
