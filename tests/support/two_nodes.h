#pragma once

#include <doctest/doctest.h>

#include "tests/support/node_world.h"

namespace hedgerow::test {

/// alice leads (she accepts), bob opened and deposits 500; alice adds 300.
inline void open_between(TestNode& alice, TestNode& bob) {
    REQUIRE(bob.ask("connect " + alice.uri()) == "connected");
    const std::string opened = bob.ask("open " + alice.id() + " 500000000");
    INFO(opened);
    REQUIRE(opened.starts_with("0x"));
    REQUIRE(alice.ask("deposit 300000000 first").starts_with("0x"));
    for (TestNode* node : {&alice, &bob}) {
        node->wait_until([](const StateLine& s) {
            return s.connected == 1 && s.available_a == 300'000'000 && s.available_b == 500'000'000;
        });
    }
}

}  // namespace hedgerow::test
