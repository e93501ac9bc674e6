#include <doctest/doctest.h>

#include "daemon/api/payments.h"

using namespace hedgerow;
using namespace hedgerow::channel;

TEST_CASE("a lock that no open invoice of ours explains is refused by name") {
    Terms terms;
    terms.assets.resize(2);
    terms.assets[1].token.data[0] = 7;
    daemon::OwnInvoice own;
    own.invoice.token = terms.assets[1].token;
    own.invoice.amount = Amount::from_raw(100);
    own.invoice.expires_ms = 5'000;
    Lock lock;
    lock.asset = 1;
    lock.amount = Amount::from_raw(-100);
    const auto judge = [&](std::uint64_t now_ms = 4'999) {
        return daemon::judge_invoice_lock(terms, lock, &own, now_ms);
    };
    CHECK(judge() == Rule::none);
    CHECK(judge(5'000) == Rule::invoice_expired);
    CHECK(daemon::judge_invoice_lock(terms, lock, nullptr, 0) == Rule::lock_unexplained);
    lock.amount = Amount::from_raw(99);
    CHECK(judge() == Rule::lock_unexplained);
    lock.amount = Amount::from_raw(101);
    CHECK(judge() == Rule::none);
    lock.asset = 0;
    CHECK(judge() == Rule::lock_unexplained);
    lock.asset = 2;
    CHECK(judge() == Rule::lock_unexplained);
    lock.asset = 1;
    own.status = daemon::InvoiceStatus::paid;
    CHECK(judge() == Rule::invoice_paid);
}

TEST_CASE("what became of a lock is the first end behind it, whatever a later lock of the same hash came to") {
    LockHash hash, other;
    other.data[0] = 1;
    std::vector<daemon::HistoryItem> past;  // newest first
    const auto add = [&](std::uint64_t version, std::uint16_t index, Op op, bool agreed = true) {
        daemon::HistoryItem item;
        item.version = version;
        item.index = index;
        item.agreed = agreed;
        item.entry.op = std::move(op);
        past.insert(past.begin(), std::move(item));
    };
    Lock lock;
    lock.hash = hash;
    add(3, 0, CancelOp{hash});
    add(3, 1, LockOp{lock});
    add(3, 2, CancelOp{other});
    add(4, 0, FulfilOp{hash, {}});
    add(4, 1, LockOp{lock});
    add(5, 0, CancelOp{hash});
    add(6, 0, CancelOp{hash}, false);
    const auto end_of = [&](daemon::HistoryCursor at, std::size_t page) {
        std::optional<daemon::HistoryItem> end;
        for (std::size_t i = 0; i < past.size(); i += page) {
            const std::size_t count = std::min(page, past.size() - i);
            if (daemon::look_for_end(hash, at, std::span(past).subspan(i, count), end)) break;
        }
        return end ? std::pair(end->version, end->index) : std::pair<std::uint64_t, std::uint16_t>();
    };
    using At = std::pair<std::uint64_t, std::uint16_t>;
    for (const std::size_t page : {1, 2, 3, 100}) {
        CHECK(end_of({3, 1}, page) == At(4, 0));
        CHECK(end_of({4, 1}, page) == At(5, 0));
        CHECK(end_of({5, 0}, page) == At());  // what only one side has signed has ended nothing
    }
}
