#pragma once

namespace hedgerow::daemon {

/// An eventfd that one thread signals and another polls for reading. Non-blocking, level-triggered.
class EventFd {
  public:
    EventFd();  ///< throws std::system_error
    ~EventFd();
    EventFd(const EventFd&) = delete;
    EventFd& operator=(const EventFd&) = delete;

    [[nodiscard]] int fd() const { return m_fd; }
    void signal() noexcept;
    /// Makes the descriptor unreadable until the next signal().
    void clear() noexcept;

  private:
    int m_fd;
};

}  // namespace hedgerow::daemon
