#include "rpc/methods/common.h"

namespace hedgerow::rpc {

using namespace schema;

namespace {

constexpr std::size_t kMaxTowers = 16;
constexpr std::size_t kMaxChannels = 8'192;

Schema receipt_shape() {
    return object({
        required("number", integer(1, 1LL << 53), "of this channel's receipts at this tower"),
        required("version", version_number(), "that it promises to enforce"),
        required("blobHash", hash(), "keccak256 of the sealed appointment"),
        required("previous", hash(), "hash of the receipt before it"),
        required("time", timestamp(), "by the tower's clock, Unix milliseconds"),
        required("signature", hex(64), "Ed25519, by the tower's node id"),
    });
}

Schema subscription_shape() {
    const Schema price = object({
        required("asset", string(16), "symbol"),
        required("fee", amount(), "for one period, in proportion: pay_send to the tower's node id with the memo 'tower'"),
        required("periodSeconds", integer(1, 1LL << 40), "length of a period"),
        required("records", integer(1, 1LL << 40), "channels that it allows"),
    });
    return object({
        required("kept", integer(0, 1LL << 40), "channels that the tower holds for this node"),
        required("granted", integer(0, 1LL << 40), "channels that the subscription allows; without one the tower's free quota holds"),
        required("until", timestamp(), "when it ends, by the tower's clock, Unix milliseconds; 0: there never was one"),
        optional("price", price, "what the tower asks for, in an asset that this node lists"),
    });
}

Schema tower_shape() {
    const Schema channel = object({
        required("channelId", hash(), "the channel"),
        required("agreed", version_number(), "newest version that both parties signed"),
        required("version", version_number(), "version that the tower holds; 0 is none"),
        optional("receipt", receipt_shape(), "the tower's newest promise"),
        optional("refused", string(64), "why the tower last said no"),
        required("broken", boolean(), "the tower contradicted a receipt of its own: do not rely on it"),
        required("ended", boolean(), "the channel is over, and the tower knows"),
    });
    return object({
        required("nodeId", hash(), "its identity"),
        required("uri", string(512), "where it is reached"),
        required("connected", boolean(), "handshake done"),
        optional("subscription", subscription_shape(), "what the tower last said of it"),
        required("channels", array(channel, kMaxChannels), "what it holds"),
    });
}

Schema policy_shape() {
    return object({
        required("towers", array(hash(), kMaxTowers), "towers that watch the channel"),
        required("sync", integer(0, kMaxTowers), "how many of them must hold a version before it is reported; 0 is none"),
    });
}

}  // namespace

void add_tower_methods(Methods& out) {
    out.push_back({.name = "tower_add",
                   .summary = "Let a watchtower enforce this node's channels while it is away",
                   .scope = Scope::admin,
                   .params = {required("uri", string(512), "<node id>@host:port, as the tower's operator gives it")},
                   .result = tower_shape(),
                   .details = "Every channel's newest state is sent to it from now on, sealed: it learns nothing before a challenge. Where "
                              "it is not reached at once the node keeps trying.",
                   .example = "3f…9a@198.51.100.7:9745"});
    out.push_back({.name = "tower_remove",
                   .summary = "Stop using a watchtower",
                   .scope = Scope::admin,
                   .params = {required("uri", string(512), "its URI or node id")},
                   .result = done(),
                   .details = "Its receipts are forgotten, evidence against it is kept. A tower of the configuration comes back with the "
                              "next start."});
    out.push_back({.name = "tower_list",
                   .summary = "List watchtowers, what each holds of every channel, and its receipts",
                   .scope = Scope::read,
                   .params = paged({}),
                   .result = page_of(tower_shape())});
    out.push_back({.name = "tower_proof",
                   .summary = "Show all that proves a watchtower's promise to a third party",
                   .scope = Scope::admin,
                   .params = {channel_id(), required("tower", hash(), "the tower's node id")},
                   .result = any(),
                   .details = "hedgerow-cli tower receipts writes it into a file, and tower verify checks one. It holds the channel's watch "
                              "secret: whoever has it can read what towers hold for the channel.",
                   .example = "0x5c…e1 0x3f…9a --json"});
    out.push_back({.name = "channel_towers",
                   .summary = "Show or choose the watchtowers of a channel",
                   .scope = Scope::admin,
                   .params = {channel_id(), optional("towers", array(hash(), kMaxTowers), "their node ids; none given: as it is"),
                              optional("all", boolean(), "every tower of the node, also later ones"),
                              optional("sync", integer(0, kMaxTowers), "how many must hold a version before its operations are reported")},
                   .result = policy_shape(),
                   .details = "With sync above 0 a payment is reported as done only when that many towers hold the state that contains it; "
                              "the channel itself does not wait. Where towers stay away the answer is tower_unconfirmed.",
                   .example = "0x5c…e1 --sync 1"});
}

}  // namespace hedgerow::rpc
