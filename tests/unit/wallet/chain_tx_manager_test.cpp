#include <doctest/doctest.h>

#include <algorithm>

#include "tests/unit/wallet/tx_world.h"

using namespace hedgerow;
using namespace hedgerow::wallet;
using namespace hedgerow::wallet::testing;

TEST_CASE_FIXTURE(World, "a job is signed, mined, confirmed and at last forgotten by the watch") {
    REQUIRE(manager->submit(job("pay-1"), now).value());
    round();
    const auto tx = last_sent();
    CHECK(tx.body.chain_id == 31337);
    CHECK(tx.body.nonce == 0);
    CHECK(tx.body.max_fee == U256(3 * kGwei));
    CHECK(tx.body.max_priority_fee == U256(kGwei));
    CHECK(status("pay-1") == JobStatus::broadcast);
    mine(tx.hash);
    round();
    CHECK(status("pay-1") == JobStatus::mined);
    pass(12'000, 2);
    round();
    CHECK(status("pay-1") == JobStatus::confirmed);
    REQUIRE(changes.size() == 1);
    CHECK(changes[0].mined->hash == tx.hash);
    pass(12'000, 5);
    round();
    CHECK(manager->queries(now).transactions.empty());
    CHECK_FALSE(manager->has_live());
}

TEST_CASE_FIXTURE(World, "a job of one id is done once; another under that id is refused") {
    CHECK(manager->submit(job("x"), now).value());
    CHECK_FALSE(manager->submit(job("x"), now).value());
    JobRequest other = job("x");
    other.value = U256(1u);
    CHECK(submit_fault(other) == "client_ref_reused");
    round();
    CHECK(sent.size() == 1);
    restart();
    CHECK_FALSE(manager->submit(job("x"), now).value());
    CHECK(submit_fault(other) == "client_ref_reused");
    CHECK(submit_fault(job("")) == "job_record_malformed");
    CHECK(submit_fault(job(std::string(129, 'x'))) == "job_record_malformed");
    JobRequest orphan = job("y");
    orphan.after = "nothing";
    CHECK(submit_fault(orphan) == "job_unknown");
}

TEST_CASE_FIXTURE(World, "after a crash the same transaction is broadcast again, not another") {
    REQUIRE(manager->submit(job("x"), now));
    round(false);
    const auto before = last_sent();
    restart();
    round();
    CHECK(last_sent().raw == before.raw);
    round();
    CHECK(sent.empty());
}

TEST_CASE_FIXTURE(World, "nonces are consecutive, defence is signed first") {
    REQUIRE(manager->submit(job("a"), now));
    REQUIRE(manager->submit(job("b"), now));
    REQUIRE(manager->submit(job("c", TxPurpose::defence), now));
    view.nonce = 7;
    round();
    CHECK(*manager->find("c")->nonce == 7);
    CHECK(*manager->find("a")->nonce == 8);
    CHECK(*manager->find("b")->nonce == 9);
}

TEST_CASE_FIXTURE(World, "an unmined transaction is replaced by an eighth more, and every variant is watched") {
    REQUIRE(manager->submit(job("x"), now));
    round();
    const auto first = last_sent();
    pass(59'000);
    round();
    CHECK(sent.empty());
    pass(1'000, 0);
    round();
    const auto second = last_sent();
    CHECK(second.body.nonce == first.body.nonce);
    CHECK(second.body.max_fee == U256(3'375'000'000u));
    CHECK(second.body.max_priority_fee == U256(1'125'000'000u));
    CHECK(manager->queries(now).transactions.size() == 2);
    mine(first.hash);  // the older one wins
    round();
    CHECK(status("x") == JobStatus::mined);
    CHECK(manager->find("x")->mined->hash == first.hash);
}

TEST_CASE_FIXTURE(World, "no replacement while no block passed the transaction over") {
    REQUIRE(manager->submit(job("x"), now));
    round();
    pass(600'000, 0);
    round();
    CHECK(sent.empty());
}

TEST_CASE_FIXTURE(World, "replacement ends at the budget, by name") {
    JobRequest request = job("x");
    request.budget = U256(100'000 * 3'500 * std::uint64_t{1'000'000});  // 3.5 gwei a gas
    REQUIRE(manager->submit(request, now));
    round();
    pass(60'000);
    round();
    CHECK(last_sent().body.max_fee == U256(3'375'000'000u));
    pass(60'000);
    round();
    CHECK(sent.empty());
    CHECK(fault("x") == "fee_over_budget");
    CHECK(status("x") == JobStatus::broadcast);
    JobRequest poor = job("y");
    poor.budget = U256(1u);
    REQUIRE(manager->submit(poor, now));
    round();
    CHECK(status("y") == JobStatus::queued);
    CHECK(fault("y") == "fee_over_budget");
}

TEST_CASE_FIXTURE(World, "a defence bids faster and higher as its deadline nears") {
    JobRequest request = job("respond", TxPurpose::defence);
    request.deadline_ms = now + 400'000;
    REQUIRE(manager->submit(request, now));
    round();
    U256 before = last_sent().body.max_fee;
    std::size_t replacements = 0;
    for (int block = 0; block < 33; ++block) {
        pass(12'000);
        round();
        if (sent.empty()) continue;
        ++replacements;
        CHECK(last_sent().body.max_fee * U256(8u) >= before * U256(9u));
        before = last_sent().body.max_fee;
    }
    CHECK(replacements >= 12);
    CHECK(before > U256(30 * kGwei));
}

TEST_CASE_FIXTURE(World, "a cheap payment does not hold up the defence behind it") {
    JobRequest cheap = job("pay");
    cheap.budget = U256(100'000 * 3 * kGwei);
    REQUIRE(manager->submit(cheap, now));
    round();
    view.base_fee = U256(20 * kGwei);
    pass(60'000);
    round();
    CHECK(fault("pay") == "fee_over_budget");
    JobRequest defence = job("respond", TxPurpose::defence);
    defence.deadline_ms = now + 600'000;
    REQUIRE(manager->submit(defence, now));
    round();
    pass(80'000);
    round();
    const auto& variants = manager->find("pay")->variants;
    CHECK(variants.back().transaction.body.max_fee >= U256(20 * kGwei));
}

TEST_CASE_FIXTURE(World, "spending stops at the gas reserve, defence does not") {
    view.balance = U256(60'000'000'000'000'000u);  // 0.06, of which 0.05 is reserve
    round();
    JobRequest large = job("large");
    large.value = U256(10'000'000'000'000'001u);
    CHECK(submit_fault(large) == "gas_reserve_needed");
    JobRequest most = job("most");
    most.value = U256(9'900'000'000'000'000u);  // leaves less than the fee above the reserve
    CHECK(submit_fault(most).empty());
    round();
    CHECK(status("most") == JobStatus::failed);
    CHECK(fault("most") == "gas_reserve_needed");
    JobRequest defence = job("respond", TxPurpose::defence);
    REQUIRE(manager->submit(defence, now));
    view.balance = U256(1'000'000'000'000'000u);
    round();
    CHECK(status("respond") == JobStatus::broadcast);
    CHECK(manager->spendable().is_zero());
    CHECK(submit_fault(job("more")) == "gas_reserve_needed");
    JobRequest second = job("settle", TxPurpose::defence);
    REQUIRE(manager->submit(second, now));
    view.balance = U256();
    round();
    CHECK(status("settle") == JobStatus::queued);
    CHECK(fault("settle") == "insufficient_funds");
    view.balance = kEther;
    round();
    CHECK(status("settle") == JobStatus::broadcast);
}

TEST_CASE_FIXTURE(World, "a locked wallet signs no spending, only defence") {
    signer.locked = true;
    REQUIRE(manager->submit(job("pay"), now));
    REQUIRE(manager->submit(job("respond", TxPurpose::defence), now));
    round();
    CHECK(status("pay") == JobStatus::queued);
    CHECK(fault("pay") == "wallet_locked");
    CHECK(status("respond") == JobStatus::broadcast);
    CHECK(*manager->find("respond")->nonce == 0);
    signer.locked = false;
    round();
    CHECK(*manager->find("pay")->nonce == 1);
}

TEST_CASE_FIXTURE(World, "reverted on chain") {
    REQUIRE(manager->submit(job("x"), now));
    round();
    mine(last_sent().hash, false);
    round();
    CHECK(status("x") == JobStatus::mined);
    pass(1, 2);
    round();
    CHECK(status("x") == JobStatus::failed);
    CHECK(fault("x") == "transaction_reverted");
}

TEST_CASE_FIXTURE(World, "dropped from the mempool: sent again") {
    REQUIRE(manager->submit(job("x"), now));
    round();
    const auto tx = last_sent();
    pool.clear();
    pass(14'000);
    round();
    CHECK(sent.empty());
    pass(1'000);
    round();
    CHECK(last_sent().raw == tx.raw);
}

TEST_CASE_FIXTURE(World, "a run whose clock was ahead left transactions of the future: they are replaced and sent again") {
    REQUIRE(manager->submit(job("x"), now));
    round();
    const auto first = last_sent();
    now -= 900'000;  // the clock is right again
    restart();
    round();
    CHECK(sent.empty());  // a node has it, and no block passed it over
    view.head += 1;
    round();
    const auto second = last_sent();
    CHECK(second.body.nonce == first.body.nonce);
    CHECK(second.body.max_fee > first.body.max_fee);
    pass(15'000);
    pool.clear();
    now -= 100'000;
    view.head = manager->find("x")->variants.back().signed_head;  // nothing to replace
    round();
    CHECK(last_sent().raw == second.raw);
}

TEST_CASE_FIXTURE(World, "mined and then gone: sent again, also after it was confirmed") {
    REQUIRE(manager->submit(job("x"), now));
    round();
    const auto tx = last_sent();
    mine(tx.hash);
    round();
    pass(1, 2);
    round();
    REQUIRE(status("x") == JobStatus::confirmed);
    mined.clear();
    view.nonce = 0;
    round();
    CHECK(status("x") == JobStatus::broadcast);
    CHECK(last_sent().raw == tx.raw);
    // A job that comes now must not take the nonce of what is coming back.
    REQUIRE(manager->submit(job("y"), now));
    round();
    CHECK(*manager->find("y")->nonce == 1);
    mine(tx.hash);
    round();
    CHECK(status("x") == JobStatus::mined);
}

TEST_CASE_FIXTURE(World, "a nonce used by somebody else: a payment fails, a defence takes another") {
    REQUIRE(manager->submit(job("respond", TxPurpose::defence), now));
    REQUIRE(manager->submit(job("pay"), now));
    round();
    view.nonce = 2;
    round();
    CHECK(status("pay") == JobStatus::broadcast);  // not confirmed yet
    pass(1, 2);
    round();
    CHECK(status("pay") == JobStatus::failed);
    CHECK(fault("pay") == "nonce_replaced");
    CHECK(status("respond") == JobStatus::broadcast);
    CHECK(*manager->find("respond")->nonce == 2);
}

TEST_CASE_FIXTURE(World, "a nonce that only seemed used changes nothing") {
    REQUIRE(manager->submit(job("pay"), now));
    round();
    view.nonce = 1;
    round();
    view.nonce = 0;
    pass(1, 5);
    round();
    view.nonce = 1;
    round();
    CHECK(status("pay") == JobStatus::broadcast);
}

TEST_CASE_FIXTURE(World, "one confirmation: a count that is ahead of its receipt fails nothing") {
    FeePolicy quick = policy();
    quick.confirmations = 1;
    manager = std::make_unique<TxManager>(signer, 31337, quick);
    REQUIRE(manager->submit(job("approve"), now));
    round();
    const auto hash = last_sent().hash;
    view.nonce = 1;  // mined, and the node has no receipt yet
    view.head += 1;
    round();
    CHECK(status("approve") == JobStatus::broadcast);
    view.nonce = 0;
    view.head -= 1;
    mine(hash);
    round();
    CHECK(status("approve") == JobStatus::confirmed);
}

TEST_CASE_FIXTURE(World, "a defence that would revert ends with its deadline, and raises nobody's fees meanwhile") {
    const ChainError error{ChainFault::execution_reverted, 3, "execution reverted", {}};
    JobRequest respond = job("respond", TxPurpose::defence);
    respond.gas_limit = 0;
    respond.deadline_ms = now + 30'000;
    gas.emplace("respond", channel::Unexpected{error});  // somebody else has answered
    REQUIRE(manager->submit(respond, now));
    REQUIRE(manager->submit(job("pay"), now));
    round();
    pass(30'000);
    round();
    CHECK(status("respond") == JobStatus::failed);
    CHECK(fault("respond") == "execution_reverted");
    // Without a deadline it waits, asked less and less often.
    JobRequest claim = job("claim", TxPurpose::defence);
    claim.gas_limit = 0;
    gas.emplace("claim", channel::Unexpected{error});
    REQUIRE(manager->submit(claim, now));
    std::uint32_t asked = 0;
    for (int i = 0; i < 100; ++i) {
        asked += manager->queries(now).estimates.empty() ? 0 : 1;
        round();
        pass(12'000);
    }
    CHECK(asked == 7);
    CHECK(status("claim") == JobStatus::queued);
    // The payment was replaced as slowly as one that nothing waits behind, and for as little.
    const Job& pay = *manager->find("pay");
    CHECK(pay.variants.size() > 1);
    const U256 second = pay.variants[1].transaction.body.max_priority_fee;
    CHECK(second < U256(kGwei) * U256(5u) / U256(4u));
    CHECK(pay.variants[1].signed_ms >= pay.variants[0].signed_ms + policy().replace_after_ms);
    gas.insert_or_assign("claim", 60'000u);
    pass(3'200'000);
    round();
    CHECK(status("claim") == JobStatus::broadcast);
}

TEST_CASE_FIXTURE(World, "cancellation: at once before signing, by using the nonce up after") {
    JobRequest waiting = job("waiting");
    waiting.budget = U256(1u);
    REQUIRE(manager->submit(waiting, now));
    REQUIRE(manager->submit(job("x"), now));
    round();
    REQUIRE(manager->cancel("waiting"));
    REQUIRE(manager->cancel("x"));
    CHECK_FALSE(manager->cancel("nothing"));
    round();
    CHECK(status("waiting") == JobStatus::cancelled);
    const auto tx = last_sent();
    CHECK(tx.body.nonce == 0);
    CHECK(tx.body.to == signer.account());
    CHECK(tx.body.data.empty());
    CHECK(tx.body.value.is_zero());
    mine(tx.hash);
    pass(1, 2);
    round();
    CHECK(status("x") == JobStatus::cancelled);
}

TEST_CASE_FIXTURE(World, "what a node says to a broadcast") {
    REQUIRE(manager->submit(job("x"), now));
    round();
    const auto first = last_sent();
    manager->broadcast_answered("x", chain_error(ChainFault::replacement_underpriced));
    round();
    CHECK(last_sent().body.max_fee > first.body.max_fee);
    manager->broadcast_answered("x", chain_error(ChainFault::transaction_already_known));
    manager->broadcast_answered("x", chain_error(ChainFault::nonce_too_low));
    manager->broadcast_answered("x", chain_error(ChainFault::chain_unreachable));
    round();
    CHECK(sent.empty());
    for (int i = 0; i < 3; ++i) manager->broadcast_answered("x", chain_error(ChainFault::transaction_rejected));
    round();
    CHECK(last_sent().body.to == signer.account());  // its nonce is freed
    mine(last_sent().hash);
    pass(1, 2);
    round();
    CHECK(status("x") == JobStatus::cancelled);
    CHECK(fault("x") == "transaction_rejected");
}

TEST_CASE_FIXTURE(World, "gas is estimated where it is not given; a call that would revert is not sent") {
    JobRequest request = job("x");
    request.gas_limit = 0;
    gas.emplace("x", 50'000u);
    REQUIRE(manager->submit(request, now));
    round();
    CHECK(last_sent().body.gas_limit == 65'000);
    request.id = "bad";
    gas.emplace("bad", channel::Unexpected{ChainError{ChainFault::execution_reverted, 3, "execution reverted",
                                                      channel::Bytes{0x4e, 0x48, 0x7b, 0x71}}});
    REQUIRE(manager->submit(request, now));
    round();
    CHECK(status("bad") == JobStatus::failed);
    CHECK(fault("bad") == "execution_reverted");
    CHECK(manager->find("bad")->detail == "Panic");
    request.id = "respond";
    request.purpose = TxPurpose::defence;
    gas.emplace("respond", gas.at("bad"));
    REQUIRE(manager->submit(request, now));
    round();
    CHECK(status("respond") == JobStatus::queued);
    gas.insert_or_assign("respond", 70'000u);
    pass(12'000);
    round();
    CHECK(status("respond") == JobStatus::broadcast);
}

TEST_CASE_FIXTURE(World, "a job waits for the one it depends on, and fails with it") {
    REQUIRE(manager->submit(job("approve"), now));
    JobRequest deposit = job("deposit");
    deposit.after = "approve";
    REQUIRE(manager->submit(deposit, now));
    JobRequest third = job("third");
    third.after = "deposit";
    REQUIRE(manager->submit(third, now));
    round();
    CHECK(sent.size() == 1);
    mine(last_sent().hash);
    round();
    CHECK(status("deposit") == JobStatus::broadcast);
    mine(last_sent().hash, false);
    pass(1, 2);
    round();
    CHECK(fault("deposit") == "transaction_reverted");
    CHECK(fault("third") == "predecessor_failed");
}

TEST_CASE_FIXTURE(World, "bounds: live jobs, with room left for defence") {
    for (std::size_t i = 0; i < TxManager::kMaxLive / 4 * 3; ++i)
        REQUIRE(manager->submit(job("j" + std::to_string(i)), now));
    CHECK(submit_fault(job("one more")) == "job_record_malformed");
    CHECK(submit_fault(job("one-more")) == "job_limit");
    CHECK(submit_fault(job("defence", TxPurpose::defence)).empty());
}

TEST_CASE_FIXTURE(World, "records: a round trip, and only records of this account and chain") {
    REQUIRE(manager->submit(job("x"), now));
    round();
    mine(last_sent().hash);
    round();
    const std::string record = store.at("x");
    const auto read = read_job(record, signer.account(), 31337);
    REQUIRE(read);
    CHECK(write_job(*read) == record);
    CHECK_FALSE(read_job(record, signer.account(), 1));
    CHECK_FALSE(read_job(record, channel::Address(), 31337));
    for (std::size_t cut = 0; cut < record.size(); cut += 7)
        CHECK_FALSE(read_job(record.substr(0, cut), signer.account(), 31337));
    std::string bent = record;
    bent.replace(bent.find("\"raw\":\"0x02f8") + 20, 2, "00");
    CHECK_FALSE(read_job(bent, signer.account(), 31337));
    CHECK_FALSE(manager->restore(record));  // there already
}
