#include "channel/crypto/keccak.h"

#include <cryptopp/keccak.h>

namespace hedgerow::channel {

Hash keccak256(std::initializer_list<ByteView> parts) {
    CryptoPP::Keccak_256 hasher;
    for (const ByteView part : parts) hasher.Update(part.data(), part.size());
    Hash out;
    hasher.Final(out.data.data());
    return out;
}

Hash keccak256(ByteView bytes) { return keccak256({bytes}); }

}  // namespace hedgerow::channel
