#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "daemon/node/clock.h"
#include "daemon/node/event_loop.h"

using namespace hedgerow::daemon;

TEST_CASE("loop: posted tasks run in order, then the end of turn once") {
    EventLoop loop(wall_clock_ms);
    std::string order;
    loop.at_start_of_turn([&] { order += "s"; });
    loop.at_end_of_turn([&] { order += "e"; });
    CHECK(loop.post([&] { order += "1"; }));
    CHECK(loop.post([&] { order += "2"; }));
    loop.turn(0);
    CHECK(order == "s12e");
}

TEST_CASE("loop: a full queue refuses, and says so") {
    EventLoop loop(wall_clock_ms);
    std::size_t ran = 0;
    for (std::size_t i = 0; i < EventLoop::kMaxPosted; ++i) REQUIRE(loop.post([&] { ++ran; }));
    CHECK_FALSE(loop.post([&] { ++ran; }));
    loop.turn(0);
    CHECK(ran == EventLoop::kMaxTasksPerTurn);  // one turn is bounded too
    CHECK(loop.post([] {}));
}

TEST_CASE("loop: one wake for many tasks leaves none waiting") {
    EventLoop loop(wall_clock_ms);
    std::size_t ran = 0;
    const auto more = [&] { CHECK(loop.post([&] { ++ran; })); };
    CHECK(loop.post([&] { ++ran; }));
    CHECK(loop.post(more));  // the loop was woken for the first
    for (std::size_t i = 0; i < EventLoop::kMaxTasksPerTurn; ++i) REQUIRE(loop.post([&] { ++ran; }));
    const auto start = std::chrono::steady_clock::now();
    while (ran < EventLoop::kMaxTasksPerTurn + 2) loop.turn(10'000);
    CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(5));
    std::thread other(more);
    loop.turn(10'000);
    other.join();
    loop.turn(0);
    CHECK(ran == EventLoop::kMaxTasksPerTurn + 3);
    CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(5));
}

TEST_CASE("loop: after stop nothing more is taken up") {
    EventLoop loop(wall_clock_ms);
    std::thread other([&] { loop.stop(); });
    loop.run();
    other.join();
    CHECK_FALSE(loop.post([] {}));
}

TEST_CASE("loop: gated inputs rest, what opens the gate does not") {
    EventLoop loop(wall_clock_ms);
    EventFd input, always;
    int inputs = 0, opened = 0;
    bool open = false;
    loop.gate_inputs([&] { return open; });
    loop.watch(input.fd(), [&] {
        input.clear();
        ++inputs;
    });
    loop.watch_always(always.fd(), [&] {
        always.clear();
        ++opened;
        open = true;
    });
    input.signal();
    loop.turn(0);
    CHECK(inputs == 0);
    always.signal();
    loop.turn(0);
    CHECK(opened == 1);
    loop.turn(0);
    CHECK(inputs == 1);
}

TEST_CASE("loop: a task may unwatch itself") {
    EventLoop loop(wall_clock_ms);
    EventFd input;
    int calls = 0;
    loop.watch(input.fd(), [&] {
        loop.unwatch(input.fd());
        ++calls;
    });
    input.signal();
    loop.turn(0);
    loop.turn(0);
    CHECK(calls == 1);
}

namespace {
std::atomic<std::uint64_t> g_now{1'000};
std::uint64_t test_clock() {
    return g_now.load();
}
}  // namespace

TEST_CASE("loop: timers run when due, once or again, and do not catch up") {
    g_now = 1'000;
    EventLoop loop(test_clock);
    int once = 0, again = 0;
    loop.after(50, [&] { ++once; });
    loop.every(100, [&] { ++again; });
    loop.turn(0);
    CHECK((once == 0 && again == 0));
    g_now = 1'050;
    loop.turn(0);
    CHECK((once == 1 && again == 0));
    g_now = 1'450;  // four periods late
    loop.turn(0);
    loop.turn(0);
    CHECK((once == 1 && again == 1));
    g_now = 1'549;
    loop.turn(0);
    CHECK(again == 1);
    g_now = 1'550;
    loop.turn(0);
    CHECK(again == 2);
}

TEST_CASE("loop: setting the wall clock moves no timer") {
    std::uint64_t wall = 1'000'000;
    std::uint64_t steady = 5;
    EventLoop loop([&] { return wall; }, [&] { return steady; });
    int once = 0, again = 0;
    loop.after(50, [&] { ++once; });
    loop.every(100, [&] { ++again; });
    wall -= 900'000;
    loop.turn(0);
    CHECK((once == 0 && again == 0));
    steady += 50;
    loop.turn(0);
    CHECK(once == 1);  // though the wall clock is far before where the timer began
    wall += 5'000'000;
    loop.turn(0);
    CHECK(again == 0);  // nor is it early
    steady += 50;
    loop.turn(0);
    CHECK(again == 1);
    CHECK(loop.now_ms() == wall);
    CHECK(loop.steady_ms() == steady);
}

TEST_CASE("loop: what is ready together is called in the order in which it was watched") {
    EventLoop loop(wall_clock_ms);
    auto first = std::make_unique<EventFd>();
    EventFd second;
    std::string order;
    loop.watch(second.fd(), [&] { order += "2"; });
    loop.watch(first->fd(), [&] { order += "1"; });  // the lower number
    first->signal();
    second.signal();
    loop.turn(0);
    CHECK(order == "21");
}
