// Reads signed packages as hex, one a line, from standard input, and says what the core makes of each, one JSON object a line:
// {"signer", "timestampMs", "points": {feed id hex: value}, "again": the package encoded anew}, or {"error": rule}.

#include <iostream>
#include <string>

#include "channel/crypto/signature.h"
#include "channel/market/package.h"

using namespace hedgerow::channel;

namespace {

std::string describe(const std::string& line) {
    const auto refused = [](Rule rule) { return std::string("{\"error\":\"").append(rule_name(rule)).append("\"}"); };
    const auto bytes = from_hex(line);
    if (!bytes) return "{\"error\":\"no hex\"}";
    const auto package = decode_signed_package(*bytes);
    if (!package) return refused(package.error());
    const auto signer = package_signer(*package);
    if (!signer) return refused(signer.error());
    std::string points;
    for (const DataPoint& point : package->data.points) {
        if (!points.empty()) points.push_back(',');
        points.append("\"").append(to_hex(point.feed)).append("\":\"").append(to_decimal(point.value)).append("\"");
    }
    std::string out = "{\"signer\":\"";
    out.append(checksum_address(*signer)).append("\",\"timestampMs\":").append(std::to_string(package->data.timestamp_ms));
    out.append(",\"points\":{").append(points).append("},\"again\":\"").append(to_hex(ByteView(encode_signed_package(*package))));
    return out.append("\"}");
}

}  // namespace

int main() {
    for (std::string line; std::getline(std::cin, line);) std::cout << describe(line) << '\n';
    return 0;
}
