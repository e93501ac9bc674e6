#include "channel/messages/tower.h"

#include "channel/codec/wire.h"
#include "channel/crypto/keccak.h"

namespace hedgerow::channel {

namespace {

ByteView text(std::string_view name) { return {reinterpret_cast<const std::uint8_t*>(name.data()), name.size()}; }

Hash derived(std::string_view name, const Secret& secret, Party party, const NodeId& tower) {
    const std::array<std::uint8_t, 1> side = {static_cast<std::uint8_t>(party)};
    return keccak256({text(name), secret.view(), side, tower.view()});
}

}  // namespace

Locator locator_of(const Secret& secret, Party party, const NodeId& tower) {
    return *Locator::from(derived("Hedgerow tower locator", secret, party, tower).view());
}

Hash tower_key_of(const Secret& secret, Party party, const NodeId& tower) { return derived("Hedgerow tower key", secret, party, tower); }

Bytes receipt_message(const TowerReceipt& receipt) {
    Bytes out = wire_encode(receipt);
    out.resize(out.size() - receipt.signature.view().size());  // the last field
    return out;
}

Hash receipt_hash(const TowerReceipt& receipt) { return keccak256(wire_encode(receipt)); }

Bytes tower_end_message(const NodeId& tower, const TowerEnd& end) {
    Bytes out(tower.view().begin(), tower.view().end());
    const Bytes rest = wire_encode(end);
    out.insert(out.end(), rest.begin(), rest.end() - static_cast<std::ptrdiff_t>(end.signature.view().size()));
    return out;
}

}  // namespace hedgerow::channel
