#include "cli/help.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "cli/names.h"

namespace hedgerow::cli {

using rpc::Field;
using rpc::MethodSpec;
using rpc::SchemaKind;

namespace {

constexpr std::size_t kWidth = 96;

constexpr std::string_view kGlobalOptions =
    "Options, anywhere on the line:\n"
    "  --rpc URL        the node (default: $HEDGEROW_RPC, or what the data directory says)\n"
    "  --datadir DIR    the node's data directory: its cookie, and where it serves\n"
    "                   (default: $HEDGEROW_DATADIR, or ~/.hedgerow)\n"
    "  --cookie FILE    the cookie file (default: $HEDGEROW_COOKIE, or DIR/.cookie)\n"
    "  --token-file F   a file with a scoped token, used instead of the cookie\n"
    "  --json           print the node's result as JSON\n"
    "  --timeout N      seconds to wait for the answer (default: 120)\n"
    "  -h, --help       this page, or that of a command\n";

constexpr std::string_view kExitCodes =
    "Exit codes: 0 done; 1 refused, nothing was done; 2 wrong usage; 3 the node cannot be reached;\n"
    "4 not authorised; 5 outcome unknown: look before you repeat, or repeat with the same --client-ref;\n"
    "6 done, although an error was reported.\n";

constexpr std::string_view kFirstSteps =
    "First steps:\n"
    "  hedgerow-cli node info\n"
    "  hedgerow-cli wallet balance\n"
    "  hedgerow-cli channel open --peer NODEID@host:port --deposit ETH=10\n"
    "  hedgerow-cli channel list\n"
    "  hedgerow-cli pay send --channel-id ID --asset ETH --amount 0.25\n";

struct NamespaceText {
    std::string_view name;
    std::string_view summary;
};
constexpr NamespaceText kNamespaces[] = {
    {"node", "the node itself"},
    {"wallet", "keys and money on chain"},
    {"peer", "connections to other nodes"},
    {"channel", "collateral, states, closing"},
    {"tower", "watchtowers"},
    {"pay", "payments"},
    {"invoice", "requests to be paid"},
    {"swap", "one asset for another"},
    {"market", "instruments, quotes, trades"},
    {"position", "open positions"},
    {"trade", "trades done"},
    {"margin", "equity, margin, leverage"},
    {"oracle", "prices"},
    {"rpc", "the interface itself"},
};

std::vector<std::string> namespaces() {
    std::vector<std::string> out;
    for (const MethodSpec& method : rpc::method_table()) {
        const std::string name = namespace_of(method);
        if (std::find(out.begin(), out.end(), name) == out.end()) out.push_back(name);
    }
    return out;
}

std::string_view summary_of(std::string_view name) {
    for (const NamespaceText& row : kNamespaces) {
        if (row.name == name) return row.summary;
    }
    return "";
}

/// Words in lines of at most kWidth, each line after this indent.
std::string wrapped(std::string_view text, std::size_t indent, std::size_t first_at) {
    std::string out(first_at < indent ? indent - first_at : 1, ' ');
    std::size_t at = std::max(indent, first_at + 1);
    if (first_at >= indent && indent > 0) {
        out.assign("\n").append(indent, ' ');
        at = indent;
    }
    bool start = true;
    while (!text.empty()) {
        const std::string_view word = text.substr(0, text.find(' '));
        text.remove_prefix(std::min(text.size(), word.size() + 1));
        if (!start && at + 1 + word.size() > kWidth) {
            out.append("\n").append(indent, ' ');
            at = indent;
            start = true;
        }
        out.append(start ? "" : " ").append(word);
        at += word.size() + (start ? 0 : 1);
        start = false;
    }
    return out + "\n";
}

std::string paragraph(std::string_view text) {
    return wrapped(text, 0, 0).substr(1);
}

std::string usage_of(const MethodSpec& method) {
    std::string out = fmt::format("hedgerow-cli {} {}", namespace_of(method), verb_of(method));
    for (const Field& field : method.params) {
        if (field.schema.secret) continue;
        if (!field.required) continue;
        const bool list = field.schema.kind == SchemaKind::array;
        out.append(fmt::format(" {} {}{}", option_name(field), value_name(field.schema), list ? " …" : ""));
    }
    return out.append(" [options]");
}

std::string range_text(const rpc::Schema& schema) {
    if (schema.kind == SchemaKind::integer && schema.maximum < (1LL << 52))
        return fmt::format(" ({} to {})", schema.minimum, schema.maximum);
    if (schema.kind == SchemaKind::array) return fmt::format(" (repeat for several, at most {})", schema.maximum);
    return "";
}

std::string params_text(const MethodSpec& method) {
    std::string out;
    for (const Field& field : method.params) {
        const std::string option = fmt::format("  {} {}", option_name(field), value_name(field.schema));
        const std::string description =
            field.schema.secret
                ? fmt::format("{}: {}; asked for without echo unless a file (or - for standard input) is named",
                              field.name, field.description)
                : fmt::format("{}{}{}", field.description, range_text(field.schema),
                              field.required ? " [required]" : "");
        out.append(option).append(wrapped(description, 30, option.size()));
    }
    return out;
}

std::string order_text(const MethodSpec& method) {
    std::string out;
    for (const Field& field : method.params) {
        if (field.schema.secret) continue;
        out.append(out.empty() ? "" : " ")
            .append(field.required ? "" : "[")
            .append(kebab_case(field.name))
            .append(field.required ? "" : "]");
    }
    return out;
}

std::string result_text(const rpc::Schema& result) {
    std::string out;
    const auto& fields = result.kind == SchemaKind::array ? result.item->fields : result.fields;
    for (const Field& field : fields) {
        const rpc::Schema* inner =
            field.name == "items" && field.schema.kind == SchemaKind::array ? field.schema.item.get() : nullptr;
        if (inner != nullptr && inner->kind == SchemaKind::object) {
            out.append(result_text(*inner));
            continue;
        }
        const std::string name = fmt::format("  {}", field.name);
        const std::string type = field.schema.kind == SchemaKind::object || field.schema.kind == SchemaKind::array
                                     ? ""
                                     : fmt::format(" [{}]", rpc::type_text(field.schema));
        out.append(name).append(wrapped(field.description + type, 30, name.size()));
    }
    return out;
}

}  // namespace

std::string root_help() {
    std::string out =
        "hedgerow-cli: channels, payments and trades of a Hedgerow node, from the terminal\n\n"
        "Usage: hedgerow-cli COMMAND VERB [arguments] [options]\n"
        "       hedgerow-cli call METHOD [PARAMS]     any JSON-RPC method, with JSON parameters\n\n"
        "Commands (hedgerow-cli COMMAND --help lists its verbs):\n";
    for (const std::string& name : namespaces()) {
        std::string verbs;
        for (const MethodSpec& method : rpc::method_table()) {
            if (namespace_of(method) == name) verbs.append(verbs.empty() ? "" : ", ").append(verb_of(method));
        }
        const std::string head = fmt::format("  {:<10}", name);
        out.append(head).append(wrapped(fmt::format("{}: {}", summary_of(name), verbs), 14, head.size()));
    }
    out.append("\n").append(kGlobalOptions).append("\n").append(kFirstSteps).append("\n").append(kExitCodes);
    return out.append("Amounts are decimals in units of the asset (ETH, USDC), never in wei.\n");
}

std::string namespace_help(std::string_view name) {
    std::string out = fmt::format("hedgerow-cli {}: {}\n\nVerbs (hedgerow-cli {} VERB --help says more):\n", name,
                                  summary_of(name), name);
    for (const MethodSpec& method : rpc::method_table()) {
        if (namespace_of(method) == name) out.append(fmt::format("  {:<14}{}\n", verb_of(method), method.summary));
    }
    if (name == "tower") {
        out.append("  receipts      Write every promise of the node's watchtowers into a file\n");
        out.append("  verify        Check such a file, without a node\n");
    }
    return out;
}

std::string receipts_help() {
    return "Write every promise of the node's watchtowers into a file that anyone can check without this node\n\n"
           "Usage: hedgerow-cli tower receipts --export FILE [--channel-id ID] [--tower ID]\n\n"
           "The file holds the towers' newest receipts, which prove all earlier ones, the sealed appointments with what\n"
           "opens them, and any receipts with which a tower contradicted itself. It holds the channels' watch secrets:\n"
           "whoever has those can read what towers hold for the channels. It must not exist yet; its mode is 0600.\n";
}

std::string verify_help() {
    return "Check a file that tower receipts wrote, without a node\n\n"
           "Usage: hedgerow-cli tower verify FILE\n\n"
           "Every receipt must be signed by its tower, name the blob in the file, and the blob hold the state of the\n"
           "receipt's version, signed by both parties of the channel. Exit code 0 only where all of it holds.\n";
}

std::string method_help(const MethodSpec& method) {
    std::string out = fmt::format("{}\n\nUsage: {}\n", method.summary, usage_of(method));
    if (!method.details.empty()) out.append("\n").append(paragraph(method.details));
    if (!method.params.empty()) out.append("\n").append(params_text(method));
    const std::string order = order_text(method);
    if (!order.empty()) {
        out.append("\n").append(paragraph(fmt::format(
            "The values may also stand without their names, in this order: {}. A lone - skips an optional one.",
            order)));
    }
    if (!method.example.empty())
        out.append(fmt::format("\nExample:\n  hedgerow-cli {} {} {}\n", namespace_of(method), verb_of(method),
                               method.example));
    const std::string result = result_text(method.result);
    if (!result.empty()) out.append("\nPrints:\n").append(result);
    return out.append(fmt::format("\nJSON-RPC method {}, scope {}. Options for every command: hedgerow-cli --help\n",
                                  method.name, rpc::scope_name(method.scope)));
}

std::string bash_completion() {
    std::string out =
        "# bash completion for hedgerow-cli. Made by: hedgerow-cli --print-completion\n"
        "_hedgerow_cli() {\n"
        "    local current=${COMP_WORDS[COMP_CWORD]} command= verb= word i skip=0\n"
        "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
        "        word=${COMP_WORDS[i]}\n"
        "        if ((skip)); then skip=0; continue; fi\n"
        "        case $word in\n"
        "            --rpc | --datadir | --cookie | --token-file | --timeout) skip=1 ;;\n"
        "            -*) ;;\n"
        "            *) if [[ -z $command ]]; then command=$word; elif [[ -z $verb ]]; then verb=$word; fi ;;\n"
        "        esac\n"
        "    done\n"
        "    local global='--rpc --datadir --cookie --token-file --json --timeout --help'\n"
        "    case \"$command $verb\" in\n";
    std::string commands;
    for (const std::string& name : namespaces()) {
        commands.append(name).append(" ");
        std::string verbs;
        for (const MethodSpec& method : rpc::method_table()) {
            if (namespace_of(method) != name) continue;
            verbs.append(verbs.empty() ? "" : " ").append(verb_of(method));
            std::string options;
            for (const Field& field : method.params) options.append(option_name(field)).append(" ");
            out.append(fmt::format("        '{} {}') COMPREPLY=($(compgen -W \"{}$global\" -- \"$current\")) ;;\n",
                                   name, verb_of(method), options));
        }
        if (name == "tower") {
            verbs.append(" receipts verify");
            out.append("        'tower receipts') COMPREPLY=($(compgen -W \"--export --channel-id --tower $global\" -- \"$current\")) ;;\n");
        }
        out.append(
            fmt::format("        '{} ') COMPREPLY=($(compgen -W '{} --help' -- \"$current\")) ;;\n", name, verbs));
    }
    out.append(fmt::format("        ' ') COMPREPLY=($(compgen -W \"{}call $global\" -- \"$current\")) ;;\n", commands));
    out.append("    esac\n}\ncomplete -o default -F _hedgerow_cli hedgerow-cli\n");
    return out;
}

}  // namespace hedgerow::cli
