#include <doctest/doctest.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "channel/codec/abi.h"
#include "channel/crypto/keccak.h"
#include "wallet/chain/contract_calls.h"
#include "wallet/chain/contract_events.h"
#include "wallet/chain/erc20.h"
#include "tests/paths.h"

using namespace hedgerow;
using namespace hedgerow::wallet;
using channel::Address;
using channel::Amount;
using channel::Bytes;
using channel::Hash;
using channel::Int128;
using channel::Party;
using channel::Price;
using channel::Quantity;
using channel::U256;

namespace {

constexpr Int128 power(int bits) {
    return static_cast<Int128>(1) << bits;
}
template <typename T>
T filled(std::uint8_t byte) {
    T out;
    out.data.fill(byte);
    return out;
}
Address a(std::uint8_t byte) {
    return filled<Address>(byte);
}
channel::Signature signature(std::uint8_t r, std::uint8_t vs) {
    channel::Signature out;
    std::fill_n(out.data.begin(), 32, r);
    std::fill_n(out.data.begin() + 32, 32, vs);
    return out;
}

// The arguments of tests/functional/chain/calldata_vectors.js.
channel::Terms terms() {
    channel::Terms out;
    out.owner_a = a(1);
    out.signer_a = a(2);
    out.owner_b = a(3);
    out.signer_b = a(4);
    out.assets = {{Address(), filled<channel::Feed>(5), 18, 0}, {a(6), channel::Feed(), 6, 10000}};
    out.oracles = {a(7), a(8), a(9)};
    out.oracle_threshold = 2;
    out.price_slot = 60;
    out.price_grace = 3600;
    out.dispute_period = 86400;
    out.stale_penalty = Amount::from_raw(power(100));
    out.salt = filled<Hash>(10);
    return out;
}
channel::State state() {
    using channel::Kind;
    channel::State out;
    out.channel_id = filled<channel::ChannelId>(1);
    out.version = (std::uint64_t{1} << 48) - 1;
    out.context = filled<Hash>(11);
    out.net = {Amount::from_raw(-power(119)), Amount::from_raw(power(119))};
    out.asset_marks = {Price::from_raw(1), Price::from_raw(power(96) - 1)};
    out.positions = {{filled<channel::Feed>(12), filled<channel::Feed>(13), Kind::digital_put, 1800000000,
                      Price::from_raw(9000000000000), Quantity::from_raw(-123456789), Price::from_raw(42)},
                     {filled<channel::Feed>(14), filled<channel::Feed>(15), Kind::linear, 0, Price(),
                      Quantity::from_raw(power(95)), Price::from_raw(-1)}};
    out.locks = {{filled<channel::LockHash>(16), 1800000060, 1, Amount::from_raw(-7)},
                 {filled<channel::LockHash>(17), 1800000120, 0, Amount::from_raw(8)}};
    return out;
}
const BothSignatures kBoth{signature(0xa1, 0x2a), signature(0xb1, 0x2b)};
channel::Signature permit_signature() {  // parity 1: v is 28
    channel::Signature out = signature(0xa1, 0x2a);
    out.data[32] |= 0x80;
    return out;
}
const U256 kMax256 =
    *channel::u256_from_decimal("115792089237316195423570985008687907853269984665640564039457584007913129639935");

std::vector<std::vector<std::string>> vectors() {
    std::ifstream file(HEDGEROW_SOURCE_DIR "/tests/unit/wallet/chain_contract_vectors.txt");
    REQUIRE(file.good());
    std::vector<std::vector<std::string>> out;
    for (std::string line; std::getline(file, line);) {
        std::istringstream words(line);
        out.emplace_back(std::istream_iterator<std::string>(words), std::istream_iterator<std::string>());
    }
    return out;
}

std::vector<std::pair<std::string, Bytes>> our_calls() {
    const auto id = filled<channel::ChannelId>(1);
    const std::vector<Address> two_oracles{a(7), a(8)};
    Bytes package4(33, 4);
    const std::vector<Bytes> packages{{1, 2, 3}, package4};
    const std::vector<channel::Feed> feeds{filled<channel::Feed>(5), filled<channel::Feed>(12)};
    const std::vector<channel::Preimage> preimages{filled<channel::Preimage>(19), filled<channel::Preimage>(20)};
    const std::vector<Bytes> inner{{1}, Bytes(32, 2)};
    const channel::Withdraw withdrawal{id, Party::B, 1, Amount::from_raw(77), 1800000001};
    const channel::Close agreement{id, 9, {Amount::from_raw(-5), Amount::from_raw(6)}, 1800000002};
    const Permit permit{a(1), a(2), kMax256, U256(), U256(1800000000u)};
    channel::State empty;
    return {
        {"deposit", deposit_call(id, Party::B, a(6), Amount::from_raw(1000000))},
        {"depositWithPermit",
         deposit_with_permit_call(id, Party::A, a(6), Amount::from_raw(5), 1800000000, permit_signature())},
        {"recover", recover_call(terms(), Party::B, a(12))},
        {"withdraw", withdraw_call(terms(), withdrawal, kBoth)},
        {"close", close_call(terms(), agreement, kBoth)},
        {"challenge", challenge_call(terms(), filled<channel::Secret>(18), state(), kBoth, {1800000003, kBoth.b})},
        {"challenge", challenge_call(terms(), filled<channel::Secret>(18), empty, {}, {})},
        {"respond", respond_call(terms(), state(), kBoth)},
        {"settle", settle_call(terms(), state())},
        {"claim", claim_call(a(6), a(1))},
        {"reveal", reveal_call(preimages)},
        {"attest", attest_call(two_oracles, 1800000000, feeds, packages)},
        {"multicall", multicall_call(inner)},
        {"domainSeparator", domain_separator_call()},
        {"channelId", channel_id_call(terms())},
        {"stateDigest", state_digest_call(id, state())},
        {"dispute", dispute_call(id)},
        {"holdings", holdings_call(id, a(6))},
        {"oracleSet", oracle_set_call(two_oracles)},
        {"attested", attested_call(filled<Hash>(21), filled<channel::Feed>(5), 1800000000)},
        {"revealedAt", revealed_at_call(filled<channel::LockHash>(16))},
        {"claimable", claimable_call(a(6), a(1))},
        {"transfer", erc20_transfer_call(a(1), kMax256)},
        {"approve", erc20_approve_call(a(1), U256())},
        {"balanceOf", erc20_balance_of_call(a(1))},
        {"allowance", erc20_allowance_call(a(1), a(2))},
        {"decimals", erc20_decimals_call()},
        {"symbol", erc20_symbol_call()},
        {"nonces", permit_nonce_call(a(1))},
        {"DOMAIN_SEPARATOR", permit_domain_separator_call()},
        {"permit", permit_call(permit, permit_signature())},
    };
}

const Address kContract = a(0x77);

std::map<std::string, LogEntry> event_logs() {
    std::map<std::string, LogEntry> out;
    const auto lines = vectors();
    for (std::size_t i = our_calls().size(); i + 1 < lines.size(); ++i) {
        LogEntry log;
        log.address = kContract;
        for (std::size_t word = 1; word + 1 < lines[i].size(); ++word)
            log.topics.push_back(*channel::fixed_from_hex<Hash>(lines[i][word]));
        log.data = *channel::from_hex(lines[i].back());
        out.emplace(lines[i][0], log);
    }
    return out;
}

template <typename Event>
Event decoded(const std::string& name) {
    const auto event = decode_event(event_logs().at(name), kContract);
    REQUIRE(event);
    CHECK(event_name(*event) == name);
    REQUIRE(std::holds_alternative<Event>(*event));
    return std::get<Event>(*event);
}

}  // namespace

