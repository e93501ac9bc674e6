#include <sodium.h>

#include <nlohmann/json.hpp>

#include "channel/crypto/keccak.h"
#include "tests/fuzz/arbitrary.h"
#include "tests/fuzz/decoders.h"
#include "tests/fuzz/temp_file.h"
#include "wallet/chain/contract_abi.h"
#include "wallet/chain/contract_calls.h"
#include "wallet/chain/contract_events.h"
#include "wallet/chain/erc20.h"
#include "wallet/chain/eth_client.h"
#include "wallet/chain/quantity.h"
#include "wallet/chain/rlp.h"
#include "wallet/chain/transaction.h"
#include "wallet/chain/tx_job.h"
#include "wallet/keys/bip32.h"
#include "wallet/keys/bip39.h"
#include "wallet/keys/keystore_v3.h"
#include "wallet/keys/master_seed.h"
#include "wallet/keys/seed_file.h"
#include "wallet/signer/signing_record.h"

namespace hedgerow::fuzz {

using namespace channel;
using namespace wallet;

namespace {

/// Reads items as whatever they can be read as, and writes them again.
bool copy_list(RlpReader in, RlpWriter& out, int depth) {
    while (!in.at_end()) {
        RlpReader again = in;
        if (const auto bytes = in.bytes()) {
            out.add_bytes(*bytes);
            if (const auto number = again.integer()) {
                RlpWriter one;
                RlpWriter other;
                one.add_bytes(*bytes);
                other.add_integer(*number);
                ASSERT(one.finish_list() == other.finish_list());
            }
            continue;
        }
        in = again;
        const auto list = in.list();
        if (!list || depth == 0) return false;
        RlpWriter inner;
        if (!copy_list(*list, inner, depth - 1)) return false;
        out.add_list(inner);
    }
    return true;
}

constexpr std::string_view kEventSignatures[] = {
    "Deposited(bytes32,uint8,address,uint256)",
    "Withdrawn(bytes32,uint8,address,uint256,uint256)",
    "Recovered(bytes32,uint8,address,uint256)",
    "Challenged(bytes32,uint8,bytes32,uint64," HEDGEROW_ABI_STATE ")",
    "Responded(bytes32," HEDGEROW_ABI_STATE ")",
    "Closed(bytes32,uint64,uint256[],uint256[])",
    "Settled(bytes32,uint64,uint256[],uint256[])",
    "Held(address,address,uint256)",
    "Claimed(address,address,uint256)",
    "Revealed(bytes32,bytes32)",
    "Attested(bytes32,bytes32,uint64,uint96,uint8)",
};

/// Answers the chain id as it should be and everything else with the fuzzer's text.
class ScriptedNode final : public ChainTransport {
  public:
    ScriptedNode(std::string_view text, bool as_result) : m_text(text), m_as_result(as_result) {}
    ChainExpected<ChainReply> post(const std::string& body) override {
        const auto request = nlohmann::json::parse(body);
        const std::string head = R"({"jsonrpc":"2.0","id":)" + request["id"].dump() + R"(,"result":)";
        if (request["method"] == "eth_chainId") return ChainReply{200, head + "\"0x7a69\"}"};
        return ChainReply{200, m_as_result ? head + m_text + "}" : m_text};
    }

