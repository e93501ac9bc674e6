#pragma once

#include <array>
#include <optional>
#include <vector>

#include "channel/base/expected.h"
#include "channel/messages/tower.h"
#include "channel/state/channel_state.h"

/// How a client seals what a tower keeps for it, and how the tower opens it once a challenge has revealed the channel's
/// watch secret (spec 10.2). Shared by both.
namespace hedgerow::daemon {

/// What an appointment is padded to before it is sealed, bytes.
inline constexpr std::array<std::size_t, 4> kAppointmentClasses{4 << 10, 16 << 10, 48 << 10, 112 << 10};
inline constexpr std::size_t kAppointmentOverhead = 24 + 16;  ///< nonce before, tag behind

/// Index in kAppointmentClasses of a sealed blob of that size; nothing where it is none of them (tower_blob_size).
[[nodiscard]] std::optional<std::size_t> appointment_class(std::size_t blob_bytes);

/// The blob of TowerStore for that tower and version, which is the state's. The nonce is a keyed hash of what is
/// sealed, so the same appointment gives the same blob, whenever and however often it is sent.
[[nodiscard]] channel::Bytes seal_appointment(const channel::Appointment& appointment, const channel::NodeId& tower,
                                              std::uint64_t version);

/// Reverses seal_appointment with what a challenge reveals. tower_blob_size, or appointment_malformed where the blob
/// was not sealed for exactly this (secret, party, tower, version) or does not hold one appointment of that secret and
/// party. Nothing in it is checked beyond that: see check_appointment.
[[nodiscard]] channel::Expected<channel::Appointment, channel::Rule> open_appointment(channel::ByteView blob,
                                                                                      std::uint64_t version,
                                                                                      const channel::Secret& secret,
                                                                                      channel::Party party,
                                                                                      const channel::NodeId& tower);

/// An appointment that the contract would enforce.
struct CheckedAppointment {
    channel::Terms terms;
    channel::Party party = channel::Party::A;  ///< whose it is
    channel::State state;
    channel::Signature signature_a;
    channel::Signature signature_b;
    std::vector<channel::Preimage> preimages;
};
/// What holds before a tower acts for a channel: the terms hash to its id (channel_id_mismatch), the salt is that of
/// the secret (salt_mismatch), the state is one of those terms with exactly that version (the Rule of decode_state,
/// version_out_of_range) and both signers signed it, found by recovery (wrong_signer).
[[nodiscard]] channel::Expected<CheckedAppointment, channel::Rule> check_appointment(
    const channel::Appointment& appointment, const channel::ChannelId& id, std::uint64_t version,
    const channel::Hash& separator);

}  // namespace hedgerow::daemon
