#include "rpc/request.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <vector>

#include "rpc/json_builder.h"

namespace hedgerow::rpc {

using channel::Unexpected;

namespace {

constexpr std::size_t kMaxId = 256;  ///< bytes of one that is a string
constexpr std::size_t kParams = 8;   ///< members for which there is room at once

enum class Member : std::uint8_t { jsonrpc, method, params, id, other };
constexpr std::array<std::string_view, 4> kMembers = {"jsonrpc", "method", "params", "id"};

/// The parser's events for a body. Of a request only params becomes a value; the rest is looked at as it comes, and
/// what cannot be looked at so (an id that is an object, say) is built and thrown away, for it has bounds too.
class RequestReader {
  public:
    RequestReader(std::size_t max_batch, const TakeRequest& take) : m_max_batch(max_batch), m_take(take) {}

    bool null() { return scalar(nullptr); }
    bool boolean(bool value) { return scalar(value); }
    bool number_integer(Json::number_integer_t value) { return integer(value); }
    bool number_unsigned(Json::number_unsigned_t value) { return integer(value); }
    /// As it was written: another number of the same value is another text.
    bool number_float(Json::number_float_t value, const std::string& text) {
        return at(Member::id) ? take_id(text) : scalar(value);
    }
    bool string(std::string& value);
    bool binary(Json::binary_t&) { return m_builder.fail("json_malformed", "binary"); }

    bool start_object(std::size_t);
    bool key(std::string& name);
    bool end_object();
    bool start_array(std::size_t);
    bool end_array();
    bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) {
        m_builder.error = not_json(position);
        return false;
    }

    Body body;
    [[nodiscard]] JsonError& error() { return m_builder.error; }

  private:
    enum class Place : std::uint8_t { outside, request, value, element };  ///< value: of a member; element: no request

    [[nodiscard]] bool at(Member member) const {
        return m_place == Place::value && m_member == member && !m_builder.inside();
    }
    template <typename Value>
    bool scalar(Value value) {
        begin_element();
        return m_builder.put(value) && end_value();
    }
    template <typename Value>
    bool integer(Value value) {
        return at(Member::id) ? take_id(std::to_string(value)) : scalar(value);
    }
    bool take_id(std::string text);
    void begin_element();
    bool end_value();
    void end_member();
    void end_request();
    [[nodiscard]] std::string_view fault() const;
    [[nodiscard]] std::size_t depth() const { return body.array ? 1 : 0; }
    void give(Request&& request, Json&& params);

    const std::size_t m_max_batch;
    const TakeRequest& m_take;
    JsonBuilder m_builder{kMaxJsonDepth};
    Place m_place = Place::outside;
    Member m_member = Member::other;
    Json m_value;
    // Of the request that is being read:
    Request m_request;
    Json m_params;
    std::array<bool, kMembers.size()> m_seen{};
    std::vector<std::string> m_others;  ///< names of members that no request has
    bool m_good_version = false;
    bool m_good_method = false;
    bool m_good_params = true;
    bool m_good_id = true;
    bool m_long_id = false;
};

}  // namespace

channel::Expected<Body, JsonError> read_requests(std::string_view text, std::size_t max_batch,
                                                 const TakeRequest& take) {
    RequestReader reader(max_batch, take);
    if (!Json::sax_parse(text.begin(), text.end(), &reader)) return Unexpected{std::move(reader.error())};
    return reader.body;
}

