#pragma once

#include <vector>

#include "rpc/json.h"

namespace hedgerow::rpc {

/// Builds values from a parser's events, since only there are duplicate keys still visible. Where an event returns
/// false the text is refused, and `error` says why.
class JsonBuilder {
  public:
    explicit JsonBuilder(std::size_t max_depth) : m_max_depth(max_depth) {}

    /// The next value goes into `to`, which lies inside so many containers and outlives the building.
    void begin(Json& to, std::size_t depth);
    /// Inside a container of the value that was begun.
    [[nodiscard]] bool inside() const { return !m_open.empty(); }

    bool put(Json&& value);
    bool open(Json&& container);
    bool close();
    bool key(std::string& name);
    bool fail(std::string_view name, std::string message);

    JsonError error{"json_malformed", "not JSON"};

  private:
    Json* insert(Json&& value);

    const std::size_t m_max_depth;
    std::size_t m_depth = 0;
    Json* m_root = nullptr;
    // Pointers stay good: a container grows only while it is the innermost one open.
    std::vector<Json*> m_open;
    std::string m_key;
};

/// What a key that comes again, or one too many, is refused as.
[[nodiscard]] JsonError duplicate_key(std::string_view name);
[[nodiscard]] JsonError too_many_members();
[[nodiscard]] JsonError not_json(std::size_t position);

}  // namespace hedgerow::rpc
