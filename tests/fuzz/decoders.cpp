// Every decoder in the tree behind one entry: the first byte of an input selects which one reads the rest.
#include "tests/fuzz/decoders.h"

using namespace hedgerow::fuzz;

namespace {

/// Append only: the place is the first byte of the committed inputs.
constexpr Decoder kDecoders[] = {
    {"peer_message", decode_peer_message},
    {"channel_state", decode_channel_state},
    {"channel_head", decode_channel_head},
    {"wire_struct", decode_wire_struct},
    {"any_message", encode_any_message},
    {"abi", decode_abi},
    {"package", decode_package},
    {"instrument_name", decode_instrument_name},
    {"decimal", decode_decimal},
    {"big_integer", decode_big_integer},
    {"hex_and_names", decode_hex_and_names},
    {"signature", decode_signature},
    {"rlp", decode_rlp},
    {"raw_transaction", decode_raw_transaction},
    {"contract_event", decode_contract_event},
    {"call_result", decode_call_result},
    {"chain_answer", decode_chain_answer},
    {"tx_record", decode_tx_record},
    {"keystore", decode_keystore},
    {"sealed", decode_sealed},
    {"mnemonic", decode_mnemonic},
    {"signing_record", decode_signing_record},
    {"quantity", decode_quantity},
    {"seed_file", decode_seed_file},
    {"json", decode_json},
    {"params", decode_params},
    {"http_text", decode_http_text},
    {"tokens_file", decode_tokens_file},
#ifndef WITHOUT_DAEMON
    {"peer_uri", decode_peer_uri},
    {"frames", decode_frames},
    {"config_text", decode_config_text},
    {"config_options", decode_config_options},
    {"registry_file", decode_registry_file},
    {"invoice", decode_invoice},
    {"backup", decode_backup},
    {"cursor", decode_cursor},
    {"generation_file", decode_generation_file},
    {"appointment", decode_appointment},
    {"scenario", decode_scenario},
    {"package_file", decode_package_file},
    {"replay_file", decode_replay_file},
    {"key_file", decode_key_file},
    {"journal_file", decode_journal_file},
    {"journal_rows", decode_journal_rows},
#endif
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0 || data[0] >= std::size(kDecoders)) return -1;  // kept out of the corpus
    kDecoders[data[0]].run({data + 1, size - 1});
    return 0;
}
