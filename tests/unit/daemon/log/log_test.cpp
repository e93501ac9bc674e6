#include "daemon/log/log.h"

#include <doctest/doctest.h>

#include <fstream>
#include <sstream>
#include <type_traits>

#include "tests/unit/daemon/store/temp_dir.h"

using namespace hedgerow::daemon;
using hedgerow::channel::Address;
using hedgerow::channel::Preimage;
using hedgerow::channel::Rule;
using hedgerow::channel::Secret;

namespace {

std::string contents(const std::filesystem::path& file) {
    std::ostringstream out;
    out << std::ifstream(file).rdbuf();
    return out.str();
}

/// Puts the log back as the other tests expect it.
struct LogGuard {
    ~LogGuard() { start_log({LogLevel::off, true, {}}); }
};

}  // namespace

static_assert(!std::is_constructible_v<LogField, std::string_view, const Secret&>);
static_assert(!std::is_constructible_v<LogField, std::string_view, const Preimage&>);
static_assert(std::is_constructible_v<LogField, std::string_view, const Address&>);

TEST_CASE("log: fields are key=value, in order") {
    const std::string line = format_log_line("update acked", {{"n", -3},
                                                              {"big", ~std::uint64_t{0}},
                                                              {"ok", true},
                                                              {"rule", Rule::queue_full},
                                                              {"who", Address()},
                                                              {"t", "a b"}});
    CHECK(line ==
          "update acked n=-3 big=18446744073709551615 ok=true rule=queue_full "
          "who=0x0000000000000000000000000000000000000000 t=\"a b\"");
}

TEST_CASE("log: text from outside cannot forge a line or a field") {
    CHECK(format_log_line("e", {{"t", "x\n2026 info fake"}}) == "e t=\"x\\x0a2026 info fake\"");
    CHECK(format_log_line("e", {{"t", "a\" rule=\"none"}}) == "e t=\"a\\\" rule=\\\"none\"");
    CHECK(format_log_line("e", {{"t", "\x1b[31m\x7f\\"}}) == "e t=\"\\x1b[31m\\x7f\\\\\"");
    CHECK(format_log_line("e", {{"t", ""}}) == "e t=\"\"");
    CHECK(format_log_line("e", {{"t", "a=b"}}) == "e t=\"a=b\"");
    CHECK(format_log_line("e", {{"t", std::string(5000, 'x')}}).size() < 1100);
}

TEST_CASE("log: only what is at or above the level is evaluated and written, to the file that was asked for") {
    const LogGuard guard;
    const TempDir dir;
    const auto file = dir.path() / "node.log";
    start_log({LogLevel::warn, false, file});
    int evaluated = 0;
    const auto count = [&] { return ++evaluated; };
    LOG_INFO("quiet", {"n", count()});
    LOG_WARN("loud", {"n", count()});
    LOG_ERROR("bare");
    flush_log();
    const std::string text = contents(file);
    CHECK(evaluated == 1);
    CHECK(text.find("quiet") == std::string::npos);
    CHECK(text.find("loud n=1\n") != std::string::npos);
    CHECK(text.find("error bare\n") != std::string::npos);
    const auto mode = std::filesystem::status(file).permissions();
    CHECK((mode & (std::filesystem::perms::group_all | std::filesystem::perms::others_all)) ==
          std::filesystem::perms::none);
}

TEST_CASE("log: a file that cannot be written is an error at the start") {
    const LogGuard guard;
    CHECK_THROWS_AS(start_log({LogLevel::info, false, "/no/such/directory/node.log"}), std::runtime_error);
}

TEST_CASE("log: level names") {
    for (const char* name : {"trace", "debug", "info", "warn", "error", "off"}) {
        REQUIRE(log_level_from(name));
        CHECK(log_level_name(*log_level_from(name)) == name);
    }
    CHECK_FALSE(log_level_from("INFO"));
    CHECK_FALSE(log_level_from(""));
}
