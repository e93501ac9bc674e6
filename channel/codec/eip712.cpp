#include "channel/codec/eip712.h"

namespace hedgerow::channel {

Hash domain_separator(const Domain& domain) {
    const Hash type = keccak256(as_bytes("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"));
    const Hash name = keccak256(as_bytes("Hedgerow"));
    const Hash version = keccak256(as_bytes("1"));
    const Word chain = to_word(domain.chain_id);
    const Word contract = to_word(domain.contract);
    return keccak256({type.view(), name.view(), version.view(), ByteView(chain), ByteView(contract)});
}

Digest typed_digest(const Hash& separator, const Hash& struct_hash) {
    static constexpr std::array<std::uint8_t, 2> kPrefix = {0x19, 0x01};
    return *Digest::from(keccak256({ByteView(kPrefix), separator.view(), struct_hash.view()}).view());
}

}  // namespace hedgerow::channel
