#pragma once

#include "tests/support/channel_pair.h"

/// What the tests of lying peers share.
namespace hedgerow::testing {

inline constexpr Int128 kLeast =
    static_cast<Int128>(static_cast<Uint128>(1) << 127);  // -2^127: decodes, and has no absolute value
inline constexpr Int128 kMost = static_cast<Int128>((static_cast<Uint128>(1) << 127) - 1);

inline std::uint64_t fresh_number(const Pair& pair) {
    return (pair.context.now_ms << 20) + 500'000;
}

/// A Propose in B's name that B's own core would not have sent.
inline void propose(Pair& pair, const Op& op, std::uint64_t number) {
    pair.run(pair.a, FromPeer{Propose{pair.a.channel.id, number, {op}}, {}});
}

template <typename M>
const M* last_sent(const Side& side) {
    for (auto it = side.outbox.rbegin(); it != side.outbox.rend(); ++it) {
        if (const auto* m = std::get_if<M>(&*it)) return m;
    }
    return nullptr;
}

/// What A answers to a proposal in B's name: the rule of its Refuse, or none where it takes it.
inline Rule answer_to(Pair& pair, const Op& op) {
    pair.settle();
    const std::uint64_t number = pair.a.channel.last_proposal_seen >= fresh_number(pair)
                                     ? pair.a.channel.last_proposal_seen + 1
                                     : fresh_number(pair);
    propose(pair, op, number);
    pair.run(pair.a, Flush{});
    const auto* refuse = last_sent<Refuse>(pair.a);
    const Rule rule = refuse == nullptr ? Rule::none : refuse->rule;
    return rule;
}

inline std::size_t count_of(const Side& side, bool (*is)(const Effect&)) {
    return static_cast<std::size_t>(std::count_if(side.other.begin(), side.other.end(), is));
}
inline bool is_challenge(const Effect& e) {
    return std::holds_alternative<SubmitChallenge>(e);
}

inline void deliver_all(Pair& pair, Side& from) {
    while (pair.deliver_one(from)) {
    }
}

}  // namespace hedgerow::testing
