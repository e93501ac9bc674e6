#pragma once

#include <filesystem>

#include "channel/codec/wire.h"
#include "daemon/node/node_types.h"
#include "daemon/store/file_system.h"
#include "wallet/keys/secret.h"

/// What a backup file holds and how it is sealed: XChaCha20-Poly1305 under a key of the wallet's seed
/// (wallet/keys/sealed.h), around one wire-encoded struct led by a format version. The phrase alone opens it.
namespace hedgerow::daemon {

inline constexpr std::uint16_t kBackupFormat = 2;  ///< 1, without towers, is read too

/// A channel as recovery needs it.
struct BackupChannel {
    channel::Blob<(1 << 20)> head;  ///< channel::encode_head
    std::uint32_t signer_index = 0;
    channel::Blob<1024> record;   ///< of the signing policy
    channel::Text<512> peer_uri;  ///< empty where unknown
    static constexpr auto fields() {
        using channel::field;
        return std::make_tuple(field("head", &BackupChannel::head), field("signerIndex", &BackupChannel::signer_index),
                               field("record", &BackupChannel::record), field("peerUri", &BackupChannel::peer_uri));
    }
};

struct Backup {
    static constexpr std::size_t kMaxChannels = 1 << 20;
    static constexpr std::size_t kMaxPreimages = 1 << 20;

    std::uint16_t format = kBackupFormat;  ///< first, so that a newer one is told from damage
    std::uint64_t chain_id = 0;
    channel::Address adjudicator;
    channel::NodeId node_id;
    std::uint64_t created_ms = 0;
    std::uint32_t next_signer = 0;  ///< no channel number below it is ever used again
    channel::List<BackupChannel, kMaxChannels> channels;
    channel::Blob<(1 << 20)> sealed_imports;  ///< empty where there are none
    channel::List<channel::Preimage, kMaxPreimages> preimages;
    channel::List<channel::Text<512>, kMaxTowers> towers;  ///< URIs
    static constexpr auto fields() {
        using channel::field;
        return std::make_tuple(field("format", &Backup::format), field("chainId", &Backup::chain_id),
                               field("adjudicator", &Backup::adjudicator), field("nodeId", &Backup::node_id),
                               field("created", &Backup::created_ms), field("nextSigner", &Backup::next_signer),
                               field("channels", &Backup::channels), field("sealedImports", &Backup::sealed_imports),
                               field("preimages", &Backup::preimages), field("towers", &Backup::towers));
    }
};

/// The file's bytes. file_unusable with wallet_file_too_large beyond 64 MiB.
[[nodiscard]] Result<channel::Bytes> seal_backup(const Backup& backup, const wallet::SecretBytes& key);
/// backup_invalid, with what is wrong in its message: wallet_key_wrong (another wallet), wallet_file_truncated,
/// wallet_file_corrupt, wallet_file_newer, wallet_file_wrong_kind, protocol_version_unsupported (a newer format), or
/// the Rule of the codec.
[[nodiscard]] Result<Backup> open_backup(channel::ByteView file, const wallet::SecretBytes& key);

/// A new file with mode 0600, durable with its directory entry when this returns; never over an existing one. Blocks.
/// file_exists, file_unusable.
[[nodiscard]] Result<void> write_new_file(FileSystem& files, const std::filesystem::path& path,
                                          channel::ByteView bytes);
/// A regular file of at most `max` bytes. Blocks. file_unusable.
[[nodiscard]] Result<channel::Bytes> read_whole_file(FileSystem& files, const std::filesystem::path& path,
                                                     std::size_t max);

}  // namespace hedgerow::daemon
