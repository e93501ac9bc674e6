#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "rpc/json.h"

namespace hedgerow::rpc {

enum class SchemaKind : std::uint8_t {
    boolean,
    integer,  ///< within [minimum, maximum]; never a floating-point number
    number,   ///< a ratio or a latency; money never has this kind
    string,   ///< its length in bytes within [minimum, maximum]
    amount,   ///< decimal string, at least zero: units of the asset, or USD for a price
    signed_amount,
    hash,         ///< 32 bytes as 0x-hex: ids and digests
    address,      ///< 20 bytes as 0x-hex, EIP-55 checksum where the case is mixed
    hex,          ///< 0x-hex of any even length, its bytes within [minimum, maximum]
    enumeration,  ///< one of values
    array,        ///< of items, their number within [minimum, maximum]
    object,       ///< exactly these fields
    any,          ///< JSON that the handler itself checks
};

struct Field;

/// The shape of one value. Built by the functions below; held by value in the method table.
struct Schema {
    SchemaKind kind = SchemaKind::any;
    std::int64_t minimum = 0;
    std::int64_t maximum = 0;
    std::vector<std::string> values;     ///< of an enumeration
    std::vector<Field> fields;           ///< of an object
    std::shared_ptr<const Schema> item;  ///< of an array
    bool secret = false;                 ///< a password or phrase: asked for without echo, never logged
    bool chosen = false;                 ///< a secret that this call sets: asked for twice
};

struct Field {
    std::string name;
    Schema schema;
    bool required = true;
    std::string description = {};
};

namespace schema {
[[nodiscard]] Schema boolean();
[[nodiscard]] Schema integer(std::int64_t minimum, std::int64_t maximum);
[[nodiscard]] Schema number();
[[nodiscard]] Schema string(std::int64_t max_length, std::int64_t min_length = 1);
[[nodiscard]] Schema secret(std::int64_t max_length);
[[nodiscard]] Schema new_secret(std::int64_t max_length);
[[nodiscard]] Schema amount();
[[nodiscard]] Schema signed_amount();
[[nodiscard]] Schema hash();
[[nodiscard]] Schema address();
[[nodiscard]] Schema hex(std::int64_t max_bytes);
[[nodiscard]] Schema one_of(std::vector<std::string> values);
[[nodiscard]] Schema array(Schema item, std::int64_t max_items, std::int64_t min_items = 0);
[[nodiscard]] Schema object(std::vector<Field> fields);
[[nodiscard]] Schema any();
}  // namespace schema

/// What is wrong with a value, and where ("deposits[0].amount").
struct SchemaError {
    std::string_view name;  ///< type_mismatch, out_of_range, missing_parameter, unknown_parameter, amount_malformed, …
    std::string path;
    std::string message;  ///< a clause to follow the path: "must be a decimal string such as \"12.5\""
};

/// Parameters are closed (a misspelt name is refused); results may say more than their schema.
enum class Extra : std::uint8_t { refuse, allow };

/// Nothing where the value fits. An absent optional field may also be given as null.
[[nodiscard]] std::optional<SchemaError> check(const Schema& schema, const Json& value, std::string_view path,
                                               Extra extra = Extra::refuse);
/// The same for named fields: what is required is there, nothing is there that has no name here.
[[nodiscard]] std::optional<SchemaError> check_fields(const std::vector<Field>& fields, const Json& object,
                                                      std::string_view path, Extra extra = Extra::refuse);

/// JSON Schema (draft 7) of the same shape.
[[nodiscard]] Json json_schema(const Schema& schema);
/// "decimal string", "list of {asset, amount}": for help pages.
[[nodiscard]] std::string type_text(const Schema& schema);

}  // namespace hedgerow::rpc
