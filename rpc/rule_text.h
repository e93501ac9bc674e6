#pragma once

#include <optional>
#include <string_view>

#include "channel/base/rule.h"
#include "rpc/error.h"

namespace hedgerow::rpc {

struct RuleText {
    std::string_view message;
    std::string_view remedy;
    bool retryable = false;
    Outcome outcome = Outcome::not_done;
};

/// What a broken rule means to a person; nothing for a rule without a row, whose name then has to speak for itself.
[[nodiscard]] std::optional<RuleText> rule_text(channel::Rule rule);

}  // namespace hedgerow::rpc
