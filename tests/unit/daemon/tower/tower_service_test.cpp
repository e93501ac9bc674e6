#include "daemon/tower/tower_service.h"

#include <doctest/doctest.h>

#include "tests/unit/daemon/tower/tower_rig.h"

using namespace hedgerow;
using namespace hedgerow::channel;
using namespace hedgerow::daemon;
using hedgerow::testing::Protected;
using hedgerow::testing::TowerRig;

namespace {

NodeId client_id(std::uint8_t n) {
    return wallet::NodeIdentity::from_seed(Bytes(32, n)).value().node_id();
}

/// The one answer of that kind, or a failure.
template <typename M>
M only(TowerRig& rig, const NodeId& client) {
    const auto all = rig.answers(client);
    REQUIRE(all.size() == 1);
    REQUIRE(std::holds_alternative<M>(all[0]));
    return std::get<M>(all[0]);
}

/// Follows the chain, with money: nothing of its own forbids records.
void open_shop(TowerRig& rig) {
    rig.batch({}, 1, rig.now_ms / 1'000);
    rig.settle();
}

/// The wallet is never seen by a deaf chain, so new records are refused as behind: judged apart.
struct Open final : TowerWatch {
    [[nodiscard]] Rule more(std::size_t) const override { return rule; }
    void on_record(const ChannelId& disputed, const NodeId& client, const Locator&) override {
        records.emplace_back(disputed, client);
    }
    Rule rule = Rule::none;
    std::vector<std::pair<ChannelId, NodeId>> records;
};

struct Shop : TowerRig {
    Open open;
    NodeId alice = client_id(1), bob = client_id(2);
    Shop() {
        use();
        link(alice);
        link(bob);
        open_shop(*this);
    }
    void use() { run->service = std::make_unique<TowerService>(run->parts, open, policy.free, policy.fee); }
};

}  // namespace

TEST_CASE("tower service: a receipt leaves only when the record is durable; killed before, the client sends again") {
    Shop shop;
    const Protected channel;
    const TowerStore store = channel.store(Party::A, shop.me());
    shop.send(shop.alice, store);
    shop.turn();
    shop.turn();
    CHECK(shop.answers(shop.alice).empty());  // judged and queued, not committed
    shop.restart();
    shop.use();
    shop.link(shop.alice);
    shop.send(shop.alice, TowerFetch{store.locator});
    shop.settle();
    CHECK(only<TowerRefuse>(shop, shop.alice).rule == Rule::tower_record_unknown);

    shop.send(shop.alice, store);
    shop.settle();
    const auto receipt = only<TowerReceipt>(shop, shop.alice);
    CHECK(receipt.number == 1);
    CHECK(receipt.client == shop.alice);
    CHECK(receipt.tower == shop.me());
    CHECK(wallet::verify_node_signature(shop.me(), kReceiptDomain, receipt_message(receipt), receipt.signature));
    // Killed after the commit, before the answer arrived: the same receipt once more.
    shop.restart();
    shop.use();
    shop.link(shop.alice);
    shop.send(shop.alice, store);
    shop.settle();
    CHECK(only<TowerReceipt>(shop, shop.alice) == receipt);
    CHECK(shop.run->service->counts().repeated == 1);

    shop.send(shop.alice, TowerFetch{store.locator});
    shop.settle();
    const auto record = only<TowerRecord>(shop, shop.alice);
    CHECK(record.blob == store.blob);
    CHECK(record.receipt == receipt);
    // Another client learns nothing of it.
    shop.link(shop.bob);
    shop.send(shop.bob, TowerFetch{store.locator});
    shop.settle();
    CHECK(only<TowerRefuse>(shop, shop.bob).rule == Rule::tower_record_unknown);
}

TEST_CASE("tower service: many clients' stores of one turn are one commit") {
    Shop shop;
    const Protected channel;
    const auto before = shop.run->store.writer().metrics().commits;
    for (int i = 0; i < 40; ++i) {
        TowerStore store = channel.store(Party::A, shop.me());
        store.locator.data[0] = static_cast<std::uint8_t>(i);
        shop.send(i % 2 == 0 ? shop.alice : shop.bob, store);
    }
    shop.settle();
    CHECK(shop.answers(shop.alice).size() == 20);
    CHECK(shop.answers(shop.bob).size() == 20);
    CHECK(shop.run->store.writer().metrics().commits == before + 1);
    CHECK(shop.run->service->accepts());
}

TEST_CASE("tower service: refusals by name, each counted") {
    Shop shop;
    const Protected channel;
    TowerStore store = channel.store(Party::A, shop.me());
    shop.open.rule = Rule::tower_cannot_afford;
    shop.send(shop.alice, store);
    shop.settle();
    const auto refused = only<TowerRefuse>(shop, shop.alice);
    CHECK(refused.rule == Rule::tower_cannot_afford);
    CHECK(refused.locator == store.locator);
    CHECK(refused.version == store.version);
    shop.open.rule = Rule::none;
    store.blob.pop_back();
    shop.send(shop.alice, store);
    shop.settle();
    CHECK(only<TowerRefuse>(shop, shop.alice).rule == Rule::tower_blob_size);
    CHECK(shop.run->service->counts().refused.at(Rule::tower_cannot_afford) == 1);
    CHECK(shop.run->service->counts().refused.at(Rule::tower_blob_size) == 1);
}

TEST_CASE("tower service: an end needs the client's signature for this tower, this locator and this version") {
    Shop shop;
    const Protected channel;
    const TowerStore store = channel.store(Party::A, shop.me());
    shop.send(shop.alice, store);
    shop.settle();
    CHECK(only<TowerReceipt>(shop, shop.alice).version == store.version);
    const auto identity = wallet::NodeIdentity::from_seed(Bytes(32, 1)).value();
    TowerEnd end;
    end.locator = store.locator;
    end.version = store.version;
    const auto rule = [&](const NodeSignature& signature) {
        end.signature = signature;
        shop.send(shop.alice, end);
        shop.settle();
        return only<TowerRefuse>(shop, shop.alice).rule;
    };
    CHECK(rule(NodeSignature()) == Rule::bad_signature);
    CHECK(rule(identity.sign(kReceiptDomain, tower_end_message(shop.me(), end))) == Rule::bad_signature);
    CHECK(rule(identity.sign(kTowerEndDomain, tower_end_message(shop.alice, end))) == Rule::bad_signature);
    TowerEnd other = end;
    other.version += 1;
    CHECK(rule(identity.sign(kTowerEndDomain, tower_end_message(shop.me(), other))) == Rule::bad_signature);
    end.signature = identity.sign(kTowerEndDomain, tower_end_message(shop.me(), end));
    shop.send(shop.alice, end);
    shop.settle();
    CHECK(only<TowerReceipt>(shop, shop.alice).version == 0);
}

TEST_CASE("tower service: backups are stored and fetched") {
    Shop shop;
    BackupStore backup;
    backup.slot.data[0] = 3;
    backup.number = 9;
    backup.blob.assign(500, 1);
    shop.send(shop.alice, backup);
    shop.settle();
    CHECK(only<BackupStored>(shop, shop.alice).number == 9);
    backup.number = 8;
    shop.send(shop.alice, backup);
    shop.settle();
    CHECK(only<TowerRefuse>(shop, shop.alice).rule == Rule::backup_older);
    shop.send(shop.alice, BackupFetch{});
    shop.settle();
    const auto items = only<BackupItems>(shop, shop.alice);
    REQUIRE(items.items.size() == 1);
    CHECK(items.items[0].number == 9);
    CHECK_FALSE(items.more);
}

TEST_CASE("tower service: rubbish and huge frames are answered by name and change nothing") {
    Shop shop;
    const Protected channel;
    const Bytes good = wire_encode(PeerMessage(channel.store(Party::A, shop.me())));
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{40}, good.size() - 1}) {
        shop.send_bytes(shop.alice, Bytes(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size)));
        shop.settle();
        const auto all = shop.answers(shop.alice);
        REQUIRE(all.size() == 1);
        CHECK(std::get<PeerError>(all[0]).rule != Rule::none);
    }
    // A blob beyond its bound: refused where it is decoded, before anything is kept.
    Bytes huge = good;
    huge.resize(900'000, 0x5a);
    shop.send_bytes(shop.alice, huge);
    shop.settle();
    CHECK(std::holds_alternative<PeerError>(shop.answers(shop.alice).at(0)));
    CHECK(tower_totals(shop.run->store.reader()).clients == 0);
    CHECK(shop.run->service->counts().stored == 0);
}

