#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace hedgerow::daemon {

/// StoreError of the kind that errno says (read_only, disk_full, locked or io), with its text.
[[noreturn]] void throw_errno(std::string_view what, const std::filesystem::path& path);

/// The first 255 bytes of an open file, without trailing white space; empty where it cannot be read.
[[nodiscard]] std::string read_small_file(int fd);

/// fsync of a directory, so that a name created or renamed in it survives a power cut.
void sync_directory(const std::filesystem::path& directory);

/// fsync of `from`, then rename over `to`, then fsync of the directory: afterwards `to` is old or new, never part of
/// both.
void sync_and_rename(const std::filesystem::path& from, const std::filesystem::path& to);

}  // namespace hedgerow::daemon
