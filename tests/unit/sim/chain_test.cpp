#include "tests/sim/chain.h"

#include <doctest/doctest.h>

#include "daemon/node/disputes.h"
#include "tests/sim/chain_rpc.h"
#include "wallet/chain/contract_calls.h"
#include "wallet/chain/erc20.h"
#include "wallet/keys/private_key.h"

using namespace hedgerow;
using namespace hedgerow::sim;
using channel::Party;

namespace {

wallet::PrivateKey key_of(std::uint8_t number) {
    std::array<std::uint8_t, 32> secret{};
    secret.back() = number;
    return std::move(*wallet::PrivateKey::from_bytes(secret));
}

constexpr std::uint64_t kStartS = 1'900'000'000;

/// A chain with two rich parties and one token, and the terms of a channel between them.
struct ChainRig {
    wallet::PrivateKey a = key_of(1);
    wallet::PrivateKey b = key_of(2);
    Address contract = *channel::fixed_from_hex<Address>("0x00000000000000000000000000000000ad1cad1c");
    Address token = *channel::fixed_from_hex<Address>("0x00000000000000000000000000000000000a55e7");
    Random random{1};
    Chain chain{make_chain()};
    ChainAccess access;
    SimChainTransport transport{chain, access, random};
    wallet::EthClient client{transport, chain.config().chain_id};
    channel::Secret secret;
    channel::Terms terms = make_terms();
    ChannelId id = channel::channel_id_of(terms, chain.rules().separator);
    std::uint64_t now_s = kStartS;
    std::map<Address, std::uint64_t> nonces;

