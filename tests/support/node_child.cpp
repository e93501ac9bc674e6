#include <fmt/format.h>

#include <cstdio>
#include <iostream>
#include <sstream>
#include <thread>

#include "channel/crypto/signature.h"
#include "channel/machine/apply.h"
#include "daemon/node/node.h"
#include "daemon/node/node_parts.h"
#include "daemon/store/channel_store.h"
#include "tests/support/test_preimage.h"
#include "wallet/chain/contract_calls.h"
#include "wallet/signer/keyring.h"

/// A node without market and RPC, driven line by line from stdin: every line begins with a number, and is answered on
/// stdout, now or later, by one line that begins with the same. Only for the functional test. Arguments: datadir, chain
/// URL, adjudicator, token, port, and the phrase of the wallet to restore.
namespace {

using namespace hedgerow::channel;
using namespace hedgerow::daemon;
using hedgerow::test::test_preimage;

/// Answers the command of that number.
struct Say {
    std::uint64_t number = 0;

    void operator()(const std::string& line) const {
        std::cout << number << ' ' << line << std::endl;  // flushed: the test waits for it
    }
    template <typename T>
    void result(const Result<T>& result, const std::string& good) const {
        (*this)(result ? good : fmt::format("error {}", result.error().name));
    }
};

NodeOptions options_of(char** argv) {
    NodeOptions out;
    out.datadir = argv[1];
    out.chain_url = argv[2];
    out.chain_id = 31337;
    out.adjudicator = *parse_address(argv[3]);
    out.confirmations = 1;
    out.chain_poll_ms = 100;
    out.fees.block_ms = 200;
    out.transport.listen_port = static_cast<std::uint16_t>(std::stoul(argv[5]));
    out.assets.push_back({"USDC", *parse_address(argv[4]), 6, {}, 0});
    out.assets.push_back({"ETH", {}, 18, {}, 0});
    out.opening.oracles.push_back(*parse_address("0x0000000000000000000000000000000000000001"));
    out.opening.oracle_threshold = 1;
    out.opening.dispute_period_s = 60;
    out.opening.min_dispute_period_s = 60;
    out.opening.stale_penalty = Amount::from_raw(1'000'000);
    out.opening.max_stale_penalty = Amount::from_raw(1'000'000);
    return out;
}

/// The node's one channel that is not closed, or else its newest.
const Channel* the_channel(Node& node) {
    const Channel* out = nullptr;
    for (const Channel* c : node.channels()) {
        if (out == nullptr || out->status == Status::closed) out = c;
    }
    return out;
}

std::string state_line(Node& node) {
    const Channel* c = the_channel(node);
    if (c == nullptr) return "none";
    const Context context = node.context();
    return fmt::format("{} {} {} {} {} {} {} {}", status_name(c->status), c->connected ? 1 : 0, c->agreed.state.version,
                       to_hex(c->agreed.digest), format_decimal(c->agreed.state.net[0].raw(), 0),
                       format_decimal(available_of(context, *c, c->agreed.state, Party::A, 0).raw(), 0),
                       format_decimal(available_of(context, *c, c->agreed.state, Party::B, 0).raw(), 0),
                       c->pending.size());
}

/// `count` payments of `amount`, at most 64 at a time; answers "paid <ok> <refused> <last rule>".
struct PayRun {
    Node& node;
    Say say;
    Amount amount;
    std::size_t to_start = 0;
    std::size_t waiting = 0;
    std::size_t done = 0;
    std::size_t failed = 0;
    std::string rule = "none";

