#include "daemon/net/resolver.h"

#include <netdb.h>
#include <sys/socket.h>

#include <array>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>

namespace hedgerow::daemon {

struct Resolver::State {
    std::mutex mutex;
    std::condition_variable work;
    std::deque<Result> queue;
    std::vector<Result> results;
    std::function<void()> on_result;
    bool started = false;
    bool stop = false;
};

namespace {

std::string look_up(const std::string& host) {
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* list = nullptr;
    if (getaddrinfo(host.c_str(), nullptr, &hints, &list) != 0) return {};
    std::array<char, NI_MAXHOST> text{};
    const int failed = getnameinfo(list->ai_addr, list->ai_addrlen, text.data(), static_cast<socklen_t>(text.size()),
                                   nullptr, 0, NI_NUMERICHOST);
    freeaddrinfo(list);
    return failed != 0 ? std::string() : std::string(text.data());
}

}  // namespace

Resolver::Resolver(std::function<void()> on_result) : m_state(std::make_shared<State>()) {
    m_state->on_result = std::move(on_result);
}

Resolver::~Resolver() {
    const std::lock_guard lock(m_state->mutex);
    m_state->stop = true;
    m_state->on_result = nullptr;
    m_state->work.notify_all();
}

void Resolver::resolve(const channel::NodeId& peer, const std::string& host) {
    const std::lock_guard lock(m_state->mutex);
    m_state->queue.push_back({peer, host, {}});
    m_state->work.notify_all();
    if (m_state->started) return;
    m_state->started = true;
    std::thread([state = m_state] {
        std::unique_lock state_lock(state->mutex);
        for (;;) {
            state->work.wait(state_lock, [&] { return state->stop || !state->queue.empty(); });
            if (state->stop) return;
            Result result = std::move(state->queue.front());
            state->queue.pop_front();
            state_lock.unlock();
            result.address = look_up(result.host);
            state_lock.lock();
            state->results.push_back(std::move(result));
            if (state->on_result) state->on_result();
        }
    }).detach();
}

std::vector<Resolver::Result> Resolver::take_results() {
    const std::lock_guard lock(m_state->mutex);
    return std::exchange(m_state->results, {});
}

}  // namespace hedgerow::daemon
