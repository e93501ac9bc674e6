#include "channel/base/rule.h"

#include <array>

namespace hedgerow::channel {

std::string_view rule_name(Rule rule) {
    static constexpr std::array kNames = {
#define HEDGEROW_RULE_TEXT(name) std::string_view(#name),
        HEDGEROW_RULES(HEDGEROW_RULE_TEXT)
#undef HEDGEROW_RULE_TEXT
    };
    const auto index = static_cast<std::size_t>(rule);
    return index < kNames.size() ? kNames[index] : std::string_view("unknown_rule");
}

}  // namespace hedgerow::channel