    /// No two are alike, in this life or, by the clock, in another: a payment takes less than a millisecond.
    static std::string reference(const Node& node) {
        static std::uint64_t number = 0;
        return fmt::format("p{}-{}", node.now_ms(), ++number);
    }
    static void pump(const std::shared_ptr<PayRun>& run) {
        const Channel* c = the_channel(run->node);
        while (run->to_start > 0 && run->waiting < 64) {
            --run->to_start;
            ++run->waiting;
            const Int128 sign = sign_of(c->me);
            const PayOp op{0, Amount::from_raw(sign * run->amount.raw()), {}};
            run->node.submit_op(c->id, op, reference(run->node),
                                [run](const Result<OpDone>& result) {
                                    --run->waiting;
                                    if (result)
                                        ++run->done;
                                    else
                                        ++run->failed, run->rule = result.error().name;
                                    run->node.loop().post_completion([run] { pump(run); });
                                });
        }
        if (run->to_start == 0 && run->waiting == 0)
            run->say(fmt::format("paid {} {} {}", run->done, run->failed, run->rule)),
                run->to_start = ~std::size_t{0} >> 1, run->waiting = 64;
    }
};

void command(Node& node, const std::string& line) {
    std::istringstream in(line);
    Say say;
    std::string verb, a, b;
    in >> say.number >> verb >> a >> b;
    const auto number = [](const std::string& text) { return Amount::from_raw(*parse_decimal(text, 0)); };
    const auto tx = [say](const Result<TxHash>& result) { say.result(result, result ? to_hex(*result) : ""); };
    if (verb == "info") {
        const auto addresses = node.wallet_addresses();
        say(fmt::format("{} {}", node.info().uri, to_hex(addresses.front())));
    } else if (verb == "connect") {
        node.connect_peer(a, [say](const Result<PeerInfo>& result) { say.result(result, "connected"); });
    } else if (verb == "open") {
        OpenOrder order;
        order.peer = *fixed_from_hex<NodeId>(a);
        order.deposits.push_back({0, number(b)});
        node.open_channel(
            order, [say](const Result<OpenedChannel>& result) { say.result(result, result ? to_hex(result->id) : ""); });
    } else if (verb == "openwith") {
        OpenOrder order;
        order.peer = *fixed_from_hex<NodeId>(a);
        order.deposits.push_back({0, Amount::from_raw(5)});
        if (b == "oracle") {
            order.oracles = {{*parse_address("0x0000000000000000000000000000000000000002")}};
        } else if (b == "risk") {
            order.risk = RiskTerms{};
            order.risk->classes.push_back({*feed_from_name("BTC_USD"), 1'000, 500, 100, Quantity::from_raw(1)});
        } else {
            order.dispute_period_s = static_cast<std::uint32_t>(std::stoul(b));
        }
        node.open_channel(
            order, [say](const Result<OpenedChannel>& result) { say.result(result, result ? to_hex(result->id) : ""); });
    } else if (verb == "deposit") {
        node.deposit(the_channel(node)->id, 0, number(a), b, tx);
    } else if (verb == "withdraw") {
        node.withdraw(the_channel(node)->id, 0, number(a), b, tx);
    } else if (verb == "pay") {
        auto run = std::make_shared<PayRun>(PayRun{node, say, number(b)});
        run->to_start = std::stoul(a);
        PayRun::pump(run);
    } else if (verb == "payref") {
        const Channel* c = the_channel(node);
        const PayOp op{0, Amount::from_raw(sign_of(c->me) * number(a).raw()), {}};
        node.submit_op(c->id, op, b, [say](const Result<OpDone>& result) {
            say.result(result, result ? fmt::format("done {}", result->version) : "");
        });
    } else if (verb == "know") {  // the preimage that begins with this byte, as an invoice's would be known
        node.persist([number = static_cast<std::uint8_t>(std::stoul(a))](Database& db) {
            const auto [preimage, hash] = test_preimage(number);
            put_preimage(db, hash, preimage);
        });
        node.when_durable([say] { say("known"); });
    } else if (verb == "lock") {  // amount, preimage byte, seconds until it expires
        std::string seconds;
        in >> seconds;
        const Channel* c = the_channel(node);
        const LockHash hash = test_preimage(static_cast<std::uint8_t>(std::stoul(b))).second;
        const Lock lock{hash, node.now_ms() / 1'000 + std::stoul(seconds), 0, Amount::from_raw(sign_of(c->me) * number(a).raw())};
        node.submit_op(c->id, LockOp{lock}, {}, [say](const Result<OpDone>& result) { say.result(result, "locked"); });
    } else if (verb == "export") {
        const Channel* c = the_channel(node);
        const SignedState& s = c->agreed;
        say(fmt::format("{} {} {} {} {} {}", to_hex(c->id), to_hex(wire_encode(c->terms)), to_hex(c->secret),
                        to_hex(wire_encode(typed_state(s.state, c->id))), to_hex(s.signature_a), to_hex(s.signature_b)));
    } else if (verb == "locks") {
        say(std::to_string(the_channel(node)->agreed.state.locks.size()));
    } else if (verb == "revealed") {
        const Revealed known = all_revealed(node.reader());
        say(std::to_string(known.contains(test_preimage(static_cast<std::uint8_t>(std::stoul(a))).second) ? 1 : 0));
    } else if (verb == "wallet") {
        if (a == "lock") {
            node.lock_wallet();
            say("locked");
        } else {
            node.unlock_wallet("correct horse", [say](const Result<Address>& result) { say.result(result, "unlocked"); });
        }
    } else if (verb == "state") {
        say(state_line(node));
    } else if (verb == "history") {
        const auto items = node.history(the_channel(node)->id, {}, 1'000);
        Int128 sum = 0;
        for (const HistoryItem& item : *items) sum += item.effect[0].raw();
        say(fmt::format("{} {}", items->size(), format_decimal(sum, 0)));
    } else if (verb == "close") {
        node.close(the_channel(node)->id, {}, tx);
    } else if (verb == "force") {
        node.force_close(the_channel(node)->id, {}, tx);
    } else if (verb == "cheat") {
        // The newest co-signed state of now as a challenge, for a test to submit later, when it is old.
        const Channel* c = the_channel(node);
        const SignedState& s = c->agreed;
        say(to_hex(hedgerow::wallet::challenge_call(c->terms, c->secret, typed_state(s.state, c->id),
                                                    {s.signature_a, s.signature_b}, {})));
    } else if (verb == "phrase") {
        say(std::string(hedgerow::wallet::reveal_text(*node.keyring()->mnemonic())));
    } else if (verb == "number") {
        say(std::to_string(*wire_decode<std::uint32_t>(*get_meta(node.reader(), "next_signer"))));
    } else if (verb == "record") {
        // What the signing policy has stored of the channel.
        const ChannelId id = the_channel(node)->id;
        for (const KeyedBlob& row : all_signing_records(node.reader())) {
            if (ChannelId::from(row.key) != id) continue;
            const auto record = hedgerow::wallet::decode_record(row.value);
            return say(fmt::format("{} {}", record->version, record->recovering ? "recovering" : "whole"));
        }
        say("none");
    } else if (verb == "backup") {
        node.backup_channels(a, [say](const Result<BackedUp>& result) {
            say.result(result, result ? fmt::format("backup {}", result->channels) : "");
        });
    } else if (verb == "restore") {
        node.restore_channels(a, [say](const Result<std::size_t>& result) {
            say.result(result, result ? fmt::format("restored {}", *result) : "");
        });
    } else if (verb == "tower") {
        node.add_tower(a, [say](const Result<TowerInfo>& result) { say.result(result, "added"); });
    } else if (verb == "held") {
        // "<version> <broken> <refused>" at the first tower, of the channel that is named, or else the one; version 0
        // where that has ended.
        const auto towers = node.towers();
        const Channel* channel = the_channel(node);
        if (towers.empty() || channel == nullptr) return say("none");
        const auto id = a.empty() ? channel->id : *fixed_from_hex<ChannelId>(a);
        for (const TowerChannelInfo& c : towers[0].channels) {
            if (c.channel != id) continue;
            const std::uint64_t version = c.promise && !c.ended ? c.promise->version : 0;
            return say(fmt::format("{} {} {}", version, c.broken ? 1 : 0, rule_name(c.refused)));
        }
        say("none");
    } else if (verb == "stop") {
        node.stop();
    } else {
        say("error unknown_command");
    }
}

void read_commands(Node& node) {
    std::string line;
    while (std::getline(std::cin, line)) {
        if (!node.loop().post([&node, line] { command(node, line); })) return;
    }
    node.stop();
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 6 && argc != 7) return 2;
    try {
        std::filesystem::create_directories(argv[1]);
        Node node(options_of(argv));
        const bool posted = node.loop().post([&node, phrase = std::string(argc == 7 ? argv[6] : "")] {
            const auto opened = [](const auto& result) { Say{}.result(result, "ready"); };
            if (node.wallet_exists())
                node.unlock_wallet("correct horse", opened);
            else if (!phrase.empty())
                node.restore_wallet("correct horse", phrase, opened);
            else
                node.create_wallet("correct horse", opened);
        });
        if (!posted) return 2;
        std::thread commands([&node] { read_commands(node); });
        commands.detach();
        const int code = node.run();
        std::_Exit(code);  // the reader may still wait for stdin
    } catch (const std::exception& error) {
        std::cerr << error.what() << std::endl;
        return 3;
    }
}
