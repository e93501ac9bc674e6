#include <algorithm>
#include <array>

#include "channel/codec/abi.h"
#include "wallet/chain/contract_calls.h"

namespace hedgerow::wallet {

using channel::Bytes;
using channel::ByteView;

namespace {

// IAdjudicator.sol's errors; a unit test compares the list with the committed artifact.
constexpr std::array<std::string_view, 56> kErrors = {"AssetsCountOutOfRange()",
                                                      "AssetDuplicate()",
                                                      "AssetDecimalsOutOfRange()",
                                                      "HaircutOutOfRange()",
                                                      "OraclesCountOutOfRange()",
                                                      "OraclesNotAscending()",
                                                      "OracleThresholdOutOfRange()",
                                                      "PriceSlotZero()",
                                                      "OwnerZero()",
                                                      "SignerZero()",
                                                      "SignersEqual()",
                                                      "AssetsCountMismatch()",
                                                      "InitialStateNotEmpty()",
                                                      "VersionOutOfRange()",
                                                      "NetOutOfRange()",
                                                      "AssetMarkOutOfRange()",
                                                      "PositionLimit()",
                                                      "KindUnknown()",
                                                      "PositionExpiryOutOfRange()",
                                                      "StrikeOutOfRange()",
                                                      "QuantityOutOfRange()",
                                                      "MarkOutOfRange()",
                                                      "LockLimit()",
                                                      "AssetOutOfRange()",
                                                      "LockAmountOutOfRange()",
                                                      "LockExpiryOutOfRange()",
                                                      "BadSignature()",
                                                      "WrongSigner()",
                                                      "NotAParty()",
                                                      "PartyOutOfRange()",
                                                      "SaltMismatch()",
                                                      "DeadlinePassed()",
                                                      "DeadlineTooFar()",
                                                      "ChannelFinal()",
                                                      "ChannelDisputed()",
                                                      "NotDisputed()",
                                                      "VersionMustIncrease()",
                                                      "DisputeEnded()",
                                                      "StateMismatch()",
                                                      "SettlementNotDue(uint256)",
                                                      "PriceMissing(uint256)",
                                                      "ValueMismatch()",
                                                      "NothingDue()",
                                                      "DepositOutOfRange()",
                                                      "TransferFailed()",
                                                      "AssetListed()",
                                                      "WithdrawUnfunded()",
                                                      "NetExceedsHoldings()",
                                                      "GasTooLow()",
                                                      "Reentered()",
                                                      "PackageMalformed()",
                                                      "PackageTimeMismatch()",
                                                      "PackageUnknownSigner()",
                                                      "PackageDuplicateSigner()",
                                                      "PackagePriceOutOfRange()",
                                                      "PackageMissing()"};

}  // namespace

std::string revert_reason(ByteView revert_data) {
    if (revert_data.size() < 4) return {};
    const ByteView selector = revert_data.first(4);
    const auto is = [&](std::string_view signature) {
        const Bytes expected = channel::abi_selector(signature);
        return std::equal(expected.begin(), expected.end(), selector.begin());
    };
    for (const std::string_view error : kErrors) {
        if (is(error)) return std::string(error.substr(0, error.find('(')));
    }
    if (is("Error(string)")) {
        Bytes text;
        if (!channel::abi_decode(revert_data.subspan(4), text)) return {};
        return printable({reinterpret_cast<const char*>(text.data()), text.size()});
    }
    return is("Panic(uint256)") ? std::string("Panic") : std::string();
}

}  // namespace hedgerow::wallet
