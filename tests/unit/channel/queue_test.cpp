#include "channel/base/queue.h"

#include <doctest/doctest.h>

#include <array>
#include <random>
#include <vector>

using hedgerow::channel::Queue;

namespace {

std::vector<int> content(const Queue<int>& queue) {
    std::vector<int> out;
    for (const int item : queue) out.push_back(item);
    CHECK(out.size() == queue.size());
    CHECK(out.empty() == queue.empty());
    return out;
}

}  // namespace

TEST_CASE("queue: an empty one is a pointer, and goes back to it however it was emptied") {
    CHECK(sizeof(Queue<std::array<char, 1000>>) == sizeof(void*));
    Queue<int> q;
    CHECK(q.begin() == q.end());
    CHECK(q.rbegin() == q.rend());
    q.push_back(1);
    q.pop_front();
    CHECK(q.empty());
    q.push_back(2);
    q.erase(q.begin());
    CHECK(q.empty());
    q.push_back(3);
    q.erase_if([](int i) { return i == 3; });
    CHECK(q.empty());
    q.erase_if([](int) { return true; });
    q.prepend({});
    CHECK(q.empty());
    q.push_back(4);
    q.clear();
    CHECK(q.begin() == q.end());
}

TEST_CASE("queue: a copy is its own") {
    Queue<int> a;
    a.push_back(1);
    Queue<int> b = a;
    b.push_back(2);
    CHECK(content(a) == std::vector{1});
    CHECK(content(b) == std::vector{1, 2});
    a = b;
    b.clear();
    CHECK(content(a) == std::vector{1, 2});
    const Queue<int> moved = std::move(a);
    CHECK(content(moved) == std::vector{1, 2});
}

TEST_CASE("queue: does what a vector does") {
    std::mt19937 random(7);
    Queue<int> queue;
    std::vector<int> model;
    for (int i = 0; i < 20'000; ++i) {
        switch (random() % 7) {
            case 0:
            case 1:
            case 2:
                queue.push_back(i);
                model.push_back(i);
                break;
            case 3:
                if (model.empty()) break;
                CHECK(queue.front() == model.front());
                CHECK(queue.back() == model.back());
                queue.pop_front();
                model.erase(model.begin());
                break;
            case 4: {
                if (model.empty()) break;
                const auto at = static_cast<std::ptrdiff_t>(random() % model.size());
                CHECK(queue[static_cast<std::size_t>(at)] == model[static_cast<std::size_t>(at)]);
                queue.erase(queue.begin() + at);
                model.erase(model.begin() + at);
                break;
            }
            case 5: {
                Queue<int> first;
                for (int k = 0; k < 3; ++k) first.push_back(-i - k);
                queue.prepend(std::move(first));
                model.insert(model.begin(), {-i, -i - 1, -i - 2});
                break;
            }
            default:
                queue.erase_if([](int item) { return item % 5 == 0; });
                std::erase_if(model, [](int item) { return item % 5 == 0; });
        }
        if (i % 97 == 0 && random() % 5 == 0) {
            queue.clear();
            model.clear();
        }
        REQUIRE(content(queue) == model);
    }
}
