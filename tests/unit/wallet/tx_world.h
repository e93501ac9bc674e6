#pragma once

#include <doctest/doctest.h>

#include <map>
#include <memory>
#include <set>

#include "tests/support/anvil_accounts.h"
#include "wallet/chain/tx_manager.h"

/// What the tests of the transaction manager share: a chain of which the test decides everything.
namespace hedgerow::wallet::testing {

using channel::U256;

inline constexpr std::uint64_t kGwei = 1'000'000'000;
inline const U256 kEther(1'000'000'000'000'000'000u);

inline FeePolicy policy() {
    FeePolicy out;
    out.confirmations = 3;
    out.final_depth = 5;
    return out;
}

inline JobRequest job(const std::string& id, TxPurpose purpose = TxPurpose::spend) {
    JobRequest out;
    out.id = id;
    out.to.data.fill(0x11);
    out.purpose = purpose;
    out.gas_limit = 100'000;
    return out;
}

/// A chain of which the test decides everything, and the shell around one manager.
struct World {
    test::TestSigner signer{test::anvil_key(0)};
    std::unique_ptr<TxManager> manager = std::make_unique<TxManager>(signer, 31337, policy());
    ChainView view;
    std::uint64_t now = 1'000'000;
    std::set<channel::TxHash> pool;
    std::map<channel::TxHash, MinedAt> mined;
    std::map<std::string, std::string> store;
    std::vector<BroadcastTx> sent;
    std::vector<JobChanged> changes;
    std::map<std::string, ChainExpected<std::uint64_t>> gas;

    World() {
        view.head = 100;
        view.block_gas_limit = 30'000'000;
        view.base_fee = U256(kGwei);
        view.priority_fee = U256(kGwei);
        view.balance = kEther;
    }

    /// One round: look, tick, persist, broadcast. `deliver`: whether broadcasts reach the node.
    void round(bool deliver = true) {
        const ChainQueries queries = manager->queries(now);
        view.transactions.clear();
        view.estimates.clear();
        for (const auto& hash : queries.transactions) {
            if (mined.contains(hash)) {
                view.transactions.push_back({hash, TxPlace::mined, mined.at(hash)});
            } else {
                view.transactions.push_back(
                    {hash, pool.contains(hash) ? TxPlace::pending : TxPlace::unknown, std::nullopt});
            }
        }
        for (const auto& question : queries.estimates) view.estimates.push_back({question.job, gas.at(question.job)});
        sent.clear();
        changes.clear();
        for (const TxAction& action : manager->tick(now, view)) {
            if (const auto* persist = std::get_if<PersistJob>(&action)) store[persist->id] = persist->record;
            if (const auto* forget = std::get_if<ForgetJob>(&action)) store.erase(forget->id);
            if (const auto* change = std::get_if<JobChanged>(&action)) changes.push_back(*change);
            if (const auto* out = std::get_if<BroadcastTx>(&action)) {
                // Persist, then send: what is broadcast is in the store by now.
                CHECK(store.at(out->id).find(channel::to_hex(out->raw)) != std::string::npos);
                sent.push_back(*out);
                if (deliver) pool.insert(out->hash);
            }
        }
    }
    SignedTransaction last_sent() const {
        REQUIRE(!sent.empty());
        return *decode_transaction(sent.back().raw);
    }
    void mine(const channel::TxHash& hash, bool success = true) {
        pool.erase(hash);
        channel::BlockHash block;
        block.data.fill(static_cast<std::uint8_t>(++view.head));
        mined[hash] = MinedAt{hash, block, view.head, success, 50'000, U256(kGwei)};
        ++view.nonce;
    }
    void pass(std::uint64_t ms, std::uint64_t blocks = 1) {
        now += ms;
        view.head += blocks;
    }
    JobStatus status(const std::string& id) const { return manager->find(id)->status; }
    std::string fault(const std::string& id) const {
        const auto value = manager->find(id)->fault;
        return value ? std::string(chain_fault_name(*value)) : std::string();
    }
    /// Blocks of that length, and a policy for them as node_options() makes it. Before the first job.
    void slow_to(std::uint64_t block_ms) {
        FeePolicy for_blocks = policy();
        for_blocks.block_ms = block_ms;
        for_blocks.rebroadcast_ms = block_ms * 5 / 4;
        for_blocks.replace_after_ms = block_ms * 5;
        manager = std::make_unique<TxManager>(signer, 31337, for_blocks);
    }
    void restart() {
        manager = std::make_unique<TxManager>(signer, 31337, policy());
        for (const auto& [id, record] : store) REQUIRE(manager->restore(record));
    }
    std::string submit_fault(const JobRequest& request) {
        const auto answer = manager->submit(request, now);
        return answer ? std::string() : std::string(chain_fault_name(answer.error().fault));
    }
};

}  // namespace hedgerow::wallet::testing
