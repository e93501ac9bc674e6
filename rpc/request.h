#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "rpc/error.h"

namespace hedgerow::rpc {

/// One request of a body, or what stands in its place.
struct Request {
    std::string id = "null";  ///< JSON text to answer with; null where none is given, or one that cannot be one
    bool has_id = false;      ///< false: a notification, unless it is `wrong`
    std::string method;
    std::optional<RpcError> wrong;  ///< why it is no JSON-RPC 2.0 request, which is answered even without an id
};

/// Takes the next request; `params` is an object, an array, or null where there is none.
using TakeRequest = std::function<void(Request&& request, Json&& params)>;

struct Body {
    bool array = false;
    std::size_t requests = 0;  ///< perhaps more than were taken
};

/// A JSON-RPC body in one pass, under the bounds of parse_json: at most `max_batch` requests are taken, in order, as
/// they are read. Where the text is no JSON, none of them counts.
[[nodiscard]] channel::Expected<Body, JsonError> read_requests(std::string_view text, std::size_t max_batch,
                                                               const TakeRequest& take);

}  // namespace hedgerow::rpc
