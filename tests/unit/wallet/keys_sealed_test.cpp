#include <doctest/doctest.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <fstream>
#include <system_error>
#include <thread>

#include "wallet/keys/seed_file.h"

namespace hedgerow::wallet {

namespace {

namespace fs = std::filesystem;

constexpr KdfParameters kCheap{1, 8};
constexpr std::string_view kPassword = "correct horse";

/// A directory of its own, gone with the test.
struct Directory {
    fs::path path;
    Directory() {
        std::string name = (fs::temp_directory_path() / "hedgerow-keys-XXXXXX").string();
        REQUIRE(::mkdtemp(name.data()) != nullptr);
        path = name;
    }
    ~Directory() { fs::remove_all(path); }
    Directory(const Directory&) = delete;
    Directory& operator=(const Directory&) = delete;
};

channel::Bytes sealed_text(std::string_view text = "secret", SealedKind kind = SealedKind::seed) {
    auto sealed = seal(channel::as_bytes(text), kPassword, kind, kCheap);
    REQUIRE(sealed.has_value());
    return std::move(sealed).value();
}

WalletFault fault_of(channel::ByteView file, std::string_view password = kPassword) {
    const auto opened = unseal(file, password, SealedKind::seed);
    return opened ? WalletFault::count_ : opened.error();
}

/// The file with a byte changed and its checksum made good again: what an attacker can do, damage cannot.
channel::Bytes forged(channel::Bytes file, std::size_t at, std::uint8_t value) {
    file[at] = value;
    const std::size_t body = file.size() - 16;
    crypto_generichash_blake2b(&file[body], 16, file.data(), body, nullptr, 0);
    return file;
}

void write_file(const fs::path& path, channel::ByteView bytes) {
    std::ofstream out(path, std::ios::binary);
    out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

}  // namespace

TEST_CASE("sealed: round trip, never twice the same") {
    for (const std::size_t size : {0U, 1U, 33U, 100'000U}) {
        const channel::Bytes payload(size, 0x6b);
        const auto sealed = seal(payload, kPassword, SealedKind::backup, kCheap);
        REQUIRE(sealed.has_value());
        const auto opened = unseal(*sealed, kPassword, SealedKind::backup);
        REQUIRE(opened.has_value());
        CHECK(opened->equals(payload));
    }
    CHECK(sealed_text() != sealed_text());
    CHECK(default_kdf().operations == 3);
    CHECK(default_kdf().memory_kib == 256 * 1024);
}

TEST_CASE("sealed: each way to fail has its name") {
    const channel::Bytes file = sealed_text();
    CHECK(fault_of(file) == WalletFault::count_);
    CHECK(fault_of(file, "correct hors") == WalletFault::wallet_password_wrong);
    CHECK(fault_of(file, "") == WalletFault::wallet_password_wrong);
    CHECK(fault_of(file, std::string(1025, 'a')) == WalletFault::wallet_password_wrong);

    for (std::size_t size = 0; size < file.size(); ++size) {
        CAPTURE(size);
        CHECK(fault_of(channel::ByteView(file).first(size)) == WalletFault::wallet_file_truncated);
    }
    channel::Bytes longer = file;
    longer.push_back(0);
    CHECK(fault_of(longer) == WalletFault::wallet_file_corrupt);

    for (std::size_t at = 0; at < file.size(); ++at) {
        channel::Bytes damaged = file;
        damaged[at] ^= 0x01;
        const WalletFault fault = fault_of(damaged);
        CAPTURE(at);
        const bool named = fault == WalletFault::wallet_file_corrupt || fault == WalletFault::wallet_file_truncated ||
                           fault == WalletFault::wallet_file_too_large;
        CHECK(named);
    }

    channel::Bytes newer = file;
    newer[8] = 2;
    CHECK(fault_of(newer) == WalletFault::wallet_file_newer);
    newer.resize(9);  // whatever a newer layout is, its version is read first
    CHECK(fault_of(newer) == WalletFault::wallet_file_newer);
    newer[8] = 0;
    CHECK(fault_of(newer) == WalletFault::wallet_file_corrupt);

    CHECK(fault_of(sealed_text("x", SealedKind::backup)) == WalletFault::wallet_file_wrong_kind);
    CHECK(fault_of(channel::as_bytes("{\"version\":3}")) == WalletFault::wallet_file_corrupt);
}

TEST_CASE("sealed: the header is authenticated") {
    const channel::Bytes file = sealed_text();
    CHECK(fault_of(forged(file, 9, static_cast<std::uint8_t>(SealedKind::backup))) ==
          WalletFault::wallet_file_wrong_kind);
    const channel::Bytes other =
        forged(sealed_text("x", SealedKind::backup), 9, static_cast<std::uint8_t>(SealedKind::seed));
    CHECK(fault_of(other) == WalletFault::wallet_password_wrong);
    for (std::size_t at : {10U, 14U, 18U, 34U, 62U, 63U}) {  // operations, memory, salt, nonce, ciphertext
        CAPTURE(at);
        CHECK(fault_of(forged(file, at, static_cast<std::uint8_t>(file[at] ^ 0x20))) != WalletFault::count_);
    }
}

TEST_CASE("sealed: no file makes us work or take memory without bound") {
    const channel::Bytes file = sealed_text();
    CHECK(fault_of(forged(file, 17, 0x06)) == WalletFault::kdf_out_of_range);  // about 100 GiB
    CHECK(fault_of(forged(file, 14, 7)) == WalletFault::kdf_out_of_range);
    CHECK(fault_of(forged(file, 10, 0)) == WalletFault::kdf_out_of_range);
    CHECK(fault_of(forged(file, 10, 17)) == WalletFault::kdf_out_of_range);
    CHECK(fault_of(forged(file, 61, 0xff)) == WalletFault::wallet_file_too_large);

    const auto refused = [](const KdfParameters& kdf) { return seal({}, kPassword, SealedKind::seed, kdf).error(); };
    CHECK(refused({0, 8}) == WalletFault::kdf_out_of_range);
    CHECK(refused({17, 8}) == WalletFault::kdf_out_of_range);
    CHECK(refused({1, 7}) == WalletFault::kdf_out_of_range);
    CHECK(refused({1, 1024 * 1024 + 1}) == WalletFault::kdf_out_of_range);
    CHECK(seal({}, "", SealedKind::seed, kCheap).error() == WalletFault::wallet_password_empty);
    CHECK(seal({}, std::string(1025, 'a'), SealedKind::seed, kCheap).error() == WalletFault::wallet_password_too_long);
    const channel::Bytes huge(kMaxSealedPayload + 1);
    CHECK(seal(huge, kPassword, SealedKind::seed, kCheap).error() == WalletFault::wallet_file_too_large);
}

TEST_CASE("sealed: with a key") {
    const SecretBytes key = SecretBytes::random(32);
    const auto sealed = seal_with_key(channel::as_bytes("keys"), key, SealedKind::imported_keys);
    REQUIRE(sealed.has_value());
    CHECK(unseal_with_key(*sealed, key, SealedKind::imported_keys).value().equals(channel::as_bytes("keys")));
    CHECK(unseal_with_key(*sealed, SecretBytes::random(32), SealedKind::imported_keys).error() ==
          WalletFault::wallet_key_wrong);
    CHECK(unseal_with_key(*sealed, key, SealedKind::backup).error() == WalletFault::wallet_file_wrong_kind);
    CHECK(unseal_with_key(sealed_text(), key, SealedKind::seed).error() == WalletFault::kdf_out_of_range);
    CHECK(unseal(*sealed, kPassword, SealedKind::imported_keys).error() == WalletFault::kdf_out_of_range);
}

TEST_CASE("seed file: created once, private, opened again") {
    const Directory directory;
    const fs::path path = directory.path / "wallet.seed";
    CHECK(open_seed_file(path, kPassword).error() == WalletFault::wallet_missing);
    const MasterSeed seed = MasterSeed::generate();
    ::umask(0);
    REQUIRE(create_seed_file(path, seed, kPassword, kCheap).has_value());
    ::umask(022);
    struct stat info {};
    REQUIRE(::stat(path.c_str(), &info) == 0);
    CHECK((info.st_mode & 0777) == 0600);
    CHECK(open_seed_file(path, kPassword).value().same_as(seed));
    CHECK(open_seed_file(path, "wrong").error() == WalletFault::wallet_password_wrong);

    CHECK(create_seed_file(path, MasterSeed::generate(), kPassword, kCheap).error() == WalletFault::wallet_exists);
    CHECK(create_sealed_file(path, sealed_text()).error() == WalletFault::wallet_exists);
    CHECK(open_seed_file(path, kPassword).value().same_as(seed));
    CHECK(std::distance(fs::directory_iterator(directory.path), fs::directory_iterator()) == 1);  // nothing left over

    fs::create_symlink("nowhere", directory.path / "dangling");
    CHECK(create_sealed_file(directory.path / "dangling", sealed_text()).error() == WalletFault::wallet_exists);
}

TEST_CASE("seed file: of many creators one wins and the file is whole") {
    const Directory directory;
    const fs::path path = directory.path / "wallet.seed";
    std::vector<channel::Bytes> files;
    for (int i = 0; i < 8; ++i) files.push_back(sealed_text(std::to_string(i)));
    std::atomic<int> created{0};
    {
        std::vector<std::jthread> threads;
        for (const auto& file : files) {
            threads.emplace_back(
                [&path, &file, &created] { created += create_sealed_file(path, file).has_value() ? 1 : 0; });
        }
    }
    CHECK(created == 1);
    const auto stored = read_sealed_file(path);
    REQUIRE(stored.has_value());
    CHECK(std::find(files.begin(), files.end(), *stored) != files.end());
}

TEST_CASE("seed file: what is no seed file") {
    const Directory directory;
    const fs::path path = directory.path / "wallet.seed";
    write_file(path, {});
    CHECK(open_seed_file(path, kPassword).error() == WalletFault::wallet_file_truncated);
    write_file(path, sealed_text("not a seed"));
    CHECK(open_seed_file(path, kPassword).error() == WalletFault::wallet_file_corrupt);
    CHECK(read_sealed_file(directory.path).error() == WalletFault::wallet_file_corrupt);
    REQUIRE(::truncate(path.c_str(), static_cast<off_t>(kMaxSealedPayload + 8192)) == 0);
    CHECK(open_seed_file(path, kPassword).error() == WalletFault::wallet_file_too_large);
    CHECK_THROWS_AS((void)create_sealed_file(directory.path / "none" / "wallet.seed", sealed_text()),
                    std::system_error);
}

}  // namespace hedgerow::wallet
