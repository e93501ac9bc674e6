#pragma once

#include <string_view>

#include "channel/codec/wire.h"
#include "tests/fuzz/fuzz_data.h"

/// Everything that reads bytes from outside, one function each. A function may do what it likes with its input but crash,
/// leak, hang or break an ASSERT; beside that it asserts what its codec promises: that there is one text for each value.
namespace hedgerow::fuzz {

struct Decoder {
    const char* name;
    void (*run)(channel::ByteView bytes);
};

inline std::string_view text_of(channel::ByteView bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Decodes one T; where that works, encoding gives the same bytes (spec 6.1).
template <typename T>
std::optional<T> canonical(channel::ByteView bytes) {
    auto value = channel::wire_decode<T>(bytes);
    if (!value) return std::nullopt;
    const channel::Bytes again = channel::wire_encode(*value);
    ASSERT(std::equal(again.begin(), again.end(), bytes.begin(), bytes.end()));
    return std::move(*value);
}

// decode_channel.cpp
void decode_peer_message(channel::ByteView bytes);
void decode_channel_state(channel::ByteView bytes);
void decode_channel_head(channel::ByteView bytes);
void decode_wire_struct(channel::ByteView bytes);
void encode_any_message(channel::ByteView bytes);
void decode_abi(channel::ByteView bytes);
void decode_package(channel::ByteView bytes);
void decode_instrument_name(channel::ByteView bytes);
void decode_decimal(channel::ByteView bytes);
void decode_big_integer(channel::ByteView bytes);
void decode_hex_and_names(channel::ByteView bytes);
void decode_signature(channel::ByteView bytes);

// decode_wallet.cpp
void decode_rlp(channel::ByteView bytes);
void decode_raw_transaction(channel::ByteView bytes);
void decode_contract_event(channel::ByteView bytes);
void decode_call_result(channel::ByteView bytes);
void decode_chain_answer(channel::ByteView bytes);
void decode_tx_record(channel::ByteView bytes);
void decode_keystore(channel::ByteView bytes);
void decode_sealed(channel::ByteView bytes);
void decode_mnemonic(channel::ByteView bytes);
void decode_signing_record(channel::ByteView bytes);
void decode_quantity(channel::ByteView bytes);
void decode_seed_file(channel::ByteView bytes);

// decode_rpc.cpp
void decode_json(channel::ByteView bytes);
void decode_params(channel::ByteView bytes);
void decode_http_text(channel::ByteView bytes);
void decode_tokens_file(channel::ByteView bytes);

// decode_daemon.cpp
void decode_peer_uri(channel::ByteView bytes);
void decode_frames(channel::ByteView bytes);
void decode_config_text(channel::ByteView bytes);
void decode_config_options(channel::ByteView bytes);
void decode_registry_file(channel::ByteView bytes);
void decode_invoice(channel::ByteView bytes);
void decode_backup(channel::ByteView bytes);
void decode_cursor(channel::ByteView bytes);
void decode_generation_file(channel::ByteView bytes);
void decode_journal_file(channel::ByteView bytes);
void decode_journal_rows(channel::ByteView bytes);
void decode_appointment(channel::ByteView bytes);
void decode_scenario(channel::ByteView bytes);
void decode_package_file(channel::ByteView bytes);
void decode_replay_file(channel::ByteView bytes);
void decode_key_file(channel::ByteView bytes);

}  // namespace hedgerow::fuzz
