#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "daemon/store/file_system.h"

namespace hedgerow::daemon {

/// FileError of what errno says, with its text.
[[noreturn]] void throw_errno(std::string_view what, const std::filesystem::path& path);

/// The name of a file beside that one.
[[nodiscard]] std::filesystem::path with_suffix(const std::filesystem::path& path, std::string_view suffix);

/// The first 255 bytes, without trailing white space; empty where they cannot be read.
[[nodiscard]] std::string read_small_file(OpenFile& file);

/// Flushes `from`, renames it over `to`, flushes the directory: afterwards `to` is old or new, never part of both.
void sync_and_rename(FileSystem& files, const std::filesystem::path& from, const std::filesystem::path& to);

}  // namespace hedgerow::daemon
