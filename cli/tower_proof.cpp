#include "cli/tower_proof.h"

#include <fmt/format.h>
#include <sodium.h>

#include <nlohmann/json.hpp>

#include "channel/codec/wire.h"
#include "channel/crypto/keccak.h"
#include "channel/crypto/signature.h"
#include "channel/messages/tower.h"
#include "channel/state/channel_state.h"
#include "wallet/keys/node_identity.h"

namespace hedgerow::cli {

using namespace channel;
using rpc::Json;

namespace {

constexpr std::size_t kNonce = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
constexpr std::size_t kTag = crypto_aead_xchacha20poly1305_ietf_ABYTES;
constexpr std::size_t kLength = 4;

/// What a proof lacks or contradicts; caught in check_bundle.
struct Wrong {
    std::string text;
};
[[noreturn]] void wrong(std::string text) {
    throw Wrong{std::move(text)};
}

const Json& member(const Json& object, const char* name) {
    if (!object.is_object() || !object.contains(name)) wrong(fmt::format("{} is missing", name));
    return object.at(name);
}
std::string text(const Json& object, const char* name) {
    const Json& value = member(object, name);
    if (!value.is_string()) wrong(fmt::format("{} is no text", name));
    return value.get<std::string>();
}
std::uint64_t number(const Json& object, const char* name) {
    const Json& value = member(object, name);
    if (!value.is_number_unsigned()) wrong(fmt::format("{} is no number", name));
    return value.get<std::uint64_t>();
}
template <typename T>
T fixed(const Json& object, const char* name) {
    const auto value = fixed_from_hex<T>(text(object, name));
    if (!value) wrong(fmt::format("{} is no hex of {} bytes", name, T::kSize));
    return *value;
}

TowerReceipt read_receipt(const Json& json) {
    TowerReceipt out;
    out.tower = fixed<NodeId>(json, "tower");
    out.client = fixed<NodeId>(json, "client");
    out.locator = fixed<Locator>(json, "locator");
    out.number = number(json, "number");
    out.version = number(json, "version");
    out.blob_hash = fixed<Hash>(json, "blobHash");
    out.previous = fixed<Hash>(json, "previous");
    out.time_ms = number(json, "time");
    out.signature = fixed<NodeSignature>(json, "signature");
    if (!wallet::verify_node_signature(out.tower, kReceiptDomain, receipt_message(out), out.signature))
        wrong("a receipt is not signed by the tower");
    return out;
}

Bytes open_blob(ByteView blob, const TowerReceipt& receipt, const Hash& key) {
    if (blob.size() < kNonce + kTag + kLength) wrong("the blob is too short");
    Bytes bound(receipt.locator.view().begin(), receipt.locator.view().end());
    for (int i = 7; i >= 0; --i) bound.push_back(static_cast<std::uint8_t>(receipt.version >> (8 * i)));
    Bytes plain(blob.size() - kNonce - kTag);
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(plain.data(), nullptr, nullptr, blob.data() + kNonce,
                                                   blob.size() - kNonce, bound.data(), bound.size(), blob.data(),
                                                   key.view().data()) != 0)
        wrong("the blob does not open with the key of that secret");
    std::size_t length = 0;
    for (std::size_t i = 0; i < kLength; ++i) length = length << 8 | plain[i];
    if (length > plain.size() - kLength) wrong("the blob's length is wrong");
    return {plain.begin() + kLength, plain.begin() + static_cast<std::ptrdiff_t>(kLength + length)};
}

void check_state(const Json& proof, const TowerReceipt& receipt, const Hash& separator) {
    const auto blob = from_hex(text(proof, "blob"));
    if (!blob) wrong("blob is no hex");
    if (Hash(keccak256(*blob)) != receipt.blob_hash) wrong("the blob is not the one that the receipt names");
    const auto secret = fixed<Secret>(proof, "secret");
    const std::string side = text(proof, "party");
    if (side != "A" && side != "B") wrong("party is neither A nor B");
    const Party party = side == "A" ? Party::A : Party::B;
    if (locator_of(secret, party, receipt.tower) != receipt.locator)
        wrong("the locator does not follow from the secret");
    const auto appointment =
        wire_decode<Appointment>(open_blob(*blob, receipt, tower_key_of(secret, party, receipt.tower)));
    if (!appointment) wrong("the blob holds no appointment");
    if (appointment->secret != secret || appointment->party != party ||
        keccak256(secret.view()) != appointment->terms.salt)
        wrong("the appointment is of another secret");
    const ChannelId id = channel_id_of(appointment->terms, separator);
    if (id != fixed<ChannelId>(proof, "channelId")) wrong("the appointment is of another channel, chain or contract");
    const auto state = decode_state(appointment->state, appointment->terms);
    if (!state || state->version != receipt.version) wrong("the appointment holds another version");
    const Digest digest = state_digest(*state, id, separator);
    for (const Party signer : {Party::A, Party::B}) {
        const auto key = recover(digest, signer == Party::A ? appointment->signature_a : appointment->signature_b);
        if (!key || address_of(*key) != appointment->terms.signer(signer))
            wrong(fmt::format("{} has not signed the state", party_name(signer)));
    }
}

/// Two receipts that a tower with one true history cannot both have signed.
bool contradicts(const TowerReceipt& kept, const Json& said_json) {
    if (said_json.is_null()) return false;  // it only denied: its word against ours
    const TowerReceipt said = read_receipt(said_json);
    if (said.tower != kept.tower || said.client != kept.client || said.locator != kept.locator) return false;
    if (said == kept) return false;
    return said.number <= kept.number ||
           (said.number == kept.number + 1 && said.previous != receipt_hash(kept)) ||
           (said.version != 0 && said.version < kept.version);
}

ProvenPromise check_proof(const Json& proof, const Hash& separator) {
    const TowerReceipt receipt = read_receipt(member(proof, "receipt"));
    ProvenPromise out;
    out.channel = text(proof, "channelId");
    out.tower = to_hex(receipt.tower);
    out.version = receipt.version;
    out.number = receipt.number;
    out.time_ms = receipt.time_ms;
    if (proof.contains("blob")) {
        check_state(proof, receipt, separator);
        out.with_state = true;
    }
    if (!proof.contains("evidence")) return out;
    for (const Json& pair : proof.at("evidence")) {
        if (contradicts(read_receipt(member(pair, "kept")), member(pair, "said"))) ++out.broken;
    }
    return out;
}

}  // namespace

Expected<std::vector<ProvenPromise>, std::string> check_bundle(const Json& bundle) {
    std::size_t at = 0;
    try {
        if (text(bundle, "kind") != kBundleKind) wrong("it is no bundle of tower receipts");
        if (number(bundle, "format") != kBundleFormat) wrong("it is of a newer format");
        const Domain domain{number(bundle, "chainId"), fixed<Address>(bundle, "adjudicator")};
        const Hash separator = domain_separator(domain);
        const Json& proofs = member(bundle, "proofs");
        if (!proofs.is_array()) wrong("proofs is no list");
        std::vector<ProvenPromise> out;
        for (const Json& proof : proofs) {
            ++at;
            out.push_back(check_proof(proof, separator));
        }
        return out;
    } catch (const Wrong& error) {
        return Unexpected{at == 0 ? error.text : fmt::format("proof {}: {}", at, error.text)};
    }
}

}  // namespace hedgerow::cli