TEST_CASE("calldata of every function is that of ethers") {
    const auto lines = vectors();
    const auto calls = our_calls();
    REQUIRE(lines.size() > calls.size());
    for (std::size_t i = 0; i < calls.size(); ++i) {
        CAPTURE(calls[i].first);
        CHECK(lines[i][0] == calls[i].first);
        CHECK(lines[i][1] == channel::to_hex(channel::keccak256(calls[i].second)));
    }
}

TEST_CASE("every event decodes to what was emitted") {
    const auto id = filled<channel::ChannelId>(1);
    CHECK(decoded<Deposited>("Deposited") == Deposited{id, Party::B, a(6), Amount::from_raw(1000)});
    CHECK(decoded<Withdrawn>("Withdrawn") ==
          Withdrawn{id, Party::A, a(6), Amount::from_raw(1000), Amount::from_raw(10)});
    CHECK(decoded<Recovered>("Recovered") == Recovered{id, Party::A, a(6), Amount::from_raw(3)});
    CHECK(decoded<Challenged>("Challenged") ==
          Challenged{id, Party::B, filled<channel::Secret>(18), 1800000000, state()});
    CHECK(decoded<Responded>("Responded") == Responded{id, state()});
    const AssetAmounts one_two{Amount::from_raw(1), Amount::from_raw(2)};
    const AssetAmounts three_four{Amount::from_raw(3), Amount::from_raw(4)};
    CHECK(decoded<Closed>("Closed") == Closed{id, 9, one_two, three_four});
    CHECK(decoded<Settled>("Settled") == Settled{id, 9, one_two, three_four});
    CHECK(decoded<Held>("Held") == Held{a(6), a(1), kMax256});
    CHECK(decoded<Claimed>("Claimed") == Claimed{a(6), a(1), kMax256});
    CHECK(decoded<Revealed>("Revealed").preimage == filled<channel::Preimage>(19));
    CHECK(decoded<Attested>("Attested") ==
          Attested{filled<Hash>(21), filled<channel::Feed>(5), 1800000000, Price::from_raw(9000000000000), 3});
    CHECK(event_channel(decoded<Closed>("Closed")) == id);
    CHECK_FALSE(event_channel(decoded<Held>("Held")));
}

