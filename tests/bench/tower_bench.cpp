// A tower's store with a million appointments: how fast they come in, how long a start takes, how long until a
// challenge has its appointment. bench_tower [--records N] [--commit GROUP] [--directory DIR] [--keep]; prints one
// figure a line, fails (1) where a record that was stored is not found.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <random>

#include "daemon/tower/appointment.h"
#include "daemon/tower/tower_schema.h"
#include "daemon/tower/tower_tables.h"
#include "tests/support/channel_pair.h"
#include "wallet/keys/node_identity.h"

namespace {

using namespace hedgerow;
using namespace hedgerow::daemon;
using channel::ByteView;
using channel::Locator;
using channel::NodeId;
using channel::Party;
using Clock = std::chrono::steady_clock;

constexpr std::uint64_t kRecordsPerClient = 100;
constexpr std::size_t kLookups = 5'000;

struct Options {
    std::uint64_t records = 1'000'000;
    std::uint64_t commit = 1'000;
    std::filesystem::path directory = std::filesystem::temp_directory_path();
    bool keep = false;
};

double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

Locator locator_at(std::uint64_t n) {
    std::array<std::uint8_t, 8> bytes{};
    std::memcpy(bytes.data(), &n, sizeof n);
    return *Locator::from(channel::keccak256(bytes).view());
}

NodeId client_at(std::uint64_t n) {
    return *NodeId::from(locator_at(~(n / kRecordsPerClient)).view());
}

/// A real appointment, for what opening and checking one costs.
struct Example {
    testing::Pair pair;
    channel::Appointment appointment;
    Example() {
        for (int i = 0; i < 3; ++i) ASSERT(pair.attempt(Party::B, testing::pay(-5)) == channel::Rule::none);
        const channel::Channel& from = pair.a.channel;
        appointment.terms = from.terms;
        appointment.secret = from.secret;
        const channel::Bytes state = channel::wire_encode(from.agreed.state);
        appointment.state.assign(state.begin(), state.end());
        appointment.signature_a = from.agreed.signature_a;
        appointment.signature_b = from.agreed.signature_b;
    }
    [[nodiscard]] std::uint64_t version() const { return pair.a.channel.agreed.state.version; }
};

/// The kernel gives the file's pages back, as after a restart of the machine.
void forget_pages(const std::filesystem::path& path) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return;
    ::fdatasync(fd);
    ::posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    ::close(fd);
}

struct Shop {
    wallet::NodeIdentity identity = wallet::NodeIdentity::from_seed(channel::Bytes(32, 7)).value();
    ReceiptMaker maker;
    TowerQuota free{kRecordsPerClient, std::uint64_t{1} << 40, 0, 0};
    Shop() {
        maker.tower = identity.node_id();
        maker.now_ms = 1'800'000'000'000;
        maker.sign = [this](ByteView message) { return identity.sign(channel::kReceiptDomain, message); };
    }
    void put(Database& db, const NodeId& client, const channel::TowerStore& store) {
        const auto outcome = store_appointment(db, maker, client, store, free, channel::Rule::none);
        if (outcome.rule != channel::Rule::none) throw std::runtime_error(std::string(rule_name(outcome.rule)));
    }
};

void fill(Database& db, Shop& shop, const Options& options, const Example& example) {
    channel::TowerStore store;
    store.version = example.version();
    const channel::Bytes blob = seal_appointment(example.appointment, shop.identity.node_id(), example.version());
    store.blob.assign(blob.begin(), blob.end());
    const auto start = Clock::now();
    double slowest = 0;
    for (std::uint64_t n = 0; n < options.records;) {
        const auto begun = Clock::now();
        db.begin();
        for (std::uint64_t i = 0; i < options.commit && n < options.records; ++i, ++n) {
            store.locator = locator_at(n);
            shop.put(db, client_at(n), store);
        }
        db.commit();
        slowest = std::max(slowest, seconds_since(begun));
    }
    const double took = seconds_since(start);
    fmt::print("insert: {} records of {} B, {} a commit: {:.0f}/s ({:.1f} s; slowest commit {:.0f} ms)\n",
               options.records, store.blob.size(), options.commit, static_cast<double>(options.records) / took, took,
               slowest * 1e3);

    store.locator = channel::locator_of(example.appointment.secret, Party::A, shop.identity.node_id());
    db.begin();
    shop.put(db, client_at(options.records), store);
    db.commit();
}

