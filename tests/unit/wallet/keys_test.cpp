#include <doctest/doctest.h>
#include <sodium.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <type_traits>

#include "channel/crypto/keccak.h"
#include "channel/crypto/signature.h"
#include "wallet/keys/node_identity.h"
#include "wallet/keys/private_key.h"
#include "wallet/keys/process_hardening.h"

namespace hedgerow::wallet {

namespace {

channel::Bytes hex(std::string_view text) {
    const auto bytes = channel::from_hex(text);
    REQUIRE(bytes.has_value());
    return *bytes;
}

PrivateKey key_of(std::string_view text) {
    auto key = PrivateKey::from_bytes(hex(text));
    REQUIRE(key.has_value());
    return std::move(key).value();
}

channel::Digest digest_of_text(std::string_view text) {
    return {channel::keccak256(channel::as_bytes(text)).data};
}

constexpr std::string_view kOrder = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";

}  // namespace

TEST_CASE("keys: secret bytes move, never copy, compare and wipe") {
    static_assert(!std::is_copy_constructible_v<SecretBytes> && !std::is_copy_assignable_v<SecretBytes>);
    static_assert(!std::is_copy_constructible_v<PrivateKey> && !std::is_copy_constructible_v<NodeIdentity>);
    static_assert(std::is_nothrow_move_constructible_v<SecretBytes>);

    const channel::Bytes bytes = hex("00112233");
    SecretBytes secret = SecretBytes::copy_of(bytes);
    CHECK(secret.size() == 4);
    CHECK(secret.equals(bytes));
    CHECK_FALSE(secret.equals(hex("00112234")));
    CHECK_FALSE(secret.equals(hex("001122")));

    const SecretBytes twin = secret.clone();
    SecretBytes moved = std::move(secret);
    CHECK(secret.empty());  // NOLINT: what a moved-from secret holds is the point
    CHECK(moved.equals(twin.reveal()));
    moved.writable()[0] = 9;
    CHECK(twin.reveal()[0] == 0);
    moved.wipe();
    CHECK(moved.empty());
    CHECK(moved.equals({}));
    CHECK(SecretBytes(3).equals(hex("000000")));
    CHECK_FALSE(SecretBytes::random(32).equals(SecretBytes::random(32).reveal()));
}

TEST_CASE("keys: the bytes of a freed secret lie behind a guard page") {
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        const rlimit none{0, 0};
        setrlimit(RLIMIT_CORE, &none);
        for (const int signal : {SIGSEGV, SIGBUS, SIGABRT}) std::signal(signal, SIG_DFL);
        SecretBytes secret(128);  // small ones share a block
        volatile const std::uint8_t* beyond = secret.reveal().data() + secret.size();
        _exit(*beyond);  // the first byte past the end is the guard page's
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK(WIFSIGNALED(status));
}

TEST_CASE("keys: a hub's keys do not use up what the system lets a process map") {
    const auto mappings = [] {
        std::ifstream maps("/proc/self/maps");
        std::size_t out = 0;
        for (std::string line; std::getline(maps, line);) ++out;
        return out;
    };
    const std::size_t before = mappings();
    std::vector<SecretBytes> keys;
    for (int i = 0; i < 100'000; ++i) {
        keys.emplace_back(32);
        keys.back().writable()[0] = static_cast<std::uint8_t>(i);
    }
    CHECK(mappings() < before + 1'000);
    CHECK(keys[70'001].reveal()[0] == static_cast<std::uint8_t>(70'001));
    const std::uint8_t* const place = keys.back().reveal().data();
    keys.pop_back();
    const SecretBytes next(32);
    CHECK(next.reveal().data() == place);  // used again, and wiped
    CHECK(next.equals(channel::Bytes(32, 0)));
}

TEST_CASE("keys: range of a private key") {
    CHECK(PrivateKey::from_bytes(hex("00")).error() == WalletFault::key_out_of_range);
    CHECK(PrivateKey::from_bytes(channel::Bytes(33, 1)).error() == WalletFault::key_out_of_range);
    CHECK(PrivateKey::from_bytes(channel::Bytes(32, 0)).error() == WalletFault::key_out_of_range);
    CHECK(PrivateKey::from_bytes(hex(kOrder)).error() == WalletFault::key_out_of_range);
    channel::Bytes last = hex(kOrder);
    last.back() -= 1;
    CHECK(PrivateKey::from_bytes(last).has_value());
    CHECK(PrivateKey::generate().address() != PrivateKey::generate().address());
}

TEST_CASE("keys: addresses that everyone knows") {
    // The first account of Anvil and Hardhat.
    const PrivateKey key = key_of("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80");
    CHECK(channel::checksum_address(key.address()) == "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
    // The generator: key 1.
    CHECK(channel::checksum_address(
              key_of("0000000000000000000000000000000000000000000000000000000000000001").address()) ==
          "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf");
}

TEST_CASE("keys: signatures are deterministic, low-s and recover") {
    // RFC 6979 over secp256k1, published for key 1 and SHA-256("Satoshi Nakamoto").
    channel::Digest satoshi;
    crypto_hash_sha256(satoshi.data.data(), reinterpret_cast<const unsigned char*>("Satoshi Nakamoto"), 16);
    const PrivateKey one = key_of("0000000000000000000000000000000000000000000000000000000000000001");
    channel::Signature rs = one.sign(satoshi);
    rs.data[32] &= 0x7f;
    CHECK(channel::to_hex(rs) ==
          "0x934b1ea10a4b3c1757e2b0c017d0b6143ce3c9a7e6a4a49860d7a6ab210ee3d8"
          "2442ce9d2b916064108014783e923ec36b49743e2ffa1c4496f01a512aafd9e5");

    const PrivateKey key = PrivateKey::generate();
    for (int i = 0; i < 64; ++i) {
        const auto digest = digest_of_text(std::to_string(i));
        const channel::Signature signature = key.sign(digest);
        CHECK(signature == key.sign(digest));
        CHECK(channel::verify(digest, signature, key.public_key()));
        const auto recovered = channel::recover(digest, signature);
        REQUIRE(recovered.has_value());
        CHECK(*recovered == key.public_key());
        CHECK_FALSE(channel::verify(digest_of_text("other"), signature, key.public_key()));
    }
    CHECK(key.clone().sign(satoshi) == key.sign(satoshi));
}

TEST_CASE("keys: node identity") {
    CHECK(NodeIdentity::from_seed(channel::Bytes(31, 1)).error() == WalletFault::seed_size_wrong);
    CHECK(NodeIdentity::from_seed(channel::Bytes(33, 1)).error() == WalletFault::seed_size_wrong);

    // RFC 8032, 7.1, TEST 1: secret and public key.
    const auto seed = hex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60");
    const auto identity = NodeIdentity::from_seed(seed);
    REQUIRE(identity.has_value());
    CHECK(channel::to_hex(identity->node_id()) == "0xd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
    CHECK(identity->seed().equals(seed));

    // Both ways to the CURVE key agree, and it is the public half of the CURVE secret.
    const auto curve = curve_public_of(identity->node_id());
    REQUIRE(curve.has_value());
    CHECK(*curve == identity->curve_public());
    CurvePublic from_secret;
    CHECK(crypto_scalarmult_curve25519_base(from_secret.data.data(), identity->curve_secret().reveal().data()) == 0);
    CHECK(from_secret == *curve);

    channel::NodeId small_order;  // y = 1: the neutral element
    small_order.data[0] = 1;
    CHECK_FALSE(curve_public_of(small_order).has_value());
}

TEST_CASE("keys: node signatures hold for one message, domain and node") {
    const auto alice = NodeIdentity::from_seed(channel::Bytes(32, 1));
    const auto bob = NodeIdentity::from_seed(channel::Bytes(32, 2));
    REQUIRE((alice && bob));
    const auto message = channel::as_bytes("held version 7");
    const NodeSignature signature = alice->sign("tower receipt", message);
    CHECK(verify_node_signature(alice->node_id(), "tower receipt", message, signature));
    CHECK_FALSE(verify_node_signature(bob->node_id(), "tower receipt", message, signature));
    CHECK_FALSE(verify_node_signature(alice->node_id(), "gossip", message, signature));
    CHECK_FALSE(
        verify_node_signature(alice->node_id(), "tower receipt", channel::as_bytes("held version 8"), signature));
    NodeSignature flipped = signature;
    flipped.data[40] ^= 1;
    CHECK_FALSE(verify_node_signature(alice->node_id(), "tower receipt", message, flipped));
}

TEST_CASE("keys: hardening turns dumps off") {
    const pid_t child = fork();  // in a child, so that this test stays debuggable
    REQUIRE(child >= 0);
    if (child == 0) {
        const Hardening done = harden_process();
        rlimit core{1, 1};
        getrlimit(RLIMIT_CORE, &core);
        const bool ok = done.dumps_off && done.core_limit_zero && core.rlim_cur == 0 && core.rlim_max == 0 &&
                        prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0;
        _exit(ok ? 0 : 1);
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("keys: every fault has its name") {
    CHECK(wallet_fault_name(WalletFault::mnemonic_word_count) == "mnemonic_word_count");
    CHECK(wallet_fault_name(WalletFault::import_limit) == "import_limit");
    CHECK(wallet_fault_name(WalletFault::count_) == "unknown_wallet_fault");
}

}  // namespace hedgerow::wallet
