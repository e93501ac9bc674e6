#pragma once

#include <memory>
#include <vector>

#include "channel/base/bytes.h"

namespace hedgerow::channel {

/// An encoding whose long lists stand beside it, shared with every state that has the same (CowList): it costs neither
/// copying nor storing again what they are long.
struct Encoding {
    struct Part {
        std::size_t at = 0;  ///< in `bytes`: it stands before what is there
        std::shared_ptr<const Bytes> bytes;
    };

    Encoding() = default;
    Encoding(Bytes whole) : bytes(std::move(whole)) {}  // NOLINT: bytes are an encoding

    Bytes bytes;              ///< without the parts
    std::vector<Part> parts;  ///< ascending

    [[nodiscard]] bool empty() const { return bytes.empty() && parts.empty(); }
    [[nodiscard]] std::size_t size() const {
        std::size_t out = bytes.size();
        for (const Part& part : parts) out += part.bytes->size();
        return out;
    }
    [[nodiscard]] Bytes whole() const {
        if (parts.empty()) return bytes;
        Bytes out;
        out.reserve(size());
        std::size_t from = 0;
        for (const Part& part : parts) {
            append(out, ByteView(bytes).subspan(from, part.at - from));
            append(out, *part.bytes);
            from = part.at;
        }
        append(out, ByteView(bytes).subspan(from));
        return out;
    }
};

}  // namespace hedgerow::channel
