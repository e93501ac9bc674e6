// EIP-712 digests of random values, checked by ethers (tests/evm/verify_digests.mjs), which has the types written out
// once more. One JSON object a line goes to `node`'s standard input; its exit code decides.

#include <sys/wait.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <random>

#include "channel/messages/typed.h"
#include "tests/evm/random.h"
#include "tests/paths.h"

using namespace hedgerow::channel;
using hedgerow::tests::Random;

namespace {

template <typename T>
nlohmann::json as_json(const T& value) {
    if constexpr (IsList<T>::value) {
        nlohmann::json out = nlohmann::json::array();
        for (const auto& element : value) out.push_back(as_json(element));
        return out;
    } else if constexpr (HasFields<T>) {
        nlohmann::json out = nlohmann::json::object();
        for_each_field(value, [&](const auto& f, const auto& member) { out[std::string(f.name)] = as_json(member); });
        return out;
    } else if constexpr (IsFixedBytes<T>::value) {
        return to_hex(value);
    } else if constexpr (IsFixedNumber<T>::value) {
        return to_decimal(I256(value.raw()));
    } else {
        return std::to_string(static_cast<std::uint64_t>(value));
    }
}

/// Random members, each over all that its Solidity type and ours can hold.
template <typename T>
void fill(Random& random, T& value);

template <typename Tag>
void fill_number(Random& random, Fixed<Tag>& value, std::string_view solidity) {
    value = Fixed<Tag>::from_raw(solidity.starts_with("u") ? random.sized(127) : random.either(126));
}

template <typename T>
void fill_list(Random& random, T& list, std::string_view solidity) {
    const std::size_t most = std::min<std::size_t>(T::kMax, 40);
    const std::size_t size = random.one_in(4) ? random.below(2) * most : random.below(most + 1);
    for (std::size_t i = 0; i < size; ++i) {
        auto& element = list.emplace_back();
        if constexpr (IsFixedNumber<typename T::value_type>::value) {
            fill_number(random, element, solidity);
        } else {
            fill(random, element);
        }
    }
}

template <typename T>
void fill(Random& random, T& value) {
    if constexpr (IsFixedBytes<T>::value) {
        if (random.one_in(8)) return;
        for (std::uint8_t& byte : value.data) byte = static_cast<std::uint8_t>(random.below(256));
    } else if constexpr (std::is_enum_v<T>) {
        value = static_cast<T>(random.below(EnumCount<T>::value));
    } else if constexpr (HasFields<T>) {
        for_each_field(value, [&](const auto& f, auto& member) {
            using Member = std::decay_t<decltype(member)>;
            if constexpr (IsFixedNumber<Member>::value) {
                fill_number(random, member, f.solidity);
            } else if constexpr (IsList<Member>::value) {
                fill_list(random, member, f.solidity);
            } else {
                fill(random, member);
            }
        });
    } else {
        value = static_cast<T>(random.sized(std::numeric_limits<T>::digits));
    }
}

template <typename T>
std::string line_of(Random& random) {
    Domain domain{random.word(), {}};
    fill(random, domain.contract);
    T value;
    fill(random, value);
    nlohmann::json out;
    out["type"] = std::string(T::kTypeName);
    out["chainId"] = std::to_string(domain.chain_id);
    out["contract"] = to_hex(domain.contract);
    out["message"] = as_json(value);
    out["digest"] = to_hex(digest_of(value, domain_separator(domain)));
    return out.dump().append("\n");
}

std::string random_line(std::uint64_t seed, std::uint64_t index) {
    Random random(seed, index);
    switch (index % 5) {
        case 0:
            return line_of<Terms>(random);
        case 1:
            return line_of<State>(random);
        case 2:
            return line_of<Close>(random);
        case 3:
            return line_of<Withdraw>(random);
        default:
            return line_of<Challenge>(random);
    }
}

bool is_installed() {
    return std::filesystem::exists(HEDGEROW_SOURCE_DIR "/node_modules/ethers") &&
           std::system("node --version > /dev/null 2>&1") == 0;
}

int run(std::uint64_t seed, std::uint64_t cases) {
    std::printf("EIP-712 digests against ethers: seed %lu, %lu cases\n", seed, cases);
    if (!is_installed()) {
        std::puts("skipped: no node, or no ethers in node_modules (npm ci --ignore-scripts)");
        return 77;
    }
    std::fflush(stdout);
    FILE* node = popen("node \"" HEDGEROW_SOURCE_DIR "/tests/evm/verify_digests.mjs\"", "w");
    if (node == nullptr) {
        std::puts("FAILED: cannot start node");
        return 1;
    }
    bool written = true;
    for (std::uint64_t i = 0; i < cases && written; ++i) written = std::fputs(random_line(seed, i).c_str(), node) >= 0;
    written = std::fprintf(node, "{\"cases\":%lu}\n", cases) > 0 && written;
    const int status = pclose(node);
    if (written && WIFEXITED(status) && WEXITSTATUS(status) == 0) return 0;
    std::printf("FAILED: seed %lu\n", seed);
    return 1;
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app("Differential test of EIP-712 digests: ours against ethers.");
    std::uint64_t seed = std::random_device()();
    std::uint64_t cases = 500;
    app.add_option("--seed", seed, "Seed; drawn where not given, and printed");
    app.add_option("--cases", cases, "Number of cases")->check(CLI::Range(1, 1'000'000));
    CLI11_PARSE(app, argc, argv);
    return run(seed, cases);
}
