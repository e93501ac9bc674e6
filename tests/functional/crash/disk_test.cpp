#include <doctest/doctest.h>
#include <fmt/format.h>
#include <sys/mount.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <thread>

#include "daemon/store/channel_store.h"
#include "daemon/store/schema.h"
#include "tests/support/daemon_world.h"

/// Real faults of the disk under one of two nodes: each is named, ends the node with exit code 3 or keeps it from
/// starting, and loses nothing.
namespace {

using namespace hedgerow;
using namespace hedgerow::channel;
using namespace hedgerow::test;
namespace fs = std::filesystem;

constexpr int kExitStore = 3;
constexpr Int128 kUsdc = 1'000'000;

/// Where it is found again when it comes back.
DaemonOptions at_free_port() {
    DaemonOptions out;
    out.settings = {{"bind", fmt::format("127.0.0.1:{}", free_port())}};
    return out;
}

/// Armed with one failpoint; perhaps it dies as it starts.
void start_armed(Daemon& node, const std::string& point) {
    try {
        node.start({.environment = {{"HEDGEROW_FAILPOINT", point}}, .max_file_bytes = 0, .obey_modes = false});
    } catch (const std::exception&) {
        until("its end", [&] { return node.ended().has_value(); });
    }
}

void dies(Daemon& node) {
    until("its death", [&] { return node.ended().has_value(); });
    CHECK(*node.ended() == 137);
}

struct Bench {
    DaemonWorld world;
    Daemon alice, bob;
    ChannelId id;

    explicit Bench(Anvil anvil)
        : world(std::move(anvil)), alice(world, "alice", at_free_port()), bob(world, "bob") {
        alice.fund();
        bob.fund();
        id = open_channel(alice, bob, {"500", ""}, {"500", ""});
        alice.pay(id, "5");
        wait_same(alice, bob, id);
        // A node knows that it is synced with the first block after its start.
        m_miner = std::thread([this] {
            while (!m_stop) {
                std::this_thread::sleep_for(std::chrono::milliseconds(500));
                world.mine();
            }
        });
    }
    ~Bench() {
        m_stop = true;
        m_miner.join();
    }
    Bench(const Bench&) = delete;
    Bench& operator=(const Bench&) = delete;
    fs::path file(const std::string& name) const { return bob.datadir() / name; }
    Json pay_order(int number) const {
        return {{"channelId", to_hex(id)}, {"asset", "USDC"}, {"amount", "0.01"}, {"clientRef", fmt::format("pay-{}", number)}};
    }
    /// bob ends by himself with `code`, having said `text`.
    void ends(int code, const std::string& text) {
        until("bob's end", [&] { return bob.ended().has_value(); });
        CHECK(*bob.ended() == code);
        CHECK(bob.logged(text));
    }
    void does_not_start(const std::string& text, const ChildOptions& child = {}) {
        CHECK_THROWS(bob.start(child));
        ends(kExitStore, text);
    }
    /// He goes on where he was, and both agree.
    void comes_back() {
        bob.start();
        until("connected again", [&] { return bob.channel(id).at("connected").get<bool>(); });
        wait_same(alice, bob, id);
        bob.pay(id, "1");
        wait_same(alice, bob, id);
    }

