#pragma once

#include <memory>
#include <span>

#include "daemon/node/event_loop.h"
#include "daemon/node/local_ops.h"
#include "daemon/node/market_hooks.h"
#include "daemon/node/node_types.h"
#include "daemon/node/tower_info.h"
#include "daemon/node/world.h"
#include "daemon/store/database.h"

namespace hedgerow::wallet {
class EthClient;
class Keyring;
struct JobRequest;
}  // namespace hedgerow::wallet

namespace hedgerow::daemon {

class NodeTower;
class PackageSource;
struct TowerLimits;

/// The parts of a stepped node that do one thing at a time: a round of the loop, a commit, a question to the chain, a
/// backup file; the last three are those of the tower in it.
enum class NodeStep : std::uint8_t {
    loop,
    store,
    chain,
    questions,
    follower,
    backup,
    tower_store,
    tower_questions,
    tower_follower
};

/// The shell around the pure core: everything that RPC handlers and the market need of the node. But for loop().post,
/// run() and stop(), call it on the node thread only. Operations answer later, on the node thread; queries answer at
/// once.
class Node {
  public:
    /// Opens the store (StoreError) and restores every channel; nothing moves before run(). The hooks may be null and
    /// must outlive the node.
    explicit Node(NodeOptions options, World world = real_world());
    ~Node();
    Node(const Node&) = delete;
    Node& operator=(const Node&) = delete;

    /// Before run(): who judges trades. Not owned.
    void set_market(MarketHooks* hooks);

    /// Before run(): where packages for disputes come from. Not owned.
    void set_packages(PackageSource* packages);

    /// Before run(): this node is also a watchtower for others' channels, with a store in that directory (StoreError),
    /// from the first unlock on.
    void serve_tower(const std::filesystem::path& directory, const TowerLimits& limits);
    [[nodiscard]] NodeTower* tower();  ///< null without serve_tower

    [[nodiscard]] EventLoop& loop();
    /// Until stop(). The process's exit code: 0, or not after a fatal error, which is logged by name.
    [[nodiscard]] int run();
    /// In place of run(), where the world is stepped (Drive): one step of that part; false where it had nothing to do.
    /// Throws StoreError as run() would have ended.
    bool step(NodeStep which);
    /// From any thread or a signal handler.
    void stop() noexcept;
    /// A fatal error has stopped, or is stopping, the node.
    [[nodiscard]] bool failed() const;

    // --- the node -------------------------------------------------------------------------------------------------
    [[nodiscard]] const NodeOptions& options() const;
    [[nodiscard]] NodeInfo info() const;
    /// The wallet is open and the stored channels are being taken up: there is nothing yet to answer about them, and what needs them
    /// is node_starting.
    [[nodiscard]] bool starting() const;
    void halt();
    void resume();
    [[nodiscard]] bool halted() const;

    // --- wallet: slow steps run on a thread of their own ------------------------------------------------------------
    /// The phrase of a new wallet, which is then unlocked. wallet_exists.
    void create_wallet(std::string password, Answer<std::string> done);
    void restore_wallet(std::string password, std::string mnemonic, Answer<channel::Address> done);
    void unlock_wallet(std::string password, Answer<channel::Address> done);
    /// Stops spending and trading, never defence.
    void lock_wallet();
    [[nodiscard]] bool wallet_exists() const;
    [[nodiscard]] bool wallet_locked() const;
    /// Owner addresses; the first is where the node's own money is. Empty before the first unlock.
    [[nodiscard]] std::vector<channel::Address> wallet_addresses() const;
    /// For import, export and backup; null before the first unlock.
    [[nodiscard]] wallet::Keyring* keyring();
    void wallet_balance(Answer<std::vector<WalletBalance>> done);
    void wallet_send(const channel::Address& to, std::size_t asset, const channel::Amount& amount, const ClientRef& ref,
                     Answer<channel::TxHash> done);

    // --- peers
    // ---------------------------------------------------------------------------------------------------------
    /// "<node id>@host:port"; stays connected until disconnect_peer. Answers when connected, or peer_unreachable after
    /// some seconds.
    void connect_peer(const std::string& uri, Answer<PeerInfo> done);
    [[nodiscard]] Result<void> disconnect_peer(const channel::NodeId& peer);
    [[nodiscard]] std::vector<PeerInfo> peers() const;
    [[nodiscard]] std::string peer_uri(const channel::NodeId& peer) const;  ///< empty where unknown
    /// A message outside the channel machine (quotes); queued behind everything this turn persists.
    void send_to_peer(const channel::ChannelId& channel, channel::PeerMessage message);

    // --- channels
    // ------------------------------------------------------------------------------------------------------
    [[nodiscard]] const channel::Channel* find(const channel::ChannelId& id) const;
    /// Ascending by id; the pointers live until the turn ends.
    [[nodiscard]] std::vector<const channel::Channel*> channels() const;
    /// Node asset of a channel's asset; nothing for a token that is no longer configured.
    [[nodiscard]] const AssetInfo* asset_of(const channel::Channel& channel, std::size_t index) const;
    /// By symbol or 0x address: index into options().assets.
    [[nodiscard]] std::optional<std::size_t> find_asset(std::string_view symbol_or_token) const;
    /// Index of that asset in the channel's terms.
    [[nodiscard]] std::optional<std::size_t> asset_in(const channel::Channel& channel, std::size_t asset) const;

