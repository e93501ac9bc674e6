#pragma once

#include "daemon/node/outbox.h"
#include "daemon/store/writer.h"

namespace hedgerow::testing {

/// Ends turns until everything is durable, and what waited for that has run.
inline void commit_all(daemon::Outbox& outbox, daemon::Writer& writer) {
    for (int i = 0; i < 100; ++i) {
        const bool ran = outbox.end_turn();
        writer.flush();
        writer.drain();
        if (!ran && outbox.idle()) return;
    }
}

}  // namespace hedgerow::testing
