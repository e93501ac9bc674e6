#include "daemon/net/peer_uri.h"

#include <doctest/doctest.h>

#include "daemon/net/frame.h"
#include "tests/unit/daemon/net/net_support.h"

using namespace hedgerow::daemon;
using hedgerow::channel::Bytes;
using hedgerow::channel::ByteView;
using hedgerow::channel::NodeId;
using hedgerow::channel::Rule;

namespace {

std::string id_text() {
    return hedgerow::channel::to_hex(keys_from(5).node_id()).substr(2);
}

Rule error_of(const std::string& text) {
    const auto uri = parse_peer_uri(text);
    REQUIRE_FALSE(uri);
    return uri.error();
}

}  // namespace

TEST_CASE("peer uri: good ones parse, and format to the same text") {
    for (const char* host : {"127.0.0.1", "node.example.org", "localhost", "a-b.c_d", "[::1]", "[fe80::1:2]"}) {
        const std::string text = id_text() + "@" + host + ":9735";
        const auto uri = parse_peer_uri(text);
        REQUIRE(uri);
        CHECK(uri->node_id == keys_from(5).node_id());
        CHECK(uri->port == 9735);
        CHECK(format_peer_uri(*uri) == text);
    }
    CHECK(parse_peer_uri(id_text() + "@h:1")->port == 1);
    CHECK(parse_peer_uri(id_text() + "@h:65535")->port == 65535);
    CHECK(parse_peer_uri(id_text() + "@[::1]:1")->host == "::1");
}

TEST_CASE("peer uri: bad ones are refused by name") {
    CHECK(error_of("") == Rule::peer_uri_malformed);
    CHECK(error_of(id_text()) == Rule::peer_uri_malformed);
    CHECK(error_of(id_text() + "@host") == Rule::peer_uri_malformed);
    CHECK(error_of("host:1") == Rule::peer_uri_malformed);
    CHECK(error_of(std::string(500, 'a')) == Rule::peer_uri_malformed);
    CHECK(error_of("0x" + id_text() + "@h:1") == Rule::node_id_malformed);
    CHECK(error_of(id_text().substr(1) + "@h:1") == Rule::node_id_malformed);
    CHECK(error_of("g" + id_text().substr(1) + "@h:1") == Rule::node_id_malformed);
    CHECK(error_of(std::string(64, '0') + "@h:1") == Rule::node_id_malformed);
    for (const char* host :
         {"", "a b", "-a", "a-", "a..b", "256.1.1.1", "1.2.3", "::1", "[127.0.0.1]", "[]", "a/b", "a@b"}) {
        CAPTURE(host);
        CHECK(error_of(id_text() + "@" + host + ":1") == Rule::host_malformed);
    }
    CHECK(error_of(id_text() + "@" + std::string(64, 'a') + ":1") == Rule::host_malformed);
    for (const char* port : {"", "0", "65536", "-1", "+1", "1x", "01", " 1"}) {
        CAPTURE(port);
        CHECK(error_of(id_text() + "@h:" + port) == Rule::port_out_of_range);
    }
}

TEST_CASE("transport keys: the X25519 form of the public key belongs to the secret") {
    const TransportKeys keys = keys_from(9);
    CHECK(curve_key_of(keys.node_id()) == keys.curve_public());
    CHECK_FALSE(curve_key_of(NodeId()));
    NodeId small_order;
    small_order.data[0] = 1;
    CHECK_FALSE(curve_key_of(small_order));
}

TEST_CASE("frame: greetings, tokens and resets survive a round trip and refuse other sizes") {
    const Greeting greeting{3, keys_from(1).node_id(), 0x1122334455667788};
    Bytes body = encode_greeting(MessageKind::welcome, greeting);
    REQUIRE(kind_of(body) == MessageKind::welcome);
    REQUIRE(decode_greeting(body));
    CHECK(decode_greeting(body)->version == 3);
    CHECK(decode_greeting(body)->node_id == greeting.node_id);
    CHECK(decode_greeting(body)->instance == greeting.instance);
    body.push_back(0);
    CHECK_FALSE(decode_greeting(body));
    CHECK(decode_token(encode_token(MessageKind::ping, 1ull << 63)) == 1ull << 63);
    CHECK_FALSE(decode_token(Bytes{3}));
    CHECK(decode_reset(encode_reset(Rule::timeout)) == Rule::timeout);
    CHECK(decode_reset(Bytes{5, 0xff, 0xff}) == Rule::unexpected_message);
    CHECK_FALSE(decode_reset(Bytes{5, 0}));
    for (const Bytes& none : {Bytes{}, Bytes{0}, Bytes{7}}) CHECK_FALSE(kind_of(none));
}

TEST_CASE("frame: a malformed tail means that no frame of the message is taken") {
    int taken = 0;
    const auto take = [&](ByteView) { ++taken; };
    CHECK(for_each_frame(Bytes{6, 1, 0, 0, 0, 9, 0, 0, 0, 0}, take));
    CHECK(taken == 2);
    taken = 0;
    CHECK(for_each_frame(Bytes{6, 1, 0, 0, 0, 9, 5, 0, 0, 0}, take).error() == Rule::frame_truncated);
    CHECK(for_each_frame(Bytes{6}, take).error() == Rule::frame_truncated);
    CHECK(taken == 0);
}
