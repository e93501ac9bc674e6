#include "channel/market/payoff.h"

#include <algorithm>

namespace hedgerow::channel {

Price payoff(Kind kind, Price strike, Price underlying) {
    const Price nothing;
    const Price one_usd = Price::from_raw(100'000'000);
    switch (kind) {
        case Kind::linear:
            return underlying;
        case Kind::call:
            return std::max(underlying - strike, nothing);
        case Kind::put:
            return std::max(strike - underlying, nothing);
        case Kind::digital_call:
            return underlying >= strike ? one_usd : nothing;
        case Kind::digital_put:
            return underlying < strike ? one_usd : nothing;
    }
    ASSERT(false && "kind");
    return nothing;
}

}  // namespace hedgerow::channel
