#include "wallet/keys/wallet_error.h"

#include <array>

namespace hedgerow::wallet {

std::string_view wallet_fault_name(WalletFault fault) {
#define HEDGEROW_WALLET_FAULT_TEXT(name) #name,
    static constexpr std::array<std::string_view, static_cast<std::size_t>(WalletFault::count_)> kNames{
        HEDGEROW_WALLET_FAULTS(HEDGEROW_WALLET_FAULT_TEXT)};
#undef HEDGEROW_WALLET_FAULT_TEXT
    const auto index = static_cast<std::size_t>(fault);
    return index < kNames.size() ? kNames[index] : "unknown_wallet_fault";
}

}  // namespace hedgerow::wallet
