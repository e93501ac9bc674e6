#include "tests/bench/http_load.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <chrono>
#include <fstream>
#include <memory>
#include <stdexcept>

#include "rpc/auth.h"
#include "rpc/http_client.h"

namespace hedgerow::bench {

namespace {

using Clock = std::chrono::steady_clock;

/// One connection; only what the node's own answers need of HTTP: a status, a length, a body.
class Connection {
  public:
    Connection(const rpc::HttpUrl& url, std::string request)
        : m_request(std::move(request)), m_fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(url.port);
        ::inet_pton(AF_INET, url.host.c_str(), &address.sin_addr);
        if (::connect(m_fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
            throw std::runtime_error("http load: connect");
        const int one = 1;
        ::setsockopt(m_fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    }
    ~Connection() { ::close(m_fd); }
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    void send() {
        m_since = Clock::now();
        m_in.clear();
        for (std::size_t done = 0; done < m_request.size();) {
            const ssize_t n = ::write(m_fd, m_request.data() + done, m_request.size() - done);
            if (n <= 0) throw std::runtime_error("http load: write");
            done += static_cast<std::size_t>(n);
        }
    }
    /// Reads what is there; true where the answer is whole.
    bool receive() {
        std::array<char, 1 << 16> chunk;
        const ssize_t n = ::read(m_fd, chunk.data(), chunk.size());
        if (n <= 0) throw std::runtime_error("http load: the connection has ended");
        m_in.append(chunk.data(), static_cast<std::size_t>(n));
        const std::size_t head = m_in.find("\r\n\r\n");
        if (head == std::string::npos) return false;
        const std::size_t field = m_in.find("Content-Length: ");
        std::size_t length = 0;
        if (field < head) std::from_chars(m_in.data() + field + 16, m_in.data() + head, length);
        return m_in.size() >= head + 4 + length;
    }
    [[nodiscard]] bool good() const {
        return m_in.starts_with("HTTP/1.1 200") && m_in.find("\"error\"") == std::string::npos;
    }
    [[nodiscard]] const std::string& answer() const { return m_in; }
    [[nodiscard]] Clock::time_point since() const { return m_since; }
    [[nodiscard]] int fd() const { return m_fd; }

  private:
    const std::string m_request;
    const int m_fd;
    std::string m_in;
    Clock::time_point m_since;
};

}  // namespace

HttpResult run_http(const HttpLoad& load) {
    const auto url = rpc::parse_http_url(load.url);
    if (!url) throw std::runtime_error("http load: " + load.url);
    std::string cookie;
    std::getline(std::ifstream(load.cookie_file), cookie);
    const std::string request = fmt::format(
        "POST / HTTP/1.1\r\nHost: {}:{}\r\nAuthorization: Basic {}\r\nContent-Type: "
        "application/json\r\nContent-Length: {}\r\n\r\n{}",
        url->host, url->port, rpc::base64_encode(cookie), load.body.size(), load.body);
    std::vector<std::unique_ptr<Connection>> connections;
    for (std::size_t i = 0; i < load.connections; ++i)
        connections.push_back(std::make_unique<Connection>(*url, request));
    HttpResult out;
    const auto start = Clock::now();
    const auto from =
        start + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(load.warm_up_s));
    const auto until = from + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(load.seconds));
    for (const auto& c : connections) c->send();
    std::size_t open = connections.size();
    std::vector<pollfd> fds;
    for (const auto& c : connections) fds.push_back({c->fd(), POLLIN, 0});
    while (open > 0) {
        if (::poll(fds.data(), fds.size(), 30'000) <= 0) throw std::runtime_error("http load: no answer");
        for (std::size_t i = 0; i < fds.size(); ++i) {
            if (fds[i].revents == 0 || !connections[i]->receive()) continue;
            const auto now = Clock::now();
            if (out.first.empty()) out.first = connections[i]->answer();
            if (!connections[i]->good()) ++out.errors;
            if (now >= from && now < until) {
                ++out.answers;
                out.latency_ms.push_back(
                    std::chrono::duration<float, std::milli>(now - connections[i]->since()).count());
            }
            if (now < until) {
                connections[i]->send();
            } else {
                fds[i].fd = -1;
                --open;
            }
        }
    }
    out.seconds = load.seconds;
    return out;
}

}  // namespace hedgerow::bench
