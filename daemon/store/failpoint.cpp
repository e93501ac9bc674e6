#include "daemon/store/failpoint.h"

#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <deque>
#include <string>
#include <string_view>
#include <thread>

namespace hedgerow::daemon {

namespace {

constexpr std::size_t kMaxFailpoints = 16;
constexpr auto kTimeToLeave = std::chrono::milliseconds(150);

struct Failpoint {
    std::string name;
    std::atomic<long> passages_left;
    Failpoint(std::string_view point, long count) : name(point), passages_left(count) {}
};

// Written only while arming (before threads start), read afterwards; a deque because atomics do not move.
std::deque<Failpoint>& points() {
    static std::deque<Failpoint> list;
    return list;
}

bool arm_one(std::string_view entry) {
    const std::size_t colon = entry.rfind(':');
    if (colon == std::string_view::npos || colon == 0) return false;
    const std::string digits(entry.substr(colon + 1));
    char* end = nullptr;
    const long count = std::strtol(digits.c_str(), &end, 10);
    if (digits.empty() || *end != '\0' || count < 1 || points().size() >= kMaxFailpoints) return false;
    if (!is_failpoint(entry.substr(0, colon))) return false;
    points().emplace_back(entry.substr(0, colon), count);
    return true;
}

bool armed_from_environment() {
    const char* text = std::getenv("HEDGEROW_FAILPOINT");
    return text != nullptr && arm_failpoints(text);
}

}  // namespace

std::atomic<bool> g_failpoints_armed{false};

namespace {
[[maybe_unused]] const bool kArmedAtStart = armed_from_environment();
}

bool arm_failpoints(const char* text) {
    std::string_view rest(text);
    while (!rest.empty()) {
        const std::size_t comma = rest.find(',');
        if (!arm_one(rest.substr(0, comma))) {
            points().clear();
            g_failpoints_armed = false;
            return false;
        }
        rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
    }
    g_failpoints_armed = !points().empty();
    return g_failpoints_armed;
}

void failpoint_passed(std::string_view name) {
    for (Failpoint& point : points()) {
        if (point.name != name || point.passages_left.fetch_sub(1) != 1) continue;
        if (name.starts_with("sent.")) std::this_thread::sleep_for(kTimeToLeave);
        ::kill(::getpid(), SIGKILL);
        for (;;) ::pause();  // it comes at once, to every thread
    }
}

void failpoint_passed(std::string_view group, std::string_view name) {
    std::string whole(group);
    failpoint_passed(whole.append(1, '.').append(name));
}

}  // namespace hedgerow::daemon
