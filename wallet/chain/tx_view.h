#pragma once

#include "wallet/chain/eth_client.h"
#include "wallet/chain/tx_job.h"

namespace hedgerow::wallet {

/// Asks the node what a TxManager wants to know. Blocking. One answer that fails makes the whole view fail, so that a
/// manager never decides on half of one; only an estimate may fail by itself. `last`: an earlier view, or null. While
/// the head is still its head nothing on chain is asked for again: only whether the pool still has what waits, and
/// transactions that `last` does not know.
[[nodiscard]] ChainExpected<ChainView> observe_chain(EthClient& client, const ChainQueries& queries,
                                                     const ChainView* last);

}  // namespace hedgerow::wallet
