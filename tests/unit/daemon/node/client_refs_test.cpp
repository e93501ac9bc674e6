#include "daemon/node/client_refs.h"

#include <doctest/doctest.h>

#include "tests/support/store_turns.h"
#include "tests/unit/daemon/store/node_database.h"

using namespace hedgerow::daemon;

namespace {

struct Store {
    TempDir dir;
    std::unique_ptr<Writer> writer;
    std::unique_ptr<Database> reader;
    std::unique_ptr<Outbox> outbox;

    Store() {
        WriterOptions writing;
        writing.journal.emplace();
        writing.journal->path = dir.path() / "node.journal";
        writing.checkpoint_ms = 1'000'000;
        writer = std::make_unique<Writer>(open_node_database(dir), [](const StoreError& e) { FAIL(e.what()); }, writing);
        reader = Database::open_reader(dir.path() / "node.sqlite");
        outbox = std::make_unique<Outbox>(*writer);
    }
    void commit() const { hedgerow::testing::commit_all(*outbox, *writer); }
};

ClientRefRow row(RefOutcome outcome, std::uint64_t version) {
    ClientRefRow out;
    out.ref = "one";
    out.kind = "op";
    out.outcome = outcome;
    out.version = version;
    return out;
}

}  // namespace

TEST_CASE("client references: found from the turn that stores them on, until the database has them and ever after") {
    const Store store;
    ClientRefs refs(*store.outbox, *store.reader);
    CHECK_FALSE(refs.find("one"));
    refs.put(row(RefOutcome::pending, 4));
    CHECK(refs.find("one")->outcome == RefOutcome::pending);
    store.commit();
    CHECK_FALSE(find_client_ref(*store.reader, "one"));  // in the journal
    for (int i = 0; i < 10; ++i) refs.tick();
    CHECK(refs.find("one")->version == 4);
    CHECK(refs.kept() == 1);

    // The database has an older row of it: the newer one is kept.
    REQUIRE(store.writer->checkpoint());
    refs.put(row(RefOutcome::done, 5));
    for (int i = 0; i < 10; ++i) refs.tick();
    CHECK(refs.find("one")->outcome == RefOutcome::done);
    store.commit();
    for (int i = 0; i < 10; ++i) refs.tick();
    CHECK(refs.kept() == 1);

    REQUIRE(store.writer->checkpoint());
    for (int i = 0; i < 10; ++i) refs.tick();
    CHECK(refs.kept() == 0);
    CHECK(refs.find("one")->outcome == RefOutcome::done);
    CHECK(refs.find("one")->version == 5);
}
