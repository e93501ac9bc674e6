#include "daemon/node/backup.h"

#include <fmt/format.h>
#include <sodium.h>

#include <set>

#include "channel/crypto/keccak.h"
#include "channel/crypto/signature.h"
#include "daemon/net/peer_uri.h"
#include "daemon/node/chain_events.h"
#include "daemon/node/channel_manager.h"
#include "daemon/node/opening.h"
#include "daemon/node/peer_manager.h"
#include "daemon/node/tower_client.h"
#include "daemon/store/channel_store.h"
#include "wallet/keys/sealed.h"
#include "wallet/signer/signing_record.h"

namespace hedgerow::daemon {

using channel::Bytes;
using channel::ByteView;
using channel::Channel;
using channel::ChannelId;
using channel::Rule;
using channel::Unexpected;
using rpc::NodeError;

namespace {

constexpr std::size_t kMaxFile = wallet::kMaxSealedPayload + 4096;
constexpr std::uint32_t kMaxSigner = (1U << 31) - 1;
constexpr std::size_t kMaxImportsInCopy = 16 << 10;  ///< bytes; beyond, imported keys are in backup files only

Unexpected<Fault> invalid(std::string_view why) {
    return Unexpected{rpc::from_node_error(NodeError::backup_invalid, why)};
}

channel::LockHash hash_of(const channel::Preimage& preimage) {
    channel::LockHash hash;
    hash.data = channel::keccak256(preimage.view()).data;
    return hash;
}

/// Those that no transaction has made public: the others are read from the chain again.
void add_preimages(Database& db, Backup& out) {
    Query rows = db.query("SELECT preimage FROM preimages WHERE hash NOT IN (SELECT hash FROM revealed) LIMIT ?",
                          static_cast<std::uint64_t>(Backup::kMaxPreimages));
    while (rows.step()) out.preimages.push_back(rows.fixed<channel::Preimage>(0));
}

}  // namespace

/// A backup whose every part fits this wallet, chain and contract.
struct Backups::Checked {
    struct Saved {
        Channel channel;
        std::uint32_t signer_index = 0;
        Bytes record;
        std::string peer_uri;
    };
    Backup backup;
    std::vector<Saved> channels;
};

void set_may_lack_channels(NodeParts& parts, bool may) {
    parts.may_lack_channels = may;
    parts.outbox.persist([may](Database& db) { put_flag(db, kMayLackChannels, may); });
}

void Backups::stop() {
    if (m_thread.joinable()) m_thread.join();
    m_waiting = nullptr;
}

bool Backups::step() {
    ASSERT(m_world.drive == Drive::stepped);
    const auto work = std::exchange(m_waiting, nullptr);
    if (work) work();
    return work != nullptr;
}

template <typename T>
void Backups::with_file(std::function<Result<T>()> work, Answer<T> done) {
    if (m_busy) return done(Unexpected{rpc::from_node_error(NodeError::node_busy)});
    stop();
    m_busy = true;
    std::function<void()> file_work = [this, work = std::move(work), done = std::move(done)] {
        auto result = std::make_shared<Result<T>>(Unexpected{rpc::from_node_error(NodeError::file_unusable)});
        try {
            *result = work();
        } catch (const std::exception& error) {
            LOG_ERROR("backup file", {"text", error.what()});
        }
        m_parts.loop.post_completion([this, result, done] {
            m_busy = false;
            done(std::move(*result));
        });
    };
    if (m_world.drive == Drive::stepped)
        m_waiting = std::move(file_work);
    else
        m_thread = std::thread(std::move(file_work));
}

// --- backup
// -----------------------------------------------------------------------------------------------------------

Backup Backups::begin_backup() const {
    Backup out;
    out.chain_id = m_parts.options.chain_id;
    out.adjudicator = m_parts.options.adjudicator;
    out.node_id = m_parts.keys->keyring().identity().node_id();
    out.created_ms = m_parts.now_ms;
    out.next_signer = m_openings.next_signer();
    out.sealed_imports = decltype(out.sealed_imports)(ByteView(m_parts.keys->keyring().sealed_imports()));
    for (const std::string& uri : m_parts.towers->uris())
        out.towers.push_back(channel::Text<512>(std::string_view(uri)));
    return out;
}

void Backups::add_channel(Backup& backup, const Channel& channel) const {
    BackupChannel one;
    one.head = decltype(one.head)(ByteView(channel::encode_head(channel)));
    one.signer_index = m_parts.channels->signer_index(channel.id);
    one.record = decltype(one.record)(ByteView(m_parts.keys->record(channel.id)));
    one.peer_uri = decltype(one.peer_uri)(std::string_view(m_parts.peers->uri(channel.peer)));
    backup.channels.push_back(std::move(one));
}

Backup Backups::collect() const {
    Backup out = begin_backup();
    for (const Channel* channel : m_parts.channels->all()) {
        if (channel->status != channel::Status::closed) add_channel(out, *channel);
    }
    add_preimages(m_parts.reader, out);
    return out;
}

channel::Locator Backups::slot_of(const ChannelId& id) const {
    const auto key = m_parts.keys->keyring().backup_key();
    ASSERT(key.has_value());
    channel::Locator slot;
    Bytes text;
    channel::append(text, channel::as_bytes("Hedgerow backup slot"));
    channel::append(text, id.view());
    crypto_generichash(slot.data.data(), slot.data.size(), text.data(), text.size(), key->reveal().data(),
                       key->reveal().size());
    return slot;
}

Result<Bytes> Backups::seal_one(const ChannelId& id) const {
    const auto key = m_parts.keys->keyring().backup_key();
    if (!key) return refused(Rule::wallet_locked);
    const Channel* channel = m_parts.channels->find(id);
    if (channel == nullptr) return refused(Rule::channel_unknown);
    Backup out = begin_backup();
    if (out.sealed_imports.size() > kMaxImportsInCopy) out.sealed_imports.clear();
    add_channel(out, *channel);
    for (const channel::LockEntry& entry : channel->agreed.state.locks) {
        if (const auto preimage = find_preimage(m_parts.reader, entry.lock.hash)) out.preimages.push_back(*preimage);
    }
    return seal_backup(out, *key);
}

void Backups::backup(const std::string& path, Answer<BackedUp> done) {
    const auto key = m_parts.keys->keyring().backup_key();
    if (!key) return done(refused(Rule::wallet_locked));
    const Backup content = collect();
    auto sealed = seal_backup(content, *key);
    if (!sealed) return done(Unexpected{sealed.error()});
    const BackedUp answer{path, content.channels.size()};
    // Never newer than the database: what a failing disk takes back, the backup must not know.
    m_parts.outbox.when_durable([this, answer, file = std::move(*sealed), done = std::move(done)] {
        with_file<BackedUp>(
            [&files = *m_world.files, answer, file]() -> Result<BackedUp> {
                if (const auto written = write_new_file(files, answer.path, file); !written)
                    return Unexpected{written.error()};
                return answer;
            },
            [done](Result<BackedUp> result) {
                if (result) LOG_INFO("backup written", {"path", result->path}, {"channels", result->channels});
                done(std::move(result));
            });
    });
}

// --- restore
// ----------------------------------------------------------------------------------------------------------

Result<Backups::Checked> Backups::check(Backup backup) const {
    if (backup.chain_id != m_parts.options.chain_id) return refused(Rule::wrong_chain);
    if (backup.adjudicator != m_parts.options.adjudicator) return refused(Rule::wrong_contract);
    if (backup.node_id != m_parts.keys->keyring().identity().node_id()) return invalid("wallet_other_seed");
    if (backup.next_signer > kMaxSigner) return invalid("key_index_out_of_range");
    Checked out;
    std::set<ChannelId> ids;
    std::size_t fresh = 0;
    for (const BackupChannel& one : backup.channels) {
        auto restored = channel::restore_channel(one.head, m_parts.separator, {});
        if (!restored) return invalid(rule_name(restored.error()));
        const auto record = wallet::decode_record(one.record);
        if (!record) return invalid(rule_name(record.error()));
        if (record->channel_id != restored->id || !ids.insert(restored->id).second)
            return invalid("channel_id_mismatch");
        if (one.signer_index >= kMaxSigner) return invalid("key_index_out_of_range");
        const channel::PublicKey signer = m_parts.keys->channel_signer(one.signer_index);
        if (channel::address_of(signer) != restored->terms.signer(restored->me)) return invalid("not_our_signer");
        if (!one.peer_uri.empty()) {
            const auto uri = parse_peer_uri(one.peer_uri);
            if (!uri || uri->node_id != restored->peer) return invalid("peer_uri_malformed");
        }
        if (m_parts.channels->find(restored->id) == nullptr) ++fresh;
        out.channels.push_back({std::move(*restored), one.signer_index, one.record, one.peer_uri});
    }
    if (m_parts.channels->count() + fresh > wallet::SigningPolicy::kMaxChannels)
        return Unexpected{rpc::from_node_error(NodeError::limit_exceeded)};
    out.backup = std::move(backup);
    return out;
}

/// Only where there are none yet: imports that came later are not lost to older ones.
Result<void> Backups::take_imports(const Backup& backup) {
    wallet::Keyring& keyring = m_parts.keys->keyring();
    if (backup.sealed_imports.empty() || !keyring.sealed_imports().empty()) return {};
    if (const auto loaded = keyring.load_imports(backup.sealed_imports); !loaded)
        return invalid(wallet_fault_name(loaded.error()));
    m_parts.outbox.persist(
        [sealed = keyring.sealed_imports()](Database& db) { put_meta(db, "sealed_imports", sealed); });
    return {};
}

void Backups::dial(const channel::NodeId& peer, const std::string& uri) {
    if (uri.empty() || !m_parts.peers->uri(peer).empty()) return;
    m_parts.peers->connect(uri, [peer](const Result<PeerInfo>& result) {
        if (!result) LOG_WARN("peer not reached yet", {"peer", peer}, {"error", result.error().name});
    });
}

/// They may have newer states than the backup.
void Backups::add_towers(const Backup& backup) {
    for (const auto& uri : backup.towers) {
        const auto parsed = parse_peer_uri(uri);
        if (!parsed || m_parts.towers->knows(parsed->node_id)) continue;
        m_parts.towers->add(uri, [id = parsed->node_id](const Result<TowerInfo>& added) {
            if (!added) LOG_WARN("tower not reached yet", {"tower", id}, {"error", added.error().name});
        });
    }
}

Result<std::size_t> Backups::recover(Checked checked) {
    if (const auto imports = take_imports(checked.backup); !imports) return Unexpected{imports.error()};
    std::uint32_t next = checked.backup.next_signer;
    std::vector<ChannelId> recovered;
    const bool fresh = std::any_of(checked.channels.begin(), checked.channels.end(), [&](const auto& saved) {
        return m_parts.channels->find(saved.channel.id) == nullptr;
    });
    if (fresh) add_towers(checked.backup);  // first: they are asked before the peer
    for (Checked::Saved& saved : checked.channels) {
        const ChannelId id = saved.channel.id;
        const channel::NodeId peer = saved.channel.peer;
        next = std::max(next, saved.signer_index + 1);
        if (!m_parts.channels->recover_from(std::move(saved.channel), saved.signer_index, saved.record)) continue;
        recovered.push_back(id);
        dial(peer, saved.peer_uri);
    }
    m_openings.raise_next_signer(next);
    m_parts.outbox.persist([preimages = checked.backup.preimages](Database& db) {
        for (const channel::Preimage& preimage : preimages) put_preimage(db, hash_of(preimage), preimage);
    });
    m_chain_events.look_back(recovered);
    LOG_INFO("backup restored", {"channels", recovered.size()}, {"in_file", checked.channels.size()});
    return recovered.size();
}

Result<std::size_t> Backups::take(ByteView file) {
    const auto key = m_parts.keys->keyring().backup_key();
    if (!key) return refused(Rule::wallet_locked);
    auto backup = open_backup(file, *key);
    if (!backup) return Unexpected{backup.error()};
    auto checked = check(std::move(*backup));
    if (!checked) return Unexpected{checked.error()};
    return recover(std::move(*checked));
}

void Backups::restore(const std::string& path, Answer<std::size_t> done) {
    if (m_parts.keys->locked()) return done(refused(Rule::wallet_locked));
    with_file<Bytes>([&files = *m_world.files, path] { return read_whole_file(files, path, kMaxFile); },
                     [this, done = std::move(done)](const Result<Bytes>& file) {
                         if (!file) return done(Unexpected{file.error()});
                         const Result<std::size_t> count = take(*file);
                         if (count) set_may_lack_channels(m_parts, false);
                         m_parts.outbox.when_durable([done, count] { done(count); });
                     });
}

}  // namespace hedgerow::daemon
