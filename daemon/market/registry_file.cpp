#include "daemon/market/registry_file.h"

#include <fmt/format.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "rpc/json.h"

namespace hedgerow::daemon {

using namespace channel;
using rpc::Json;

namespace {

constexpr std::uintmax_t kMaxBytes = 16U << 20;

struct Fault {
    RegistryFileError error;
};
[[noreturn]] void fail(Rule rule, std::string text) { throw Fault{{rule, std::move(text)}}; }

std::string read_text(const std::filesystem::path& path) {
    std::error_code error;
    const auto size = std::filesystem::file_size(path, error);
    if (error) fail(Rule::none, fmt::format("{}: {}", path.string(), error.message()));
    if (size > kMaxBytes) fail(Rule::none, fmt::format("{}: larger than {} bytes", path.string(), kMaxBytes));
    std::ifstream in(path, std::ios::binary);
    std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
    if (!in.good() && !in.eof()) fail(Rule::none, fmt::format("{}: cannot be read", path.string()));
    return text;
}

std::uint16_t read_bps(const Json& row, const char* member, const std::string& name) {
    const auto it = row.find(member);
    if (it == row.end() || !it->is_number_unsigned() || *it > 10'000U) fail(Rule::none, fmt::format("{}: {} must be an integer from 0 to 10000", name, member));
    return it->get<std::uint16_t>();
}

Int128 read_step(const Json& row, const char* member, const std::string& name) {
    const auto it = row.find(member);
    if (it == row.end()) fail(Rule::none, fmt::format("{}: {} is missing", name, member));
    const auto value = rpc::decimal_from_json(*it, kPriceDecimals);
    if (!value) fail(value.error(), fmt::format("{}: {}: {}", name, member, rule_name(value.error())));
    return *value;
}

Instrument read_instrument(const Json& row) {
    static constexpr std::array<std::string_view, 6> kMembers = {"name", "tick", "lot", "initialBps", "maintenanceBps", "penaltyBps"};
    if (!row.is_object() || !row.contains("name") || !row.at("name").is_string()) fail(Rule::none, "an instrument needs a name");
    const auto name = row.at("name").get<std::string>();
    for (const auto& [member, value] : row.items()) {
        if (std::find(kMembers.begin(), kMembers.end(), member) == kMembers.end()) fail(Rule::none, fmt::format("{}: unknown member {}", name, member));
    }
    const auto definition = parse_instrument(name);
    if (!definition) fail(definition.error(), fmt::format("{}: {}", name, rule_name(definition.error())));
    Instrument out;
    out.definition = *definition;
    out.tick = Price::from_raw(read_step(row, "tick", name));
    out.lot = Quantity::from_raw(read_step(row, "lot", name));
    out.risk = {definition->underlying, read_bps(row, "initialBps", name), read_bps(row, "maintenanceBps", name), read_bps(row, "penaltyBps", name), out.lot};
    return out;
}

Registry read(const std::filesystem::path& path) {
    const auto json = rpc::parse_json(read_text(path));
    if (!json) fail(Rule::none, fmt::format("{}: {}", path.string(), json.error().message));
    if (!json->is_object() || json->size() != 1 || !json->contains("instruments") || !json->at("instruments").is_array()) {
        fail(Rule::none, fmt::format("{}: must be an object with the one member instruments, a list", path.string()));
    }
    std::vector<Instrument> rows;
    for (const Json& row : json->at("instruments")) rows.push_back(read_instrument(row));
    auto registry = Registry::make(std::move(rows));
    if (!registry) fail(registry.error(), fmt::format("{}: {}", path.string(), rule_name(registry.error())));
    return std::move(*registry);
}

}  // namespace

Expected<Registry, RegistryFileError> read_registry_file(const std::filesystem::path& path) {
    try {
        return read(path);
    } catch (const Fault& fault) {
        return Unexpected{fault.error};
    }
}

}  // namespace hedgerow::daemon
