#include "tests/support/daemon_world.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "channel/base/u256.h"
#include "channel/codec/abi.h"
#include "channel/crypto/signature.h"
#include "daemon/chain/http_transport.h"
#include "rpc/client.h"
#include "tests/paths.h"
#include "wallet/chain/quantity.h"
#include "wallet/keys/seed_file.h"

namespace hedgerow::test {

using namespace hedgerow::channel;

namespace {

constexpr const char* kPassword = "correct horse battery";

std::string program(const char* name) {
    return (std::filesystem::path(HEDGEROW_BIN_DIR) / name).string();
}

template <typename T>
T read_typed(const Json& json) {
    T out{};
    if constexpr (IsList<T>::value) {
        for (const Json& element : json) out.push_back(read_typed<typename T::value_type>(element));
    } else if constexpr (HasFields<T>) {
        for_each_field(out, [&](const auto& f, auto& member) {
            member = read_typed<std::remove_reference_t<decltype(member)>>(json.at(std::string(f.name)));
        });
    } else if constexpr (requires { T::from_raw(Int128{}); }) {
        out = T::from_raw(*parse_decimal(json.get<std::string>(), 0));
    } else if constexpr (requires { out.data; }) {
        out = *fixed_from_hex<T>(json.get<std::string>());
    } else {
        out = static_cast<T>(std::stoull(json.get<std::string>()));
    }
    return out;
}

Signature read_signature(const Json& json) {
    return *compact_from_rsv(*fixed_from_hex<FixedBytes<65, struct RsvTag>>(json.get<std::string>()));
}

}  // namespace

Exported exported(TestNode& node) {
    const std::string line = node.ask("export");
    std::istringstream in(line);
    std::string id, terms, secret, state, a, b;
    in >> id >> terms >> secret >> state >> a >> b;
    const auto terms_bytes = channel::from_hex(terms);
    const auto state_bytes = channel::from_hex(state);
    const auto channel_id = channel::fixed_from_hex<channel::ChannelId>(id);
    const auto signature_a = channel::fixed_from_hex<channel::Signature>(a);
    const auto signature_b = channel::fixed_from_hex<channel::Signature>(b);
    const auto known = channel::fixed_from_hex<channel::Secret>(secret);
    if (!terms_bytes || !state_bytes || !channel_id || !known || !signature_a || !signature_b)
        throw std::runtime_error("no state: " + line);
    return {*channel_id, *channel::wire_decode<channel::Terms>(*terms_bytes), *known,
            *channel::wire_decode<channel::State>(*state_bytes), {*signature_a, *signature_b}};
}

// --- the world
// -------------------------------------------------------------------------------------------------------

void DaemonWorld::start_oracles(const std::string& scenario, const std::vector<std::vector<std::string>>& arguments) {
    const auto file = directory / "scenario.json";
    std::ofstream(file) << scenario;
    for (const std::vector<std::string>& more : arguments) {
        const std::string name = (directory / fmt::format("oracle{}", oracles.size())).string();
        std::vector<std::string> words{program("hedgerow-oracle"), "--key-file", name + ".key", "--generate-key",
                                       "--generate", "--scenario", file.string(), "--noise-bps", "0",
                                       "--publish", "tcp://127.0.0.1:0", "--http", "127.0.0.1:0",
                                       "--history-dir", name + ".history"};
        words.insert(words.end(), more.begin(), more.end());
        Oracle oracle;
        oracle.process = std::make_unique<ChildProcess>(words);
        const Json info = Json::parse(oracle.process->read());
        oracle.signer = info.at("signer");
        oracle.publish = info.at("publish");
        oracle.http = info.at("http");
        oracles.push_back(std::move(oracle));
    }
}

Bytes DaemonWorld::view(const Address& to, const Bytes& data, const std::string& block) {
    const Json call{{"to", to_hex(to)}, {"data", to_hex(data)}};
    return *from_hex(anvil.call("eth_call", Json::array({call, block})).get<std::string>());
}

Int128 DaemonWorld::coins(const Address& account) {
    const std::string text = anvil.call("eth_getBalance", Json::array({to_hex(account), "latest"}));
    return *wallet::parse_quantity(text)->to_i128();
}

std::string DaemonWorld::post(const Address& from, const Address& to, const Bytes& data, std::uint64_t tip_gwei,
                              std::uint64_t value) {
    anvil.call("anvil_impersonateAccount", Json::array({to_hex(from)}));
    if (coins(from) == 0) anvil.call("anvil_setBalance", Json::array({to_hex(from), "0x56bc75e2d63100000"}));
    // Anvil sorts its pool by the greatest fee: of what a node offers, twice the base fee, this without a tip is less.
    const Json block = anvil.call("eth_getBlockByNumber", Json::array({"latest", false}));
    const U256 base = *wallet::parse_quantity(block.at("baseFeePerGas").get<std::string>());
    const U256 tip = U256(tip_gwei) * U256(1'000'000'000ull);
    const Json transaction{{"from", to_hex(from)},
                           {"to", to_hex(to)},
                           {"data", to_hex(data)},
                           {"gas", "0xf4240"},
                           {"value", wallet::to_quantity(U256(value))},
                           {"maxPriorityFeePerGas", wallet::to_quantity(tip)},
                           {"maxFeePerGas", wallet::to_quantity(tip + base * U256(9u) / U256(8u) + U256(1u))}};
    return anvil.call("eth_sendTransaction", Json::array({transaction}));
}

bool DaemonWorld::succeeded(const std::string& hash) {
    Json receipt;
    until("transaction " + hash, [&] {
        receipt = anvil.call("eth_getTransactionReceipt", Json::array({hash}));
        return !receipt.is_null();
    });
    return receipt.at("status") == "0x1";
}

void DaemonWorld::automine(bool on) {
    anvil.call("evm_setAutomine", Json::array({on}));
}

std::uint64_t DaemonWorld::now_s() {
    const Json block = anvil.call("eth_getBlockByNumber", Json::array({"latest", false}));
    return std::stoull(block.at("timestamp").get<std::string>(), nullptr, 16);
}

std::uint64_t DaemonWorld::height() {
    return std::stoull(anvil.call("eth_blockNumber", Json::array()).get<std::string>(), nullptr, 16);
}

void DaemonWorld::reorg(std::uint64_t depth) {
    anvil.call("anvil_reorg", Json::array({depth, Json::array()}));
}

std::string DaemonWorld::post_challenge(const Exported& with, Party party, std::uint64_t tip_gwei) {
    const Bytes data = wallet::challenge_call(with.terms, with.secret, with.state, with.signatures, {});
    return post(with.terms.signer(party), adjudicator, data, tip_gwei);
}

wallet::DisputeView DaemonWorld::dispute(const ChannelId& id) {
    return *wallet::read_dispute(view(adjudicator, wallet::dispute_call(id)));
}

wallet::HoldingsView DaemonWorld::holdings(const ChannelId& id, const Address& asset, const std::string& block) {
    return *wallet::read_holdings(view(adjudicator, wallet::holdings_call(id, asset), block));
}

std::vector<DaemonWorld::Placed> DaemonWorld::placed_events(const ChannelId& id) {
    const auto transport = daemon::make_http_transport(anvil.url());
    wallet::EthClient client(*transport, Anvil::kChainId);
    const auto logs = client.logs(wallet::LogFilter{adjudicator, {}}, 0, height());
    if (!logs) throw std::runtime_error("logs: " + logs.error().detail);
    std::vector<Placed> out;
    for (const wallet::LogEntry& log : *logs) {
        auto event = wallet::decode_event(log, adjudicator);
        if (!event) throw std::runtime_error("a log that is no event");
        const bool ours = std::visit(
            [&](const auto& e) {
                if constexpr (requires { e.channel_id; }) return e.channel_id == id;
                return false;
            },
            *event);
        if (ours) out.push_back({std::move(*event), log.block_number});
    }
    return out;
}

std::vector<wallet::AdjudicatorEvent> DaemonWorld::events(const ChannelId& id) {
    std::vector<wallet::AdjudicatorEvent> out;
    for (Placed& placed : placed_events(id)) out.push_back(std::move(placed.event));
    return out;
}

Ending DaemonWorld::ending(const Exported& of) {
    Ending out;
    OpenDispute dispute;
    State newest;
    std::uint64_t block = 0;
    for (const Placed& placed : placed_events(of.id)) {
        if (const auto* e = std::get_if<wallet::Challenged>(&placed.event)) {
            dispute = {e->end, 0, e->challenger};
            out.challenged_version = e->state.version;
            newest = e->state;
        } else if (const auto* r = std::get_if<wallet::Responded>(&placed.event)) {
            newest = r->state;
        } else if (const auto* s = std::get_if<wallet::Settled>(&placed.event)) {
            out.settled = *s;
            block = placed.block;
        }
    }
    if (block == 0) throw std::runtime_error("the channel has not been settled");
    newest.channel_id = of.id;
    dispute.lead = dispute_lead(newest.version, out.challenged_version);
    const std::string at = wallet::to_quantity(U256(block));
    std::vector<Holdings> held;
    for (const Asset& asset : of.terms.assets) {
        const auto h = holdings(of.id, asset.token, wallet::to_quantity(U256(block - 1)));
        held.push_back({h.deposit_a, h.deposit_b, h.withdrawn_a, h.withdrawn_b});
    }
    const Hash set = wallet::oracle_set_of(of.terms.oracles);
    const auto attested = [&](const Feed& feed, std::uint64_t time_s) -> std::optional<Price> {
        const auto seen = *wallet::read_attested(view(adjudicator, wallet::attested_call(set, feed, time_s), at));
        if (seen.signers < of.terms.oracle_threshold || seen.price.is_zero()) return std::nullopt;
        return seen.price;
    };
    const auto revealed = [&](const LockHash& hash) {
        return *wallet::read_uint64(view(adjudicator, wallet::revealed_at_call(hash), at));
    };
    const Json header = anvil.call("eth_getBlockByNumber", Json::array({at, false}));
    out.settled_s = std::stoull(header.at("timestamp").get<std::string>(), nullptr, 16);
    out.twin = settle_at(of.terms, newest, held, dispute, out.settled_s, attested, revealed);
    const auto same = [](const auto& paid, const auto& twin) {
        return std::equal(paid.begin(), paid.end(), twin.begin(), twin.end());
    };
    if (out.twin.status != SettleStatus::due || !same(out.settled.paid_a, out.twin.result.a) ||
        !same(out.settled.paid_b, out.twin.result.b) || out.settled.version != newest.version)
        throw std::runtime_error("the chain settled to something else than the twin");
    return out;
}

// --- a node
// ----------------------------------------------------------------------------------------------------------

Daemon::Daemon(DaemonWorld& world, std::string name, const DaemonOptions& options)
    : m_world(world), m_name(std::move(name)), m_program(options.program), m_datadir(world.directory / m_name) {
    std::filesystem::create_directories(m_datadir);
    std::filesystem::permissions(m_datadir, std::filesystem::perms::owner_all);
    std::ofstream(m_datadir / "password") << kPassword;
    std::filesystem::permissions(m_datadir / "password",
                                 std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
    write_config(options);
    make_wallet();
    start(options.child);
}

/// Stretched as little as may be: a test starts its nodes many times.
void Daemon::make_wallet() {
    const wallet::MasterSeed seed = wallet::MasterSeed::generate();
    m_phrase = std::string(reveal_text(seed.mnemonic()));
    if (!wallet::create_seed_file(m_datadir / "wallet.seed", seed, kPassword, {1, 8})) throw std::runtime_error("no wallet");
}

void Daemon::write_config(const DaemonOptions& options) {
    std::multimap<std::string, std::string> lines{
        {"bind", "127.0.0.1:0"},
        {"rpc-bind", "127.0.0.1:0"},
        {"password-file", (m_datadir / "password").string()},
        {"chain-rpc", m_world.anvil.url()},
        {"chain-id", std::to_string(Anvil::kChainId)},
        {"adjudicator", checksum_address(m_world.adjudicator)},
        {"confirmations", "1"},
        {"chain-poll-ms", "100"},
        {"chain-block-ms", "500"},
        {"asset", fmt::format("USDC,{},6,usd,0", checksum_address(m_world.token))},
        {"asset", "ETH,native,18,ETH_USD,1000"},
        {"dispute-period", "60"},
        {"min-dispute-period", "5"},
        {"price-slot", "1"},
        {"price-grace", "2"},
        {"stale-penalty", "10"},
        {"max-in-doubt", "10000000"},
        {"instruments", std::string(HEDGEROW_SOURCE_DIR) + "/contrib/instruments/perpetuals.json"},
        {"log-stderr", "false"},
        {"log-file", "node.log"},
    };
    for (const Oracle& oracle : m_world.oracles) {
        lines.emplace("oracle-signer", oracle.signer);
        lines.emplace("oracle", oracle.publish + "," + oracle.http);
    }
    if (m_world.oracles.empty()) lines.emplace("oracle-signer", "0x0000000000000000000000000000000000000001");
    for (const auto* more : {&std::as_const(m_world).settings, &options.settings}) {
        for (const auto& [key, value] : *more) lines.erase(key);
        for (const auto& [key, value] : *more) lines.emplace(key, value);
    }
    std::ofstream file(m_datadir / "hedgerow.conf");
    for (const auto& [key, value] : lines) file << key << " = " << value << '\n';
}

void Daemon::lose_disk() {
    kill();
    for (const auto& file : std::filesystem::directory_iterator(m_datadir)) {
        const std::string name = file.path().filename().string();
        if (name != "hedgerow.conf" && name != "password") std::filesystem::remove_all(file.path());
    }
    m_lost = true;
}

void Daemon::configure(const std::string& key, const std::string& value) {
    std::ifstream old(m_datadir / "hedgerow.conf");
    std::string text;
    for (std::string line; std::getline(old, line);) {
        if (!line.starts_with(key + " =")) text.append(line).append("\n");
    }
    if (!value.empty()) text.append(key).append(" = ").append(value).append("\n");
    std::ofstream(m_datadir / "hedgerow.conf") << text;
}

void Daemon::start(const ChildOptions& child) {
    const auto url = m_datadir / "rpc.url";
    const auto began = std::chrono::steady_clock::now();
    std::filesystem::remove(url);
    m_ended.reset();
    m_process = std::make_unique<ChildProcess>(
        std::vector<std::string>{program(m_program.c_str()), "--datadir", m_datadir.string()}, child);
    const auto running = [&] {
        if (ended()) throw std::runtime_error(fmt::format("{} has ended with {}", m_name, *m_ended));
    };
    until(m_name + " starts", [&] {
        running();
        return std::filesystem::exists(url);
    });
    if (m_lost) (void)call("wallet_restore", {{"password", kPassword}, {"mnemonic", m_phrase}});
    m_lost = false;
    until(m_name + " is synced", [&] {
        running();
        const Json info = call("node_info");
        if (m_answered < began) m_answered = std::chrono::steady_clock::now();
        m_uri = info.at("uri");
        return m_uri.find('@') != std::string::npos && info.at("chains").at(0).at("synced").get<bool>();
    });
    if (!m_account.is_zero()) return;
    m_account = *parse_address(call("wallet_addresses").at("address").get<std::string>());
}

std::optional<int> Daemon::ended() {
    if (!m_ended) m_ended = m_process->ended();
    return m_ended;
}

int Daemon::stop() {
    if (m_process->pid() <= 0) throw std::runtime_error(m_name + " does not run");  // pid 0 would be us
    ::kill(m_process->pid(), SIGTERM);
    return m_process->wait();
}

void Daemon::die() {
    ::kill(m_process->pid(), SIGKILL);
}

void Daemon::pause() {
    ::kill(m_process->pid(), SIGSTOP);
}

void Daemon::resume() {
    ::kill(m_process->pid(), SIGCONT);
}

Json Daemon::call(const std::string& method, const Json& params) {
    return call_at(m_datadir, method, params);
}

Json call_at(const std::filesystem::path& datadir, const std::string& method, const Json& params) {
    std::string url;
    std::ifstream(datadir / "rpc.url") >> url;
    rpc::RpcClientOptions options;
    options.url = url;
    options.cookie_path = datadir / ".cookie";
    rpc::RpcClient client(options);
    auto answer = client.call(method, params);
    if (answer) return *answer;
    throw Refused(method, Json{{"message", answer.error().error.message}, {"data", {{"name", answer.error().error.name}}}});
}

std::string Daemon::refusal(const std::string& method, const Json& params) {
    try {
        (void)call(method, params);
    } catch (const Refused& refused) {
        return refused.name;
    }
    return "";
}

Json Daemon::channel(const ChannelId& id) {
    return call("channel_get", {{"channelId", to_hex(id)}});
}

void Daemon::wait_status(const ChannelId& id, const std::string& status, int timeout_ms) {
    until(m_name + ": " + status, [&] { return this->status(id) == status; }, timeout_ms);
}

Exported Daemon::exported(const ChannelId& id) {
    const Json json = call("channel_export", {{"channelId", to_hex(id)}});
    return {id, read_typed<Terms>(json.at("terms")), *fixed_from_hex<Secret>(json.at("secret").get<std::string>()),
            read_typed<State>(json.at("state")),
            {read_signature(json.at("signatures").at("A")), read_signature(json.at("signatures").at("B"))}};
}

void Daemon::pay(const ChannelId& id, const std::string& amount, const std::string& asset) {
    (void)call("pay_send", {{"channelId", to_hex(id)}, {"asset", asset}, {"amount", amount}});
}

bool Daemon::logged(const std::string& text) const {
    std::ifstream file(m_datadir / "node.log");
    for (std::string line; std::getline(file, line);) {
        if (line.find(text) != std::string::npos) return true;
    }
    return false;
}

// --- two nodes
// -------------------------------------------------------------------------------------------------------

namespace {

Json deposits_of(const Stake& stake) {
    Json out = Json::array();
    if (!stake.usdc.empty()) out.push_back({{"asset", "USDC"}, {"amount", stake.usdc}});
    if (!stake.eth.empty()) out.push_back({{"asset", "ETH"}, {"amount", stake.eth}});
    return out;
}

bool sees(Daemon& node, const ChannelId& id, const Stake& own, const Stake& other) {
    const Json channel = node.channel(id);
    const auto is = [&](const std::string& want, const Json& got) { return got == (want.empty() ? "0" : want); };
    const Json& usdc = channel.at("assets").at(0);
    bool ok = channel.at("connected").get<bool>() && is(own.usdc, usdc.at("deposited")) &&
              is(other.usdc, usdc.at("counterDeposited")) && is(own.usdc, usdc.at("available"));
    if (channel.at("assets").size() > 1) {
        const Json& eth = channel.at("assets").at(1);
        ok = ok && is(own.eth, eth.at("deposited")) && is(other.eth, eth.at("counterDeposited")) && is(own.eth, eth.at("available"));
    }
    return ok;
}

}  // namespace

ChannelId open_channel(Daemon& leader, Daemon& follower, const Stake& leader_stake, const Stake& follower_stake) {
    const Json opened =
        follower.call("channel_open", {{"peer", leader.uri()}, {"deposits", deposits_of(follower_stake)}});
    const auto id = *fixed_from_hex<ChannelId>(opened.at("channelId").get<std::string>());
    until("the leader knows the channel",
          [&] { return leader.refusal("channel_get", {{"channelId", to_hex(id)}}).empty(); });
    for (const Json& deposit : deposits_of(leader_stake)) {
        Json params = deposit;
        params["channelId"] = to_hex(id);
        (void)leader.call("channel_deposit", params);
    }
    until("both see the deposits", [&] {
        return sees(leader, id, leader_stake, follower_stake) && sees(follower, id, follower_stake, leader_stake);
    });
    return id;
}

void wait_same(Daemon& a, Daemon& b, const ChannelId& id) {
    const Json params{{"channelId", to_hex(id)}};
    until("both have agreed", [&] {
        return a.call("channel_state", params).at("digest") == b.call("channel_state", params).at("digest");
    });
}

}  // namespace hedgerow::test
