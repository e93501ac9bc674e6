#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string_view>

#include "channel/base/ids.h"
#include "daemon/store/file_system.h"

namespace hedgerow::daemon {

/// A small file beside a store that notes how far it has come, so that an older copy of the store put in its place is seen. It is
/// rewritten in place, and flushed only every kNotesPerFlush: after kill -9 the kernel still has it, and after a power cut an older
/// number only makes the check weaker, never wrong. How much weaker is bounded.
class GenerationFile {
  public:
    static constexpr std::uint64_t kNotesPerFlush = 256;

    /// Opens or creates. `magic` is its first word.
    GenerationFile(FileSystem& files, std::filesystem::path path, std::string_view magic);

    /// What is wrong with a store of that id and number, given the file; empty where nothing is. `fresh`: the store is new.
    [[nodiscard]] std::string_view disagreement(bool fresh, const channel::Hash& id, std::uint64_t number);
    /// The first note of this process, durable with the file's name; `anew` where what is there does not count.
    void begin(const channel::Hash& id, std::uint64_t number, bool anew);
    void note(const channel::Hash& id, std::uint64_t number);
    void sync() { m_file->sync(); }

  private:
    FileSystem& m_files;
    const std::filesystem::path m_path;
    const std::string_view m_magic;
    std::unique_ptr<OpenFile> m_file;
    std::uint64_t m_notes = 0;
};

}  // namespace hedgerow::daemon
