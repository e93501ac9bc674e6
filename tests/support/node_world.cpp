#include "tests/support/node_world.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <cstdlib>
#include <sstream>
#include <stdexcept>

#include "channel/base/u256.h"
#include "channel/codec/abi.h"
#include "channel/crypto/signature.h"
#include "wallet/chain/contract_calls.h"
#include "wallet/chain/erc20.h"

namespace hedgerow::test {

using namespace hedgerow::channel;

World::World(Anvil started)
    : anvil(std::move(started)), adjudicator(anvil.deploy("Adjudicator")), token(anvil.deploy_token("USDC", 6)) {
    std::string path = (std::filesystem::temp_directory_path() / "hedgerow-node-XXXXXX").string();
    if (::mkdtemp(path.data()) == nullptr) throw std::runtime_error("no temporary directory");
    directory = path;
}

World::~World() {
    if (std::getenv("HEDGEROW_KEEP_LOGS") != nullptr) return;
    std::error_code ignored;
    std::filesystem::remove_all(directory, ignored);
}

Int128 World::balance(const Address& account) {
    const nlohmann::json call{{"to", to_hex(token)}, {"data", to_hex(wallet::erc20_balance_of_call(account))}};
    const auto answer = from_hex(anvil.call("eth_call", nlohmann::json::array({call, "latest"})).get<std::string>());
    return *wallet::read_uint256(*answer)->to_i128();
}

void World::pass_seconds(std::uint64_t seconds) {
    anvil.call("evm_increaseTime", nlohmann::json::array({seconds}));
    anvil.mine();
}

void World::fund(const Address& account) {
    anvil.call("anvil_setBalance", nlohmann::json::array({to_hex(account), "0x56bc75e2d63100000"}));
    anvil.send(0, token, abi_call("mint(address,uint256)", account, U256(kMinted)));
}

TestNode::TestNode(World& world, std::string name, std::uint16_t port)
    : m_world(world), m_name(std::move(name)), m_port(port) {
    start();
}

void TestNode::start(const std::string& failpoint) {
    std::vector<std::string> arguments{NODE_CHILD,
                                       (m_world.directory / m_name).string(),
                                       m_world.anvil.url(),
                                       checksum_address(m_world.adjudicator),
                                       checksum_address(m_world.token),
                                       std::to_string(m_port)};
    if (!m_phrase.empty()) arguments.push_back(m_phrase);
    ChildOptions child;
    if (!failpoint.empty()) child.environment = {{"HEDGEROW_FAILPOINT", failpoint}};
    m_process = std::make_unique<ChildProcess>(arguments, child);
    if (answer(0) != "ready") throw std::runtime_error(m_name + " does not start");
    std::istringstream in(ask("info"));
    std::string account;
    in >> m_uri >> account;
    m_account = *fixed_from_hex<Address>(account);
}

void TestNode::lose_disk() {
    m_phrase = ask("phrase");
    kill();
    std::filesystem::remove_all(m_world.directory / m_name);
}

std::uint64_t TestNode::begin(const std::string& line) {
    m_process->write(fmt::format("{} {}", ++m_asked, line));
    return m_asked;
}

std::string TestNode::answer(std::uint64_t number, int timeout_ms) {
    const std::string start = fmt::format("{} ", number);
    for (;;) {
        const std::string line = m_process->read(timeout_ms);
        if (line.starts_with(start)) return line.substr(start.size());
    }
}

int TestNode::stop() {
    (void)begin("stop");
    return m_process->wait();
}

StateLine TestNode::state() {
    StateLine out;
    std::istringstream in(ask("state"));
    in >> out.status >> out.connected >> out.version >> out.digest >> out.net >> out.available_a >> out.available_b >>
        out.pending;
    return out;
}

void TestNode::throw_still(const StateLine& state) const {
    throw std::runtime_error(fmt::format("{}: still {} connected {} version {} net {}", m_name, state.status,
                                         state.connected, state.version, state.net));
}

bool settled(const StateLine& a, const StateLine& b) {
    return a.version == b.version && a.digest == b.digest && a.pending == 0 && b.pending == 0;
}

void wait_equal(TestNode& alice, TestNode& bob) {
    alice.wait_until([&](const StateLine& s) { return settled(s, bob.state()); });
}

std::uint16_t free_port() {
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    const bool ok = ::bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
                    ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0;
    ::close(fd);
    if (!ok) throw std::runtime_error("no free port");
    return ntohs(address.sin_port);
}

}  // namespace hedgerow::test
