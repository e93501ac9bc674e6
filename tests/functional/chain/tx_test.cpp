#include <doctest/doctest.h>

#include <map>
#include <nlohmann/json.hpp>

#include "daemon/chain/http_transport.h"
#include "tests/support/anvil.h"
#include "tests/support/anvil_accounts.h"
#include "wallet/chain/contract_calls.h"
#include "wallet/chain/tx_view.h"

using namespace hedgerow;
using namespace hedgerow::wallet;
using channel::U256;
using test::Anvil;

namespace {

FeePolicy quick() {
    FeePolicy out;
    out.confirmations = 2;
    out.replace_after_ms = 1'000;
    out.block_ms = 100;
    out.rebroadcast_ms = 100;
    return out;
}

/// The shell around a manager, on a real node, with a clock of its own.
struct Shell {
    Anvil anvil;
    std::unique_ptr<ChainTransport> transport;
    EthClient client;
    test::TestSigner signer{test::anvil_key(1)};
    std::unique_ptr<TxManager> manager;
    std::map<std::string, std::string> store;
    std::uint64_t now = 1'000'000;
    std::optional<ChainView> last;
    std::vector<std::string> faults;

    explicit Shell(std::vector<std::string> arguments)
        : anvil(start(std::move(arguments))),
          transport(daemon::make_http_transport(anvil.url())),
          client(*transport, Anvil::kChainId),
          manager(std::make_unique<TxManager>(signer, Anvil::kChainId, quick())) {}

    static Anvil start(std::vector<std::string> arguments) {
        auto started = Anvil::start({std::move(arguments), {}, 0});
        REQUIRE_MESSAGE(started.has_value(), "no Anvil in node_modules: run npm ci --ignore-scripts");
        return std::move(*started);
    }
    void round(bool deliver = true) {
        now += 500;
        const auto view = observe_chain(client, manager->queries(now), last ? &*last : nullptr);
        REQUIRE(view);
        last = *view;
        for (const TxAction& action : manager->tick(now, *view)) {
            if (const auto* persist = std::get_if<PersistJob>(&action)) store[persist->id] = persist->record;
            const auto* out = std::get_if<BroadcastTx>(&action);
            if (out == nullptr || !deliver) continue;
            const auto answer = client.send_raw_transaction(out->raw, out->hash);
            if (!answer) faults.emplace_back(chain_fault_name(answer.error().fault));
            manager->broadcast_answered(out->id, answer);
        }
    }
    bool until(const std::string& id, JobStatus status, int rounds = 60) {
        for (; rounds > 0 && manager->find(id)->status != status; --rounds) round();
        return manager->find(id)->status == status;
    }
    void restart() {
        manager = std::make_unique<TxManager>(signer, Anvil::kChainId, quick());
        for (const auto& [id, record] : store) REQUIRE(manager->restore(record));
    }
    JobRequest pay(const std::string& id, TxPurpose purpose = TxPurpose::spend) const {
        JobRequest out;
        out.id = id;
        out.to.data.fill(0x99);
        out.value = U256(1u);
        out.purpose = purpose;
        return out;
    }
    U256 received() { return client.balance(pay("x").to).value(); }
};

}  // namespace

TEST_CASE("jobs are done once each, in order of nonce, through a crash before and after the broadcast") {
    Shell shell({});
    for (const char* id : {"a", "b", "c"}) REQUIRE(shell.manager->submit(shell.pay(id), shell.now));
    shell.round(false);  // signed and stored, then the process dies
    shell.restart();
    shell.round();
    shell.restart();
    shell.anvil.mine(2);
    for (const char* id : {"a", "b", "c"}) CHECK(shell.until(id, JobStatus::confirmed));
    CHECK(shell.received() == U256(3u));
    CHECK(shell.client.transaction_count(shell.signer.account()).value() == 3);
    CHECK_FALSE(shell.manager->submit(shell.pay("a"), shell.now).value());
    shell.round();
    CHECK(shell.received() == U256(3u));
}

