#pragma once

#include "channel/messages/typed.h"

namespace hedgerow::channel {

/// What one unit of an expired instrument is worth at `underlying`, the price of its underlying at expiry (spec 3.7).
/// USD 1e-8; a digital pays one USD. Strike and underlying lie within [0, 2^96), so does the result.
[[nodiscard]] Price payoff(Kind kind, Price strike, Price underlying);

}  // namespace hedgerow::channel
