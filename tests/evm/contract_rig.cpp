#include "tests/evm/contract_rig.h"

#include <fstream>
#include <nlohmann/json.hpp>

#include "channel/codec/abi.h"
#include "tests/paths.h"
#include "wallet/chain/contract_calls.h"

namespace hedgerow::tests {

using namespace hedgerow::channel;
using nlohmann::json;

Address case_token(std::size_t index) {
    Address out;
    out.data[0] = 0x70;
    out.data[19] = static_cast<std::uint8_t>(index);
    return out;
}

std::optional<test::Anvil> start_unbounded_anvil() {
    test::AnvilOptions options;
    options.arguments = {
        "--accounts", "1", "--gas-limit", "1000000000000", "--disable-code-size-limit", "--no-request-size-limit"};
    return test::Anvil::start(options);
}

json artifact(const std::string& name) {
    std::ifstream file(std::string(HEDGEROW_SOURCE_DIR "/channel/contract/artifact/").append(name).append(".json"));
    if (!file) throw std::runtime_error(std::string("no artifact ").append(name));
    return json::parse(file);
}

Address install_contract(test::Anvil& anvil) {
    const json code = artifact("TestToken").at("deployedBytecode");
    for (std::size_t i = 0; i < kMaxCaseTokens; ++i) anvil.call("anvil_setCode", {to_hex(case_token(i)), code});
    return anvil.deploy("Adjudicator");
}

std::string hex_quantity(const U256& value) {
    const std::string out = to_hex(ByteView(value.to_be()));
    const std::size_t digit = out.find_first_not_of('0', 2);
    return digit == std::string::npos ? "0x0" : std::string("0x").append(out.substr(digit));
}

std::vector<json> simulate(test::Anvil& anvil, std::span<const SimulatedCall> calls,
                           const std::map<std::uint64_t, json>& overrides) {
    json blocks = json::array();
    std::uint64_t time = 0;
    auto change = overrides.begin();
    for (const SimulatedCall& call : calls) {
        if (call.time_s != time) {
            blocks.push_back(
                {{"blockOverrides", {{"time", hex_quantity(U256(call.time_s))}}}, {"calls", json::array()}});
            for (; change != overrides.end() && change->first <= call.time_s; ++change) {
                blocks.back()["stateOverrides"].update(change->second);
            }
        }
        time = call.time_s;
        blocks.back()["calls"].push_back({{"from", to_hex(call.from)},
                                          {"to", to_hex(call.to)},
                                          {"data", to_hex(call.data)},
                                          {"gas", hex_quantity(U256(call.gas))},
                                          {"value", hex_quantity(call.value)}});
    }
    std::vector<json> out;
    for (json& block : anvil.call("eth_simulateV1", {{{"blockStateCalls", std::move(blocks)}}, "latest"})) {
        for (json& call : block.at("calls")) out.push_back(std::move(call));
    }
    if (out.size() != calls.size()) throw std::runtime_error("the simulation left calls out");
    return out;
}

bool succeeded(const json& result) {
    return result.at("status") == "0x1";
}

std::string revert_text(ByteView data) {
    std::string out = wallet::revert_reason(data);
    if (out.empty()) return to_hex(data);
    U256 argument;
    if (abi_decode(data.subspan(4), argument)) out.append(" ").append(to_decimal(argument));
    return out;
}

std::string revert_text(const json& result) {
    const auto data = from_hex(result.value("returnData", "0x"));
    return data && data->size() >= 4 ? revert_text(ByteView(*data)) : result.dump().substr(0, 300);
}

}  // namespace hedgerow::tests
