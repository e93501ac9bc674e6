#include "daemon/node/node.h"

#include "daemon/node/node_impl.h"

namespace hedgerow::daemon {

using channel::Rule;

Node::Node(NodeOptions options, World world)
    : m_impl(std::make_unique<Impl>(std::move(options), std::move(world))) {}
Node::~Node() = default;

void Node::set_market(MarketHooks* hooks) {
    m_impl->parts.market = hooks;
}
void Node::set_packages(PackageSource* packages) {
    m_impl->parts.packages = packages;
}
void Node::serve_tower(const std::filesystem::path& directory, const TowerLimits& limits) {
    m_impl->tower = std::make_unique<NodeTower>(m_impl->parts, m_impl->world, directory, limits);
    m_impl->parts.tower = m_impl->tower.get();
}
NodeTower* Node::tower() {
    return m_impl->tower.get();
}

EventLoop& Node::loop() {
    return m_impl->loop;
}
int Node::run() {
    return m_impl->run();
}
bool Node::step(NodeStep which) {
    return m_impl->step(which);
}
void Node::stop() noexcept {
    m_impl->loop.stop();
}
bool Node::failed() const {
    return m_impl->has_failed();
}

const NodeOptions& Node::options() const {
    return m_impl->options;
}
NodeInfo Node::info() const {
    return m_impl->info();
}
void Node::halt() {
    m_impl->set_halted(true);
}
void Node::resume() {
    m_impl->set_halted(false);
}
bool Node::starting() const {
    return m_impl->starting();
}
bool Node::halted() const {
    return m_impl->parts.halted;
}

// --- wallet
// -----------------------------------------------------------------------------------------------------------

void Node::create_wallet(std::string password, Answer<std::string> done) {
    m_impl->create_wallet(std::move(password), std::move(done));
}
void Node::restore_wallet(std::string password, std::string mnemonic, Answer<channel::Address> done) {
    m_impl->restore_wallet(std::move(password), std::move(mnemonic), std::move(done));
}
void Node::unlock_wallet(std::string password, Answer<channel::Address> done) {
    m_impl->unlock_wallet(std::move(password), std::move(done));
}
void Node::lock_wallet() {
    m_impl->lock_wallet();
}
bool Node::wallet_exists() const {
    return m_impl->wallet_exists();
}
bool Node::wallet_locked() const {
    return m_impl->keys == nullptr || m_impl->keys->locked();
}
wallet::Keyring* Node::keyring() {
    return m_impl->keys ? &m_impl->keys->keyring() : nullptr;
}
std::vector<channel::Address> Node::wallet_addresses() const {
    return m_impl->keys ? m_impl->keys->owners() : std::vector<channel::Address>();
}
void Node::wallet_balance(Answer<std::vector<WalletBalance>> done) {
    if (m_impl->ready(done)) m_impl->chain_ops->balance(std::move(done));
}
void Node::wallet_send(const channel::Address& to, std::size_t asset, const channel::Amount& amount,
                       const ClientRef& ref, Answer<channel::TxHash> done) {
    if (m_impl->ready(done)) m_impl->chain_ops->send(to, asset, amount, ref, std::move(done));
}

// --- peers
// ------------------------------------------------------------------------------------------------------------

void Node::connect_peer(const std::string& uri, Answer<PeerInfo> done) {
    if (m_impl->ready(done)) m_impl->peers->connect(uri, std::move(done));
}
Result<void> Node::disconnect_peer(const channel::NodeId& peer) {
    return m_impl->peers ? m_impl->peers->disconnect(peer) : Result<void>(refused(Rule::peer_unknown));
}
std::vector<PeerInfo> Node::peers() const {
    return m_impl->peers ? m_impl->peers->list() : std::vector<PeerInfo>();
}
std::string Node::peer_uri(const channel::NodeId& peer) const {
    return m_impl->peers ? m_impl->peers->uri(peer) : std::string();
}
void Node::send_to_peer(const channel::ChannelId& id, channel::PeerMessage message) {
    const channel::Channel* channel = find(id);
    if (channel != nullptr) m_impl->peers->send(channel->peer, message);
}

// --- channels
// ---------------------------------------------------------------------------------------------------------

const channel::Channel* Node::find(const channel::ChannelId& id) const {
    return m_impl->channels ? m_impl->channels->find(id) : nullptr;
}
std::vector<const channel::Channel*> Node::channels() const {
    return m_impl->channels ? m_impl->channels->all() : std::vector<const channel::Channel*>();
}

const AssetInfo* Node::asset_of(const channel::Channel& channel, std::size_t index) const {
    if (index >= channel.terms.assets.size()) return nullptr;
    for (const AssetInfo& info : options().assets) {
        if (info.token == channel.terms.assets[index].token) return &info;
    }
    return nullptr;
}

std::optional<std::size_t> Node::find_asset(std::string_view name) const {
    const auto token = channel::parse_address(name);
    const auto& assets = options().assets;
    for (std::size_t i = 0; i < assets.size(); ++i) {
        if (assets[i].symbol == name || (token && assets[i].token == *token)) return i;
    }
    return std::nullopt;
}

std::optional<std::size_t> Node::asset_in(const channel::Channel& channel, std::size_t asset) const {
    if (asset >= options().assets.size()) return std::nullopt;
    const auto index = asset_index(channel.terms, options().assets[asset].token);
    return index ? std::optional<std::size_t>(*index) : std::nullopt;
}

void Node::open_channel(const OpenOrder& order, Answer<OpenedChannel> done) {
    if (m_impl->ready(done)) m_impl->chain_ops->open_channel(order, std::move(done));
}
void Node::deposit(const channel::ChannelId& id, std::size_t asset_index, channel::Amount amount, const ClientRef& ref,
                   Answer<channel::TxHash> done) {
    if (m_impl->ready(done)) m_impl->chain_ops->deposit(id, asset_index, amount, ref, std::move(done));
}
void Node::withdraw(const channel::ChannelId& id, std::size_t asset_index, channel::Amount amount, const ClientRef& ref,
                    Answer<channel::TxHash> done) {
    if (m_impl->ready(done)) m_impl->chain_ops->withdraw(id, asset_index, amount, ref, std::move(done));
}
void Node::close(const channel::ChannelId& id, const ClientRef& ref, Answer<channel::TxHash> done) {
    if (m_impl->ready(done)) m_impl->chain_ops->close(id, ref, std::move(done));
}
void Node::force_close(const channel::ChannelId& id, const ClientRef&, Answer<channel::TxHash> done) {
    // A challenge is one job a version, so that a reference has nothing to add.
    if (m_impl->ready(done)) m_impl->chain_ops->force_close(id, std::move(done));
}

void Node::backup_channels(const std::string& path, Answer<BackedUp> done) {
    if (m_impl->ready(done)) m_impl->backups->backup(path, std::move(done));
}
void Node::restore_channels(const std::string& path, Answer<std::size_t> done) {
    if (m_impl->ready(done)) m_impl->backups->restore(path, std::move(done));
}

bool Node::may_lack_channels() const {
    return m_impl->parts.may_lack_channels;
}
Fault Node::unknown_channel() const {
    return LocalOps::unknown_channel(m_impl->parts);
}

// --- towers
// ------------------------------------------------------------------------------------------------------------

void Node::add_tower(const std::string& uri, Answer<TowerInfo> done) {
    if (m_impl->ready(done)) m_impl->towers->add(uri, std::move(done));
}
Result<void> Node::remove_tower(const channel::NodeId& tower) {
    return m_impl->towers ? m_impl->towers->remove(tower) : Result<void>(refused(Rule::tower_unknown));
}
std::vector<TowerInfo> Node::towers() const {
    return m_impl->towers ? m_impl->towers->list() : std::vector<TowerInfo>();
}
TowerPolicy Node::default_tower_policy() const {
    return {std::nullopt, options().tower_sync};
}
TowerPolicy Node::tower_policy(const channel::ChannelId& id) const {
    return m_impl->towers ? m_impl->towers->policy(id) : TowerPolicy();
}
Result<void> Node::set_tower_policy(const channel::ChannelId& id, const TowerPolicy& policy) {
    return m_impl->towers ? m_impl->towers->set_policy(id, policy) : Result<void>(refused(Rule::channel_unknown));
}
std::vector<channel::NodeId> Node::towers_of(const channel::ChannelId& id) const {
    return m_impl->towers ? m_impl->towers->towers_of(id) : std::vector<channel::NodeId>();
}
Result<TowerProof> Node::tower_proof(const channel::ChannelId& id, const channel::NodeId& tower) const {
    return m_impl->towers ? m_impl->towers->proof(id, tower) : Result<TowerProof>(refused(Rule::tower_unknown));
}
std::vector<TowerAnswer> Node::tower_answers(const channel::ChannelId& id) const {
    return m_impl->towers ? m_impl->towers->answers(id) : std::vector<TowerAnswer>();
}
std::optional<std::uint64_t> Node::peer_said(const channel::ChannelId& id) const {
    return m_impl->channels ? m_impl->channels->peer_said(id) : std::nullopt;
}

void Node::submit_op(const channel::ChannelId& id, const channel::Op& op, const ClientRef& ref, Answer<OpDone> done) {
    if (m_impl->ready(done)) m_impl->channels->submit(id, op, ref, std::move(done));
}
channel::LocalId Node::submit_op(const channel::ChannelId& id, const channel::Op& op,
                                 std::function<void(Rule)> refused_by) {
    if (m_impl->channels) return m_impl->channels->submit(id, op, std::move(refused_by));
    if (refused_by) refused_by(Rule::wallet_locked);
    return 0;
}

channel::Expected<channel::LocalId, Rule> Node::submit_ops(const channel::ChannelId& id, std::vector<channel::Op> ops,
                                                           SinkId sink) {
    if (!m_impl->channels) return channel::Unexpected{Rule::wallet_locked};
    return m_impl->channels->submit(id, std::move(ops), sink);
}
SinkId Node::add_sink(OpSink& sink) {
    ASSERT(m_impl->channels != nullptr);
    return m_impl->channels->add_sink(sink);
}

Result<std::vector<HistoryItem>> Node::history(const channel::ChannelId& id, HistoryCursor cursor, std::size_t limit) {
    const channel::Channel* channel = find(id);
    if (channel == nullptr) return refused(Rule::channel_unknown);
    return read_history(up_to_date_reader(), *channel, cursor, std::min<std::size_t>(limit, 1'000));
}
std::string Node::client_ref(const channel::ChannelId& id, std::uint64_t version, std::uint16_t index) {
    return client_ref_of(up_to_date_reader(), id, version, index);
}

// --- time, chain, store
// -----------------------------------------------------------------------------------------------

std::uint64_t Node::now_ms() const {
    return m_impl->parts.now_ms;
}
std::uint64_t Node::steady_ms() const {
    return m_impl->parts.steady_ms;
}
std::uint64_t Node::chain_time_s() const {
    return m_impl->parts.chain_time_s;
}
channel::Context Node::context() const {
    return m_impl->parts.context();
}
bool Node::ask_chain(std::function<std::function<void()>(wallet::EthClient&)> question) {
    return m_impl->parts.questions != nullptr && m_impl->parts.questions->post(std::move(question));
}
void Node::submit_transaction(const wallet::JobRequest& job, Answer<channel::TxHash> done) {
    if (m_impl->ready(done)) m_impl->parts.transactions->submit(job, std::move(done));
}
void Node::persist(std::function<void(Database&)> job) {
    m_impl->store.outbox().persist(std::move(job));
}
void Node::when_durable(std::function<void()> action) {
    m_impl->store.outbox().when_durable(std::move(action));
}
Rows& Node::rows() {
    return m_impl->store.outbox().rows();
}
std::optional<ClientRefRow> Node::find_client_ref(const ClientRef& ref) const {
    return m_impl->parts.refs.find(ref);
}
Database& Node::up_to_date_reader() {
    return m_impl->store.up_to_date_reader();
}
Database& Node::reader() {
    return m_impl->store.reader();
}

}  // namespace hedgerow::daemon
