#pragma once

#include <filesystem>
#include <memory>
#include <span>

#include "channel/base/bytes.h"
#include "daemon/store/database.h"

namespace hedgerow::daemon {

/// A file operation that the system refused: a StoreError of the kind that errno says.
class FileError final : public StoreError {
  public:
    FileError(int error_number, std::string_view what, const std::filesystem::path& path);
    [[nodiscard]] int error_number() const { return m_error_number; }  ///< an errno
    /// What the system says of it.
    [[nodiscard]] std::string reason() const;

  private:
    int m_error_number;
};

/// An open file. Every failure is a FileError.
class OpenFile {
  public:
    virtual ~OpenFile() = default;
    /// Up to out.size() bytes at `offset`; fewer at the end of the file.
    [[nodiscard]] virtual std::size_t read_at(std::uint64_t offset, std::span<std::uint8_t> out) = 0;
    virtual void write_at(std::uint64_t offset, channel::ByteView bytes) = 0;
    virtual void truncate(std::uint64_t size) = 0;
    [[nodiscard]] virtual std::uint64_t size() = 0;
    /// What was written survives a power cut once it returns.
    virtual void sync() = 0;
    /// As sync(), of a file whose size has not changed since: without its times (fdatasync).
    virtual void sync_data() = 0;
    /// What was flushed need not stay in memory. A kernel that has it in large pieces writes a whole piece for every page that changes.
    virtual void forget() = 0;
    /// For this process alone, until closed. False where another has it.
    [[nodiscard]] virtual bool lock() = 0;
};

/// The disk of a store: what SQLite opens by itself (vfs), and the files beside it. The real one is real_files(); a
/// simulation brings its own. Every failure is a FileError.
class FileSystem {
  public:
    enum class Open {
        existing,   ///< a regular file, for reading
        or_create,  ///< for reading and writing; made with mode 0600
        create,     ///< as or_create, but EEXIST where the name exists, be it a link
    };
    virtual ~FileSystem() = default;
    /// SQLite's name of it; null: the system's.
    [[nodiscard]] virtual const char* vfs() const = 0;
    [[nodiscard]] virtual std::unique_ptr<OpenFile> open(const std::filesystem::path& path, Open how) = 0;
    /// Over what is there; unless it may not be replaced (then EEXIST).
    virtual void rename(const std::filesystem::path& from, const std::filesystem::path& to, bool replace) = 0;
    /// Whether it was there or not.
    virtual void remove(const std::filesystem::path& path) noexcept = 0;
    /// A name made, removed or renamed in it survives a power cut.
    virtual void sync_directory(const std::filesystem::path& directory) = 0;
};

}  // namespace hedgerow::daemon
