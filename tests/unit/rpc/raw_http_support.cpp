#include "tests/unit/rpc/raw_http_support.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <stdexcept>

namespace hedgerow::rpc::test {

RawConnection::RawConnection(std::uint16_t port) : m_fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(m_fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        throw std::runtime_error("cannot connect");
}

RawConnection::~RawConnection() {
    ::close(m_fd);
}

void RawConnection::send(std::string_view bytes) const {
    while (!bytes.empty()) {
        const auto n = ::send(m_fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (n <= 0) return;  // the server may have closed already, which is then what the test looks at
        bytes.remove_prefix(static_cast<std::size_t>(n));
    }
}

std::string RawConnection::read(std::string_view mark, std::chrono::milliseconds at_most) const {
    const auto end = std::chrono::steady_clock::now() + at_most;
    std::string out;
    while (mark.empty() || out.find(mark) == std::string::npos) {
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now()).count();
        pollfd poll_fd{m_fd, POLLIN, 0};
        if (left <= 0 || ::poll(&poll_fd, 1, static_cast<int>(left)) <= 0) return out.append("<timeout>");
        std::array<char, 65536> buffer{};
        const auto n = ::recv(m_fd, buffer.data(), buffer.size(), 0);
        if (n <= 0) return out;
        out.append(buffer.data(), static_cast<std::size_t>(n));
    }
    return out;
}

std::string RawConnection::read_until_closed(std::chrono::milliseconds at_most) const {
    return read({}, at_most);
}
std::string RawConnection::read_until(std::string_view mark, std::chrono::milliseconds at_most) const {
    return read(mark, at_most);
}

std::string exchange(std::uint16_t port, std::string_view bytes) {
    const RawConnection connection(port);
    connection.send(bytes);
    return connection.read_until_closed();
}

int status_of(std::string_view response) {
    if (!response.starts_with("HTTP/1.") || response.size() < 12) return 0;
    return std::atoi(std::string(response.substr(9, 3)).c_str());
}

std::string_view body_of(std::string_view response) {
    const auto end = response.find("\r\n\r\n");
    return end == std::string_view::npos ? std::string_view() : response.substr(end + 4);
}

}  // namespace hedgerow::rpc::test