  private:
    std::string m_text;
    bool m_as_result;
};

void ask(EthClient& client, unsigned question) {
    const LogFilter filter{Address{}, {}};
    switch (question % 14) {
        case 0: static_cast<void>(client.block_number()); break;
        case 1: static_cast<void>(client.block(BlockTag::latest())); break;
        case 2: static_cast<void>(client.block(BlockHash{})); break;
        case 3: static_cast<void>(client.logs(filter, 1, 1'000)); break;
        case 4: static_cast<void>(client.logs(filter, BlockHash{})); break;
        case 5: static_cast<void>(client.call({})); break;
        case 6: static_cast<void>(client.estimate_gas({})); break;
        case 7: static_cast<void>(client.fee_history(4, 50)); break;
        case 8: static_cast<void>(client.max_priority_fee()); break;
        case 9: static_cast<void>(client.transaction_count(Address{})); break;
        case 10: static_cast<void>(client.balance(Address{})); break;
        case 11: static_cast<void>(client.send_raw_transaction({1}, TxHash{})); break;
        case 12: static_cast<void>(client.receipt(TxHash{})); break;
        default: static_cast<void>(client.transaction_known(TxHash{})); break;
    }
}

/// Key stretching that a fuzzer has time for.
bool is_cheap(const nlohmann::json& keystore) {
    const auto at_most = [](const nlohmann::json& value, const char* name, std::uint64_t limit) {
        const auto it = value.find(name);
        return it == value.end() || !it->is_number() || (it->is_number_unsigned() && it->get<std::uint64_t>() <= limit);
    };
    if (!keystore.is_object()) return true;
    for (const auto& [key, value] : keystore.items()) {
        if (!at_most(keystore, key.c_str(), 64) && (key == "n" || key == "r" || key == "p" || key == "c")) return false;
        if (value.is_object() && !is_cheap(value)) return false;
    }
    return true;
}

void write_checksum(Bytes& file) {
    constexpr std::size_t kChecksum = 16;
    if (file.size() < kChecksum) return;
    const std::size_t body = file.size() - kChecksum;
    crypto_generichash_blake2b(file.data() + body, kChecksum, file.data(), body, nullptr, 0);
}

}  // namespace

void decode_rlp(ByteView bytes) {
    const auto list = RlpReader::open_list(bytes);
    if (!list) return;
    RlpWriter out;
    if (!copy_list(*list, out, 64)) return;
    const Bytes again = out.finish_list();
    ASSERT(std::equal(again.begin(), again.end(), bytes.begin(), bytes.end()));
}

void decode_raw_transaction(ByteView bytes) {
    const auto transaction = decode_transaction(bytes);
    if (!transaction) return;
    ASSERT(std::equal(transaction->raw.begin(), transaction->raw.end(), bytes.begin(), bytes.end()));
    const SignedTransaction again = assemble_transaction(transaction->body, transaction->signature);
    ASSERT(again.raw == transaction->raw && again.hash == transaction->hash);
    static_cast<void>(transaction_sender(*transaction));
    static_cast<void>(maximum_cost(transaction->body));
}

void decode_contract_event(ByteView bytes) {
    FuzzData data(bytes.data(), bytes.size());
    LogEntry log;
    log.topics.push_back(keccak256(as_bytes(kEventSignatures[data.below(std::size(kEventSignatures))])));
    for (std::uint64_t i = data.below(4); i > 0; --i) log.topics.push_back(arbitrary<Hash>(data));
    log.data.assign(data.rest().begin(), data.rest().end());
    const auto event = decode_event(log, Address{});
    if (event) ASSERT(event_channel(*event) || !event_name(*event).empty());
}

void decode_call_result(ByteView bytes) {
    static_cast<void>(read_dispute(bytes));
    static_cast<void>(read_holdings(bytes));
    static_cast<void>(read_attested(bytes));
    static_cast<void>(read_hash(bytes));
    static_cast<void>(read_uint64(bytes));
    static_cast<void>(read_uint256(bytes));
    static_cast<void>(read_decimals(bytes));
    if (const auto symbol = read_symbol(bytes)) {
        ASSERT(symbol->size() <= 32);
        for (const char c : *symbol) ASSERT(c >= ' ' && c <= '~');
    }
    for (const char c : revert_reason(bytes)) ASSERT(c >= ' ' && c <= '~');
}

void decode_chain_answer(ByteView bytes) {
    if (bytes.size() < 2) return;
    ScriptedNode node(text_of(bytes.subspan(2)), bytes[0] % 4 != 0);
    EthClient client(node, 31337);
    ask(client, bytes[1]);
}

void decode_tx_record(ByteView bytes) {
    const auto job = read_job(text_of(bytes), Address{}, 31337);
    if (!job) return;
    const std::string text = write_job(*job);
    const auto again = read_job(text, Address{}, 31337);
    ASSERT(again.has_value() && write_job(*again) == text);
}

void decode_keystore(ByteView bytes) {
    const auto json = nlohmann::json::parse(bytes.begin(), bytes.end(), nullptr, false);
    if (!is_cheap(json)) return;
    static_cast<void>(import_keystore(text_of(bytes), "password"));
}

/// As it is; with the checksum put right; and with a password where the header asks for little memory.
void decode_sealed(ByteView bytes) {
    ensure_sodium();
    static const SecretBytes key = SecretBytes(32);
    ASSERT(!unseal(bytes, "password", SealedKind::seed));
    Bytes file(bytes.begin(), bytes.end());
    write_checksum(file);
    static_cast<void>(unseal_with_key(file, key, SealedKind::backup));
    constexpr std::size_t kKdfAt = 10;
    if (file.size() < kKdfAt + 8) return;
    const std::uint8_t cheap[8] = {1, 0, 0, 0, static_cast<std::uint8_t>(8 + file[kKdfAt + 4] % 32), 0, 0, 0};
    std::copy_n(cheap, sizeof cheap, file.begin() + kKdfAt);
    write_checksum(file);
    static_cast<void>(unseal(file, "password", SealedKind::seed));
}

void decode_mnemonic(ByteView bytes) {
    if (const auto entropy = entropy_from_mnemonic(text_of(bytes))) {
        const auto phrase = mnemonic_from_entropy(entropy->reveal());
        ASSERT(phrase.has_value());
        const auto again = entropy_from_mnemonic(reveal_text(*phrase));
        ASSERT(again.has_value() && again->equals(entropy->reveal()));
    }
    if (const auto phrase = mnemonic_from_entropy(bytes)) {
        ASSERT(entropy_from_mnemonic(reveal_text(*phrase))->equals(bytes));
    }
    if (const auto path = parse_path(text_of(bytes))) ASSERT(*parse_path(format_path(*path)) == *path);
}

void decode_signing_record(ByteView bytes) {
    const auto record = decode_record(bytes);
    if (!record) return;
    const Bytes again = encode_record(*record);
    ASSERT(std::equal(again.begin(), again.end(), bytes.begin(), bytes.end()));
}

void decode_quantity(ByteView bytes) {
    const auto value = parse_quantity(text_of(bytes));
    const auto small = parse_quantity64(text_of(bytes));
    if (value) ASSERT(parse_quantity(to_quantity(*value)) == value);
    ASSERT(!small || (value && *value == U256(*small)));
}

void decode_seed_file(ByteView bytes) {
    if (const auto seed = MasterSeed::decode(bytes)) {
        const SecretBytes again = seed->encode();
        ASSERT(again.equals(bytes));
    }
    ensure_sodium();
    const TempFile file(bytes);
    if (bytes.size() < 64) static_cast<void>(open_seed_file(file.path(), "password"));
    ASSERT(read_sealed_file(file.path()).has_value());
}

}  // namespace hedgerow::fuzz