TEST_CASE("tower service: nothing is answered before Hello, nor to another chain") {
    Shop shop;
    const Protected channel;
    const NodeId carol = client_id(3);
    shop.run->transport.linked.insert(carol);
    Inbound up;
    up.kind = Inbound::Kind::connected;
    up.peer = carol;
    up.session = 7;
    shop.run->transport.put(up);
    shop.send(carol, channel.store(Party::A, shop.me()));
    Hello hello;
    hello.chain_id = 1;
    shop.send(carol, hello);
    shop.settle();
    std::vector<Rule> rules;
    for (const PeerMessage& message : shop.answers(carol)) {
        if (const auto* error = std::get_if<PeerError>(&message)) rules.push_back(error->rule);
    }
    CHECK(rules == std::vector<Rule>{Rule::unexpected_message, Rule::wrong_chain});
    CHECK(tower_totals(shop.run->store.reader()).clients == 0);
}

namespace {

BackupStore copy_of(std::uint8_t slot, std::uint64_t number) {
    BackupStore out;
    out.slot.data[0] = slot;
    out.number = number;
    out.blob.assign(3, slot);
    return out;
}

BackupItems page(std::initializer_list<BackupStore> items, bool more) {
    BackupItems out;
    for (const BackupStore& item : items) out.items.push_back(item);
    out.more = more;
    return out;
}

std::vector<std::pair<int, std::uint64_t>> slots(const BackupItems& items) {
    std::vector<std::pair<int, std::uint64_t>> out;
    for (const BackupStore& item : items.items) out.emplace_back(item.slot.data[0], item.number);
    return out;
}

}  // namespace

