#include <fmt/format.h>

#include <string>

#include "daemon/config/options.h"

namespace hedgerow::daemon {

namespace {

constexpr std::size_t kWidth = 100;
constexpr std::size_t kIndent = 6;

constexpr std::string_view kIntroduction = R"(hedgerowd - a Hedgerow node: payment and trading channels on an EVM chain

Usage: hedgerowd [--config FILE] [--option value]...

A node needs to know its chain, the contract on it, the assets and the oracles; everything else has a default:

  hedgerowd --chain-rpc http://127.0.0.1:8545 --chain-id 31337 --adjudicator 0x... \
            --asset USDH,0x...,6,usd,0 --asset ETH,native,18,ETH,1000 --oracle-signer 0x... \
            --oracle tcp://127.0.0.1:5555,http://127.0.0.1:8080

Every option can also stand in the configuration file, without the dashes, one `option = value` a line; '#' begins a
comment. The command line overrides the file. Unknown options and keys are errors.

The node serves JSON-RPC on loopback; talk to it with hedgerow-cli. Create the wallet with `hedgerow-cli wallet create`.
SIGTERM and SIGINT stop it in order; after kill -9 it goes on where it was.
)";

/// `text` in lines of at most kWidth characters, each indented.
std::string wrapped(std::string_view text) {
    std::string out;
    std::string line(kIndent, ' ');
    while (!text.empty()) {
        const std::size_t space = text.find(' ');
        const std::string_view word = text.substr(0, space);
        text = space == std::string_view::npos ? std::string_view() : text.substr(space + 1);
        if (line.size() + 1 + word.size() > kWidth) {
            out.append(line).append(1, '\n');
            line.assign(kIndent, ' ');
        }
        if (line.size() > kIndent) line += ' ';
        line.append(word);
    }
    return out.append(line).append(1, '\n');
}

std::string entry(const Option& option) {
    const std::string_view value(option.value_name);
    std::string out = fmt::format("  --{}{}{}", option.name, value.empty() ? "[=true|false]" : " ", value);
    std::string help(option.help);
    if (option.repeats) help.append(". May repeat");
    if (*option.default_text != '\0') help += fmt::format(" [{}]", option.default_text);
    return out.append(1, '\n').append(wrapped(help));
}

}  // namespace

std::string help_text() {
    std::string out(kIntroduction);
    std::string_view group;
    for (const Option& option : all_options()) {
        if (group != option.group) out += fmt::format("\n{}:\n", option.group);
        group = option.group;
        out.append(entry(option));
        if (std::string_view(option.name) == "config")
            out.append("  --help, -h\n      Print this page\n  --version\n      Print the version\n");
    }
    return out;
}

}  // namespace hedgerow::daemon
