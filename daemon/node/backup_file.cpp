#include "daemon/node/backup_file.h"

#include <sodium.h>

#include <cerrno>

#include "daemon/store/failpoint.h"
#include "wallet/keys/sealed.h"

namespace hedgerow::daemon {

using channel::Bytes;
using channel::ByteView;
using channel::Unexpected;
using rpc::NodeError;

namespace {

Unexpected<Fault> invalid(std::string_view why) {
    return Unexpected{rpc::from_node_error(NodeError::backup_invalid, why)};
}

Unexpected<Fault> unusable(const FileError& error) {
    return Unexpected{rpc::from_node_error(NodeError::file_unusable, error.reason())};
}

}  // namespace

Result<Bytes> seal_backup(const Backup& backup, const wallet::SecretBytes& key) {
    Bytes plain = channel::wire_encode(backup);
    auto sealed = wallet::seal_with_key(plain, key, wallet::SealedKind::backup);
    sodium_memzero(plain.data(), plain.size());
    if (!sealed) return Unexpected{rpc::from_node_error(NodeError::file_unusable, wallet_fault_name(sealed.error()))};
    return std::move(*sealed);
}

Result<Backup> open_backup(ByteView file, const wallet::SecretBytes& key) {
    const auto plain = wallet::unseal_with_key(file, key, wallet::SealedKind::backup);
    if (!plain) return invalid(wallet_fault_name(plain.error()));
    channel::Reader reader(plain->reveal());
    std::uint16_t format = 0;
    channel::wire_read(reader, format);
    if (!reader.ok()) return invalid(rule_name(reader.rule()));
    if (format != 1 && format != kBackupFormat)
        return invalid(rule_name(channel::Rule::protocol_version_unsupported));
    Bytes body(plain->reveal().begin(), plain->reveal().end());
    if (format == 1) body.push_back(0);  // no towers
    auto backup = channel::wire_decode<Backup>(body);
    sodium_memzero(body.data(), body.size());
    if (!backup) return invalid(rule_name(backup.error()));
    return std::move(*backup);
}

Result<void> write_new_file(FileSystem& files, const std::filesystem::path& path, ByteView bytes) {
    // Whole under another name first: what a crash leaves half written never bears the name of a backup.
    const std::filesystem::path partial = path.string() + ".partial";
    if (path.empty()) return unusable(FileError(ENOENT, "cannot open", path));
    bool ours = false;
    try {
        files.remove(partial);
        const auto file = files.open(partial, FileSystem::Open::create);
        ours = true;
        failpoint("backup.begun");
        file->write_at(0, bytes);
        file->sync();
        failpoint("backup.written");
        files.rename(partial, path, false);
        ours = false;
        files.sync_directory(path.parent_path());
    } catch (const FileError& error) {
        if (ours) files.remove(partial);
        if (error.error_number() == EEXIST) return Unexpected{rpc::from_node_error(NodeError::file_exists)};
        return unusable(error);
    }
    return {};
}

Result<Bytes> read_whole_file(FileSystem& files, const std::filesystem::path& path, std::size_t max) {
    try {
        const auto file = files.open(path, FileSystem::Open::existing);
        const std::uint64_t size = file->size();
        if (size > max) return unusable(FileError(EFBIG, "cannot read", path));
        Bytes bytes(static_cast<std::size_t>(size));
        bytes.resize(file->read_at(0, bytes));  // shorter than it was a moment ago
        return bytes;
    } catch (const FileError& error) {
        return unusable(error);
    }
}

}  // namespace hedgerow::daemon
