#include <doctest/doctest.h>

#include "channel/crypto/signature.h"
#include "wallet/keys/sealed.h"
#include "wallet/signer/keyring.h"

namespace hedgerow::wallet {

namespace {

using channel::Party;
using channel::Rule;

constexpr ScryptParameters kCheap{2, 1, 1};

MasterSeed test_junk() {
    return MasterSeed::from_mnemonic("test test test test test test test test test test test junk").value();
}

PrivateKey key_of(std::uint8_t number) {
    channel::Bytes bytes(32, 0);
    bytes[31] = number;
    return PrivateKey::from_bytes(bytes).value();
}

channel::Terms terms_with(const channel::Address& signer_b) {
    channel::Terms terms;
    terms.signer_a = key_of(1).address();
    terms.signer_b = signer_b;
    terms.assets.resize(1);
    return terms;
}

Transaction some_transaction() {
    Transaction out;
    out.chain_id = 1;
    out.gas_limit = 21'000;
    out.to = key_of(9).address();
    return out;
}

}  // namespace

TEST_CASE("keyring: accounts and identity follow from the seed") {
    const MasterSeed seed = test_junk();
    Keyring keyring(seed.clone());
    CHECK_FALSE(keyring.locked());
    CHECK(channel::checksum_address(keyring.account()) == "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
    CHECK(keyring.owners() == std::vector{keyring.account()});
    CHECK(keyring.identity().node_id() == seed.node_identity().node_id());
    CHECK(keyring.signer_public_key(3).value() == seed.signer_key(3).value().public_key());
    CHECK(keyring.watch_secret(3).value() == seed.watch_secret(3));
    CHECK(keyring.signer_public_key(1U << 31).error() == WalletFault::key_index_out_of_range);
    CHECK(keyring.backup_key().value().equals(seed.storage_key("backup").reveal()));
    CHECK(reveal_text(keyring.mnemonic().value()).starts_with("test test"));
}

TEST_CASE("keyring: locking stops spending and trading, never defence") {
    Keyring keyring(test_junk());
    const channel::Hash separator = channel::domain_separator({1, {}});
    const channel::Terms terms = terms_with(channel::address_of(keyring.signer_public_key(0).value()));
    REQUIRE(keyring.add_channel(terms, separator, Party::B, 0).has_value());
    const channel::ChannelId id = channel::channel_id_of(terms, separator);
    channel::State state;
    state.channel_id = id;
    state.version = 1;
    state.net.resize(1);
    REQUIRE(keyring.policy().sign_state(state).has_value());
    const auto before = keyring.sign(some_transaction(), TxPurpose::spend);
    REQUIRE(before.has_value());
    CHECK(channel::address_of(channel::recover(transaction_digest(some_transaction()), *before).value()) ==
          keyring.account());

    keyring.lock();
    keyring.lock();
    CHECK(keyring.locked());
    CHECK(keyring.sign(some_transaction(), TxPurpose::spend).error().fault == ChainFault::wallet_locked);
    CHECK(keyring.sign_from(keyring.account(), some_transaction()).error() == WalletFault::wallet_locked);
    CHECK(keyring.sign_permit({}, separator).error() == WalletFault::wallet_locked);
    CHECK(keyring.signer_public_key(0).error() == WalletFault::wallet_locked);
    CHECK(keyring.watch_secret(0).error() == WalletFault::wallet_locked);
    CHECK(keyring.import_owner(key_of(4)).error() == WalletFault::wallet_locked);
    CHECK(keyring.load_imports({}).error() == WalletFault::wallet_locked);
    CHECK(keyring.export_owner(keyring.account(), "pass", kCheap).error() == WalletFault::wallet_locked);
    CHECK(keyring.backup_key().error() == WalletFault::wallet_locked);
    CHECK(keyring.mnemonic().error() == WalletFault::wallet_locked);
    CHECK(keyring.add_channel(terms, separator, Party::B, 0).error() == Rule::wallet_locked);
    state.version = 2;
    CHECK(keyring.policy().sign_state(state).error() == Rule::wallet_locked);

    CHECK(keyring.sign(some_transaction(), TxPurpose::defence).value() == *before);
    CHECK(keyring.policy().sign_challenge({id, 1, 5}).has_value());
    CHECK(keyring.owners().size() == 1);

    CHECK(keyring.unlock(MasterSeed::generate()).error() == WalletFault::wallet_other_seed);
    CHECK(keyring.locked());
    REQUIRE(keyring.unlock(test_junk()).has_value());
    CHECK(keyring.policy().sign_state(state).has_value());
    keyring.set_halted(true);
    state.version = 3;
    CHECK(keyring.policy().sign_state(state).error() == Rule::node_halted);
}

TEST_CASE("keyring: a channel needs the signer of its index") {
    Keyring keyring(test_junk());
    const channel::Hash separator = channel::domain_separator({1, {}});
    const channel::Terms terms = terms_with(channel::address_of(keyring.signer_public_key(7).value()));
    CHECK(keyring.add_channel(terms, separator, Party::B, 6).error() == Rule::not_our_signer);
    CHECK(keyring.add_channel(terms, separator, Party::B, 1U << 31).error() == Rule::field_out_of_range);
    CHECK(keyring.add_channel(terms, separator, Party::B, 7).has_value());
}

TEST_CASE("keyring: imported owners are sealed, survive a lock and a restart, and can be exported") {
    Keyring keyring(test_junk());
    CHECK(keyring.sealed_imports().empty());
    const channel::Address four = keyring.import_owner(key_of(4)).value();
    CHECK(four == key_of(4).address());
    const channel::Bytes sealed = keyring.sealed_imports();
    CHECK(keyring.import_owner(key_of(4)).value() == four);
    CHECK(keyring.sealed_imports() == sealed);
    CHECK(keyring.owners() == std::vector{keyring.account(), four});

    keyring.lock();
    CHECK(keyring.owners() == std::vector{keyring.account(), four});
    REQUIRE(keyring.unlock(test_junk()).has_value());
    const auto signature = keyring.sign_from(four, some_transaction());
    REQUIRE(signature.has_value());
    CHECK(channel::address_of(channel::recover(transaction_digest(some_transaction()), *signature).value()) == four);

    Keyring again(test_junk());
    REQUIRE(again.load_imports(sealed).has_value());
    CHECK(again.owners() == keyring.owners());
    const auto text = again.export_owner(four, "pass", kCheap);
    REQUIRE(text.has_value());
    CHECK(import_keystore(*text, "pass").value().address() == four);
    CHECK(again.export_owner(key_of(5).address(), "pass", kCheap).error() == WalletFault::owner_unknown);
    CHECK(again.sign_from(key_of(5).address(), some_transaction()).error() == WalletFault::owner_unknown);

    Keyring stranger(MasterSeed::generate());
    CHECK(stranger.load_imports(sealed).error() == WalletFault::wallet_key_wrong);
    channel::Bytes damaged = sealed;
    damaged.back() ^= 1;
    CHECK(again.load_imports(damaged).error() == WalletFault::wallet_file_corrupt);
    const auto odd =
        seal_with_key(channel::Bytes(31, 1), test_junk().storage_key("imported keys"), SealedKind::imported_keys);
    CHECK(again.load_imports(*odd).error() == WalletFault::wallet_file_corrupt);
    const auto zero =
        seal_with_key(channel::Bytes(32, 0), test_junk().storage_key("imported keys"), SealedKind::imported_keys);
    CHECK(again.load_imports(*zero).error() == WalletFault::wallet_file_corrupt);
}

TEST_CASE("keyring: imports are bounded") {
    Keyring keyring(test_junk());
    for (std::size_t i = 0; i < Keyring::kMaxImports; ++i)
        REQUIRE(keyring.import_owner(PrivateKey::generate()).has_value());
    CHECK(keyring.import_owner(PrivateKey::generate()).error() == WalletFault::import_limit);
    CHECK(keyring.owners().size() == Keyring::kMaxImports + 1);
    CHECK(keyring.import_owner(test_junk().owner_key(0).value()).value() == keyring.account());
}

TEST_CASE("keyring: permits are signed by their owner") {
    Keyring keyring(test_junk());
    const channel::Hash token_separator = channel::domain_separator({1, key_of(8).address()});
    Permit permit;
    permit.owner = keyring.account();
    permit.value = channel::U256(5);
    const auto signature = keyring.sign_permit(permit, token_separator);
    REQUIRE(signature.has_value());
    CHECK(channel::address_of(channel::recover(permit_digest(permit, token_separator), *signature).value()) ==
          permit.owner);
    permit.owner = key_of(5).address();
    CHECK(keyring.sign_permit(permit, token_separator).error() == WalletFault::owner_unknown);
}

}  // namespace hedgerow::wallet
