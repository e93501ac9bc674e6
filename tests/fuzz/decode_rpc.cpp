#include <nlohmann/json.hpp>

#include "rpc/auth.h"
#include "rpc/error.h"
#include "rpc/http_client.h"
#include "rpc/http_message.h"
#include "rpc/json.h"
#include "rpc/method.h"
#include "tests/fuzz/decoders.h"
#include "tests/fuzz/temp_file.h"

namespace hedgerow::fuzz {

using namespace channel;

void decode_json(ByteView bytes) {
    const auto value = rpc::parse_json(text_of(bytes));
    if (!value) {
        ASSERT(!value.error().name.empty());
        return;
    }
    const std::string text = rpc::json_text(*value);
    const auto again = rpc::parse_json(text);
    ASSERT(again.has_value() && rpc::json_text(*again) == text);
    ASSERT(rpc::parse_json(rpc::json_pretty(*value)).has_value());
    static_cast<void>(rpc::decimal_from_json(*value, 18));
    static_cast<void>(rpc::error_from_json(*value));
}

/// Parameters of each method in turn, against its row of the table.
void decode_params(ByteView bytes) {
    if (bytes.empty()) return;
    const auto value = rpc::parse_json(text_of(bytes.subspan(1)));
    if (!value) return;
    const auto& table = rpc::method_table();
    const rpc::MethodSpec& method = table[bytes[0] % table.size()];
    const auto params = rpc::bind_params(method, *value);
    if (!params) return;
    ASSERT(params->is_object());
    const auto again = rpc::bind_params(method, *params);  // named and complete, hence its own fixed point
    ASSERT(again.has_value() && rpc::json_text(*again) == rpc::json_text(*params));
}

void decode_http_text(ByteView bytes) {
    const std::string_view text = text_of(bytes);
    static_cast<void>(rpc::parse_query(text));
    if (const auto url = rpc::parse_http_url(text)) ASSERT(!url->host.empty() && url->port != 0);
    static const rpc::Authenticator authenticator("__cookie__:0123", {{"reader", 1, std::string(32, 'r')}});
    static_cast<void>(authenticator.scopes_of(text));
    static_cast<void>(rpc::base64_encode(text));
    static_cast<void>(rpc::parse_scopes(text));
}

void decode_tokens_file(ByteView bytes) {
    const TempFile file(bytes);
    static_cast<void>(rpc::read_cookie(file.path()));
    const auto tokens = rpc::read_tokens(file.path());
    if (!tokens) return;
    for (const rpc::Token& token : *tokens) ASSERT(token.secret.size() >= 32 && token.secret.size() <= 128);
}

}  // namespace hedgerow::fuzz
