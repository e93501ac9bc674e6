// The guard against an old copy of the database: see the comment of class Database.
#include <fmt/format.h>
#include <sodium.h>

#include <charconv>

#include "daemon/store/database.h"
#include "daemon/store/files.h"

namespace hedgerow::daemon {

namespace {

constexpr std::string_view kMagic = "hedgerow-generation ";
constexpr std::size_t kIdDigits = 64;
constexpr std::size_t kNumberDigits = 20;
constexpr std::int64_t kCommitsPerFlush = 256;

struct GenerationNote {
    channel::Hash database_id;
    std::int64_t generation = 0;
};

// Fixed width, so that every rewrite is one in-place write within one sector.
std::string format_note(const GenerationNote& note) {
    return fmt::format("{}{} {:020}\n", kMagic, channel::to_hex(note.database_id).substr(2), note.generation);
}

std::optional<GenerationNote> parse_note(std::string_view text) {
    if (text.size() != kMagic.size() + kIdDigits + 1 + kNumberDigits || !text.starts_with(kMagic)) return std::nullopt;
    const auto id = channel::fixed_from_hex<channel::Hash>(text.substr(kMagic.size(), kIdDigits));
    const std::string_view digits = text.substr(kMagic.size() + kIdDigits + 1);
    std::int64_t number = 0;
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (!id || parsed.ec != std::errc() || parsed.ptr != digits.data() + digits.size() || number < 0)
        return std::nullopt;
    return GenerationNote{*id, number};
}

/// What is wrong with the database given its side file; empty where nothing is.
std::string_view disagreement(bool fresh, const GenerationNote& mine, const std::string& side_text) {
    if (side_text.empty()) return fresh ? "" : "its generation file is missing";
    const auto side = parse_note(side_text);
    if (!side) return "its generation file is malformed";
    if (fresh) return side->generation == 0 ? "" : "it is empty, but this node has committed before";
    if (side->database_id != mine.database_id) return "its generation file belongs to another database";
    if (mine.generation < side->generation) return "it is older than what this node last committed";
    return "";
}

}  // namespace

void Database::check_generation(bool fresh, const DatabaseOptions& options) {
    const std::filesystem::path path = m_path.string() + ".generation";
    m_generation_file = m_files.open(path, FileSystem::Open::or_create);
    if (!fresh) {
        auto id = query("SELECT value FROM store_meta WHERE key = 'database_id'");
        auto generation = query("SELECT value FROM store_meta WHERE key = 'generation'");
        if (!id.step() || !generation.step())
            throw StoreError(StoreErrorKind::corrupt, fmt::format("{} has no identity", m_path.string()));
        m_database_id = id.fixed<channel::Hash>(0);
        m_generation = generation.int64(0);
    }
    const std::string_view wrong = disagreement(fresh, {m_database_id, m_generation}, read_small_file(*m_generation_file));
    if (!wrong.empty() && !options.accept_stale) {
        throw StoreError(StoreErrorKind::stale_copy,
                         fmt::format("{} cannot be trusted to be the newest: {}", m_path.string(), wrong));
    }
    m_accepted_stale = !wrong.empty();
    if (fresh) randombytes_buf(m_database_id.data.data(), m_database_id.data.size());
    // Noted before the first commit: a crash between the two leaves generation 0 and an empty database, which is fresh.
    if (m_accepted_stale) m_generation_file->truncate(0);
    write_generation_file();
    m_generation_file->sync();
    m_files.sync_directory(path.parent_path());
    if (!fresh) return;
    begin();
    execute("CREATE TABLE store_meta (key TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID");
    execute(fmt::format("PRAGMA application_id = {}", options.application_id));
    run("INSERT INTO store_meta VALUES ('database_id', ?), ('generation', 0)", m_database_id);
    commit();
}

// Not flushed at every commit: after kill -9 the kernel still has it, and after a power cut an older number only makes
// the check weaker, never wrong. How much weaker is bounded: by so many commits.
void Database::write_generation_file() {
    const std::string text = format_note({m_database_id, m_generation});
    m_generation_file->write_at(0, channel::as_bytes(text));
    if (m_generation % kCommitsPerFlush == 0) m_generation_file->sync();
}

}  // namespace hedgerow::daemon
