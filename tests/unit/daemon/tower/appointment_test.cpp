#include "daemon/tower/appointment.h"

#include <doctest/doctest.h>
#include <sodium.h>

#include "tests/support/channel_pair.h"

using namespace hedgerow;
using namespace hedgerow::channel;
using daemon::appointment_class;
using daemon::kAppointmentClasses;
using daemon::kAppointmentOverhead;
using daemon::open_appointment;
using daemon::seal_appointment;

namespace {

NodeId tower_id(std::uint8_t n) {
    NodeId id;
    id.data[0] = n;
    return id;
}

Appointment example(std::size_t state_bytes) {
    Appointment out;
    out.secret.data[5] = 9;
    out.terms = testing::sample_terms(testing::TestKey(1), testing::TestKey(2), out.secret);
    out.party = Party::B;
    out.state.assign(state_bytes, 0x5a);
    out.signature_a.data[1] = 3;
    out.preimages.push_back(Preimage());
    return out;
}

/// A blob of that plain text, sealed rightly under the appointment's key: what a client that lies could send.
Bytes seal_plain(const Bytes& plain, const Appointment& of, const NodeId& tower, std::uint64_t version) {
    const Hash key = tower_key_of(of.secret, of.party, tower);
    const Locator locator = locator_of(of.secret, of.party, tower);
    Bytes bound(locator.view().begin(), locator.view().end());
    for (int shift = 56; shift >= 0; shift -= 8) bound.push_back(static_cast<std::uint8_t>(version >> shift));
    Bytes blob(plain.size() + kAppointmentOverhead);
    crypto_aead_xchacha20poly1305_ietf_encrypt(blob.data() + 24, nullptr, plain.data(), plain.size(), bound.data(),
                                               bound.size(), nullptr, blob.data(), key.view().data());
    return blob;
}

Bytes padded(const Bytes& encoded, std::size_t size) {
    Bytes plain(size);
    for (std::size_t i = 0; i < 4; ++i) plain[i] = static_cast<std::uint8_t>(encoded.size() >> (24 - 8 * i));
    std::copy(encoded.begin(), encoded.end(), plain.begin() + 4);
    return plain;
}

}  // namespace

TEST_CASE("appointment: what is sealed opens again with what a challenge reveals, and is the same each time") {
    const Appointment original = example(700);
    const Bytes blob = seal_appointment(original, tower_id(1), 17);
    CHECK(blob == seal_appointment(original, tower_id(1), 17));
    CHECK(blob.size() == 4096 + kAppointmentOverhead);
    const auto opened = open_appointment(blob, 17, original.secret, Party::B, tower_id(1));
    REQUIRE(opened);
    CHECK(wire_encode(*opened) == wire_encode(original));
}

TEST_CASE("appointment: another tower, version or text has another nonce and hides the rest") {
    const Appointment original = example(700);
    Appointment other = original;
    other.state[0] ^= 1;
    const auto nonce = [](const Bytes& blob) { return Bytes(blob.begin(), blob.begin() + 24); };
    const Bytes blob = seal_appointment(original, tower_id(1), 17);
    CHECK(nonce(blob) != nonce(seal_appointment(original, tower_id(1), 18)));
    CHECK(nonce(blob) != nonce(seal_appointment(original, tower_id(2), 17)));
    CHECK(nonce(blob) != nonce(seal_appointment(other, tower_id(1), 17)));
    // Nothing of the appointment is readable in it.
    CHECK(std::search(blob.begin(), blob.end(), original.state.begin(), original.state.begin() + 16) == blob.end());
}

