#include "tests/bench/limit_probe.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <secp256k1.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstring>
#include <stdexcept>
#include <string>

#include "channel/crypto/keccak.h"

namespace hedgerow::bench {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kOpBytes = 32;

/// On the wire and in the log: one update, followed by its ops, or its acknowledgement.
struct Head {
    std::uint32_t channel = 0;
    std::uint32_t ops = 0;
    std::uint64_t version = 0;
    std::array<std::uint8_t, 64> signature{};
};

[[noreturn]] void fail(const char* what) {
    throw std::runtime_error(std::string("limit probe: ") + what + ": " + std::strerror(errno));
}

void pin_to(int core) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(core % static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN)), &set);
    (void)sched_setaffinity(0, sizeof set, &set);  // where it is not allowed the figure is only noisier
}

class Crypto {
  public:
    explicit Crypto(std::uint8_t seed) { m_key.fill(seed); }
    ~Crypto() { secp256k1_context_destroy(m_context); }
    Crypto(const Crypto&) = delete;
    Crypto& operator=(const Crypto&) = delete;

    [[nodiscard]] secp256k1_pubkey public_key() const {
        secp256k1_pubkey out;
        if (secp256k1_ec_pubkey_create(m_context, &out, m_key.data()) != 1) fail("key");
        return out;
    }
    void sign(const channel::Hash& digest, std::array<std::uint8_t, 64>& out) const {
        secp256k1_ecdsa_signature signature;
        if (secp256k1_ecdsa_sign(m_context, &signature, digest.data.data(), m_key.data(), nullptr, nullptr) != 1)
            fail("sign");
        secp256k1_ecdsa_signature_serialize_compact(m_context, out.data(), &signature);
    }
    void verify(const channel::Hash& digest, const std::array<std::uint8_t, 64>& bytes,
                const secp256k1_pubkey& key) const {
        secp256k1_ecdsa_signature signature;
        const bool good = secp256k1_ecdsa_signature_parse_compact(m_context, &signature, bytes.data()) == 1 &&
                          secp256k1_ecdsa_verify(m_context, &signature, digest.data.data(), &key) == 1;
        if (!good) fail("verify");
    }

  private:
    secp256k1_context* m_context = secp256k1_context_create(SECP256K1_CONTEXT_SIGN | SECP256K1_CONTEXT_VERIFY);
    std::array<std::uint8_t, 32> m_key{};
};

/// One side's end of the socket, with what it has to write to its log and to send.
class Side {
  public:
    Side(int socket, const std::string& log)
        : m_socket(socket), m_log(::open(log.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600)) {
        if (m_log < 0) fail("log file");
    }
    ~Side() {
        ::close(m_log);
        ::close(m_socket);
    }
    Side(const Side&) = delete;
    Side& operator=(const Side&) = delete;

    void add(const Head& head, const std::vector<std::uint8_t>& ops) {
        const auto* bytes = reinterpret_cast<const std::uint8_t*>(&head);
        m_out.insert(m_out.end(), bytes, bytes + sizeof head);
        m_out.insert(m_out.end(), ops.begin(), ops.end());
    }
    /// Durable first, then sent.
    void flush(const std::vector<std::uint8_t>& also_logged) {
        if (m_out.empty()) return;
        write_all(m_log, also_logged);
        write_all(m_log, m_out);
        if (::fdatasync(m_log) != 0) fail("fdatasync");
        write_all(m_socket, m_out);
        m_out.clear();
    }
    /// Blocks for the first byte, then takes all there is; false at the end of the stream.
    bool receive() {
        std::array<std::uint8_t, 1 << 16> chunk;
        for (bool first = true;; first = false) {
            const ssize_t n = ::recv(m_socket, chunk.data(), chunk.size(), first ? 0 : MSG_DONTWAIT);
            if (n == 0) return false;
            if (n < 0 && (errno == EAGAIN || errno == EINTR)) return true;
            if (n < 0) fail("recv");
            m_in.insert(m_in.end(), chunk.begin(), chunk.begin() + n);
        }
    }
    /// The next whole message with `ops` ops behind its head, where `expect_ops`.
    bool next(Head& head, std::vector<std::uint8_t>& ops, bool expect_ops) {
        if (m_in.size() - m_at < sizeof head) return compact();
        std::memcpy(&head, m_in.data() + m_at, sizeof head);
        const std::size_t more = expect_ops ? head.ops * kOpBytes : 0;
        if (m_in.size() - m_at < sizeof head + more) return compact();
        ops.assign(m_in.begin() + static_cast<std::ptrdiff_t>(m_at + sizeof head),
                   m_in.begin() + static_cast<std::ptrdiff_t>(m_at + sizeof head + more));
        m_at += sizeof head + more;
        return true;
    }

  private:
    bool compact() {
        m_in.erase(m_in.begin(), m_in.begin() + static_cast<std::ptrdiff_t>(m_at));
        m_at = 0;
        return false;
    }
    static void write_all(int fd, const std::vector<std::uint8_t>& bytes) {
        for (std::size_t done = 0; done < bytes.size();) {
            const ssize_t n = ::write(fd, bytes.data() + done, bytes.size() - done);
            if (n < 0 && errno == EINTR) continue;
            if (n <= 0) fail("write");
            done += static_cast<std::size_t>(n);
        }
    }

    int m_socket;
    int m_log;
    std::vector<std::uint8_t> m_out;
    std::vector<std::uint8_t> m_in;
    std::size_t m_at = 0;
};

