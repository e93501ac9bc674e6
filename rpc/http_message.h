#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hedgerow::rpc {

/// Field names keep the case they came with; look-ups ignore case.
using HttpFields = std::vector<std::pair<std::string, std::string>>;

/// The value of the first field of this name (any case); empty where absent.
[[nodiscard]] std::string_view find_field(const HttpFields& fields, std::string_view name);
/// How often a field of this name occurs: a second Host or Authorization is a way to confuse two readers.
[[nodiscard]] std::size_t count_field(const HttpFields& fields, std::string_view name);

struct HttpRequest {
    std::string method;  ///< as sent, e.g. "GET"
    std::string path;    ///< the target before '?', percent-encoding untouched
    std::string query;   ///< the target after '?', without it
    HttpFields fields;
    std::string body;
    std::string remote;  ///< "127.0.0.1:50312", for logs
    [[nodiscard]] std::string_view field(std::string_view name) const { return find_field(fields, name); }
};

struct HttpResponse {
    int status = 200;
    std::string content_type = "application/json";  ///< not sent with an empty body
    std::string body;
    HttpFields fields;  ///< further fields; Content-Length, Connection and Server are set by the server
    [[nodiscard]] std::string_view field(std::string_view name) const { return find_field(fields, name); }
};

/// A plain-text response whose body is one line.
[[nodiscard]] HttpResponse text_response(int status, std::string_view line);

/// Parameters of a query string ("a=1&b=x%20y"), percent-decoded, '+' as space, at most 64; nothing where an escape is
/// broken.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> parse_query(std::string_view query);

}  // namespace hedgerow::rpc