/// One record a commit: what a lone client's store costs, flush included.
void replace(Database& db, Shop& shop, const Options& options, const Example& example) {
    channel::TowerStore store;
    store.version = example.version();
    const std::uint64_t count = std::min<std::uint64_t>(500, options.records);
    std::mt19937_64 random(1);
    const auto start = Clock::now();
    for (std::uint64_t i = 0; i < count; ++i) {
        const std::uint64_t n = random() % options.records;
        store.locator = locator_at(n);
        store.version = example.version() + i + 1;
        store.blob.assign(kAppointmentClasses[0] + kAppointmentOverhead, static_cast<std::uint8_t>(i));
        db.begin();
        shop.put(db, client_at(n), store);
        db.commit();
    }
    fmt::print("replace: one a commit: {:.0f}/s\n", static_cast<double>(count) / seconds_since(start));
}

void print_times(const char* what, std::vector<double>& us) {
    std::sort(us.begin(), us.end());
    double sum = 0;
    for (const double value : us) sum += value;
    fmt::print("{}: mean {:.1f} us, p99 {:.1f} us, max {:.1f} us ({} of them)\n", what,
               sum / static_cast<double>(us.size()), us[us.size() * 99 / 100], us.back(), us.size());
}

/// Both locators of a channel that a challenge reveals: one has a record, one has none.
void look_up(Database& db, const Options& options, const char* what) {
    std::mt19937_64 random(2);
    std::vector<double> us;
    for (std::size_t i = 0; i < kLookups; ++i) {
        const std::uint64_t n = random() % options.records;
        const auto start = Clock::now();
        const auto found = records_under(db, locator_at(n), 0, 64);
        const auto none = records_under(db, locator_at(options.records + n), 0, 64);
        us.push_back(seconds_since(start) * 1e6);
        if (found.size() != 1 || !none.empty()) throw std::runtime_error("a record is not found");
    }
    print_times(what, us);
}

void open_and_check(Database& db, const Shop& shop, const Example& example) {
    const channel::Channel& of = example.pair.a.channel;
    const NodeId& me = shop.identity.node_id();
    std::vector<double> us;
    for (int i = 0; i < 500; ++i) {
        const auto start = Clock::now();
        const Locator locator = channel::locator_of(of.secret, Party::A, me);
        const auto found = records_under(db, locator, 0, 64);
        if (found.size() != 1) throw std::runtime_error("the example is not found");
        const auto opened = open_appointment(found[0].blob, found[0].version, of.secret, Party::A, me);
        if (!opened || !check_appointment(*opened, of.id, found[0].version, of.separator))
            throw std::runtime_error("the example does not open");
        us.push_back(seconds_since(start) * 1e6);
    }
    print_times("challenge: found, opened, two signatures recovered", us);
}

void run(const Options& options) {
    const std::filesystem::path directory = options.directory / fmt::format("hedgerow-tower-bench-{}", ::getpid());
    std::filesystem::create_directories(directory);
    const std::filesystem::path path = directory / "tower.sqlite";
    const Example example;
    Shop shop;
    {
        Database db(tower_database(path));
        fill(db, shop, options, example);
        replace(db, shop, options, example);
    }
    fmt::print("file: {:.2f} GB, {:.0f} B a record\n", static_cast<double>(std::filesystem::file_size(path)) / 1e9,
               static_cast<double>(std::filesystem::file_size(path)) / static_cast<double>(options.records));
    for (const bool cold : {true, false}) {
        if (cold) forget_pages(path);
        const auto start = Clock::now();
        Database db(tower_database(path));
        const auto reader = Database::open_reader(path);
        const TowerTotals totals = tower_totals(*reader);
        const auto disputes = engaged_disputes(*reader);
        fmt::print("start, {}: {:.1f} ms ({} appointments, {} disputes)\n", cold ? "cold" : "warm",
                   seconds_since(start) * 1e3, totals.all_records(), disputes.size());
        if (totals.all_records() != options.records + 1) throw std::runtime_error("the count is wrong");
        look_up(*reader, options, cold ? "lookup of both locators, cold" : "lookup of both locators, warm");
        if (!cold) open_and_check(*reader, shop, example);
    }
    if (!options.keep) std::filesystem::remove_all(directory);
}

Options read_options(int argc, char** argv) {
    Options out;
    const auto number = [](const char* text) {
        std::uint64_t value = 0;
        const char* end = text + std::strlen(text);
        if (std::from_chars(text, end, value).ptr != end || value == 0) throw std::invalid_argument(text);
        return value;
    };
    for (int i = 1; i < argc; ++i) {
        const std::string_view name(argv[i]);
        if (name == "--keep") {
            out.keep = true;
        } else if (i + 1 == argc) {
            throw std::invalid_argument(argv[i]);
        } else if (name == "--records") {
            out.records = number(argv[++i]);
        } else if (name == "--commit") {
            out.commit = number(argv[++i]);
        } else if (name == "--directory") {
            out.directory = argv[++i];
        } else {
            throw std::invalid_argument(argv[i]);
        }
    }
    return out;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        run(read_options(argc, argv));
        return 0;
    } catch (const std::exception& error) {
        fmt::print(stderr, "bench_tower: {}\n", error.what());
        return 1;
    }
}
