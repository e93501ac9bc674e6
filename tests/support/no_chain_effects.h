#pragma once

#include "daemon/node/channel_manager.h"

namespace hedgerow::testing {

/// A chain that is asked for nothing in a test.
struct NoChainEffects final : daemon::ChainEffects {
    void challenge(const channel::Channel&) override {}
    void respond(const channel::Channel&) override {}
    void close_ready(const channel::Channel&, const channel::CloseReady&) override {}
    void withdraw_ready(const channel::Channel&, const channel::WithdrawReady&) override {}
    void status_changed(const channel::Channel&) override {}
};

}  // namespace hedgerow::testing
