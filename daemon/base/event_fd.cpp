#include "daemon/base/event_fd.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <system_error>

namespace hedgerow::daemon {

EventFd::EventFd() : m_fd(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    if (m_fd < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
}

EventFd::~EventFd() {
    close(m_fd);
}

void EventFd::signal() noexcept {
    const std::uint64_t one = 1;
    // EAGAIN: the counter is at its maximum, so the descriptor is readable already.
    [[maybe_unused]] const ssize_t written = write(m_fd, &one, sizeof one);
}

void EventFd::clear() noexcept {
    std::uint64_t count = 0;
    [[maybe_unused]] const ssize_t got = read(m_fd, &count, sizeof count);
}

}  // namespace hedgerow::daemon
