#pragma once

#include <deque>
#include <string>

namespace hedgerow::test {

/// The failpoints at which a watchtower dies in tower_walk_test.
[[nodiscard]] std::deque<std::string> tower_points();
/// Those at which its client dies, whose channel it guards.
[[nodiscard]] std::deque<std::string> tower_client_points();
/// Those of a node's own claims and preimages.
[[nodiscard]] std::deque<std::string> dispute_points();

}  // namespace hedgerow::test
