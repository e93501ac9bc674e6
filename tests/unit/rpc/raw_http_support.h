#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace hedgerow::rpc::test {

/// A plain TCP connection to 127.0.0.1, for sending what no proper client would.
class RawConnection {
  public:
    explicit RawConnection(std::uint16_t port);
    ~RawConnection();
    RawConnection(const RawConnection&) = delete;
    RawConnection& operator=(const RawConnection&) = delete;

    void send(std::string_view bytes) const;
    /// Everything until the server closes or the time is over.
    [[nodiscard]] std::string read_until_closed(std::chrono::milliseconds at_most = std::chrono::seconds(10)) const;
    /// At least until `mark` has come, or the time is over.
    [[nodiscard]] std::string read_until(std::string_view mark,
                                         std::chrono::milliseconds at_most = std::chrono::seconds(10)) const;

  private:
    [[nodiscard]] std::string read(std::string_view mark, std::chrono::milliseconds at_most) const;
    int m_fd = -1;
};

/// Sends, then reads until the server closes.
[[nodiscard]] std::string exchange(std::uint16_t port, std::string_view bytes);
/// "HTTP/1.1 413" -> 413; 0 where it is no response.
[[nodiscard]] int status_of(std::string_view response);
[[nodiscard]] std::string_view body_of(std::string_view response);

}  // namespace hedgerow::rpc::test
