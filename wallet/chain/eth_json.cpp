#include "wallet/chain/eth_json.h"

#include <nlohmann/json.hpp>

#include "wallet/chain/quantity.h"

namespace hedgerow::wallet {

using channel::Bytes;
using channel::U256;
using nlohmann::json;

namespace {

constexpr std::size_t kMaxTopics = 4;

const json* member(const json& object, const char* name) {
    const auto at = object.find(name);
    return at == object.end() ? nullptr : &*at;
}

/// Collects whether every field of an object was there and well-formed.
class ObjectReader {
  public:
    explicit ObjectReader(const json& object) : m_object(object), m_ok(object.is_object()) {}

    void read(const char* name, std::uint64_t& out) { take(name, quantity64_from_json, out); }
    void read(const char* name, U256& out) { take(name, quantity_from_json, out); }
    void read(const char* name, Bytes& out) { take(name, data_from_json, out); }
    template <std::size_t N, typename Tag>
    void read(const char* name, channel::FixedBytes<N, Tag>& out) {
        take(name, fixed<channel::FixedBytes<N, Tag>>, out);
    }
    [[nodiscard]] const json* get(const char* name) {
        const json* value = m_ok ? member(m_object, name) : nullptr;
        if (value == nullptr) m_ok = false;
        return value;
    }
    void require(bool condition) { m_ok = m_ok && condition; }
    [[nodiscard]] bool ok() const { return m_ok; }

    template <typename T>
    static std::optional<T> fixed(const json& value) {
        const auto bytes = data_from_json(value);
        return bytes ? T::from(*bytes) : std::nullopt;
    }

  private:
    template <typename Fn, typename T>
    void take(const char* name, Fn read, T& out) {
        const json* value = get(name);
        auto result = value != nullptr ? read(*value) : std::nullopt;
        if (result) {
            out = std::move(*result);
        } else {
            m_ok = false;
        }
    }
    const json& m_object;
    bool m_ok;
};

template <typename T, typename Fn>
std::optional<std::vector<T>> read_array(const json* value, Fn read_one) {
    if (value == nullptr || !value->is_array()) return std::nullopt;
    std::vector<T> out;
    out.reserve(value->size());
    for (const json& element : *value) {
        auto one = read_one(element);
        if (!one) return std::nullopt;
        out.push_back(std::move(*one));
    }
    return out;
}

}  // namespace

json block_tag_to_json(BlockTag tag) {
    switch (tag.kind) {
        case BlockTag::Kind::latest:
            return "latest";
        case BlockTag::Kind::pending:
            return "pending";
        case BlockTag::Kind::safe:
            return "safe";
        case BlockTag::Kind::finalized:
            return "finalized";
        case BlockTag::Kind::number:
            break;
    }
    return to_quantity(tag.number);
}

json call_to_json(const CallRequest& request) {
    json out = {{"data", channel::to_hex(request.data)}, {"value", to_quantity(request.value)}};
    if (request.from) out["from"] = channel::to_hex(*request.from);
    if (request.to) out["to"] = channel::to_hex(*request.to);
    return out;
}

json filter_to_json(const LogFilter& filter) {
    json topics = json::array();
    for (const auto& choices : filter.topics) {
        json any = json::array();
        for (const auto& topic : choices) any.push_back(channel::to_hex(topic));
        topics.push_back(any.empty() ? json(nullptr) : any);
    }
    return {{"address", channel::to_hex(filter.address)}, {"topics", topics}};
}

std::optional<U256> quantity_from_json(const json& value) {
    const auto* text = value.get_ptr<const std::string*>();
    return text != nullptr ? parse_quantity(*text) : std::nullopt;
}

std::optional<std::uint64_t> quantity64_from_json(const json& value) {
    const auto* text = value.get_ptr<const std::string*>();
    return text != nullptr ? parse_quantity64(*text) : std::nullopt;
}

std::optional<Bytes> data_from_json(const json& value) {
    const auto* text = value.get_ptr<const std::string*>();
    if (text == nullptr || !text->starts_with("0x")) return std::nullopt;
    return channel::from_hex(*text);
}

std::optional<BlockHeader> block_from_json(const json& value) {
    BlockHeader out;
    ObjectReader in(value);
    in.read("number", out.number);
    in.read("hash", out.hash);
    in.read("parentHash", out.parent);
    in.read("timestamp", out.timestamp);
    in.read("gasLimit", out.gas_limit);
    in.read("baseFeePerGas", out.base_fee);  // every chain Hedgerow runs on has EIP-1559
    return in.ok() ? std::optional(out) : std::nullopt;
}

std::optional<LogEntry> log_from_json(const json& value) {
    LogEntry out;
    ObjectReader in(value);
    in.read("address", out.address);
    in.read("data", out.data);
    in.read("blockNumber", out.block_number);
    in.read("blockHash", out.block_hash);
    in.read("transactionHash", out.tx_hash);
    in.read("logIndex", out.log_index);
    auto topics = read_array<channel::Hash>(in.get("topics"), ObjectReader::fixed<channel::Hash>);
    if (!topics || topics->size() > kMaxTopics || !in.ok()) return std::nullopt;
    out.topics = std::move(*topics);
    // A node that reports a log as taken back in answer to eth_getLogs contradicts itself.
    const json* removed = member(value, "removed");
    if (removed != nullptr && (!removed->is_boolean() || removed->get<bool>())) return std::nullopt;
    return out;
}

std::optional<Receipt> receipt_from_json(const json& value) {
    Receipt out;
    ObjectReader in(value);
    std::uint64_t status = 2;
    in.read("transactionHash", out.tx_hash);
    in.read("blockHash", out.block_hash);
    in.read("blockNumber", out.block_number);
    in.read("status", status);
    in.read("gasUsed", out.gas_used);
    in.read("effectiveGasPrice", out.effective_gas_price);
    in.require(status <= 1);
    auto logs = read_array<LogEntry>(in.get("logs"), log_from_json);
    if (!logs || !in.ok()) return std::nullopt;
    out.success = status == 1;
    out.logs = std::move(*logs);
    const json* created = member(value, "contractAddress");
    if (created != nullptr && !created->is_null()) {
        out.created = ObjectReader::fixed<channel::Address>(*created);
        if (!out.created) return std::nullopt;
    }
    return out;
}

std::optional<FeeHistory> fee_history_from_json(const json& value) {
    FeeHistory out;
    ObjectReader in(value);
    in.read("oldestBlock", out.oldest);
    auto base_fees = read_array<U256>(in.get("baseFeePerGas"), quantity_from_json);
    auto rewards = read_array<U256>(in.get("reward"), [](const json& row) -> std::optional<U256> {
        if (!row.is_array() || row.size() != 1) return std::nullopt;
        return quantity_from_json(row[0]);
    });
    if (!in.ok() || !base_fees || !rewards || base_fees->size() != rewards->size() + 1) return std::nullopt;
    out.base_fees = std::move(*base_fees);
    out.rewards = std::move(*rewards);
    return out;
}

json log_to_json(const LogEntry& log) {
    json topics = json::array();
    for (const auto& topic : log.topics) topics.push_back(channel::to_hex(topic));
    return {{"address", channel::to_hex(log.address)},
            {"topics", std::move(topics)},
            {"data", channel::to_hex(log.data)},
            {"blockNumber", to_quantity(log.block_number)},
            {"blockHash", channel::to_hex(log.block_hash)},
            {"transactionHash", channel::to_hex(log.tx_hash)},
            {"logIndex", to_quantity(log.log_index)}};
}

}  // namespace hedgerow::wallet