TEST_CASE("malformed logs are refused by name") {
    const auto fault_of = [](const LogEntry& log) {
        const auto event = decode_event(log, kContract);
        return event ? std::string("none") : std::string(chain_fault_name(event.error().fault));
    };
    for (const auto& [name, log] : event_logs()) {
        CAPTURE(name);
        CHECK(fault_of(log) == "none");
        LogEntry bad = log;
        bad.address = a(1);
        CHECK(fault_of(bad) == "log_wrong_contract");
        bad = log;
        bad.topics[0].data[5] ^= 1;
        CHECK(fault_of(bad) == "log_unknown_event");
        bad = log;
        bad.topics.clear();
        CHECK(fault_of(bad) == "log_unknown_event");
        bad = log;
        bad.topics.push_back(Hash());
        CHECK(fault_of(bad) == "log_malformed");
        bad = log;
        bad.topics.pop_back();
        CHECK(fault_of(bad) == "log_malformed");
        for (std::size_t cut = 0; cut < log.data.size(); cut += 31) {
            bad = log;
            bad.data.resize(cut);
            CHECK(fault_of(bad) == "log_malformed");
        }
    }
    LogEntry party = event_logs().at("Deposited");
    party.data[31] = 2;
    CHECK(fault_of(party) == "log_malformed");
    LogEntry preimage = event_logs().at("Revealed");
    preimage.data[0] ^= 1;
    CHECK(fault_of(preimage) == "log_malformed");
    LogEntry huge = event_logs().at("Closed");
    huge.data[32 + 31] = 0xff;  // an offset outside
    CHECK(fault_of(huge) == "log_malformed");
}

TEST_CASE("views: exactly the words, each in range") {
    Bytes dispute(160);
    dispute[63] = 9;
    dispute[95] = 100;
    dispute[159] = 1;
    CHECK(read_dispute(dispute).value() == DisputeView{Address(), 9, 100, 0, Party::B});
    dispute[159] = 2;
    CHECK_FALSE(read_dispute(dispute));
    CHECK_FALSE(read_dispute(Bytes(128)));
    CHECK_FALSE(read_dispute(Bytes()));  // what an address without code answers
    CHECK(read_holdings(Bytes(160)).value() == HoldingsView{});
    CHECK_FALSE(read_holdings(Bytes(160, 0xff)));
    CHECK(read_attested(Bytes(64)).value().price.is_zero());
    CHECK_FALSE(read_uint64(Bytes(32, 0xff)));
    CHECK(read_uint256(Bytes(32, 0xff)).value() == kMax256);
    CHECK(read_decimals(Bytes(32)).value() == 0);
    CHECK_FALSE(read_decimals(Bytes(32, 0xff)));
    CHECK(read_symbol(channel::abi_encode(Bytes{'U', 'S', 'D', 0x1b})).value() == "USD?");
    Bytes old(32);
    old[0] = 'M';
    CHECK(read_symbol(old).value() == "M");
    CHECK_FALSE(read_symbol(channel::abi_encode(Bytes(33, 'x'))));
}

TEST_CASE("reverts have the contract's names") {
    const auto lines = vectors();
    std::string joined;
    for (const auto& word : lines.back()) joined += word;
    const auto errors = nlohmann::json::parse(joined);
    CHECK(errors.size() == 56);
    for (const std::string error : errors) {
        CAPTURE(error);
        CHECK(revert_reason(channel::abi_selector(error)) == error.substr(0, error.find('(')));
    }
    Bytes text = channel::abi_selector("Error(string)");
    channel::append(text, channel::abi_encode(Bytes{'n', 'o', '\n'}));
    CHECK(revert_reason(text) == "no?");
    CHECK(revert_reason(channel::abi_selector("Panic(uint256)")) == "Panic");
    CHECK(revert_reason({}).empty());
    CHECK(revert_reason(Bytes{1, 2, 3, 4}).empty());
}
