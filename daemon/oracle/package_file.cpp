#include "daemon/oracle/package_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <span>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "channel/market/package.h"
#include "daemon/store/files.h"

namespace hedgerow::daemon {

namespace {

using channel::Bytes;
using channel::ByteView;

constexpr std::string_view kMagic = "HEDGEROW-PACKAGES";
constexpr std::uint8_t kFormat = 1;
constexpr std::size_t kHeaderBytes = kMagic.size() + 1;
constexpr std::size_t kFrameBytes = 8;   // length and CRC of the body
constexpr std::size_t kBodyPrefix = 52;  // feed and signer
constexpr std::size_t kMaxBody = kBodyPrefix + channel::kMaxPackageBytes;

[[noreturn]] void fail(const std::filesystem::path& path, const char* doing) {
    throw std::system_error(errno, std::generic_category(), std::string(doing).append(" ").append(path.string()));
}

void put_u32(Bytes& out, std::uint32_t value) {
    for (int shift = 0; shift < 32; shift += 8) out.push_back(static_cast<std::uint8_t>(value >> shift));
}
std::uint32_t get_u32(ByteView bytes) {
    std::uint32_t out = 0;
    for (std::size_t i = 4; i-- > 0;) out = out << 8 | bytes[i];
    return out;
}
std::uint32_t crc_of(ByteView bytes) {
    return static_cast<std::uint32_t>(::crc32(0, bytes.data(), static_cast<uInt>(bytes.size())));
}

Bytes header() {
    const ByteView magic = channel::as_bytes(kMagic);
    Bytes out(magic.begin(), magic.end());
    out.push_back(kFormat);
    return out;
}

Bytes frame(const PackageRecord& record) {
    Bytes body;
    body.reserve(kBodyPrefix + record.raw.size());
    channel::append(body, record.feed.view());
    channel::append(body, record.signer.view());
    channel::append(body, record.raw);
    Bytes out;
    out.reserve(kFrameBytes + body.size());
    put_u32(out, static_cast<std::uint32_t>(body.size()));
    put_u32(out, crc_of(body));
    channel::append(out, body);
    return out;
}

void write_all(int fd, ByteView bytes, const std::filesystem::path& path) {
    while (!bytes.empty()) {
        const ssize_t written = ::write(fd, bytes.data(), bytes.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) fail(path, "cannot write");
        bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
}

/// Up to `size` bytes at `at`; fewer at the end of the file.
std::size_t read_at(int fd, std::uint64_t at, std::span<std::uint8_t> out, const std::filesystem::path& path) {
    std::size_t done = 0;
    while (done < out.size()) {
        const ssize_t got = ::pread(fd, out.data() + done, out.size() - done, static_cast<off_t>(at + done));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) fail(path, "cannot read");
        if (got == 0) break;
        done += static_cast<std::size_t>(got);
    }
    return done;
}

}  // namespace

PackageFile::PackageFile(std::filesystem::path path) : m_path(std::move(path)) {
    try {
        open();
        check_header();
    } catch (...) {
        if (m_fd >= 0) ::close(m_fd);
        throw;
    }
}

PackageFile::~PackageFile() {
    if (m_fd >= 0) ::close(m_fd);
}

void PackageFile::open() {
    m_fd = ::open(m_path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (m_fd < 0) fail(m_path, "cannot open");
    if (::flock(m_fd, LOCK_EX | LOCK_NB) != 0) {
        throw std::runtime_error("history_locked: " + m_path.string() + " is in use by another process");
    }
    struct stat status {};
    if (::fstat(m_fd, &status) != 0) fail(m_path, "cannot stat");
    // Its owner may have replaced the file between our open and our lock.
    if (status.st_nlink == 0)
        throw std::runtime_error("history_locked: " + m_path.string() + " is in use by another process");
    m_size = static_cast<std::uint64_t>(status.st_size);
}

void PackageFile::check_header() {
    if (m_size == 0) {
        write_all(m_fd, header(), m_path);
        m_size = kHeaderBytes;
        return;
    }
    Bytes found(kHeaderBytes);
    found.resize(read_at(m_fd, 0, found, m_path));
    const Bytes wanted = header();
    if (found.size() != kHeaderBytes || !std::equal(wanted.begin(), wanted.end() - 1, found.begin())) {
        throw std::runtime_error("history_malformed: " + m_path.string() + " is not a package history");
    }
    if (found.back() != kFormat) {
        throw std::runtime_error("history_newer: " + m_path.string() + " was written by another version of Hedgerow");
    }
}

std::uint64_t PackageFile::read(const std::function<void(PackageRecord)>& take) {
    std::uint64_t at = kHeaderBytes;
    Bytes body;
    while (at < m_size) {
        std::array<std::uint8_t, kFrameBytes> frame_header{};
        if (read_at(m_fd, at, frame_header, m_path) < kFrameBytes) break;
        const std::uint32_t size = get_u32(ByteView(frame_header).first(4));
        if (size < kBodyPrefix || size > kMaxBody) break;
        body.resize(size);
        if (read_at(m_fd, at + kFrameBytes, body, m_path) < size) break;
        if (crc_of(body) != get_u32(ByteView(frame_header).last(4))) break;
        const ByteView view(body);
        const ByteView raw = view.subspan(kBodyPrefix);
        take(PackageRecord{*channel::Feed::from(view.first(32)), *channel::Address::from(view.subspan(32, 20)),
                           Bytes(raw.begin(), raw.end())});
        at += kFrameBytes + size;
    }
    const std::uint64_t lost = m_size - at;
    if (lost != 0 && ::ftruncate(m_fd, static_cast<off_t>(at)) != 0) fail(m_path, "cannot truncate");
    m_size = at;
    return lost;
}

void PackageFile::append(const PackageRecord& record) {
    const Bytes bytes = frame(record);
    try {
        write_all(m_fd, bytes, m_path);
    } catch (...) {
        // Half a record would hide all later ones from the next reader.
        if (::ftruncate(m_fd, static_cast<off_t>(m_size)) != 0) fail(m_path, "cannot truncate");
        throw;
    }
    m_size += bytes.size();
}

void PackageFile::rewrite(const std::function<void(const Sink&)>& each) {
    std::filesystem::path fresh = m_path;
    fresh += ".new";
    const int fd = ::open(fresh.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0644);
    if (fd < 0) fail(fresh, "cannot open");
    try {
        // The lock goes with the new file before it has the name that others look for.
        if (::flock(fd, LOCK_EX | LOCK_NB) != 0) fail(fresh, "cannot lock");
        Bytes buffer = header();
        std::uint64_t size = buffer.size();
        each([&](const PackageRecord& record) {
            const Bytes bytes = frame(record);
            size += bytes.size();
            channel::append(buffer, bytes);
            if (buffer.size() < (1U << 20)) return;
            write_all(fd, buffer, fresh);
            buffer.clear();
        });
        write_all(fd, buffer, fresh);
        sync_and_rename(real_files(), fresh, m_path);
        ::close(std::exchange(m_fd, fd));
        m_size = size;
    } catch (...) {
        if (fd != m_fd) ::close(fd);
        throw;
    }
}

std::uint64_t PackageFile::record_size(std::size_t raw_size) {
    return kFrameBytes + kBodyPrefix + raw_size;
}

}  // namespace hedgerow::daemon
