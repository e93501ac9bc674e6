#include "tests/sim/world.h"

#include <sodium.h>

#include "wallet/chain/contract_events.h"

namespace hedgerow::sim {

namespace {

constexpr std::uint64_t kSlotS = 12;
constexpr std::uint64_t kOracleSlotS = 20;
constexpr std::uint64_t kMaxReorg = 2;

// libsodium's random source, replaced for good: libsodium keeps the pointers.
Random g_sodium_random(0);

const char* sodium_name() {
    return "simulated";
}
std::uint32_t sodium_random() {
    return static_cast<std::uint32_t>(g_sodium_random.next() >> 32);
}
void sodium_fill(void* out, std::size_t size) {
    g_sodium_random.fill(out, size);
}
randombytes_implementation g_sodium{sodium_name, sodium_random, nullptr, nullptr, sodium_fill, nullptr};

const Address& usdc() {
    static const Address token = *channel::fixed_from_hex<Address>("0x00000000000000000000000000000000000a55e7");
    return token;
}
const Address& weth() {
    static const Address token = *channel::fixed_from_hex<Address>("0x000000000000000000000000000000000000e7e7");
    return token;
}
const Address& contract() {
    static const Address address = *channel::fixed_from_hex<Address>("0x00000000000000000000000000000000ad1cad1c");
    return address;
}

U256 ether(std::uint64_t amount) {
    return U256(amount) * U256(channel::pow10(18));
}

channel::Registry make_registry(const channel::RiskClass& risk) {
    channel::Instrument row;
    row.definition = *channel::parse_instrument("BTC_USD-PERPETUAL");
    row.tick = channel::Price::from_raw(50'000'000);
    row.lot = channel::Quantity::from_raw(100'000);
    row.risk = risk;
    auto registry = channel::Registry::make({row});
    ASSERT(registry.has_value());
    return std::move(*registry);
}

channel::RiskClass btc_risk() {
    return {Oracles::btc(), 1'000, 500, 100, channel::Quantity::from_raw(100'000)};
}

}  // namespace

void seed_sodium(std::uint64_t seed) {
    static const bool kReplaced = [] {
        const int done = randombytes_set_implementation(&g_sodium);
        return done == 0 && sodium_init() >= 0;
    }();
    ASSERT(kReplaced);
    g_sodium_random = Random(seed ^ 0x50d1u);
}

World::World(const WorldOptions& options)
    : m_options(options),
      m_random(options.seed),
      m_queue(kEpochMs),
      m_trace(m_queue, options.trace),
      m_wipe_random(options.seed ^ 0x817eu),
      m_lock_random(options.seed ^ 0x10c4u),
      m_tower_random(~options.seed),
      m_aim(options.seed ^ 0xa13u) {
    seed_sodium(options.seed);
    draw_scenario();
    draw_towers();
    ChainConfig config;
    config.contract = contract();
    config.genesis_s = kEpochMs / 1'000;
    config.slot_s = kSlotS;
    config.max_reorg = kMaxReorg;
    ChainRules rules;
    rules.chain_id = config.chain_id;
    rules.contract = contract();
    rules.separator = channel::domain_separator({config.chain_id, contract()});
    rules.tokens = {{usdc(), 6}, {weth(), 18}};
    m_network = std::make_unique<Network>(m_queue, m_random.fork("network"));
    m_oracles = std::make_unique<Oracles>(m_queue, m_random.fork("oracles"), kOracleSlotS);
    // Addresses are known before the chain begins.
    ChainState genesis;
    std::array<std::uint8_t, 32> secret{};
    secret.fill(0x66);
    m_crooks.push_back(std::move(*wallet::PrivateKey::from_bytes(secret)));
    genesis.coins[m_crooks.front().address()] = ether(1'000);
    for (std::size_t i = 0; i < m_scenario.nodes; ++i) {
        const Address owner = SimNode::owner_of(i);
        genesis.coins[owner] = ether(100);
        genesis.tokens[{usdc(), owner}] = U256(10'000'000) * U256(channel::pow10(6));
        genesis.tokens[{weth(), owner}] = ether(10'000);
    }
    for (std::size_t i = 0; i < m_scenario.towers; ++i)
        genesis.coins[Machine::owner_of(m_scenario.nodes + i)] = ether(100);
    m_chain = std::make_unique<Chain>(config, std::move(rules), std::move(genesis), m_random.fork("chain"));
    m_checkers = std::make_unique<Checkers>(m_verdict, *m_chain, m_queue);
    m_network->set_tap([this](const NodeId& from, const NodeId& to, channel::ByteView frame) {
        m_checkers->on_frame(from, to, frame);
    });
    make_nodes();
    make_towers();
}

World::~World() {
    m_towers.clear();
    m_nodes.clear();
}

Machine& World::machine(std::size_t index) {
    if (index < m_nodes.size()) return node(index);
    return tower(index - m_nodes.size());
}

void World::draw_scenario() {
    Random random = m_random.fork("scenario");
    m_scenario.nodes = random.chance(600) ? 2 : 3;
    if (random.chance(300)) m_scenario.liar = random.below(m_scenario.nodes);
    m_scenario.trading = random.chance(400);
    m_scenario.active_s = random.between(60, 300);
    m_scenario.mean_fault_ms = random.between(4'000, 40'000);
    m_scenario.mean_action_ms = random.between(300, 3'000);
    for (const char* kind : {"crash", "network", "chain", "clock", "oracle", "cheat", "end", "stale", "disk", "aim"}) {
        if (random.chance(600)) m_scenario.faults.insert(kind);
    }
    m_trace.line("world", "seed {}: {} nodes, liar {}, trading {}, {} s", m_options.seed, m_scenario.nodes,
                 m_scenario.liar ? std::to_string(*m_scenario.liar) : "none", m_scenario.trading, m_scenario.active_s);
}

daemon::NodeOptions World::chain_options() const {
    daemon::NodeOptions o;
    o.chain_url = "simulated";
    o.chain_id = m_chain->config().chain_id;
    o.adjudicator = contract();
    o.confirmations = kMaxReorg + 1;
    o.chain_poll_ms = 3'000;
    o.fees.confirmations = o.confirmations;
    o.fees.block_ms = kSlotS * 1'000;
    return o;
}

void World::make_nodes() {
    const Surroundings surroundings{m_queue, m_trace, *m_chain, *m_network, *m_oracles};
    for (std::size_t i = 0; i < m_scenario.nodes; ++i) {
        SimNodeConfig config;
        config.name = i == 0 ? "hub" : std::string(1, static_cast<char>('a' + i - 1));
        config.index = i;
        config.datadir = m_options.root / config.name;
        config.registry = make_registry(btc_risk());
        config.options = chain_options();
        daemon::NodeOptions& o = config.options;
        o.assets.push_back({"USDC", usdc(), 6, {}, 0});
        o.assets.push_back({"WETH", weth(), 18, Oracles::eth(), 1'000});
        o.opening.oracles = m_oracles->addresses();
        o.opening.oracle_threshold = Oracles::kThreshold;
        o.opening.price_slot_s = kOracleSlotS;
        o.opening.price_grace_s = 120;
        o.opening.dispute_period_s = 300;
        o.opening.stale_penalty = Amount::from_raw(10'000'000);
        o.opening.max_stale_penalty = o.opening.stale_penalty;
        o.opening.risk.classes.push_back(btc_risk());
        o.opening.risk.ack_timeout_ms = 30'000;
        o.opening.risk.max_in_doubt =
            channel::Usd16::from_raw(static_cast<channel::Int128>(channel::pow10(16)) * 1'000'000);
        config.market.make = true;
        config.market.mark_interval_ms = 10'000;
        m_nodes.push_back(std::make_unique<SimNode>(surroundings, std::move(config), m_random.fork("node")));
        if (is_liar(i)) m_checkers->set_liar(node(i).id());
    }
}

// --- time
// ------------------------------------------------------------------------------------------------------------------

void World::slot() {
    const std::uint64_t now_s = m_queue.now_ms() / 1'000;
    if (m_reorg_depth != 0) {
        const std::uint64_t taken = m_chain->reorganise(m_reorg_depth, now_s, m_active ? m_reorg_loses : 0, m_active ? 300 : 0);
        m_trace.line("chain", "reorganised by {} to block {}", taken, m_chain->height());
        m_reorg_depth = 0;
        m_reorg_loses = 300;
    } else {
        m_chain->produce(now_s);
    }
    for (const MinedTx& tx : m_chain->head().transactions) {
        if (m_chain->head().header.timestamp != now_s) break;
        aim_at(tx);
        std::string text;
        for (const wallet::LogEntry& log : tx.logs) {
            const auto event = wallet::decode_event(log, contract());
            if (event) text.append(" ").append(wallet::event_name(*event));
        }
        m_trace.line("chain", "block {}: {} {}{}", m_chain->height(), channel::to_hex(tx.sender).substr(0, 8),
                     tx.success ? "done" : "reverted", text);
    }
    m_queue.after(kSlotS * 1'000, [this] { slot(); });
}

void World::oracle_slot() {
    m_oracles->publish(m_queue.now_ms() / 1'000);
    m_queue.after(kOracleSlotS * 1'000, [this] { oracle_slot(); });
}

void World::advance(std::uint64_t ms) {
    m_queue.run_until(m_queue.now_ms() + ms);
}

const channel::Channel* World::channel_at(std::size_t index, const ChannelId& id) {
    return node(index).running() ? node(index).node().find(id) : nullptr;
}

// --- the whole
// --------------------------------------------------------------------------------------------------------------

WorldResult World::run() {
    m_queue.at(kEpochMs + kSlotS * 1'000, [this] { slot(); });
    m_queue.at(kEpochMs + kOracleSlotS * 1'000, [this] { oracle_slot(); });
    set_up();
    if (!m_verdict.failed()) {
        m_active = true;
        act_later();
        fault_later();
        if (m_scenario.towers != 0) tower_fault_later();
        wipe_later();
        lock_later();
        watch_calm();
        const std::uint64_t end = m_queue.now_ms() + m_scenario.active_s * 1'000;
        while (m_queue.now_ms() < end && !m_verdict.failed()) {
            advance(1'000);
            m_checkers->check_conservation();
        }
        m_active = false;
        if (!m_verdict.failed()) finish();
    }
    WorldResult out;
    for (std::size_t i = 0; i < machines(); ++i) {
        if (machine(i).running()) machine(i).crash();
    }
    out.failures = m_verdict.failures();
    for (const std::string& failure : out.failures) m_trace.line("verdict", "{}", failure);
    out.trace_hash = m_trace.hash();
    out.virtual_ms = m_queue.now_ms() - kEpochMs;
    out.events = m_queue.events_run();
    out.counts = m_checkers->counts();
    m_tally["reorg"] = m_chain->reorgs();
    m_tally["frames"] = m_network->frames();
    m_tally["links lost"] = m_network->links_lost();
    out.tally = m_tally;
    return out;
}

}  // namespace hedgerow::sim
