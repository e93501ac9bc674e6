#include "channel/messages/ops.h"

namespace hedgerow::channel {

std::string_view op_name(const Op& op) {
    static constexpr std::array<std::string_view, std::variant_size_v<Op>> kNames = {
        "pay", "swap", "trade", "mark", "lock", "fulfil", "cancel", "liquidate", "terms", "withdraw", "close", "expire"};
    return kNames[op.index()];
}

}  // namespace hedgerow::channel
