#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "channel/base/bytes.h"
#include "channel/base/ids.h"

namespace hedgerow::daemon {

/// One line of a package history.
struct PackageRecord {
    channel::Feed feed;
    channel::Address signer;
    channel::Bytes raw;  ///< at most kMaxPackageBytes
};

/// An append-only file of package records, each with its length and CRC-32, after a header with a format number. One
/// process at a time (flock on the file itself). A torn or damaged tail is cut off when it is read; records before it
/// count.
class PackageFile {
  public:
    /// std::runtime_error: no history of ours, a newer format, or locked by another process. std::system_error: not
    /// readable.
    explicit PackageFile(std::filesystem::path path);
    ~PackageFile();
    PackageFile(const PackageFile&) = delete;
    PackageFile& operator=(const PackageFile&) = delete;

    /// Calls `take` for every whole record in order, then cuts off what follows the last. Returns the bytes cut off.
    /// Once, before append.
    [[nodiscard]] std::uint64_t read(const std::function<void(PackageRecord)>& take);
    /// In the page cache when it returns, so that a killed process loses nothing; std::system_error.
    void append(const PackageRecord& record);
    /// Replaces the file by these records, whole or not at all, also across a power cut. `each` calls its argument once
    /// a record.
    using Sink = std::function<void(const PackageRecord&)>;
    void rewrite(const std::function<void(const Sink&)>& each);

    [[nodiscard]] std::uint64_t size() const { return m_size; }
    [[nodiscard]] static std::uint64_t record_size(std::size_t raw_size);

  private:
    void open();
    void check_header();

    const std::filesystem::path m_path;
    int m_fd = -1;
    std::uint64_t m_size = 0;
};

}  // namespace hedgerow::daemon
