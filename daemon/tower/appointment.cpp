#include "daemon/tower/appointment.h"

#include <sodium.h>

#include <algorithm>

#include "channel/codec/wire.h"
#include "channel/crypto/keccak.h"
#include "channel/crypto/signature.h"

namespace hedgerow::daemon {

using channel::Appointment;
using channel::Bytes;
using channel::ByteView;
using channel::Expected;
using channel::Hash;
using channel::Rule;
using channel::Unexpected;

namespace {

constexpr std::size_t kNonce = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
constexpr std::size_t kTag = crypto_aead_xchacha20poly1305_ietf_ABYTES;
static_assert(kNonce + kTag == kAppointmentOverhead);
constexpr std::size_t kLength = 4;  // big-endian, before the appointment

void put_big_endian(std::uint8_t* out, std::uint64_t value, std::size_t bytes) {
    for (std::size_t i = 0; i < bytes; ++i) out[i] = static_cast<std::uint8_t>(value >> (8 * (bytes - 1 - i)));
}

Bytes associated(const channel::Locator& locator, std::uint64_t version) {
    Bytes out(locator.view().begin(), locator.view().end());
    out.resize(out.size() + 8);
    put_big_endian(out.data() + locator.view().size(), version, 8);
    return out;
}

/// Bytes with secrets in them, wiped when they go.
struct WipedBytes {
    Bytes bytes;
    ~WipedBytes() { sodium_memzero(bytes.data(), bytes.size()); }
};

/// A keyed hash of the plain text and of what it is bound to: no two different texts share a nonce, and no source of
/// randomness can fail.
std::array<std::uint8_t, kNonce> nonce_of(const Hash& key, ByteView bound, ByteView plain) {
    crypto_generichash_state state;
    std::array<std::uint8_t, kNonce> nonce{};
    const auto domain = std::string_view("Hedgerow tower nonce");
    crypto_generichash_init(&state, key.view().data(), key.view().size(), nonce.size());
    crypto_generichash_update(&state, reinterpret_cast<const std::uint8_t*>(domain.data()), domain.size());
    crypto_generichash_update(&state, bound.data(), bound.size());
    crypto_generichash_update(&state, plain.data(), plain.size());
    crypto_generichash_final(&state, nonce.data(), nonce.size());
    return nonce;
}

/// What follows the length, which must leave only zeros behind it; nothing otherwise.
std::optional<ByteView> unpadded(ByteView plain) {
    std::size_t length = 0;
    for (std::size_t i = 0; i < kLength; ++i) length = length << 8 | plain[i];
    if (length > plain.size() - kLength) return std::nullopt;
    const ByteView padding = plain.subspan(kLength + length);
    if (std::any_of(padding.begin(), padding.end(), [](std::uint8_t b) { return b != 0; })) return std::nullopt;
    return plain.subspan(kLength, length);
}

}  // namespace

std::optional<std::size_t> appointment_class(std::size_t blob_bytes) {
    const auto at = std::find_if(kAppointmentClasses.begin(), kAppointmentClasses.end(),
                                 [&](std::size_t size) { return size + kAppointmentOverhead == blob_bytes; });
    if (at == kAppointmentClasses.end()) return std::nullopt;
    return static_cast<std::size_t>(at - kAppointmentClasses.begin());
}

Bytes seal_appointment(const Appointment& appointment, const channel::NodeId& tower, std::uint64_t version) {
    const WipedBytes encoded{channel::wire_encode(appointment)};
    const auto size = std::find_if(kAppointmentClasses.begin(), kAppointmentClasses.end(),
                                   [&](std::size_t s) { return s >= encoded.bytes.size() + kLength; });
    ASSERT(size !=
           kAppointmentClasses.end());  // the bounds of Appointment's fields together are below the largest class
    WipedBytes plain{Bytes(*size)};
    put_big_endian(plain.bytes.data(), encoded.bytes.size(), kLength);
    std::copy(encoded.bytes.begin(), encoded.bytes.end(), plain.bytes.begin() + kLength);

    const Hash key = channel::tower_key_of(appointment.secret, appointment.party, tower);
    const Bytes bound = associated(channel::locator_of(appointment.secret, appointment.party, tower), version);
    const auto nonce = nonce_of(key, bound, plain.bytes);
    Bytes blob(nonce.begin(), nonce.end());
    blob.resize(*size + kAppointmentOverhead);
    crypto_aead_xchacha20poly1305_ietf_encrypt(blob.data() + kNonce, nullptr, plain.bytes.data(), plain.bytes.size(),
                                               bound.data(), bound.size(), nullptr, nonce.data(), key.view().data());
    return blob;
}

Expected<Appointment, Rule> open_appointment(ByteView blob, std::uint64_t version, const channel::Secret& secret,
                                             channel::Party party, const channel::NodeId& tower) {
    if (!appointment_class(blob.size())) return Unexpected{Rule::tower_blob_size};
    const Hash key = channel::tower_key_of(secret, party, tower);
    const Bytes bound = associated(channel::locator_of(secret, party, tower), version);
    WipedBytes plain{Bytes(blob.size() - kAppointmentOverhead)};
    const ByteView sealed = blob.subspan(kNonce);
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(plain.bytes.data(), nullptr, nullptr, sealed.data(), sealed.size(),
                                                   bound.data(), bound.size(), blob.data(), key.view().data()) != 0)
        return Unexpected{Rule::appointment_malformed};
    const auto encoded = unpadded(plain.bytes);
    if (!encoded) return Unexpected{Rule::appointment_malformed};
    auto appointment = channel::wire_decode<Appointment>(*encoded);
    if (!appointment || appointment->secret != secret || appointment->party != party)
        return Unexpected{Rule::appointment_malformed};
    return std::move(*appointment);
}

Expected<CheckedAppointment, Rule> check_appointment(const Appointment& appointment, const channel::ChannelId& id,
                                                     std::uint64_t version, const Hash& separator) {
    const channel::Terms& terms = appointment.terms;
    if (channel::channel_id_of(terms, separator) != id) return Unexpected{Rule::channel_id_mismatch};
    if (channel::keccak256(appointment.secret.view()) != terms.salt) return Unexpected{Rule::salt_mismatch};
    const auto state = channel::decode_state(appointment.state, terms);
    if (!state) return Unexpected{state.error()};
    if (state->version != version || version == 0) return Unexpected{Rule::version_out_of_range};
    const channel::Digest digest = channel::state_digest(*state, id, separator);
    const auto signed_by = [&](const channel::Signature& signature, const channel::Address& signer) {
        const auto key = channel::recover(digest, signature);
        return key && channel::address_of(*key) == signer;
    };
    if (!signed_by(appointment.signature_a, terms.signer_a) || !signed_by(appointment.signature_b, terms.signer_b))
        return Unexpected{Rule::wrong_signer};
    CheckedAppointment out;
    out.terms = terms;
    out.party = appointment.party;
    out.state = channel::typed_state(*state, id);
    out.signature_a = appointment.signature_a;
    out.signature_b = appointment.signature_b;
    out.preimages.assign(appointment.preimages.begin(), appointment.preimages.end());
    return out;
}

}  // namespace hedgerow::daemon