    void open_channel(const OpenOrder& order, Answer<OpenedChannel> done);
    void deposit(const channel::ChannelId& id, std::size_t asset_index, channel::Amount amount, const ClientRef& ref,
                 Answer<channel::TxHash> done);
    void withdraw(const channel::ChannelId& id, std::size_t asset_index, channel::Amount amount, const ClientRef& ref,
                  Answer<channel::TxHash> done);
    /// Cooperative: answers with the close transaction. close_with_positions, close_with_locks, peer_disconnected, …
    void close(const channel::ChannelId& id, const ClientRef& ref, Answer<channel::TxHash> done);
    /// Challenge with the newest co-signed state; the node then answers, settles and claims by itself.
    void force_close(const channel::ChannelId& id, const ClientRef& ref, Answer<channel::TxHash> done);

    /// Writes an encrypted backup of every channel that is not closed into a new file. file_exists, file_unusable,
    /// wallet_locked.
    void backup_channels(const std::string& path, Answer<BackedUp> done);
    /// Recovers what a backup of this wallet knows and this node does not; answers with the number of channels.
    /// backup_invalid, wrong_chain, wrong_contract, file_unusable, wallet_locked: then nothing has changed.
    void restore_channels(const std::string& path, Answer<std::size_t> done);

    /// NodeInfo::may_lack_channels.
    [[nodiscard]] bool may_lack_channels() const;
    /// Why find() found nothing: channel_unknown; or channel_recovering with its outcome unknown, where this node may
    /// have lost channels with its disk.
    [[nodiscard]] Fault unknown_channel() const;

    // --- towers: see TowerClient
    void add_tower(const std::string& uri, Answer<TowerInfo> done);
    [[nodiscard]] Result<void> remove_tower(const channel::NodeId& tower);
    [[nodiscard]] std::vector<TowerInfo> towers() const;
    [[nodiscard]] TowerPolicy default_tower_policy() const;
    [[nodiscard]] TowerPolicy tower_policy(const channel::ChannelId& id) const;
    [[nodiscard]] Result<void> set_tower_policy(const channel::ChannelId& id, const TowerPolicy& policy);
    [[nodiscard]] std::vector<channel::NodeId> towers_of(const channel::ChannelId& id) const;
    [[nodiscard]] Result<TowerProof> tower_proof(const channel::ChannelId& id, const channel::NodeId& tower) const;
    /// For a channel that may be behind: what towers, and the peer, said that they have.
    [[nodiscard]] std::vector<TowerAnswer> tower_answers(const channel::ChannelId& id) const;
    [[nodiscard]] std::optional<std::uint64_t> peer_said(const channel::ChannelId& id) const;

    /// Wants `op` done in that channel; answers when both have signed it (OpDone), or with the Rule that refused it.
    void submit_op(const channel::ChannelId& id, const channel::Op& op, const ClientRef& ref, Answer<OpDone> done);
    /// Same, for ops whose caller does not wait and has its own account of them (marks, fills): cheaper, no reference.
    /// The id is in OpAgreed::local_id of MarketHooks::on_agreed; `refused` is called where it is not done.
    channel::LocalId submit_op(const channel::ChannelId& id, const channel::Op& op,
                               std::function<void(channel::Rule)> refused);

    /// Same, for many at once: what becomes of each is told to the sink under its id, from the returned one upward. Nothing is taken, and
    /// nothing told, where a rule is returned: channel_unknown, wallet_locked, queue_full.
    [[nodiscard]] channel::Expected<channel::LocalId, channel::Rule> submit_ops(const channel::ChannelId& id,
                                                                                std::vector<channel::Op> ops,
                                                                                SinkId sink);
    /// After the first unlock. Not owned; must outlive the node's run.
    [[nodiscard]] SinkId add_sink(OpSink& sink);

    /// At most `limit` (1 to 1,000) ops before `cursor`, newest first.
    [[nodiscard]] Result<std::vector<HistoryItem>> history(const channel::ChannelId& id, HistoryCursor cursor,
                                                           std::size_t limit);

    /// The reference under which that op was asked for; empty for none.
    [[nodiscard]] std::string client_ref(const channel::ChannelId& id, std::uint64_t version, std::uint16_t index);

    // --- time, chain, store
    // --------------------------------------------------------------------------------------------
    [[nodiscard]] std::uint64_t now_ms() const;        ///< of this turn, by the wall clock
    [[nodiscard]] std::uint64_t steady_ms() const;     ///< of this turn; for waits: it never jumps
    [[nodiscard]] std::uint64_t chain_time_s() const;  ///< of the newest block
    /// For the core's own arithmetic: balance_of, available_of, state_margin (channel/machine/apply.h).
    [[nodiscard]] channel::Context context() const;
    /// Runs on the chain thread; what it returns runs on the node thread. False where too many wait, or before the
    /// first unlock.
    [[nodiscard]] bool ask_chain(std::function<std::function<void()>(wallet::EthClient&)> question);
    /// A transaction as a job of that id, once; answers when it was broadcast.
    void submit_transaction(const wallet::JobRequest& job, Answer<channel::TxHash> done);
    /// Adds to what this turn makes durable in one transaction, before anything that the turn sends.
    void persist(std::function<void(Database&)> job);
    /// As persist(), of what has a row of its own there: cheap.
    [[nodiscard]] Rows& rows();
    /// What a caller's reference stands for, that of this turn included.
    [[nodiscard]] std::optional<ClientRefRow> find_client_ref(const ClientRef& ref) const;
    /// Runs once everything persisted so far is durable, in order.
    void when_durable(std::function<void()> action);
    /// A read-only connection to what is durable, but for what rows() may still have before it.
    [[nodiscard]] Database& reader();
    /// With that too; waits for a checkpoint (StoreFile). Throws StoreError.
    [[nodiscard]] Database& up_to_date_reader();

  private:
    class Impl;
    std::unique_ptr<Impl> m_impl;
};

}  // namespace hedgerow::daemon
