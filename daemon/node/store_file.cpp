#include "daemon/node/store_file.h"

#include "daemon/log/log.h"

namespace hedgerow::daemon {

namespace {

/// A checkpoint's flushes hold up those of the turns beside it, so that there are few; whoever reads what it brings makes one of his own.
constexpr std::uint64_t kCheckpointMs = 4'000;

}  // namespace

StoreFile::StoreFile(DatabaseOptions options, const World& world, std::string program, EventLoop& loop,
                     std::optional<JournalOptions> journal)
    : m_program(std::move(program)), m_drive(world.drive) {
    options.files = world.files;
    auto database = std::make_unique<Database>(options);
    m_stale = database->accepted_stale();
    WriterOptions writing;
    writing.drive = world.drive;
    if (journal) journal->files = world.files;
    writing.checkpoint_ms = kCheckpointMs;
    writing.journal = std::move(journal);
    writing.accept_stale = options.accept_stale;
    m_writer = std::make_unique<Writer>(
        std::move(database),
        [this, &loop](const StoreError& error) {
            fatal(error);
            loop.stop();
        },
        writing);
    m_stale = m_stale || m_writer->accepted_stale();
    m_reader = Database::open_reader(options.path, *world.files);
    m_outbox = std::make_unique<Outbox>(*m_writer);
}

void StoreFile::fatal(const StoreError& error) {
    m_failed.store(true);
    LOG_ERROR("database error; the " + m_program + " stops", {"error", store_error_name(error.kind())},
              {"text", error.what()});
}

int StoreFile::run(EventLoop& loop, const std::function<void()>& end_turn) {
    try {
        loop.run();
        if (!failed()) {
            end_turn();
            m_writer->flush();
            m_writer->drain();
        }
    } catch (const StoreError& error) {
        fatal(error);
    } catch (const std::exception& error) {
        LOG_ERROR("the " + m_program + " stops", {"text", error.what()});
        return kExitError;
    }
    return failed() ? kExitStore : 0;
}

Database& StoreFile::up_to_date_reader() {
    if (!m_writer->checkpoint()) throw StoreError(StoreErrorKind::io, "the store has failed; nothing is read");
    return *m_reader;
}

void StoreFile::flush() {
    // A stepped one that goes away loses what it had not stored, as in a power cut.
    if (m_drive == Drive::threads && !failed()) m_writer->flush();
}

}  // namespace hedgerow::daemon