TEST_CASE("two keepers of one client's backups: one page of both, newest of each slot, none skipped") {
    using Slots = std::vector<std::pair<int, std::uint64_t>>;
    CHECK(slots(merge_backups({}, {})).empty());
    CHECK_FALSE(merge_backups({}, {}).more);
    const BackupItems both = merge_backups(page({copy_of(2, 9), copy_of(5, 1)}, false),
                                           page({copy_of(1, 4), copy_of(2, 8), copy_of(5, 3)}, false));
    CHECK(slots(both) == Slots{{1, 4}, {2, 9}, {5, 3}});
    CHECK_FALSE(both.more);
    // One goes on beyond slot 3: what the other has behind it must wait for the next page.
    const BackupItems partly = merge_backups(page({copy_of(3, 1)}, true), page({copy_of(2, 1), copy_of(4, 1)}, false));
    CHECK(slots(partly) == Slots{{2, 1}, {3, 1}});
    CHECK(partly.more);
    // Everything that is asked for page by page comes, whatever the pages.
    std::map<int, std::uint64_t> wanted;
    std::vector<BackupStore> a, b;
    for (std::uint8_t slot = 1; slot <= 40; ++slot) {
        if (slot % 3 != 0) a.push_back(copy_of(slot, 1));
        if (slot % 2 == 0) b.push_back(copy_of(slot, 2));
        if (slot % 3 != 0 || slot % 2 == 0) wanted[slot] = slot % 2 == 0 ? 2 : 1;
    }
    const auto page_after = [](const std::vector<BackupStore>& all, const Locator& after) {
        BackupItems out;
        for (const BackupStore& item : all) {
            if (!(after < item.slot)) continue;
            out.more = out.items.size() == kMaxBackupsPerMessage;
            if (out.more) break;
            out.items.push_back(item);
        }
        return out;
    };
    std::map<int, std::uint64_t> got;
    BackupItems next;
    Locator after;
    do {
        next = merge_backups(page_after(a, after), page_after(b, after));
        CHECK(next.items.size() <= kMaxBackupsPerMessage);
        for (const auto& [slot, number] : slots(next)) CHECK(got.emplace(slot, number).second);
        if (!next.items.empty()) after = next.items.back().slot;
    } while (next.more);
    CHECK(got == wanted);
}

TEST_CASE("peers: a flood of one keeps what another says waiting for no more than a turn") {
    Shop shop;
    constexpr std::size_t kFlood = 10 * PeerManager::kFramesPerTurn;
    for (std::size_t i = 0; i < kFlood; ++i) shop.send_bytes(shop.alice, {0xff, 0xff});
    shop.send(shop.bob, TowerPlanAsk{});
    shop.turn();
    shop.run->store.writer().step();
    CHECK(shop.answers(shop.bob).size() == 1);
    CHECK(shop.answers(shop.alice).size() < PeerManager::kFramesPerTurn);
    CHECK(shop.run->peers.waiting());
    // Nothing of it is lost either.
    std::size_t refused = PeerManager::kFramesPerTurn - 1;
    for (int i = 0; i < 20; ++i) {
        shop.run->peers.drain();
        shop.settle();
        refused += shop.answers(shop.alice).size();
    }
    CHECK(refused == kFlood);
    CHECK_FALSE(shop.run->peers.waiting());
}
