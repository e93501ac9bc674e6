#include "rpc/http_message.h"

#include <algorithm>
#include <optional>

namespace hedgerow::rpc {

namespace {

constexpr std::size_t kMaxQueryParameters = 64;

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool same_name(std::string_view a, std::string_view b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) { return lower(x) == lower(y); });
}

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    c = lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

std::optional<std::string> percent_decode(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '+') {
            out.push_back(' ');
        } else if (text[i] != '%') {
            out.push_back(text[i]);
        } else {
            const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
            const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
            if (high < 0 || low < 0) return std::nullopt;
            out.push_back(static_cast<char>(high * 16 + low));
            i += 2;
        }
    }
    return out;
}

}  // namespace

std::string_view find_field(const HttpFields& fields, std::string_view name) {
    for (const auto& [key, value] : fields) {
        if (same_name(key, name)) return value;
    }
    return {};
}

std::size_t count_field(const HttpFields& fields, std::string_view name) {
    const auto matches =
        std::count_if(fields.begin(), fields.end(), [&](const auto& f) { return same_name(f.first, name); });
    return static_cast<std::size_t>(matches);
}

HttpResponse text_response(int status, std::string_view line) {
    HttpResponse response;
    response.status = status;
    response.content_type = "text/plain; charset=utf-8";
    response.body.append(line).push_back('\n');
    return response;
}

std::vector<std::pair<std::string, std::string>> parse_query(std::string_view query) {
    std::vector<std::pair<std::string, std::string>> out;
    while (!query.empty()) {
        const std::string_view part = query.substr(0, query.find('&'));
        query.remove_prefix(std::min(query.size(), part.size() + 1));
        if (part.empty()) continue;
        const std::size_t equals = part.find('=');
        auto key = percent_decode(part.substr(0, equals));
        auto value = percent_decode(equals == std::string_view::npos ? std::string_view() : part.substr(equals + 1));
        if (!key || !value || out.size() == kMaxQueryParameters) return {};
        out.emplace_back(std::move(*key), std::move(*value));
    }
    return out;
}

}  // namespace hedgerow::rpc