    Chain make_chain() {
        ChainConfig config;
        config.contract = contract;
        config.genesis_s = kStartS;
        ChainRules rules;
        rules.chain_id = config.chain_id;
        rules.contract = contract;
        rules.separator = channel::domain_separator({config.chain_id, contract});
        rules.tokens = {{token, 6}};
        ChainState genesis;
        for (const wallet::PrivateKey* key : {&a, &b}) {
            genesis.coins[key->address()] = U256(channel::pow10(20));
            genesis.tokens[{token, key->address()}] = U256(1'000'000);
        }
        return Chain(config, std::move(rules), std::move(genesis), Random(2));
    }
    channel::Terms make_terms() {
        channel::Terms out;
        out.owner_a = out.signer_a = a.address();
        out.owner_b = out.signer_b = b.address();
        out.assets.push_back({token, {}, 6, 0});
        out.price_slot = 10;
        out.dispute_period = 60;
        out.oracles.push_back(key_of(9).address());
        out.oracle_threshold = 1;
        out.salt = channel::keccak256(secret.view());
        return out;
    }
    wallet::Transaction body(const wallet::PrivateKey& from, const Address& to, Bytes data, std::uint64_t gwei = 10) {
        wallet::Transaction tx;
        tx.chain_id = chain.config().chain_id;
        tx.nonce = nonces[from.address()];
        tx.max_fee = U256(gwei * 1'000'000'000);
        tx.max_priority_fee = U256(gwei * 100'000'000);
        tx.gas_limit = 2'000'000;
        tx.to = to;
        tx.data = std::move(data);
        return tx;
    }
    channel::TxHash send(const wallet::PrivateKey& from, const Address& to, Bytes data) {
        const auto signed_tx = wallet::sign_transaction(body(from, to, std::move(data)), from);
        ++nonces[from.address()];
        const auto sent = client.send_raw_transaction(signed_tx.raw, signed_tx.hash);
        REQUIRE(sent.has_value());
        return *sent;
    }
    void block() { chain.produce(now_s += 12); }
    bool succeeded(const channel::TxHash& hash) {
        const auto receipt = client.receipt(hash);
        REQUIRE(receipt.has_value());
        REQUIRE(receipt->has_value());
        return (*receipt)->success;
    }
    void deposit(const wallet::PrivateKey& from, Party party, long amount) {
        send(from, token, wallet::erc20_approve_call(contract, U256(1'000'000)));
        send(from, contract, wallet::deposit_call(id, party, token, Amount::from_raw(amount)));
    }
    channel::State state(std::uint64_t version, long net) {
        channel::State out;
        out.channel_id = id;
        out.version = version;
        out.net.push_back(Amount::from_raw(net));
        out.asset_marks.push_back(channel::Price::from_raw(100'000'000));
        return out;
    }
    wallet::BothSignatures both(const channel::State& s) {
        const channel::Digest digest = channel::digest_of(s, chain.rules().separator);
        return {a.sign(digest), b.sign(digest)};
    }
};

}  // namespace

TEST_CASE("sim chain: a stale challenge is answered, the newer state settles and the challenger pays") {
    ChainRig rig;
    rig.terms.stale_penalty = Amount::from_raw(7);
    rig.id = channel::channel_id_of(rig.terms, rig.chain.rules().separator);
    rig.deposit(rig.a, Party::A, 1'000);
    rig.deposit(rig.b, Party::B, 500);
    rig.block();
    const channel::State old = rig.state(1, -100);
    const channel::State newest = rig.state(2, 300);
    rig.send(rig.b, rig.contract, wallet::challenge_call(rig.terms, rig.secret, old, rig.both(old), {}));
    rig.block();
    const auto answer = rig.send(rig.a, rig.contract, wallet::respond_call(rig.terms, newest, rig.both(newest)));
    rig.block();
    CHECK(rig.succeeded(answer));
    const auto early = rig.send(rig.a, rig.contract, wallet::settle_call(rig.terms, newest));
    rig.block();
    CHECK_FALSE(rig.succeeded(early));
    for (int i = 0; i < 5; ++i) rig.block();
    const auto settled = rig.send(rig.a, rig.contract, wallet::settle_call(rig.terms, newest));
    rig.block();
    CHECK(rig.succeeded(settled));
    const auto& tokens = rig.chain.state().tokens;
    CHECK(tokens.at({rig.token, rig.a.address()}) == U256(1'000'000 - 300 + 7));
    CHECK(tokens.at({rig.token, rig.b.address()}) == U256(1'000'000 + 300 - 7));
}

TEST_CASE("sim chain: a look at a dispute that was answered since says nothing about settling") {
    ChainRig rig;
    rig.deposit(rig.a, Party::A, 1'000);
    const channel::State old = rig.state(1, 0);
    const channel::State newest = rig.state(2, 300);
    rig.send(rig.b, rig.contract, wallet::challenge_call(rig.terms, rig.secret, old, rig.both(old), {}));
    rig.block();
    const auto look = [&](const channel::State& s) {
        return daemon::look_at_dispute(rig.client, rig.contract, rig.id, rig.terms, s);
    };
    CHECK(look(old).current);
    CHECK(look(old).answer.status == channel::SettleStatus::waits_for_end);
    rig.send(rig.a, rig.contract, wallet::respond_call(rig.terms, newest, rig.both(newest)));
    rig.block();
    CHECK_FALSE(look(old).current);
    CHECK(look(newest).current);
}

TEST_CASE("sim chain: a reorganisation takes blocks back and mines their transactions again; final ones stay") {
    ChainRig rig;
    rig.block();
    rig.block();
    rig.deposit(rig.a, Party::A, 1'000);
    rig.block();
    const auto before = rig.client.block(wallet::BlockTag::latest());
    REQUIRE(before.has_value());
    CHECK(rig.chain.reorganise(1, rig.now_s += 12, 0, 0) == 1);
    CHECK_FALSE(rig.client.block(before->hash).has_value());
    CHECK(rig.chain.state().holdings.at({rig.id, rig.token}).totals.deposit_a == Amount::from_raw(1'000));
    CHECK(rig.chain.reorganise(100, rig.now_s += 12, 0, 0) <= rig.chain.config().max_reorg);
}

TEST_CASE("sim chain: replacements need a tenth more, and the nonce is used once") {
    ChainRig rig;
    const auto submit = [&](std::uint64_t gwei) {
        const auto tx = wallet::sign_transaction(rig.body(rig.a, rig.b.address(), {}, gwei), rig.a);
        return rig.client.send_raw_transaction(tx.raw, tx.hash);
    };
    const auto first = submit(10);
    REQUIRE(first.has_value());
    CHECK(submit(10).error().fault == wallet::ChainFault::transaction_already_known);
    CHECK(submit(11).has_value());
    const auto close = wallet::sign_transaction(
        [&] {
            auto tx = rig.body(rig.a, rig.b.address(), {}, 11);
            tx.max_fee = tx.max_fee + U256(1);
            return tx;
        }(),
        rig.a);
    CHECK(rig.client.send_raw_transaction(close.raw, close.hash).error().fault ==
          wallet::ChainFault::replacement_underpriced);
    rig.block();
    CHECK(rig.client.receipt(*first).value() == std::nullopt);
    CHECK(submit(50).error().fault == wallet::ChainFault::nonce_too_low);
}

TEST_CASE("sim chain: while others fill the blocks only who tips more is mined") {
    ChainRig rig;
    rig.chain.set_congestion(Congestion{U256(100'000'000'000), U256(5'000'000'000)});
    const auto poor = wallet::sign_transaction(rig.body(rig.a, rig.b.address(), {}, 40), rig.a);  // tips 4 gwei
    const auto rich = wallet::sign_transaction(rig.body(rig.b, rig.a.address(), {}, 60), rig.b);  // tips 6 gwei
    REQUIRE(rig.client.send_raw_transaction(poor.raw, poor.hash).has_value());
    REQUIRE(rig.client.send_raw_transaction(rich.raw, rich.hash).has_value());
    const U256 fee = rig.chain.head().header.base_fee;
    rig.block();
    CHECK(rig.client.receipt(rich.hash)->has_value());
    CHECK_FALSE(rig.client.receipt(poor.hash)->has_value());
    rig.block();
    CHECK(fee < rig.chain.head().header.base_fee);
    rig.chain.set_congestion(std::nullopt);
    rig.block();
    CHECK(rig.client.receipt(poor.hash)->has_value());
}
