#include "tests/support/evm_anvil.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <thread>
#include "tests/paths.h"

namespace hedgerow::tests {

namespace {

/// The binary itself, not the npm wrapper, which would leave it behind when killed.
std::optional<std::string> anvil_binary() {
    namespace fs = std::filesystem;
    for (const char* package : {"anvil-linux-amd64", "anvil-linux-arm64"}) {
        const fs::path path = fs::path(HEDGEROW_SOURCE_DIR) / "node_modules/@foundry-rs" / package / "bin/anvil";
        if (fs::exists(path)) return path.string();
    }
    return std::nullopt;
}

[[noreturn]] void run_anvil(const std::string& binary, int out, pid_t parent) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);  // the parent was gone before the line above
    const int null = open("/dev/null", O_RDWR);
    dup2(null, STDIN_FILENO);
    dup2(out, STDOUT_FILENO);
    dup2(null, STDERR_FILENO);
    execl(binary.c_str(), "anvil", "--host", "127.0.0.1", "--port", "0", "--accounts", "1", "--gas-limit",
          "1000000000000", "--disable-code-size-limit", "--no-request-size-limit", static_cast<char*>(nullptr));
    _exit(127);
}

/// Waits until Anvil has printed where it listens. `log` is a file in memory, so that Anvil never waits for a reader.
std::string wait_for_address(int log) {
    constexpr std::string_view kListening = "Listening on ";
    std::string text;
    for (int tries = 0; tries < 600; ++tries) {
        std::array<char, 4096> buffer{};
        const ssize_t size = pread(log, buffer.data(), buffer.size(), static_cast<off_t>(text.size()));
        if (size > 0) text.append(buffer.data(), static_cast<std::size_t>(size));
        const std::size_t at = text.find(kListening);
        const std::size_t end = at == std::string::npos ? at : text.find('\n', at);
        if (end != std::string::npos) return text.substr(at + kListening.size(), end - at - kListening.size());
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    throw std::runtime_error(std::string("anvil did not come up: ").append(text));
}

void end_process(int pid) {
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
}

rpc::HttpClientOptions patient() {
    rpc::HttpClientOptions options;
    options.request_timeout_ms = 120'000;
    options.max_response_bytes = 64 << 20;
    return options;
}

}  // namespace

EvmAnvil::EvmAnvil(int pid, const std::string& url) : m_pid(pid), m_client(url, patient()) {}

EvmAnvil::EvmAnvil(EvmAnvil&& other) noexcept
    : m_pid(std::exchange(other.m_pid, 0)), m_client(std::move(other.m_client)) {}

EvmAnvil::~EvmAnvil() {
    if (m_pid > 0) end_process(m_pid);
}

std::optional<EvmAnvil> EvmAnvil::start() {
    const auto binary = anvil_binary();
    if (!binary) return std::nullopt;
    const int log = memfd_create("anvil", MFD_CLOEXEC);
    if (log < 0) throw std::runtime_error("memfd_create failed");
    const pid_t parent = getpid();
    const pid_t pid = fork();
    if (pid < 0) throw std::runtime_error("fork failed");
    if (pid == 0) run_anvil(*binary, log, parent);
    try {
        const std::string address = wait_for_address(log);
        close(log);
        return EvmAnvil(pid, std::string("http://").append(address));
    } catch (...) {
        end_process(pid);
        close(log);
        throw;
    }
}

nlohmann::json EvmAnvil::call(const std::string& method, const nlohmann::json& params) {
    const nlohmann::json request = {{"jsonrpc", "2.0"}, {"id", 1}, {"method", method}, {"params", params}};
    const auto response = m_client.post(request.dump());
    if (!response) throw std::runtime_error(method + ": " + response.error().message);
    const nlohmann::json answer = nlohmann::json::parse(response->body);
    if (answer.contains("error")) throw std::runtime_error(method + ": " + answer["error"].dump().substr(0, 2'000));
    return answer.at("result");
}

}  // namespace hedgerow::tests
