#pragma once

#include "channel/messages/typed.h"

namespace hedgerow::wallet {

/// What the signing policy must never forget of one channel. Durable in the transaction that holds what was signed.
struct SigningRecord {
    channel::ChannelId channel_id;
    std::uint64_t version = 0;         ///< of the newest State signed; 0: none
    channel::Digest digest;            ///< its digest
    std::uint64_t close_version = 0;   ///< of the newest Close signed; 0: none
    channel::Digest close_digest;      ///< its digest
    std::uint64_t close_deadline = 0;  ///< of the newest Close signed, seconds
    bool close_outstanding = false;    ///< until its deadline has passed unmined in a confirmed block
    bool disputed = false;
    bool recovering = false;  ///< we are behind our own past signatures
    bool final = false;       ///< closed or settled, confirmed

    static constexpr auto fields() {
        using channel::field;
        using R = SigningRecord;
        return std::make_tuple(field("channelId", &R::channel_id), field("version", &R::version),
                               field("digest", &R::digest), field("closeVersion", &R::close_version),
                               field("closeDigest", &R::close_digest), field("closeDeadline", &R::close_deadline),
                               field("closeOutstanding", &R::close_outstanding), field("disputed", &R::disputed),
                               field("recovering", &R::recovering), field("final", &R::final));
    }
    /// No State or Close at or below it is ever signed anew.
    [[nodiscard]] std::uint64_t highest() const { return std::max(version, close_version); }
    bool operator==(const SigningRecord&) const = default;
};

/// Canonical bytes for the store, led by a format version; decoding refuses anything else by the Rule of the codec,
/// protocol_version_unsupported for a newer format.
[[nodiscard]] channel::Bytes encode_record(const SigningRecord& record);
[[nodiscard]] channel::Expected<SigningRecord, channel::Rule> decode_record(channel::ByteView bytes);

}  // namespace hedgerow::wallet
