#include "cli/command_line.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "cli/help.h"
#include "cli/names.h"

namespace hedgerow::cli {

using rpc::Field;
using rpc::MethodSpec;
using rpc::SchemaKind;

namespace {

bool is_paged(const MethodSpec& method) {
    return std::any_of(method.params.begin(), method.params.end(), [](const Field& f) { return f.name == "cursor"; });
}

/// The help pages are our own: CLI11's know nothing of results, order and examples.
class HelpPages : public CLI::Formatter {
  public:
    std::map<const CLI::App*, std::string> pages;
    std::string make_help(const CLI::App* app, std::string, CLI::AppFormatMode) const override {
        const auto it = pages.find(app);
        return it == pages.end() ? root_help() : it->second;
    }
};

struct Parser {
    Parser() {
        app.require_subcommand(1);
        app.set_help_flag("-h,--help");
        app.set_version_flag("--version", "hedgerow-cli " HEDGEROW_VERSION);
        app.formatter(pages);
        app.add_option("--rpc", options.rpc_url);
        app.add_option("--datadir", options.datadir);
        app.add_option("--cookie", options.cookie);
        app.add_option("--token-file", options.token_file);
        app.add_option("--timeout", options.timeout_s)->check(CLI::Range(1, 86'400));
        app.add_flag("--json", options.json);
        app.add_flag("--print-completion", print_completion);
        for (const MethodSpec& method : rpc::method_table()) add_method(method);
        raw = add_command(app, "call", root_help());
        raw->add_option("method", raw_method)->required();
        raw->add_option("params", raw_params);
        add_receipts(*groups.at("tower"));
    }

    void add_receipts(CLI::App& tower) {
        receipts = add_command(tower, "receipts", receipts_help());
        receipts->add_option("--export", receipts_file)->required();
        receipts->add_option("--channel-id", receipts_channel);
        receipts->add_option("--tower", receipts_tower);
        verify = add_command(tower, "verify", verify_help());
        verify->add_option("file", receipts_file)->required();
    }

    CLI::App* add_command(CLI::App& parent, const std::string& name, std::string page) {
        CLI::App* command = parent.add_subcommand(name);
        command->fallthrough();
        command->formatter(pages);
        pages->pages.emplace(command, std::move(page));
        return command;
    }

    void add_method(const MethodSpec& method) {
        const std::string space = namespace_of(method);
        CLI::App*& group = groups[space];
        if (group == nullptr) {
            group = add_command(app, space, namespace_help(space));
            group->require_subcommand(1);
        }
        CLI::App* verb = add_command(*group, verb_of(method), method_help(method));
        verbs.emplace(verb, &method);
        for (const Field& field : method.params) add_param(*verb, method, field);
        if (is_paged(method)) verb->add_flag("--all", options.all);
        verb->add_option("arguments", typed.positional)->allow_extra_args(true);
    }

    void add_param(CLI::App& verb, const MethodSpec& method, const Field& field) {
        const std::string name = option_name(field);
        auto& values = named[method.name][field.name];
        if (field.schema.kind == SchemaKind::boolean) {
            verb.add_flag_callback(name, [&values] { values.emplace_back("true"); });
            return;
        }
        const bool list = field.schema.kind == SchemaKind::array;
        const std::string plural = fmt::format("--{}", kebab_case(field.name));
        verb.add_option(list && plural != name ? fmt::format("{},{}", name, plural) : name, values)
            ->allow_extra_args(false);
    }

    Command result() {
        if (print_completion) return ShowText{bash_completion()};
        if (raw->parsed()) return CallRaw{options, raw_method, raw_params};
        if (receipts->parsed()) return ExportReceipts{options, receipts_file, receipts_channel, receipts_tower};
        if (verify->parsed()) return VerifyReceipts{options, receipts_file};
        for (const auto& [verb, method] : verbs) {
            if (!verb->parsed()) continue;
            for (auto& [name, values] : named[method->name]) {
                if (!values.empty()) typed.named[name] = std::move(values);
            }
            return CallMethod{method, options, std::move(typed)};
        }
        return UsageError{"a verb is missing", {}};
    }

    /// The innermost command that was recognised: whose help page to point at.
    std::string recognised() const {
        std::string out;
        for (const auto& [name, group] : groups) {
            if (!group->parsed()) continue;
            out = name;
            for (const auto& [verb, method] : verbs) {
                if (verb->parsed() && verb->get_parent() == group) out = fmt::format("{} {}", name, verb->get_name());
            }
        }
        return out;
    }

    std::shared_ptr<HelpPages> pages = std::make_shared<HelpPages>();
    CLI::App app;
    GlobalOptions options;
    Typed typed;
    bool print_completion = false;
    std::string raw_method;
    std::string raw_params;
    CLI::App* raw = nullptr;
    CLI::App* receipts = nullptr;
    CLI::App* verify = nullptr;
    std::string receipts_file;
    std::string receipts_channel;
    std::string receipts_tower;
    std::map<std::string, CLI::App*> groups;
    std::map<CLI::App*, const MethodSpec*> verbs;
    std::map<std::string, std::map<std::string, std::vector<std::string>>> named;
};

std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::size_t diagonal = std::exchange(row[0], i);
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            diagonal = std::exchange(row[j], std::min({replaced, row[j] + 1, row[j - 1] + 1}));
        }
    }
    return row[b.size()];
}

/// CLI11 says of a misspelt verb only that one is missing; this names it, and the one that was probably meant.
std::optional<std::string> misspelt(const CLI::App& command, const std::vector<std::string>& arguments,
                                    std::size_t from) {
    const auto word = std::find_if(arguments.begin() + static_cast<std::ptrdiff_t>(from), arguments.end(),
                                   [](const std::string& text) { return !text.starts_with('-'); });
    if (word == arguments.end() || word->size() > 40) return std::nullopt;
    std::string meant;
    for (const CLI::App* candidate : command.get_subcommands({})) {
        const std::string& name = candidate->get_name();
        if (name == *word) return std::nullopt;
        if (edit_distance(name, *word) <= 2 &&
            (meant.empty() || edit_distance(name, *word) < edit_distance(meant, *word)))
            meant = name;
    }
    return fmt::format("unknown word: {}{}", *word, meant.empty() ? "" : fmt::format("; did you mean {}?", meant));
}

UsageError explain(const Parser& parser, const std::vector<std::string>& arguments, const std::string& text) {
    const std::string seen = parser.recognised();
    if (seen.find(' ') != std::string::npos) return {text, seen};
    const auto at = std::find(arguments.begin(), arguments.end(), seen);
    const bool in_group = !seen.empty() && at != arguments.end();
    const CLI::App& command = in_group ? *parser.groups.at(seen) : parser.app;
    const auto from = in_group ? static_cast<std::size_t>(at - arguments.begin()) + 1 : 0;
    return {misspelt(command, arguments, from).value_or(text), seen};
}

}  // namespace

Command parse_command_line(const std::vector<std::string>& arguments) {
    Parser parser;
    const bool completion = std::find(arguments.begin(), arguments.end(), "--print-completion") != arguments.end();
    if (completion) return ShowText{bash_completion()};
    if (arguments.empty()) return UsageError{"a command is missing", {}};
    try {
        std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
        parser.app.parse(reversed);
    } catch (const CLI::CallForHelp&) {
        return ShowText{parser.app.help()};
    } catch (const CLI::CallForVersion& version) {
        return ShowText{fmt::format("{}\n", version.what())};
    } catch (const CLI::ParseError& error) {
        return explain(parser, arguments, error.what());
    }
    return parser.result();
}

}  // namespace hedgerow::cli
