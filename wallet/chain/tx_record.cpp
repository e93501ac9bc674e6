#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "wallet/chain/eth_json.h"
#include "wallet/chain/quantity.h"
#include "wallet/chain/tx_job.h"

namespace hedgerow::wallet {

using channel::Address;
using channel::Bytes;
using channel::U256;
using nlohmann::json;

namespace {

constexpr std::array<std::string_view, 6> kStatusNames = {"queued",    "broadcast", "mined",
                                                          "confirmed", "failed",    "cancelled"};
constexpr int kRecordVersion = 1;

json variant_to_json(const TxVariant& variant) {
    return {{"raw", channel::to_hex(variant.transaction.raw)},
            {"cancels", variant.cancels},
            {"signedMs", variant.signed_ms},
            {"signedHead", variant.signed_head}};
}

json mined_to_json(const MinedAt& mined) {
    return {{"hash", channel::to_hex(mined.hash)}, {"blockHash", channel::to_hex(mined.block_hash)},
            {"block", mined.block_number},         {"success", mined.success},
            {"gasUsed", mined.gas_used},           {"gasPrice", to_quantity(mined.gas_price)}};
}

/// Reads members of one record; any that is missing or of another type makes the whole record malformed.
class RecordReader {
  public:
    explicit RecordReader(const json& object) : m_object(object), m_ok(object.is_object()) {}
    [[nodiscard]] bool ok() const { return m_ok; }
    void fail() { m_ok = false; }

    [[nodiscard]] std::uint64_t number(const char* name) {
        const json* value = get(name);
        if (value != nullptr && value->is_number_unsigned()) return value->get<std::uint64_t>();
        fail();
        return 0;
    }
    [[nodiscard]] bool flag(const char* name) {
        const json* value = get(name);
        if (value != nullptr && value->is_boolean()) return value->get<bool>();
        fail();
        return false;
    }
    [[nodiscard]] std::string text(const char* name) {
        const json* value = get(name);
        if (value != nullptr && value->is_string()) return value->get<std::string>();
        fail();
        return {};
    }
    [[nodiscard]] U256 quantity(const char* name) { return take(name, quantity_from_json); }
    [[nodiscard]] Bytes data(const char* name) { return take(name, data_from_json); }
    template <typename T>
    [[nodiscard]] T fixed(const char* name) {
        const auto value = T::from(data(name));
        if (!value) fail();
        return value.value_or(T{});
    }
    /// Nothing where it is null.
    [[nodiscard]] const json* optional(const char* name) {
        const json* value = get(name);
        return value == nullptr || value->is_null() ? nullptr : value;
    }
    [[nodiscard]] const json* get(const char* name) {
        const auto at = m_ok ? m_object.find(name) : m_object.end();
        if (!m_ok || at == m_object.end()) {
            fail();
            return nullptr;
        }
        return &*at;
    }

