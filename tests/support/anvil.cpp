#include "tests/support/anvil.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <thread>

#include "channel/codec/abi.h"
#include "rpc/http_client.h"
#include "tests/support/anvil_accounts.h"
#include "wallet/chain/quantity.h"
#include "tests/paths.h"

namespace hedgerow::test {

using nlohmann::json;

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

std::vector<std::string> command_line(const AnvilOptions& options) {
    std::vector<std::string> out{
        "anvil", "--host", "127.0.0.1", "--port", std::to_string(options.port), "--slots-in-an-epoch", "1"};
    if (!options.state_file.empty()) out.insert(out.end(), {"--state", options.state_file});
    out.insert(out.end(), options.arguments.begin(), options.arguments.end());
    return out;
}

[[noreturn]] void run_anvil(const std::string& binary, std::vector<std::string>& words, int out, pid_t parent) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);  // the parent was gone before the line above
    const int null = open("/dev/null", O_RDWR);
    dup2(null, STDIN_FILENO);
    dup2(out, STDOUT_FILENO);
    dup2(null, STDERR_FILENO);
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    execv(binary.c_str(), arguments.data());
    _exit(127);
}

/// Waits until Anvil has printed where it listens. `log` is a file in memory, so that Anvil never waits for a reader.
std::uint16_t wait_for_port(int log) {
    constexpr std::string_view kListening = "Listening on 127.0.0.1:";
    std::string text;
    for (int tries = 0; tries < 1200; ++tries) {
        std::array<char, 4096> buffer{};
        const ssize_t size = pread(log, buffer.data(), buffer.size(), static_cast<off_t>(text.size()));
        if (size > 0) text.append(buffer.data(), static_cast<std::size_t>(size));
        const std::size_t at = text.find(kListening);
        const std::size_t end = at == std::string::npos ? at : text.find('\n', at);
        if (end != std::string::npos)
            return static_cast<std::uint16_t>(std::stoul(text.substr(at + kListening.size())));
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    throw std::runtime_error(std::string("anvil did not come up: ").append(text));
}

void end_process(int pid, int signal) {
    kill(pid, signal);
    waitpid(pid, nullptr, 0);
}

json artifact(const std::string& name) {
    std::ifstream file(std::filesystem::path(HEDGEROW_SOURCE_DIR) / "channel/contract/artifact" / (name + ".json"));
    if (!file) throw std::runtime_error(std::string("no artifact of ").append(name));
    return json::parse(file);
}

}  // namespace

std::optional<Anvil> Anvil::start(const AnvilOptions& options) {
    const auto binary = anvil_binary();
    if (!binary) return std::nullopt;
    const int log = memfd_create("anvil", MFD_CLOEXEC);
    if (log < 0) throw std::runtime_error("memfd_create failed");
    auto words = command_line(options);
    const pid_t parent = getpid();
    const pid_t pid = fork();
    if (pid < 0) throw std::runtime_error("fork failed");
    if (pid == 0) run_anvil(*binary, words, log, parent);
    try {
        const std::uint16_t port = wait_for_port(log);
        close(log);
        return Anvil(pid, port);
    } catch (...) {
        end_process(pid, SIGKILL);
        close(log);
        throw;
    }
}

Anvil::~Anvil() {
    if (m_pid > 0) end_process(m_pid, SIGKILL);
}

Anvil::Anvil(Anvil&& other) noexcept : m_pid(std::exchange(other.m_pid, 0)), m_port(other.m_port) {}

Anvil& Anvil::operator=(Anvil&& other) noexcept {
    std::swap(m_pid, other.m_pid);
    std::swap(m_port, other.m_port);
    return *this;
}

std::string Anvil::url() const {
    return std::string("http://127.0.0.1:").append(std::to_string(m_port));
}

void Anvil::stop() {
    if (m_pid > 0) end_process(std::exchange(m_pid, 0), SIGTERM);
}

json Anvil::call(const std::string& method, const json& params) {
    rpc::HttpClientOptions patient;
    patient.request_timeout_ms = 120'000;
    patient.max_response_bytes = 64 << 20;
    rpc::HttpClient client(url(), patient);
    const json request = {{"jsonrpc", "2.0"}, {"id", 1}, {"method", method}, {"params", params}};
    const auto response = client.post(request.dump());
    if (!response) throw std::runtime_error(std::string(method).append(": ").append(response.error().message));
    const json answer = json::parse(response->body);
    if (answer.contains("error"))
        throw std::runtime_error(std::string(method).append(": ").append(answer["error"].dump()));
    return answer.at("result");
}

void Anvil::mine(std::uint64_t blocks) {
    call("anvil_mine", json::array({wallet::to_quantity(blocks)}));
}

/// Anvil mines at once, but not before it answers.
json Anvil::receipt_of(const std::string& hash) {
    for (int i = 0; i < 500; ++i) {
        json receipt = call("eth_getTransactionReceipt", json::array({hash}));
        if (!receipt.is_null()) return receipt;
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    throw std::runtime_error("transaction not mined in time");
}

json Anvil::send(std::size_t account, const channel::Address& to, const channel::Bytes& data, std::uint64_t value) {
    const json transaction = {{"from", channel::to_hex(anvil_key(account).address())},
                              {"to", channel::to_hex(to)},
                              {"data", channel::to_hex(data)},
                              {"value", wallet::to_quantity(value)}};
    const std::string hash = call("eth_sendTransaction", json::array({transaction}));
    json receipt = receipt_of(hash);
    if (receipt["status"] != "0x1")
        throw std::runtime_error(std::string("transaction failed: ").append(receipt.dump()));
    return receipt;
}

channel::Address Anvil::deploy(const std::string& name, const channel::Bytes& constructor_arguments) {
    const json compiled = artifact(name);
    std::string code = compiled.at("bytecode");
    code.append(channel::to_hex(constructor_arguments).substr(2));
    const json transaction = {{"from", channel::to_hex(anvil_key(0).address())}, {"data", code}};
    const std::string hash = call("eth_sendTransaction", json::array({transaction}));
    const json receipt = receipt_of(hash);
    return *channel::fixed_from_hex<channel::Address>(receipt.at("contractAddress").get<std::string>());
}

channel::Address Anvil::deploy_token(const std::string& symbol, std::uint8_t decimals) {
    const channel::Bytes text(symbol.begin(), symbol.end());
    return deploy("TestToken", channel::abi_encode(text, text, decimals));
}

}  // namespace hedgerow::test
