#pragma once

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "channel/base/bytes.h"

namespace hedgerow::fuzz {

/// A private file for readers that want a path; one a process, in memory, written over for each input, gone at the end.
class TempFile {
  public:
    explicit TempFile(channel::ByteView bytes) : m_path(folder() / "input") {
        std::filesystem::remove(m_path);
        std::ofstream out(m_path, std::ios::binary | std::ios::trunc);
        out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
        out.close();
        std::filesystem::permissions(m_path, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
    }
    TempFile(const TempFile&) = delete;
    TempFile& operator=(const TempFile&) = delete;
    [[nodiscard]] const std::filesystem::path& path() const { return m_path; }

    [[nodiscard]] static const std::filesystem::path& folder() {
        struct Folder {
            std::filesystem::path path;
            Folder() {
                const char* base = std::filesystem::is_directory("/dev/shm") ? "/dev/shm" : "/tmp";
                std::string name = std::string(base) + "/hedgerow-fuzz-XXXXXX";
                if (mkdtemp(name.data()) == nullptr) std::abort();
                path = name;
            }
            ~Folder() {
                std::error_code ignored;
                std::filesystem::remove_all(path, ignored);
            }
        };
        static const Folder folder;
        return folder.path;
    }

  private:
    std::filesystem::path m_path;
};

}  // namespace hedgerow::fuzz