namespace {

void RequestReader::give(Request&& request, Json&& params) {
    if (body.requests++ < m_max_batch) m_take(std::move(request), std::move(params));
}

RpcError invalid_request(std::string_view name, std::string_view why) {
    RpcError out;
    out.code = kInvalidRequest;
    out.name = std::string(name);
    out.message = fmt::format("Invalid Request: {}", why);
    return out;
}

/// Where a request could begin, something else does.
void RequestReader::begin_element() {
    if (m_place != Place::outside) return;
    m_place = Place::element;
    m_builder.begin(m_value, depth());
}

bool RequestReader::string(std::string& value) {
    if (at(Member::jsonrpc)) {
        m_good_version = value == "2.0";
        m_place = Place::request;
        return true;
    }
    if (at(Member::method)) {
        m_request.method = std::move(value);
        m_good_method = true;
        m_place = Place::request;
        return true;
    }
    if (at(Member::id)) {
        m_long_id = value.size() > kMaxId;
        return take_id(m_long_id ? "null" : json_text(std::move(value)));
    }
    return scalar(std::move(value));
}

bool RequestReader::take_id(std::string text) {
    m_request.id = std::move(text);
    m_place = Place::request;
    return true;
}

/// Room for what most calls have: an object that grows copies its members.
Json roomy() {
    Json::object_t out;
    out.reserve(kParams);
    return out;
}

bool RequestReader::start_object(std::size_t) {
    if (at(Member::params)) return m_builder.open(roomy());
    if (m_place != Place::outside) return m_builder.open(Json::object());
    m_place = Place::request;
    m_request = {};
    m_params = nullptr;
    m_seen = {};
    m_others.clear();
    m_good_version = m_good_method = m_long_id = false;
    m_good_params = m_good_id = true;
    return true;
}

bool RequestReader::key(std::string& name) {
    if (m_place != Place::request) return m_builder.key(name);
    const auto known = std::find(kMembers.begin(), kMembers.end(), name);
    m_member = static_cast<Member>(known - kMembers.begin());
    const auto members = static_cast<std::size_t>(std::count(m_seen.begin(), m_seen.end(), true)) + m_others.size();
    const bool twice = m_member == Member::other ? std::find(m_others.begin(), m_others.end(), name) != m_others.end()
                                                 : m_seen[static_cast<std::size_t>(m_member)];
    if (members >= kMaxJsonMembers || twice) {
        m_builder.error = members >= kMaxJsonMembers ? too_many_members() : duplicate_key(name);
        return false;
    }
    if (m_member == Member::other)
        m_others.push_back(std::move(name));
    else
        m_seen[static_cast<std::size_t>(m_member)] = true;
    m_place = Place::value;
    m_builder.begin(m_member == Member::params ? m_params : m_value, depth() + 1);
    return true;
}

bool RequestReader::end_object() {
    if (m_place == Place::request) {
        end_request();
        return true;
    }
    return m_builder.close() && end_value();
}

bool RequestReader::start_array(std::size_t) {
    if (m_place == Place::outside && !body.array) {
        body.array = true;
        return true;
    }
    begin_element();
    return m_builder.open(Json::array());
}

bool RequestReader::end_array() {
    if (m_place == Place::outside) return true;  // the batch itself
    return m_builder.close() && end_value();
}

/// After each value but those that were looked at as they came.
bool RequestReader::end_value() {
    if (m_builder.inside()) return true;
    if (m_place == Place::value) {
        end_member();
        m_place = Place::request;
        return true;
    }
    m_place = Place::outside;
    Request none;
    none.wrong = invalid_request("request_malformed", "a request is an object");
    give(std::move(none), nullptr);
    return true;
}

void RequestReader::end_member() {
    if (m_member == Member::params) m_good_params = m_params.is_structured();
    if (m_member == Member::id) m_good_id = m_value.is_null();
}

/// The first thing in which it is no request, in the order in which they are looked for; empty where it is one.
std::string_view RequestReader::fault() const {
    if (!m_others.empty()) return "unknown_member";
    if (!m_good_id || m_long_id) return "id_malformed";
    if (!m_good_version || !m_good_method) return "request_malformed";
    return m_good_params ? std::string_view() : "params_malformed";
}

std::string_view why(std::string_view fault, bool long_id, bool good_version) {
    if (fault == "unknown_member") return "a request has only jsonrpc, method, params and id";
    if (fault == "id_malformed") return long_id ? "id is too long" : "id must be a string, a number or null";
    if (fault == "params_malformed") return "params must be an object or an array";
    return good_version ? "method must be a string" : "jsonrpc must be \"2.0\"";
}

void RequestReader::end_request() {
    m_place = Place::outside;
    m_request.has_id = m_seen[static_cast<std::size_t>(Member::id)];
    if (const std::string_view found = fault(); !found.empty())
        m_request.wrong = invalid_request(found, why(found, m_long_id, m_good_version));
    give(std::move(m_request), std::move(m_params));
}

}  // namespace

}  // namespace hedgerow::rpc