  private:
    template <typename T>
    T take(const char* name, std::optional<T> (*read)(const json&)) {
        const json* value = get(name);
        std::optional<T> out = value != nullptr ? read(*value) : std::nullopt;
        if (!out) fail();
        return std::move(out).value_or(T{});
    }
    const json& m_object;
    bool m_ok;
};

JobRequest read_request(RecordReader& in) {
    JobRequest out;
    out.id = in.text("id");
    out.to = in.fixed<Address>("to");
    out.data = in.data("data");
    out.value = in.quantity("value");
    out.purpose = in.flag("defence") ? TxPurpose::defence : TxPurpose::spend;
    out.deadline_ms = in.number("deadlineMs");
    out.gas_limit = in.number("requestedGas");
    out.budget = in.quantity("budget");
    out.after = in.text("after");
    return out;
}

std::optional<MinedAt> read_mined(RecordReader& in) {
    const json* value = in.optional("mined");
    if (value == nullptr) return std::nullopt;
    RecordReader mined(*value);
    MinedAt out{mined.fixed<channel::TxHash>("hash"),
                mined.fixed<channel::BlockHash>("blockHash"),
                mined.number("block"),
                mined.flag("success"),
                mined.number("gasUsed"),
                mined.quantity("gasPrice")};
    if (!mined.ok()) in.fail();
    return out;
}

/// A variant is believed only for what its signature covers.
void read_variants(RecordReader& in, Job& job, const Address& account, std::uint64_t chain_id) {
    const json* list = in.get("variants");
    if (list == nullptr || !list->is_array()) return in.fail();
    for (const json& element : *list) {
        RecordReader variant(element);
        auto transaction = decode_transaction(variant.data("raw"));
        const bool cancels = variant.flag("cancels");
        const std::uint64_t signed_ms = variant.number("signedMs");
        const std::uint64_t signed_head = variant.number("signedHead");
        if (!variant.ok() || !transaction || transaction_sender(*transaction) != account ||
            transaction->body.chain_id != chain_id || transaction->body.nonce != job.nonce) {
            return in.fail();
        }
        job.variants.push_back({std::move(*transaction), cancels, signed_ms, signed_head});
    }
}

bool is_coherent(const Job& job) {
    if (job.request.id.empty() || job.nonce.has_value() == job.variants.empty()) return false;
    const bool is_signed = !job.variants.empty();
    switch (job.status) {
        case JobStatus::queued:
            return !is_signed && !job.mined;
        case JobStatus::broadcast:
            return is_signed && !job.mined && job.gas_limit != 0;
        case JobStatus::mined:
            return is_signed && job.mined;
        case JobStatus::confirmed:
            return is_signed && job.mined;
        case JobStatus::failed:
            return true;
        case JobStatus::cancelled:
            return true;
    }
    return false;
}

}  // namespace

std::string_view job_status_name(JobStatus status) {
    return kStatusNames.at(static_cast<std::size_t>(status));
}

std::string write_job(const Job& job) {
    json variants = json::array();
    for (const TxVariant& variant : job.variants) variants.push_back(variant_to_json(variant));
    const JobRequest& request = job.request;
    const json out = {{"version", kRecordVersion},
                      {"id", request.id},
                      {"to", channel::to_hex(request.to)},
                      {"data", channel::to_hex(request.data)},
                      {"value", to_quantity(request.value)},
                      {"defence", request.purpose == TxPurpose::defence},
                      {"deadlineMs", request.deadline_ms},
                      {"requestedGas", request.gas_limit},
                      {"budget", to_quantity(request.budget)},
                      {"after", request.after},
                      {"sequence", job.sequence},
                      {"createdMs", job.created_ms},
                      {"status", job_status_name(job.status)},
                      {"fault", job.fault ? json(chain_fault_name(*job.fault)) : json(nullptr)},
                      {"detail", job.detail},
                      {"gas", job.gas_limit},
                      {"nonce", job.nonce ? json(*job.nonce) : json(nullptr)},
                      {"variants", std::move(variants)},
                      {"mined", job.mined ? mined_to_json(*job.mined) : json(nullptr)},
                      {"cancelRequested", job.cancel_requested},
                      {"final", job.final}};
    return out.dump(-1, ' ', false, json::error_handler_t::replace);
}

ChainExpected<Job> read_job(std::string_view record, const Address& account, std::uint64_t chain_id) {
    const json object = json::parse(record, nullptr, false);
    RecordReader in(object);
    Job job;
    job.request = read_request(in);
    job.sequence = in.number("sequence");
    job.created_ms = in.number("createdMs");
    const auto status = std::find(kStatusNames.begin(), kStatusNames.end(), in.text("status"));
    if (in.number("version") != kRecordVersion || status == kStatusNames.end()) in.fail();
    if (in.optional("fault") != nullptr) {
        job.fault = chain_fault_from_name(in.text("fault"));
        if (!job.fault) in.fail();
    }
    job.detail = in.text("detail");
    job.gas_limit = in.number("gas");
    if (in.optional("nonce") != nullptr) job.nonce = in.number("nonce");
    read_variants(in, job, account, chain_id);
    job.mined = read_mined(in);
    job.cancel_requested = in.flag("cancelRequested");
    job.final = in.flag("final");
    if (in.ok()) job.status = static_cast<JobStatus>(status - kStatusNames.begin());
    if (!in.ok() || !is_coherent(job)) return chain_error(ChainFault::job_record_malformed, job.request.id);
    return job;
}

}  // namespace hedgerow::wallet
