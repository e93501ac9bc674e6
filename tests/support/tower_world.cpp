#include "tests/support/tower_world.h"

#include <fmt/format.h>
#include <csignal>
#include <fstream>

#include "channel/crypto/signature.h"
#include "channel/machine/channel.h"
#include "daemon/store/channel_store.h"
#include "daemon/tower/appointment.h"
#include "rpc/http_client.h"

namespace hedgerow::test {

using namespace channel;

namespace {

std::string value_of(const std::string& line, const std::string& key) {
    if (!line.starts_with(key + " ")) throw std::runtime_error("expected " + key + ", got: " + line);
    return line.substr(key.size() + 1);
}

}  // namespace

TowerProcess::TowerProcess(DaemonWorld& world, std::vector<std::pair<std::string, std::string>> settings)
    : m_world(world), m_settings(std::move(settings)), m_datadir(world.directory / "tower") {
    std::filesystem::create_directories(m_datadir);
    const auto password = m_datadir / "password";
    std::ofstream(password) << "of the tower";
    std::filesystem::permissions(password, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
    ChildProcess init(arguments({"init"}));
    (void)value_of(init.read(), "phrase");
    m_account = *parse_address(value_of(init.read(), "account"));
    m_id = *fixed_from_hex<NodeId>(value_of(init.read(), "id"));
    if (init.wait() != 0) throw std::runtime_error("hedgerow-tower init");
    world.fund(m_account);
    start();
}

std::vector<std::string> TowerProcess::arguments(const std::vector<std::string>& command) const {
    std::vector<std::string> out{std::string(HEDGEROW_BIN_DIR) + "/hedgerow-tower"};
    out.insert(out.end(), command.begin(), command.end());
    const std::vector<std::pair<std::string, std::string>> all{
        {"datadir", m_datadir.string()},
        {"password-file", (m_datadir / "password").string()},
        {"chain-rpc", m_world.anvil.url()},
        {"chain-id", "31337"},
        {"adjudicator", checksum_address(m_world.adjudicator)},
        {"confirmations", "2"},
        {"chain-poll-ms", "50"},
        {"chain-block-ms", "200"},
        {"bind", fmt::format("127.0.0.1:{}", m_port)},
        {"http", "127.0.0.1:0"},
        {"settle-grace", "2"},
        {"log-file", (m_datadir / "tower.log").string()},
    };
    for (const auto* list : {&all, &m_settings}) {
        for (const auto& [name, value] : *list) {
            out.push_back("--" + name);
            out.push_back(value);
        }
    }
    return out;
}

void TowerProcess::start(const std::string& failpoint) {
    ChildOptions child;
    if (!failpoint.empty()) child.environment = {{"HEDGEROW_FAILPOINT", failpoint}};
    m_process = std::make_unique<ChildProcess>(arguments({"run"}), child);
    const std::string uri = value_of(m_process->read(), "uri");
    m_port = static_cast<std::uint16_t>(std::stoul(uri.substr(uri.rfind(':') + 1)));
    m_http = value_of(m_process->read(), "http");
}

int TowerProcess::stop() {
    ::kill(m_process->pid(), SIGTERM);
    return m_process->wait();
}

int TowerProcess::command(const std::vector<std::string>& command) {
    std::vector<std::string> all{std::string(HEDGEROW_BIN_DIR) + "/hedgerow-tower"};
    all.insert(all.end(), command.begin(), command.end());
    all.push_back("--datadir");
    all.push_back(m_datadir.string());
    return ChildProcess(all).wait();
}

std::string http_get(const std::string& url, const std::string& path) {
    rpc::HttpClient client(url);
    const auto answer = client.get(path);
    return answer && answer->status == 200 ? answer->body : std::string();
}

double tower_metric(const std::string& url, const std::string& name) {
    std::istringstream text(http_get(url, "/metrics"));
    const std::string start = "hedgerow_tower_" + name + " ";
    for (std::string line; std::getline(text, line);) {
        if (line.starts_with(start)) return std::stod(line.substr(start.size()));
    }
    return -1;
}

TestTowerClient::TestTowerClient(const DaemonWorld& world, std::uint8_t seed)
    : m_world(world), m_identity(wallet::NodeIdentity::from_seed(Bytes(32, seed)).value()) {
    daemon::TransportConfig config;
    config.listen = false;
    const std::array<std::uint8_t, 32> bytes = [&] {
        std::array<std::uint8_t, 32> out{};
        out.fill(seed);
        return out;
    }();
    m_transport = std::make_unique<daemon::ZmqTransport>(config, daemon::TransportKeys::from_seed(bytes));
}

void TestTowerClient::connect(const TowerProcess& tower) {
    m_tower = tower.id();
    m_transport->disconnect(m_tower);
    if (!m_transport->connect(m_tower, "127.0.0.1", tower.port())) throw std::runtime_error("connect");
    bool linked = false;
    until(
        "a link to the tower",
        [&] {
            m_inbound.clear();
            m_transport->drain(m_inbound);
            for (const daemon::Inbound& event : m_inbound)
                linked = linked || event.kind == daemon::Inbound::Kind::connected;
            return linked;
        },
        10'000);
    Hello hello;
    hello.chain_id = Anvil::kChainId;
    hello.adjudicator = m_world.adjudicator;
    send(hello);
}

void TestTowerClient::send(const PeerMessage& message) {
    if (const auto sent = m_transport->send(m_tower, wire_encode(message)); !sent)
        throw std::runtime_error(std::string("send: ").append(rule_name(sent.error())));
}

bool TestTowerClient::next(PeerMessage& out) {
    m_inbound.clear();
    m_transport->drain(m_inbound);
    for (const daemon::Inbound& event : m_inbound) {
        if (event.kind != daemon::Inbound::Kind::frame) continue;
        auto message = wire_decode<PeerMessage>(event.frame);
        if (!message || std::holds_alternative<Hello>(*message)) continue;
        out = std::move(*message);  // tests ask one thing at a time
        return true;
    }
    return false;
}

PeerMessage TestTowerClient::read(int timeout_ms) {
    PeerMessage out;
    until(
        "an answer of the tower", [&] { return next(out); }, timeout_ms);
    return out;
}

TowerStore appointment_of(const DaemonWorld& world, Daemon& node, const ChannelId& id, const NodeId& tower) {
    // Who reads its history has its journal brought into the database.
    (void)node.call("channel_history", {{"channelId", to_hex(id)}, {"limit", 1}});
    const auto db = daemon::Database::open_reader(node.datadir() / "node.sqlite");
    for (const daemon::ChannelRow& row : daemon::all_channels(*db)) {
        if (row.id != id) continue;
        const auto channel = restore_channel(row.head.whole(), domain_separator({Anvil::kChainId, world.adjudicator}), {});
        if (!channel) throw std::runtime_error("the channel's head");
        Appointment appointment;
        appointment.terms = channel->terms;
        appointment.secret = channel->secret;
        appointment.party = channel->me;
        const Bytes state = wire_encode(channel->agreed.state);
        appointment.state.assign(state.begin(), state.end());
        appointment.signature_a = channel->agreed.signature_a;
        appointment.signature_b = channel->agreed.signature_b;
        TowerStore out;
        out.locator = locator_of(channel->secret, channel->me, tower);
        out.version = channel->agreed.state.version;
        const Bytes blob = daemon::seal_appointment(appointment, tower, out.version);
        out.blob.assign(blob.begin(), blob.end());
        return out;
    }
    throw std::runtime_error("the node has no such channel");
}

}  // namespace hedgerow::test
