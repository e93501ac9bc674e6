#include "daemon/store/generation.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>
#include <string>

#include "daemon/store/files.h"

namespace hedgerow::daemon {

namespace {

constexpr std::size_t kIdDigits = 64;
constexpr std::size_t kNumberDigits = 20;

struct Note {
    channel::Hash id;
    std::uint64_t number = 0;
};

// Fixed width, so that every rewrite is one in-place write within one sector.
std::string format_note(std::string_view magic, const Note& note) {
    return fmt::format("{} {} {:020}\n", magic, channel::to_hex(note.id).substr(2), note.number);
}

std::optional<Note> parse_note(std::string_view magic, std::string_view text) {
    const std::size_t head = magic.size() + 1;
    if (text.size() != head + kIdDigits + 1 + kNumberDigits || !text.starts_with(magic)) return std::nullopt;
    const auto id = channel::fixed_from_hex<channel::Hash>(text.substr(head, kIdDigits));
    const std::string_view digits = text.substr(head + kIdDigits + 1);
    std::uint64_t number = 0;
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (!id || parsed.ec != std::errc() || parsed.ptr != digits.data() + digits.size()) return std::nullopt;
    return Note{*id, number};
}

}  // namespace

GenerationFile::GenerationFile(FileSystem& files, std::filesystem::path path, std::string_view magic)
    : m_files(files), m_path(std::move(path)), m_magic(magic), m_file(files.open(m_path, FileSystem::Open::or_create)) {}

std::string_view GenerationFile::disagreement(bool fresh, const channel::Hash& id, std::uint64_t number) {
    const std::string text = read_small_file(*m_file);
    if (text.empty()) return fresh ? "" : "its generation file is missing";
    const auto note = parse_note(m_magic, text);
    if (!note) return "its generation file is malformed";
    if (fresh) return note->number == 0 ? "" : "it is empty, but this node has committed before";
    if (note->id != id) return "its generation file belongs to another database";
    if (number < note->number) return "it is older than what this node last committed";
    return "";
}

void GenerationFile::begin(const channel::Hash& id, std::uint64_t number, bool anew) {
    if (anew) m_file->truncate(0);
    note(id, number);
    m_file->sync();
    m_files.sync_directory(m_path.parent_path());
}

void GenerationFile::note(const channel::Hash& id, std::uint64_t number) {
    m_file->write_at(0, channel::as_bytes(format_note(m_magic, {id, number})));
    if (++m_notes % kNotesPerFlush == 0) m_file->sync();
}

}  // namespace hedgerow::daemon