  private:
    std::atomic<bool> m_stop{false};
    std::thread m_miner;  ///< a node knows that it is synced with the first block after its start
};

void overwrite(const fs::path& path, std::uint64_t at, const std::string& bytes) {
    std::fstream out(path, std::ios::in | std::ios::out | std::ios::binary);
    out.seekp(static_cast<std::streamoff>(at));
    out << bytes;
    REQUIRE(out.good());
}

std::string content(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

/// Pays under references until the node has ended; the number of payments that it said were done.
int pay_until_the_end(Bench& bench, int limit) {
    int done = 0;
    for (int i = 0; i < limit && !bench.bob.ended(); ++i) {
        try {
            (void)bench.bob.call("pay_send", bench.pay_order(i));
            done = i + 1;
        } catch (const Refused&) {
            break;
        }
    }
    return done;
}

/// What was done stays done, what was not is done now, each once.
void pay_all_again(Bench& bench, int count) {
    for (int i = 0; i < count; ++i) (void)bench.bob.call("pay_send", bench.pay_order(i));
    wait_same(bench.alice, bench.bob, bench.id);
    const std::string net = bench.alice.channel(bench.id).at("assets").at(0).at("net");
    const Int128 expected = (-5 + 1) * kUsdc + count * (kUsdc / 100);
    CHECK(net == format_decimal(expected, 6));
}

}  // namespace

TEST_SUITE_BEGIN("disk");

TEST_CASE("a file that cannot grow: the node stops by name, and after room was made nothing is lost") {
    auto anvil = Anvil::start();
    if (!anvil) return;
    Bench bench(std::move(*anvil));
    REQUIRE(bench.bob.stop() == 0);
    ChildOptions full;
    full.max_file_bytes = 200'000;
    bench.bob.start(full);
    until("connected", [&] { return bench.bob.channel(bench.id).at("connected").get<bool>(); });
    const int done = pay_until_the_end(bench, 2'000);
    CHECK(done > 0);
    bench.ends(kExitStore, "database error; the node stops");  // SQLite calls this limit a failed write, not a full disk
    bench.comes_back();
    pay_all_again(bench, done + 1);
}

TEST_CASE("a full file system: the same") {
    auto anvil = Anvil::start();
    if (!anvil) return;
    Bench bench(std::move(*anvil));
    REQUIRE(bench.bob.stop() == 0);
    const fs::path kept = bench.world.directory / "kept";
    fs::copy(bench.bob.datadir(), kept, fs::copy_options::recursive);
    if (::mount("tmpfs", bench.bob.datadir().c_str(), "tmpfs", 0, "size=4m,mode=0700") != 0) {
        MESSAGE("skipped: no tmpfs may be mounted here: ", std::strerror(errno));
        return;
    }
    fs::copy(kept, bench.bob.datadir(), fs::copy_options::recursive);
    bench.bob.start();
    until("connected", [&] { return bench.bob.channel(bench.id).at("connected").get<bool>(); });
    std::ofstream(bench.file("ballast")) << std::string(fs::space(bench.bob.datadir()).available - 65'536, 'x');
    const int done = pay_until_the_end(bench, 2'000);
    CHECK(done > 0);
    until("bob's end", [&] { return bench.bob.ended().has_value(); });
    CHECK(*bench.bob.ended() == kExitStore);
    fs::remove(bench.file("ballast"));
    bench.comes_back();
    pay_all_again(bench, done + 1);
    bench.bob.kill();
    CHECK(::umount2(bench.bob.datadir().c_str(), MNT_DETACH) == 0);
}

TEST_CASE("a database, or a directory, that cannot be written is named at the start") {
    auto anvil = Anvil::start();
    if (!anvil) return;
    Bench bench(std::move(*anvil));
    REQUIRE(bench.bob.stop() == 0);
    ChildOptions obeying;
    obeying.obey_modes = true;
    fs::permissions(bench.file("node.sqlite"), fs::perms::owner_read);
    bench.does_not_start("store_read_only", obeying);
    fs::permissions(bench.file("node.sqlite"), fs::perms::owner_read | fs::perms::owner_write);
    bench.comes_back();
}

TEST_CASE("damage is named, whether it breaks the file's structure or one row's bytes, and is never used") {
    auto anvil = Anvil::start();
    if (!anvil) return;
    Bench bench(std::move(*anvil));
    for (int i = 0; i < 20; ++i) bench.bob.pay(bench.id, "0.01");
    wait_same(bench.alice, bench.bob, bench.id);
    const Exported newest = bench.bob.exported(bench.id);
    REQUIRE(bench.bob.stop() == 0);  // checkpoints: all is in the one file
    const fs::path path = bench.file("node.sqlite");
    const std::string whole = content(path);
    const std::string wal = path.string() + "-wal";
    REQUIRE((!fs::exists(wal) || fs::file_size(wal) == 0));

    SUBCASE("every page in turn, overwritten") {
        constexpr std::uint64_t kPage = 4096;
        for (std::uint64_t page = 1; page < whole.size() / kPage; ++page) {
            if (whole.substr(page * kPage, kPage).find_first_not_of('\0') == std::string::npos) continue;  // never used
            overwrite(path, page * kPage, std::string(kPage, '\xff'));
            CAPTURE(page);
            try {
                const auto db = [&] {
                    daemon::DatabaseOptions options;
                    options.path = path;
                    return std::make_unique<daemon::Database>(options);
                }();
                FAIL("a damaged page was not noticed");
            } catch (const daemon::StoreError& error) {
                // A schema that reads as a newer one is refused as well; anything but going on.
                const bool named = error.kind() == daemon::StoreErrorKind::corrupt;
                CHECK(named);
            }
            overwrite(path, 0, whole);
        }
        overwrite(path, 2 * kPage, std::string(kPage, '\xff'));
        bench.does_not_start("store_corrupt");
    }
    SUBCASE("one bit of the channel's newest state") {
        // Its secret stands in the head and in no index: SQLite cannot notice.
        const std::string secret(reinterpret_cast<const char*>(newest.secret.data.data()), newest.secret.data.size());
        bool found = false;
        for (std::size_t at = whole.find(secret); at != std::string::npos; at = whole.find(secret, at + 1)) {
            overwrite(path, at, std::string(1, static_cast<char>(secret[0] ^ 1)));
            found = true;
        }
        REQUIRE(found);
        bench.does_not_start("digest_mismatch");
    }
    overwrite(path, 0, whole);
    bench.comes_back();
}

TEST_CASE("a journal that is gone, or cut off, is noticed: what was told to be durable is in it") {
    auto anvil = Anvil::start();
    if (!anvil) return;
    Bench bench(std::move(*anvil));
    const std::vector<std::string> segments = {"node.journal.0", "node.journal.1"};
    for (int i = 0; i < 20; ++i) bench.bob.pay(bench.id, "0.01");
    bench.bob.kill();
    std::vector<std::string> whole;
    for (const std::string& name : segments) whole.push_back(content(bench.file(name)));
    SUBCASE("gone") {
        for (const std::string& name : segments) fs::remove(bench.file(name));
    }
    SUBCASE("full of nothing") {
        for (std::size_t i = 0; i < segments.size(); ++i) overwrite(bench.file(segments[i]), 0, std::string(whole[i].size(), '\0'));
    }
    bench.does_not_start("store_stale_copy");
    for (std::size_t i = 0; i < segments.size(); ++i) std::ofstream(bench.file(segments[i]), std::ios::binary) << whole[i];
    bench.comes_back();
}

TEST_CASE("two daemons on one database: the second does not start, the first goes on") {
    auto anvil = Anvil::start();
    if (!anvil) return;
    Bench bench(std::move(*anvil));
    ChildProcess second({(fs::path(HEDGEROW_BIN_DIR) / "hedgerowd").string(), "--datadir", bench.bob.datadir().string()});
    CHECK(second.wait() == kExitStore);
    CHECK(bench.bob.logged("store_locked"));
    bench.bob.pay(bench.id, "1");
    wait_same(bench.alice, bench.bob, bench.id);
}

namespace {

/// bob's files of now, and further payments after them. `all`: with the side file.
struct Older {
    explicit Older(Bench& bench, bool with_side_file) : m_bench(bench), m_side(with_side_file) {
        REQUIRE(bench.bob.stop() == 0);
        for (const std::string& name : names()) fs::copy_file(bench.file(name), kept(name));
        bench.comes_back();
        for (int i = 0; i < 3; ++i) bench.bob.pay(bench.id, "10");
        wait_same(bench.alice, bench.bob, bench.id);
        newest = bench.bob.exported(bench.id);
        bench.bob.kill();
    }
    void put_back() {
        for (const std::string suffix : {"-wal", "-shm"}) fs::remove(m_bench.file("node.sqlite" + suffix));
        for (const std::string& name : names())
            fs::copy_file(kept(name), m_bench.file(name), fs::copy_options::overwrite_existing);
    }
    Exported newest;

  private:
    [[nodiscard]] std::vector<std::string> names() const {
        if (!m_side) return {"node.sqlite"};
        return {"node.sqlite", "node.sqlite.generation", "node.journal.0", "node.journal.1", "node.journal.generation"};
    }
    [[nodiscard]] fs::path kept(const std::string& name) const { return m_bench.world.directory / ("kept-" + name); }
    Bench& m_bench;
    bool m_side;
};

/// Behind, it signs nothing, never challenges, has the newest from its peer, and is paid by it.
void recovers(Bench& bench, const Older& older) {
    const Json by_id{{"channelId", to_hex(bench.id)}};
    until("recovered", [&] {
        const Json channel = bench.bob.channel(bench.id);
        return channel.at("status") == "recovering" && channel.at("version") == older.newest.state.version;
    });
    CHECK(bench.bob.refusal("pay_send", bench.pay_order(1)) == "channel_recovering");
    CHECK(bench.bob.refusal("channel_close", {{"channelId", to_hex(bench.id)}, {"force", true}}) == "channel_recovering");
    CHECK(bench.bob.logged("recovering"));
    const Int128 before = bench.world.balance(bench.bob.account());
    (void)bench.alice.call("channel_close", {{"channelId", to_hex(bench.id)}, {"force", true}});
    bench.bob.wait_status(bench.id, "disputed");
    bench.world.pass_seconds(61);
    bench.world.pass_seconds(10);
    bench.bob.wait_status(bench.id, "closed");
    const Ending ending = bench.world.ending(older.newest);
    CHECK(ending.settled.version == older.newest.state.version);
    CHECK(bench.world.balance(bench.bob.account()) - before == (500 + 5 - 1 - 30) * kUsdc);
}

}  // namespace

TEST_CASE("an older database swapped in is refused by name; accepted by the operator, it recovers and never challenges") {
    auto anvil = Anvil::start();
    if (!anvil) return;
    Bench bench(std::move(*anvil));
    Older older(bench, false);
    older.put_back();
    bench.does_not_start("store_stale_copy");
    {
        std::ofstream config(bench.file("hedgerow.conf"), std::ios::app);
        config << "accept-restored-database = true\n";
    }
    bench.bob.start();
    CHECK(bench.bob.status(bench.id) == "recovering");
    recovers(bench, older);
}

TEST_CASE("an older database put back with its side file looks like the newest; the peer knows better") {
    auto anvil = Anvil::start();
    if (!anvil) return;
    Bench bench(std::move(*anvil));
    Older older(bench, true);
    older.put_back();
    // The peer dies as it hands the newest state over.
    bench.alice.kill();
    start_armed(bench.alice, "send.HandOver:1");
    bench.bob.start();
    dies(bench.alice);
    CHECK(bench.bob.version(bench.id) < older.newest.state.version);
    start_armed(bench.alice, "sent.HandOver:1");
    dies(bench.alice);
    bench.bob.wait_status(bench.id, "recovering");
    bench.alice.start();
    recovers(bench, older);
}

TEST_CASE("whoever is behind dies as it tells its peer, and still recovers") {
    auto anvil = Anvil::start();
    if (!anvil) return;
    Bench bench(std::move(*anvil));
    Older older(bench, true);
    for (const std::string point : {"send.PeerError:1", "sent.PeerError:1"}) {
        older.put_back();
        start_armed(bench.bob, point);
        dies(bench.bob);
    }
    bench.bob.start();
    recovers(bench, older);
}

TEST_CASE("an invoice paid under a reference is one payment, whatever ends before its answer") {
    auto anvil = Anvil::start();
    if (!anvil) return;
    Bench bench(std::move(*anvil));
    const auto invoice = [&](const char* amount) {
        return bench.alice.call("invoice_create", {{"asset", "USDC"}, {"amount", amount}, {"expirySeconds", 20}}).at("invoice").get<std::string>();
    };
    const auto order = [](const std::string& text, const char* ref) { return Json{{"invoice", text}, {"clientRef", ref}}; };
    const std::string first = invoice("7");
    const Json paid = bench.bob.call("pay_send", order(first, "invoice-1"));
    CHECK(paid.at("status") == "done");
    CHECK(bench.bob.call("pay_send", order(first, "invoice-1")) == paid);
    CHECK(bench.bob.refusal("pay_send", order(first, "invoice-2")) != "");
    // Both have signed the lock, whoever asked has not heard.
    const std::string second = invoice("20");
    bench.bob.kill();
    start_armed(bench.bob, "ops.before_answer:1");
    until("connected", [&] { return bench.bob.channel(bench.id).at("connected").get<bool>(); });
    CHECK_THROWS((void)bench.bob.call("pay_send", order(second, "invoice-3")));
    dies(bench.bob);
    bench.bob.start();
    until("connected again", [&] { return bench.bob.channel(bench.id).at("connected").get<bool>(); });
    const Json again = bench.bob.call("pay_send", order(second, "invoice-3"));
    CHECK(again.at("status") == "done");
    CHECK(again.at("amount") == "20");
    std::this_thread::sleep_for(std::chrono::seconds(21));  // both invoices have expired
    CHECK(bench.bob.call("pay_send", order(second, "invoice-3")) == again);
    CHECK(bench.bob.call("pay_send", order(first, "invoice-1")).at("paymentId") == paid.at("paymentId"));
    CHECK(bench.bob.refusal("pay_send", order(first, "invoice-3")) == "client_ref_reused");
    wait_same(bench.alice, bench.bob, bench.id);
    CHECK(bench.alice.channel(bench.id).at("assets").at(0).at("net") == format_decimal((-5 + 27) * kUsdc, 6));
}

TEST_CASE("a withdrawal whose transaction the node has forgotten is answered with the one that paid it") {
    auto anvil = Anvil::start();
    if (!anvil) return;
    Bench bench(std::move(*anvil));
    const Json order{{"channelId", to_hex(bench.id)}, {"asset", "USDC"}, {"amount", "3"}, {"clientRef", "withdrawal-2"}};
    (void)bench.bob.call("channel_withdraw", {{"channelId", to_hex(bench.id)}, {"asset", "USDC"}, {"amount", "2"}});
    until("the first", [&] { return bench.bob.channel(bench.id).at("assets").at(0).at("withdrawn") == "2"; });
    std::string paid;
    until("the first is not outstanding any more", [&] {
        try {
            paid = bench.bob.call("channel_withdraw", order).at("txHash");
        } catch (const Refused&) {
        }
        return !paid.empty();
    });
    until("the second", [&] { return bench.bob.channel(bench.id).at("assets").at(0).at("withdrawn") == "5"; });
    REQUIRE(bench.bob.stop() == 0);
    {
        // As where it was stopped before its caller heard, and the job is not there any more.
        daemon::DatabaseOptions options;
        options.path = bench.file("node.sqlite");
        options.migrations = daemon::node_schema();
        daemon::Database db(options);
        db.begin();
        db.run("DELETE FROM tx_jobs WHERE id LIKE 'withdraw:%'");
        auto row = daemon::find_client_ref(db, "withdrawal-2");
        REQUIRE(row.has_value());
        row->outcome = daemon::RefOutcome::pending;
        WithdrawOp op;
        op.party = Party::B;
        op.total = Amount::from_raw(5 * kUsdc);
        op.deadline = bench.world.now_s() + 3'600;
        row->result = wire_encode(op);
        daemon::put_client_ref(db, *row);
        db.commit();
    }
    bench.bob.start();
    CHECK(bench.bob.call("channel_withdraw", order).at("txHash") == paid);
    CHECK(bench.bob.call("channel_withdraw", order).at("txHash") == paid);
}

TEST_CASE("a first start that dies after the migration, and a wallet whose creation nobody heard of") {
    auto anvil = Anvil::start();
    if (!anvil) return;
    DaemonWorld world(std::move(*anvil));
    DaemonOptions options;
    options.child.environment = {{"HEDGEROW_FAILPOINT", "store.after_migration:1"}};
    CHECK_THROWS(Daemon(world, "first", options));
    CHECK(fs::exists(world.directory / "first" / "node.sqlite"));
    {
        // The same directory, the same wallet file.
        const std::string hedgerowd = (fs::path(HEDGEROW_BIN_DIR) / "hedgerowd").string();
        const fs::path datadir = world.directory / "first";
        fs::remove(datadir / "wallet.seed");
        const auto call = [&](const std::string& method, const Json& params) { return call_at(datadir, method, params); };
        {
            ChildProcess process({hedgerowd, "--datadir", datadir.string()},
                                 {{{"HEDGEROW_FAILPOINT", "wallet.created:1"}}, 0, false});
            until("rpc", [&] { return fs::exists(datadir / "rpc.url"); });
            CHECK_THROWS(call("wallet_create", {{"password", "correct horse battery"}}));
            CHECK(process.wait() == 137);
        }
        fs::remove(datadir / "rpc.url");
        ChildProcess process({hedgerowd, "--datadir", datadir.string()});
        until("the wallet is open", [&] {
            return fs::exists(datadir / "rpc.url") && !call("node_info", Json::object()).at("walletLocked").get<bool>();
        });
    }
}

TEST_SUITE_END();
