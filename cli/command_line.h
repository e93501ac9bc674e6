#pragma once

#include <string>
#include <variant>
#include <vector>

#include "cli/arguments.h"

namespace hedgerow::cli {

struct GlobalOptions {
    std::string rpc_url;
    std::string datadir;
    std::string cookie;
    std::string token_file;
    int timeout_s = 120;
    bool json = false;
    bool all = false;  ///< every page of a list
};

/// What a command line turned out to ask for.
struct ShowText {
    std::string text;
};
struct UsageError {
    std::string message;
    std::string see;  ///< the command whose --help helps
};
struct CallMethod {
    const rpc::MethodSpec* method = nullptr;
    GlobalOptions options;
    Typed typed;
};
struct CallRaw {
    GlobalOptions options;
    std::string method;
    std::string params;  ///< JSON text; may be empty
};
/// tower receipts: every promise of the node's towers, in one file.
struct ExportReceipts {
    GlobalOptions options;
    std::string file;     ///< must not exist
    std::string channel;  ///< only this one; empty: all
    std::string tower;    ///< only this one; empty: all
};
/// tower verify: offline.
struct VerifyReceipts {
    GlobalOptions options;
    std::string file;
};
using Command = std::variant<ShowText, UsageError, CallMethod, CallRaw, ExportReceipts, VerifyReceipts>;

/// Reads a command line (without the program's name) by the method table.
[[nodiscard]] Command parse_command_line(const std::vector<std::string>& arguments);

}  // namespace hedgerow::cli