/// What both would agree on: a running balance and the hash over the ops.
struct State {
    std::uint64_t version = 0;
    std::int64_t net = 0;
    channel::Hash digest;
    Clock::time_point since;

    void apply(std::uint64_t next, const std::vector<std::uint8_t>& ops) {
        for (std::size_t at = 0; at < ops.size(); at += kOpBytes) {
            std::int64_t amount = 0;
            std::memcpy(&amount, ops.data() + at, sizeof amount);
            net += amount;
        }
        version = next;
        std::array<std::uint8_t, 256> state{};  // about as much as an EIP-712 State has to hash
        const channel::Hash history = channel::keccak256(ops);
        std::memcpy(state.data(), &version, sizeof version);
        std::memcpy(state.data() + 32, &net, sizeof net);
        std::memcpy(state.data() + 64, history.data.data(), history.data.size());
        digest = channel::keccak256(channel::ByteView(state));
    }
};

void follow(Side& side, const ProbeLoad& load, const secp256k1_pubkey& leader, const Crypto& crypto) {
    std::vector<State> states(load.channels);
    std::vector<std::uint8_t> ops, logged;
    Head head;
    while (side.receive()) {
        while (side.next(head, ops, true)) {
            State& state = states.at(head.channel);
            state.apply(head.version, ops);
            crypto.verify(state.digest, head.signature, leader);
            logged.insert(logged.end(), ops.begin(), ops.end());
            Head ack{head.channel, 0, head.version, {}};
            crypto.sign(state.digest, ack.signature);
            side.add(ack, {});
        }
        side.flush(logged);
        logged.clear();
    }
}

ProbeResult lead(Side& side, const ProbeLoad& load, const secp256k1_pubkey& follower, const Crypto& crypto) {
    std::vector<State> states(load.channels);
    std::vector<std::uint8_t> ops(load.ops_per_update * kOpBytes), none;
    const auto begin = [&](std::uint32_t channel) {
        State& state = states[channel];
        for (std::size_t i = 0; i < load.ops_per_update; ++i)
            std::memset(ops.data() + i * kOpBytes, static_cast<int>((state.version + i) & 0x3f), kOpBytes);
        state.since = Clock::now();
        state.apply(state.version + 1, ops);
        Head head{channel, static_cast<std::uint32_t>(load.ops_per_update), state.version, {}};
        crypto.sign(state.digest, head.signature);
        side.add(head, ops);
    };
    ProbeResult out;
    const auto start = Clock::now();
    const auto until = start + std::chrono::duration<double>(load.seconds);
    for (std::uint32_t c = 0; c < load.channels; ++c) begin(c);
    side.flush(none);
    std::size_t in_flight = load.channels;
    Head ack;
    std::vector<std::uint8_t> empty;
    while (in_flight > 0 && side.receive()) {
        while (side.next(ack, empty, false)) {
            State& state = states.at(ack.channel);
            crypto.verify(state.digest, ack.signature, follower);
            const auto now = Clock::now();
            out.latency_ms.push_back(std::chrono::duration<double, std::milli>(now - state.since).count());
            ++out.updates;
            --in_flight;
            if (now >= until) continue;
            begin(ack.channel);
            ++in_flight;
        }
        side.flush(none);
    }
    out.seconds = std::chrono::duration<double>(Clock::now() - start).count();
    return out;
}

}  // namespace

double thread_cpu_us() {
    timespec now{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) / 1e3;
}

double verify_us(std::size_t count, std::uint64_t salt) {
    const Crypto signer(1), verifier(2);
    const secp256k1_pubkey key = signer.public_key();
    std::vector<channel::Hash> digests(count);
    std::vector<std::array<std::uint8_t, 64>> signatures(count);
    for (std::size_t i = 0; i < count; ++i) {
        const std::array<std::uint64_t, 2> text{salt, i};
        digests[i] = channel::keccak256(channel::ByteView(reinterpret_cast<const std::uint8_t*>(text.data()), sizeof text));
        signer.sign(digests[i], signatures[i]);
    }
    const double start = thread_cpu_us();
    for (std::size_t i = 0; i < count; ++i) verifier.verify(digests[i], signatures[i], key);
    return (thread_cpu_us() - start) / static_cast<double>(count);
}

ProbeResult run_probe(const ProbeLoad& load, const char* directory) {
    std::array<int, 2> sockets{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets.data()) != 0) fail("socketpair");
    const Crypto leader(1), follower(2);
    const secp256k1_pubkey leader_key = leader.public_key(), follower_key = follower.public_key();
    const std::string base = std::string(directory) + "/probe-";
    const pid_t child = ::fork();
    if (child < 0) fail("fork");
    if (child == 0) {
        ::close(sockets[0]);
        int code = 1;
        try {
            pin_to(1);
            Side side(sockets[1], base + "follower");
            follow(side, load, leader_key, follower);
            code = 0;
        } catch (const std::exception&) {  // the leader finds the stream ended
        }
        ::_exit(code);
    }
    ::close(sockets[1]);
    cpu_set_t before;
    (void)sched_getaffinity(0, sizeof before, &before);
    pin_to(0);
    ProbeResult out;
    {
        Side side(sockets[0], base + "leader");
        out = lead(side, load, follower_key, leader);
    }
    (void)sched_setaffinity(0, sizeof before, &before);
    int status = 0;
    (void)::waitpid(child, &status, 0);
    ::unlink((base + "leader").c_str());
    ::unlink((base + "follower").c_str());
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) throw std::runtime_error("limit probe: the follower failed");
    return out;
}

}  // namespace hedgerow::bench