TEST_CASE("a transaction that full blocks pass over is replaced until it is mined") {
    Shell shell({"--no-mining", "--block-base-fee-per-gas", "1000000000"});
    REQUIRE(shell.manager->submit(shell.pay("respond", TxPurpose::defence), shell.now));
    shell.round();
    shell.round();
    REQUIRE(shell.manager->find("respond")->status == JobStatus::broadcast);
    const U256 first = shell.manager->find("respond")->variants.back().transaction.body.max_fee;
    // What full blocks do to the base fee: the first offer cannot be mined any more.
    for (int i = 0; i < 3; ++i) {
        shell.anvil.call("anvil_setNextBlockBaseFeePerGas", nlohmann::json::array({"0x2540be400"}));  // 10 gwei
        shell.anvil.mine(1);
        shell.round();
        shell.round();
    }
    const auto& variants = shell.manager->find("respond")->variants;
    CHECK(variants.size() >= 2);
    CHECK(variants.back().transaction.body.max_fee > first);
    CHECK(shell.faults.empty());
    shell.anvil.mine(1);
    shell.anvil.mine(1);
    CHECK(shell.until("respond", JobStatus::confirmed));
    CHECK(shell.received() == U256(1u));
}

TEST_CASE("mined, reorganised out, and mined again") {
    Shell shell({"--no-mining"});
    REQUIRE(shell.manager->submit(shell.pay("x"), shell.now));
    shell.round();
    shell.round();
    shell.anvil.mine(1);
    REQUIRE(shell.until("x", JobStatus::mined));
    shell.anvil.call("anvil_reorg", {1, nlohmann::json::array()});
    REQUIRE(shell.until("x", JobStatus::broadcast));
    CHECK(shell.received().is_zero());
    shell.anvil.mine(1);
    shell.round();
    shell.anvil.mine(2);
    CHECK(shell.until("x", JobStatus::confirmed));
    CHECK(shell.received() == U256(1u));
}

TEST_CASE("dropped by the node: sent again; a nonce used by another wallet: named") {
    Shell shell({"--no-mining"});
    REQUIRE(shell.manager->submit(shell.pay("x"), shell.now));
    shell.round();
    shell.round();
    shell.anvil.call("anvil_dropAllTransactions", nlohmann::json::array());
    shell.round();
    shell.round();
    shell.anvil.mine(2);
    CHECK(shell.until("x", JobStatus::confirmed));
    REQUIRE(shell.manager->submit(shell.pay("y"), shell.now));
    shell.round();
    shell.round();
    shell.anvil.call("anvil_dropAllTransactions", nlohmann::json::array());
    const nlohmann::json foreign = {{"from", channel::to_hex(shell.signer.account())},
                                    {"to", channel::to_hex(shell.signer.account())},
                                    {"nonce", "0x1"}};
    shell.anvil.call("eth_sendTransaction", nlohmann::json::array({foreign}));
    shell.anvil.mine(3);
    shell.round();
    shell.anvil.mine(2);
    CHECK(shell.until("y", JobStatus::failed));
    CHECK(shell.manager->find("y")->fault == ChainFault::nonce_replaced);
    CHECK(shell.received() == U256(1u));
}

TEST_CASE("a call that would revert is refused with the contract's own name, and nothing is sent") {
    Shell shell({});
    const auto contract = shell.anvil.deploy("Adjudicator");
    JobRequest request = shell.pay("claim");
    request.to = contract;
    request.value = U256();
    request.data = claim_call(channel::Address(), shell.signer.account());
    REQUIRE(shell.manager->submit(request, shell.now));
    CHECK(shell.until("claim", JobStatus::failed));
    CHECK(shell.manager->find("claim")->fault == ChainFault::execution_reverted);
    CHECK(shell.manager->find("claim")->detail == "NothingDue");
    CHECK(shell.client.transaction_count(shell.signer.account()).value() == 0);
}
