#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "daemon/node/backup_file.h"
#include "daemon/node/opening.h"
#include "wallet/keys/sealed.h"

using namespace hedgerow;
using namespace hedgerow::channel;
using daemon::Backup;
using daemon::BackupChannel;
using daemon::open_backup;
using daemon::read_whole_file;
using daemon::seal_backup;
using daemon::real_files;
using daemon::write_new_file;
using wallet::SecretBytes;

namespace {

struct Directory {
    std::filesystem::path path;
    Directory() {
        std::string name = (std::filesystem::temp_directory_path() / "hedgerow-backup-XXXXXX").string();
        REQUIRE(::mkdtemp(name.data()) != nullptr);
        path = name;
    }
    ~Directory() { std::filesystem::remove_all(path); }
};

Backup example() {
    Backup out;
    out.chain_id = 31'337;
    out.adjudicator.data[0] = 7;
    out.node_id.data[3] = 9;
    out.created_ms = 1'795'000'000'000;
    out.next_signer = 12;
    BackupChannel one;
    one.head.assign(300, 0x5a);
    one.signer_index = 11;
    one.record.assign(40, 0x33);
    one.peer_uri = Text<512>(std::string_view("ab@127.0.0.1:1"));
    out.channels.push_back(one);
    out.sealed_imports.assign(10, 1);
    out.preimages.push_back(Preimage());
    out.towers.push_back(Text<512>(std::string_view("cd@127.0.0.1:2")));
    return out;
}

/// backup_invalid, with that reason in the message.
void check_invalid(ByteView file, const SecretBytes& key, std::string_view reason) {
    const auto opened = open_backup(file, key);
    REQUIRE_FALSE(opened);
    CHECK(opened.error().name == "backup_invalid");
    INFO(opened.error().message);
    CHECK(opened.error().message.find(reason) != std::string::npos);
}

Bytes sealed(ByteView payload, const SecretBytes& key, wallet::SealedKind kind = wallet::SealedKind::backup) {
    return *wallet::seal_with_key(payload, key, kind);
}

}  // namespace

TEST_CASE("backup: what is sealed opens again, under its own key only") {
    const SecretBytes key = SecretBytes::random(32);
    const Backup original = example();
    const auto file = seal_backup(original, key);
    REQUIRE(file);
    const auto opened = open_backup(*file, key);
    REQUIRE(opened);
    CHECK(wire_encode(*opened) == wire_encode(original));
    CHECK(opened->channels[0].peer_uri == "ab@127.0.0.1:1");
    check_invalid(*file, SecretBytes::random(32), "wallet_key_wrong");
}

TEST_CASE("backup: a file of format 1, before towers, opens with none") {
    const SecretBytes key = SecretBytes::random(32);
    Backup old = example();
    old.format = 1;
    old.towers.clear();
    Bytes payload = wire_encode(old);
    REQUIRE(payload.back() == 0);  // the list of towers, which format 1 does not have
    payload.pop_back();
    const auto opened = open_backup(sealed(payload, key), key);
    REQUIRE(opened);
    CHECK(opened->towers.empty());
    CHECK(opened->channels.size() == 1);
    payload.push_back(0);
    check_invalid(sealed(payload, key), key, "frame_trailing_bytes");
}

TEST_CASE("backup: every cut and every flipped bit is refused") {
    const SecretBytes key = SecretBytes::random(32);
    const Bytes file = *seal_backup(example(), key);
    for (std::size_t size = 0; size < file.size(); ++size) {
        const auto opened = open_backup(ByteView(file).first(size), key);
        REQUIRE_FALSE(opened);
        REQUIRE(opened.error().name == "backup_invalid");
    }
    for (std::size_t at = 0; at < file.size(); ++at) {
        Bytes damaged = file;
        damaged[at] ^= 1;
        const auto opened = open_backup(damaged, key);
        REQUIRE_FALSE(opened);
        REQUIRE(opened.error().name == "backup_invalid");
    }
    check_invalid({}, key, "wallet_file_truncated");
    Bytes longer = file;
    longer.push_back(0);
    check_invalid(longer, key, "wallet_file_corrupt");
}

TEST_CASE("backup: newer formats, other kinds of file and bad contents are refused by name") {
    const SecretBytes key = SecretBytes::random(32);
    Backup newer = example();
    newer.format = 3;
    check_invalid(*seal_backup(newer, key), key, "protocol_version_unsupported");
    newer.format = 0;
    check_invalid(*seal_backup(newer, key), key, "protocol_version_unsupported");
    // A newer format may hold anything behind its number.
    check_invalid(sealed(Bytes{3, 0xff, 0xff}, key), key, "protocol_version_unsupported");
    check_invalid(sealed(Bytes{}, key), key, "frame_truncated");

    Bytes payload = wire_encode(example());
    check_invalid(sealed(payload, key, wallet::SealedKind::imported_keys), key, "wallet_file_wrong_kind");
    payload.push_back(0);
    check_invalid(sealed(payload, key), key, "frame_trailing_bytes");
    payload.resize(payload.size() - 2);
    check_invalid(sealed(payload, key), key, "frame_truncated");
}

TEST_CASE("backup files: new, private, whole; never over another") {
    const Directory directory;
    const auto path = directory.path / "one";
    const Bytes bytes(100'000, 0x42);
    const mode_t before = ::umask(0);
    REQUIRE(write_new_file(real_files(), path, bytes));
    ::umask(before);
    struct stat info {};
    REQUIRE(::stat(path.c_str(), &info) == 0);
    CHECK((info.st_mode & 0777) == 0600);
    CHECK(*read_whole_file(real_files(), path, bytes.size()) == bytes);

    CHECK(write_new_file(real_files(), path, Bytes{1}).error().name == "file_exists");
    CHECK(*read_whole_file(real_files(), path, bytes.size()) == bytes);
    std::filesystem::create_symlink(directory.path / "nowhere", directory.path / "link");
    CHECK(write_new_file(real_files(), directory.path / "link", bytes).error().name == "file_exists");
    CHECK_FALSE(std::filesystem::exists(directory.path / "nowhere"));
    CHECK(write_new_file(real_files(), directory.path / "none" / "one", bytes).error().name == "file_unusable");
    CHECK(write_new_file(real_files(), "", bytes).error().name == "file_unusable");

    CHECK(read_whole_file(real_files(), path, bytes.size() - 1).error().name == "file_unusable");
    CHECK(read_whole_file(real_files(), directory.path, 1'000).error().name == "file_unusable");
    CHECK(read_whole_file(real_files(), directory.path / "two", 1'000).error().name == "file_unusable");
    REQUIRE(::mkfifo((directory.path / "pipe").c_str(), 0600) == 0);
    CHECK(read_whole_file(real_files(), directory.path / "pipe", 1'000).error().name == "file_unusable");
}

TEST_CASE("numbers of a restored wallet: far above any used in turn, and below 2^31") {
    using daemon::signer_number_from_clock;
    CHECK(signer_number_from_clock(0) == 0);
    CHECK(signer_number_from_clock(1'700'000'000'999) == 0);
    CHECK(signer_number_from_clock(1'795'000'000'000) == 95'000'000);
    CHECK(signer_number_from_clock(1'795'000'001'000) == 95'000'001);
    CHECK(signer_number_from_clock(~std::uint64_t{0}) == (1U << 31) - (1U << 20));
}
