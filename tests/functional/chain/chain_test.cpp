#include <doctest/doctest.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <thread>

#include "channel/codec/abi.h"
#include "channel/crypto/keccak.h"
#include "daemon/chain/follower.h"
#include "daemon/chain/http_transport.h"
#include "tests/support/anvil.h"
#include "tests/support/anvil_accounts.h"
#include "wallet/chain/contract_calls.h"
#include "wallet/chain/erc20.h"

using namespace hedgerow;
using namespace hedgerow::daemon;
using channel::Amount;
using channel::Party;
using test::Anvil;
using wallet::ChainFault;

namespace {

/// A follower of a contract, and everything it said.
struct Following {
    std::unique_ptr<ChainFollower> follower;
    std::vector<ChainInput> inputs;
    std::optional<FollowerCursor> cursor;

    void start(const Anvil& anvil, const channel::Address& contract, std::uint64_t chain_id = Anvil::kChainId) {
        FollowerConfig config;
        config.tracker.chain_id = chain_id;
        config.tracker.contract = contract;
        config.tracker.confirmations = 3;
        config.poll_ms = 20;
        config.max_backoff_ms = 100;
        follower = ChainFollower::start(make_http_transport(anvil.url(), 5'000), config, cursor).value();
    }
    bool until(const std::function<bool()>& condition) {
        for (int i = 0; i < 1000; ++i) {
            for (ChainBatch& batch : follower->take()) {
                inputs.insert(inputs.end(), batch.inputs.begin(), batch.inputs.end());
                cursor = std::move(batch.cursor);
            }
            if (condition()) return true;
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
        }
        return false;
    }
    template <typename Input, typename Event>
    std::vector<Event> said() const {
        std::vector<Event> out;
        for (const ChainInput& input : inputs) {
            const auto* i = std::get_if<Input>(&input);
            if (i != nullptr && std::holds_alternative<Event>(i->event.event))
                out.push_back(std::get<Event>(i->event.event));
        }
        return out;
    }
};

struct OnChain {
    Anvil anvil = [] {
        auto started = Anvil::start();
        REQUIRE_MESSAGE(started.has_value(), "no Anvil in node_modules: run npm ci --ignore-scripts");
        return std::move(*started);
    }();
    channel::Address adjudicator = anvil.deploy("Adjudicator");
    channel::Address token = anvil.deploy_token("USDT", 6);
    std::unique_ptr<wallet::ChainTransport> transport = make_http_transport(anvil.url());
    wallet::EthClient client{*transport, Anvil::kChainId};
    channel::Secret secret = [] {
        channel::Secret out;
        out.data.fill(0x42);
        return out;
    }();

    channel::Terms terms() const {
        channel::Terms out;
        out.owner_a = test::anvil_key(0).address();
        out.signer_a = test::anvil_key(1).address();
        out.owner_b = test::anvil_key(2).address();
        out.signer_b = test::anvil_key(3).address();
        out.assets = {{token, channel::Feed(), 6, 0}, {channel::Address(), *channel::feed_from_name("ETH"), 18, 1000}};
        out.oracles = {test::anvil_key(0).address()};
        out.oracle_threshold = 1;
        out.price_slot = 1;
        out.dispute_period = 3600;
        out.salt = channel::keccak256(secret.view());
        return out;
    }
    channel::Domain domain() const { return {Anvil::kChainId, adjudicator}; }
    channel::ChannelId id() const { return channel::channel_id_of(terms(), channel::domain_separator(domain())); }
    channel::Bytes view(const channel::Bytes& data) {
        wallet::CallRequest call;
        call.to = adjudicator;
        call.data = data;
        auto answer = client.call(call);
        REQUIRE(answer);
        return *answer;
    }
    void deposit_coin(std::uint64_t amount) {
        anvil.send(0, adjudicator, wallet::deposit_call(id(), Party::A, channel::Address(), Amount::from_raw(amount)),
                   amount);
    }
};

}  // namespace

TEST_CASE_FIXTURE(OnChain, "our digests, ids and views are the contract's") {
    const auto separator = channel::domain_separator(domain());
    CHECK(wallet::read_hash(view(wallet::domain_separator_call())).value() == separator);
    CHECK(wallet::read_hash(view(wallet::channel_id_call(terms()))).value().data == id().data);
    channel::State state;
    state.channel_id = id();
    state.version = 7;
    state.net = {Amount::from_raw(-5), Amount::from_raw(6)};
    state.asset_marks = {channel::Price::from_raw(1), channel::Price::from_raw(2)};
    CHECK(wallet::read_hash(view(wallet::state_digest_call(id(), state))).value().data ==
          channel::digest_of(state, separator).data);
    const auto oracles = terms().oracles;
    CHECK(wallet::read_hash(view(wallet::oracle_set_call(oracles))).value() == wallet::oracle_set_of(oracles));
    deposit_coin(1000);
    const auto holdings = wallet::read_holdings(view(wallet::holdings_call(id(), channel::Address()))).value();
    CHECK(holdings.deposit_a == Amount::from_raw(1000));
    CHECK_FALSE(holdings.is_final);
    CHECK(wallet::read_dispute(view(wallet::dispute_call(id()))).value().end == 0);
    wallet::CallRequest early;
    early.to = adjudicator;
    early.data = wallet::settle_call(terms(), channel::State());
    const auto refused = client.call(early);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().fault == ChainFault::execution_reverted);
    CHECK(wallet::revert_reason(refused.error().revert_data) == "NotDisputed");
    wallet::CallRequest decimals;
    decimals.to = token;
    decimals.data = wallet::erc20_decimals_call();
    CHECK(wallet::read_decimals(client.call(decimals).value()).value() == 6);
    decimals.data = wallet::erc20_symbol_call();
    CHECK(wallet::read_symbol(client.call(decimals).value()).value() == "USDT");
}

TEST_CASE_FIXTURE(OnChain, "an EIP-2612 permit of ours pays a deposit") {
    const wallet::PrivateKey owner = test::anvil_key(0);
    anvil.send(0, token, channel::abi_call("mint(address,uint256)", owner.address(), channel::U256(500u)));
    wallet::CallRequest call;
    call.to = token;
    call.data = wallet::permit_domain_separator_call();
    const auto separator = wallet::read_hash(client.call(call).value()).value();
    const wallet::Permit permit{owner.address(), adjudicator, channel::U256(300u), channel::U256(),
                                channel::U256(4'000'000'000u)};
    const auto signature = owner.sign(wallet::permit_digest(permit, separator));
    anvil.send(
        0, adjudicator,
        wallet::deposit_with_permit_call(id(), Party::B, token, Amount::from_raw(300), 4'000'000'000, signature));
    CHECK(wallet::read_holdings(view(wallet::holdings_call(id(), token))).value().deposit_b == Amount::from_raw(300));
}

TEST_CASE_FIXTURE(OnChain, "deposits and a challenge are followed, pending and then confirmed") {
    Following f;
    f.start(anvil, adjudicator);
    deposit_coin(1000);
    CHECK(f.until([&] { return f.said<EventPending, wallet::Deposited>().size() == 1; }));
    CHECK(f.said<EventPending, wallet::Deposited>()[0] ==
          wallet::Deposited{id(), Party::A, channel::Address(), Amount::from_raw(1000)});
    CHECK(f.said<EventConfirmed, wallet::Deposited>().empty());
    anvil.send(0, adjudicator, wallet::challenge_call(terms(), secret, channel::State(), {}, {}));
    CHECK(f.until([&] { return f.said<EventPending, wallet::Challenged>().size() == 1; }));
    const auto challenged = f.said<EventPending, wallet::Challenged>()[0];
    CHECK(challenged.secret == secret);
    CHECK(challenged.challenger == Party::A);
    CHECK(challenged.state.version == 0);
    anvil.mine(2);
    CHECK(f.until([&] { return f.said<EventConfirmed, wallet::Challenged>().size() == 1; }));
    CHECK(f.until([&] { return f.follower->status().synced; }));
    CHECK(f.said<EventRolledBack, wallet::Deposited>().empty());
}

TEST_CASE_FIXTURE(OnChain, "a reorganisation takes an event back") {
    Following f;
    f.start(anvil, adjudicator);
    deposit_coin(1000);
    anvil.mine(1);
    CHECK(f.until([&] { return f.said<EventPending, wallet::Deposited>().size() == 1; }));
    anvil.call("anvil_reorg", {2, nlohmann::json::array()});
    CHECK(f.until([&] { return f.said<EventRolledBack, wallet::Deposited>().size() == 1; }));
    CHECK(wallet::read_holdings(view(wallet::holdings_call(id(), channel::Address()))).value().deposit_a.is_zero());
    deposit_coin(2000);
    anvil.mine(3);
    CHECK(f.until([&] { return f.said<EventConfirmed, wallet::Deposited>().size() == 1; }));
    CHECK(f.said<EventConfirmed, wallet::Deposited>()[0].total == Amount::from_raw(2000));
}

TEST_CASE_FIXTURE(OnChain, "a follower that comes back catches up in ranges from its cursor") {
    Following f;
    f.start(anvil, adjudicator);
    deposit_coin(1);
    CHECK(f.until([&] { return f.said<EventPending, wallet::Deposited>().size() == 1; }));
    f.follower.reset();
    for (int i = 0; i < 3; ++i) {
        deposit_coin(1);
        anvil.mine(90);
    }
    f.start(anvil, adjudicator);
    CHECK(f.until([&] { return f.follower->status().synced; }));
    CHECK(f.until([&] { return f.said<EventConfirmed, wallet::Deposited>().size() == 4; }));
    CHECK(f.said<EventPending, wallet::Deposited>().size() == 4);
}

TEST_CASE("a node that restarts is followed again; one on another chain is refused") {
    const auto state =
        std::filesystem::temp_directory_path() / ("hedgerow-anvil-" + std::to_string(getpid()) + ".json");
    test::AnvilOptions options;
    options.state_file = state.string();
    auto anvil = Anvil::start(options);
    REQUIRE(anvil);
    const auto contract = anvil->deploy("Adjudicator");
    Following f;
    f.start(*anvil, contract);
    channel::ChannelId id;
    id.data.fill(1);
    anvil->send(0, contract, wallet::deposit_call(id, Party::A, channel::Address(), Amount::from_raw(5)), 5);
    CHECK(f.until([&] { return f.said<EventPending, wallet::Deposited>().size() == 1; }));
    options.port = anvil->port();
    anvil->stop();
    CHECK(f.until([&] {
        const auto problem = f.follower->status().problem;
        return problem && problem->fault == ChainFault::chain_unreachable;
    }));
    test::AnvilOptions other = options;
    other.state_file.clear();
    other.arguments = {"--chain-id", "1"};
    anvil = Anvil::start(other);
    CHECK(f.until([&] {
        const auto problem = f.follower->status().problem;
        return problem && problem->fault == ChainFault::chain_id_wrong;
    }));
    anvil.reset();
    anvil = Anvil::start(options);
    REQUIRE(anvil);
    anvil->send(0, contract, wallet::deposit_call(id, Party::A, channel::Address(), Amount::from_raw(6)), 6);
    anvil->mine(3);
    CHECK(f.until([&] { return f.said<EventConfirmed, wallet::Deposited>().size() == 2; }));
    CHECK(f.said<EventRolledBack, wallet::Deposited>().empty());
    anvil->stop();
    std::filesystem::remove(state);
}
