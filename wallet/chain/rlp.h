#pragma once

#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

#include "channel/base/bytes.h"
#include "channel/base/u256.h"

namespace hedgerow::wallet {

/// Recursive Length Prefix (Ethereum Yellow Paper, appendix B): writing by appending items to a payload, reading by a
/// strict reader that accepts only the one canonical encoding of each value.
class RlpWriter {
  public:
    void add_bytes(channel::ByteView bytes);
    /// Big-endian without leading zeros; zero is the empty string.
    void add_integer(const channel::U256& value);
    /// The items of `list` as one nested list.
    void add_list(const RlpWriter& list);
    /// Everything added so far as one list.
    [[nodiscard]] channel::Bytes finish_list() const;

  private:
    channel::Bytes m_payload;
};

/// Reads the items of one list in order. Every accessor yields nothing on a malformed, non-canonical or wrongly typed
/// item.
class RlpReader {
  public:
    /// The items of the list that is the whole of `bytes`; nothing where it is not exactly one canonical list.
    [[nodiscard]] static std::optional<RlpReader> open_list(channel::ByteView bytes);

    [[nodiscard]] bool at_end() const { return m_rest.empty(); }
    [[nodiscard]] std::optional<channel::ByteView> bytes();
    [[nodiscard]] std::optional<channel::U256> integer();
    [[nodiscard]] std::optional<std::uint64_t> integer64();
    [[nodiscard]] std::optional<RlpReader> list();

  private:
    explicit RlpReader(channel::ByteView items) : m_rest(items) {}
    struct Item {
        bool is_list;
        channel::ByteView payload;
    };
    [[nodiscard]] std::optional<Item> next();
    channel::ByteView m_rest;
};

}  // namespace hedgerow::wallet