TEST_CASE("appointment: the sizes are the classes, whatever is inside") {
    const std::size_t overhead = wire_encode(example(1'000)).size() - 1'000 + 4;
    for (std::size_t i = 0; i < 3; ++i) {
        const std::size_t fits =
            kAppointmentClasses[i] - overhead - (i == 2 ? 1 : 0);  // a longer length takes a byte more
        CHECK(appointment_class(seal_appointment(example(fits), tower_id(1), 1).size()) == i);
        CHECK(appointment_class(seal_appointment(example(fits + 1), tower_id(1), 1).size()) == i + 1);
    }
    Appointment largest = example(1 << 16);
    largest.preimages.clear();
    for (std::size_t i = 0; i < kMaxLocks; ++i) largest.preimages.push_back(Preimage());
    for (std::size_t i = 2; i < kMaxAssets; ++i) largest.terms.assets.push_back(largest.terms.assets[0]);
    for (std::size_t i = 1; i < kMaxOracles; ++i) largest.terms.oracles.push_back(Address());
    const Bytes blob = seal_appointment(largest, tower_id(1), kMaxVersion);
    CHECK(appointment_class(blob.size()) == 3);
    CHECK(blob.size() <= kMaxTowerBlob);
    CHECK(open_appointment(blob, kMaxVersion, largest.secret, Party::B, tower_id(1)));
    CHECK_FALSE(appointment_class(0));
    CHECK_FALSE(appointment_class(4096));
    CHECK_FALSE(appointment_class(4097 + kAppointmentOverhead));
}

TEST_CASE("appointment: opened under anything else than it was sealed for, it is malformed") {
    const Appointment original = example(200);
    const Bytes blob = seal_appointment(original, tower_id(1), 17);
    Secret other;
    const auto rule = [&](ByteView bytes, std::uint64_t version, const Secret& secret, Party party,
                          const NodeId& tower) {
        const auto opened = open_appointment(bytes, version, secret, party, tower);
        return opened ? Rule::none : opened.error();
    };
    CHECK(rule(blob, 17, original.secret, Party::B, tower_id(1)) == Rule::none);
    CHECK(rule(blob, 16, original.secret, Party::B, tower_id(1)) == Rule::appointment_malformed);
    CHECK(rule(blob, 17, other, Party::B, tower_id(1)) == Rule::appointment_malformed);
    CHECK(rule(blob, 17, original.secret, Party::A, tower_id(1)) == Rule::appointment_malformed);
    CHECK(rule(blob, 17, original.secret, Party::B, tower_id(2)) == Rule::appointment_malformed);
    for (const std::size_t at : {std::size_t{0}, std::size_t{23}, std::size_t{24}, blob.size() - 17, blob.size() - 1}) {
        Bytes flipped = blob;
        flipped[at] ^= 0x10;
        CHECK(rule(flipped, 17, original.secret, Party::B, tower_id(1)) == Rule::appointment_malformed);
    }
    CHECK(rule(ByteView(blob).first(blob.size() - 1), 17, original.secret, Party::B, tower_id(1)) ==
          Rule::tower_blob_size);
    CHECK(rule({}, 17, original.secret, Party::B, tower_id(1)) == Rule::tower_blob_size);
}

TEST_CASE("appointment: a client that seals rubbish rightly is refused by name") {
    const Appointment original = example(200);
    const Bytes encoded = wire_encode(original);
    const auto rule = [&](const Bytes& plain) {
        const auto opened =
            open_appointment(seal_plain(plain, original, tower_id(1), 4), 4, original.secret, Party::B, tower_id(1));
        return opened ? Rule::none : opened.error();
    };
    CHECK(rule(padded(encoded, 4096)) == Rule::none);
    Bytes dirty = padded(encoded, 4096);
    dirty.back() = 1;
    CHECK(rule(dirty) == Rule::appointment_malformed);
    Bytes longer = padded(encoded, 4096);
    longer[1] = 1;  // a length beyond the end
    CHECK(rule(longer) == Rule::appointment_malformed);
    Bytes huge = padded(encoded, 4096);
    huge[0] = huge[1] = huge[2] = huge[3] = 0xff;
    CHECK(rule(huge) == Rule::appointment_malformed);
    CHECK(rule(padded(Bytes(encoded.begin(), encoded.end() - 1), 4096)) == Rule::appointment_malformed);
    CHECK(rule(Bytes(4096)) == Rule::appointment_malformed);
    Appointment foreign = original;  // sealed under one channel's key, about another
    foreign.secret.data[0] ^= 1;
    CHECK(rule(padded(wire_encode(foreign), 4096)) == Rule::appointment_malformed);
    foreign = original;
    foreign.party = Party::A;
    CHECK(rule(padded(wire_encode(foreign), 4096)) == Rule::appointment_malformed);
}
