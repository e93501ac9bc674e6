#include "wallet/chain/transaction.h"

#include <algorithm>

#include "channel/crypto/keccak.h"
#include "channel/crypto/signature.h"
#include "wallet/chain/rlp.h"
#include "wallet/keys/private_key.h"

namespace hedgerow::wallet {

using channel::Address;
using channel::Bytes;
using channel::ByteView;
using channel::Digest;
using channel::Hash;
using channel::Signature;
using channel::TxHash;
using channel::U256;

namespace {

constexpr std::uint8_t kTypeDynamicFee = 0x02;
constexpr std::uint8_t kParityBit = 0x80;

RlpWriter write_access_list(const std::vector<AccessEntry>& entries) {
    RlpWriter list;
    for (const AccessEntry& entry : entries) {
        RlpWriter keys;
        for (const Hash& key : entry.storage_keys) keys.add_bytes(key.view());
        RlpWriter item;
        item.add_bytes(entry.address.view());
        item.add_list(keys);
        list.add_list(item);
    }
    return list;
}

RlpWriter write_body(const Transaction& body) {
    RlpWriter out;
    out.add_integer(U256(body.chain_id));
    out.add_integer(U256(body.nonce));
    out.add_integer(body.max_priority_fee);
    out.add_integer(body.max_fee);
    out.add_integer(U256(body.gas_limit));
    out.add_bytes(body.to ? body.to->view() : ByteView());
    out.add_integer(body.value);
    out.add_bytes(body.data);
    out.add_list(write_access_list(body.access_list));
    return out;
}

Bytes typed(const RlpWriter& fields) {
    Bytes out{kTypeDynamicFee};
    channel::append(out, fields.finish_list());
    return out;
}

std::optional<std::vector<AccessEntry>> read_access_list(RlpReader& fields) {
    auto list = fields.list();
    if (!list) return std::nullopt;
    std::vector<AccessEntry> out;
    while (!list->at_end()) {
        auto item = list->list();
        const auto address = item ? item->bytes() : std::nullopt;
        auto keys = address ? item->list() : std::nullopt;
        if (!keys || !item->at_end() || address->size() != Address::kSize) return std::nullopt;
        AccessEntry entry{*Address::from(*address), {}};
        while (!keys->at_end()) {
            const auto key = keys->bytes();
            if (!key || key->size() != Hash::kSize) return std::nullopt;
            entry.storage_keys.push_back(*Hash::from(*key));
        }
        out.push_back(std::move(entry));
    }
    return out;
}

std::optional<Transaction> read_body(RlpReader& fields) {
    const auto chain_id = fields.integer64();
    const auto nonce = chain_id ? fields.integer64() : std::nullopt;
    const auto priority = nonce ? fields.integer() : std::nullopt;
    const auto max_fee = priority ? fields.integer() : std::nullopt;
    const auto gas = max_fee ? fields.integer64() : std::nullopt;
    const auto to = gas ? fields.bytes() : std::nullopt;
    const auto value = to ? fields.integer() : std::nullopt;
    const auto data = value ? fields.bytes() : std::nullopt;
    if (!data || (!to->empty() && to->size() != Address::kSize)) return std::nullopt;
    auto access = read_access_list(fields);
    if (!access) return std::nullopt;
    return Transaction{*chain_id,
                       *nonce,
                       *priority,
                       *max_fee,
                       *gas,
                       Address::from(*to),
                       *value,
                       Bytes(data->begin(), data->end()),
                       std::move(*access)};
}

}  // namespace

Digest transaction_digest(const Transaction& body) {
    return Digest{channel::keccak256(typed(write_body(body))).data};
}

SignedTransaction assemble_transaction(const Transaction& body, const Signature& signature) {
    const ByteView r = signature.view().first(32);
    std::array<std::uint8_t, 32> s{};
    std::copy(signature.data.begin() + 32, signature.data.end(), s.begin());
    const bool odd = (s[0] & kParityBit) != 0;
    s[0] = static_cast<std::uint8_t>(s[0] & ~kParityBit);
    RlpWriter fields = write_body(body);
    fields.add_integer(U256(odd ? 1 : 0));
    fields.add_integer(U256::from_be(std::span<const std::uint8_t, 32>(r.data(), 32)));
    fields.add_integer(U256::from_be(s));
    SignedTransaction out{body, signature, typed(fields), {}};
    out.hash = TxHash{channel::keccak256(out.raw).data};
    return out;
}

SignedTransaction sign_transaction(const Transaction& body, const PrivateKey& key) {
    return assemble_transaction(body, key.sign(transaction_digest(body)));
}

std::optional<SignedTransaction> decode_transaction(ByteView raw) {
    if (raw.empty() || raw[0] != kTypeDynamicFee) return std::nullopt;
    auto fields = RlpReader::open_list(raw.subspan(1));
    if (!fields) return std::nullopt;
    auto body = read_body(*fields);
    const auto parity = body ? fields->integer64() : std::nullopt;
    const auto r = parity ? fields->integer() : std::nullopt;
    const auto s = r ? fields->integer() : std::nullopt;
    if (!s || !fields->at_end() || *parity > 1 || s->bits() > 255) return std::nullopt;
    Signature signature;
    const auto r_be = r->to_be();
    auto s_be = s->to_be();
    if (*parity == 1) s_be[0] = static_cast<std::uint8_t>(s_be[0] | kParityBit);
    std::copy(r_be.begin(), r_be.end(), signature.data.begin());
    std::copy(s_be.begin(), s_be.end(), signature.data.begin() + 32);
    SignedTransaction out{std::move(*body), signature, Bytes(raw.begin(), raw.end()),
                          TxHash{channel::keccak256(raw).data}};
    if (!transaction_sender(out)) return std::nullopt;
    return out;
}

std::optional<Address> transaction_sender(const SignedTransaction& transaction) {
    const auto key = channel::recover(transaction_digest(transaction.body), transaction.signature);
    if (!key) return std::nullopt;
    return channel::address_of(*key);
}

std::optional<U256> maximum_cost(const Transaction& body) {
    if (body.max_fee.bits() > 128 || body.value.bits() > 255) return std::nullopt;
    return body.value + body.max_fee * U256(body.gas_limit);  // below 2^192 + 2^255
}

Address created_address(const Address& sender, std::uint64_t nonce) {
    RlpWriter fields;
    fields.add_bytes(sender.view());
    fields.add_integer(U256(nonce));
    const Hash hash = channel::keccak256(fields.finish_list());
    return *Address::from(hash.view().subspan(12));
}

}  // namespace hedgerow::wallet
