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
