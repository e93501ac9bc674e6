#include "wallet/signer/signing_record.h"

#include "channel/codec/wire.h"

namespace hedgerow::wallet {

namespace {

constexpr std::uint8_t kFormat = 1;

}  // namespace

channel::Bytes encode_record(const SigningRecord& record) {
    channel::Writer out;
    out.byte(kFormat);
    channel::wire_write(out, record);
    return std::move(out).take();
}

channel::Expected<SigningRecord, channel::Rule> decode_record(channel::ByteView bytes) {
    using channel::Rule;
    using channel::Unexpected;
    if (bytes.empty()) return Unexpected{Rule::frame_truncated};
    if (bytes[0] != kFormat) return Unexpected{Rule::protocol_version_unsupported};
    auto record = channel::wire_decode<SigningRecord>(bytes.subspan(1));
    if (!record) return record;
    const bool in_range = record->version <= channel::kMaxVersion && record->close_version <= channel::kMaxVersion;
    const bool coherent = !record->close_outstanding || record->close_version != 0;
    if (!in_range || !coherent) return Unexpected{Rule::field_out_of_range};
    return record;
}

}  // namespace hedgerow::wallet
