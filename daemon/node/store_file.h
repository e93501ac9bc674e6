#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "daemon/node/event_loop.h"
#include "daemon/node/outbox.h"
#include "daemon/node/world.h"

namespace hedgerow::daemon {

/// A program's database: one writer with a thread of its own, one reader on the loop's thread, and what waits for the
/// disk. A fatal error stops the loop: nothing runs on after one.
class StoreFile {
  public:
    static constexpr int kExitStore = 3;
    static constexpr int kExitError = 4;

    /// On the disk of the world. Throws StoreError. `program` is who stops, for the log.
    StoreFile(DatabaseOptions options, const World& world, std::string program, EventLoop& loop,
              std::optional<JournalOptions> journal = std::nullopt);
    StoreFile(const StoreFile&) = delete;
    StoreFile& operator=(const StoreFile&) = delete;

    /// The loop until it is stopped, and `end_turn` once more for what it left. The exit code: 0, kExitStore after a
    /// database error, kExitError after any other; both are logged.
    [[nodiscard]] int run(EventLoop& loop, const std::function<void()>& end_turn);
    /// Everything handed over is durable, unless the store has failed, or is stepped.
    void flush();

    [[nodiscard]] bool failed() const { return m_failed.load(); }
    /// The operator insisted on a database that is older than what was once committed.
    [[nodiscard]] bool stale() const { return m_stale; }
    [[nodiscard]] Writer& writer() { return *m_writer; }
    /// What is put in rows (Rows) may not have reached the database yet: for all else.
    [[nodiscard]] Database& reader() { return *m_reader; }
    /// With every durable row; waits for a checkpoint, milliseconds on a busy node. Throws StoreError.
    [[nodiscard]] Database& up_to_date_reader();
    [[nodiscard]] Outbox& outbox() { return *m_outbox; }

  private:
    void fatal(const StoreError& error);

    const std::string m_program;
    const Drive m_drive;
    std::atomic<bool> m_failed{false};
    bool m_stale = false;
    std::unique_ptr<Writer> m_writer;
    std::unique_ptr<Database> m_reader;
    std::unique_ptr<Outbox> m_outbox;
};

}  // namespace hedgerow::daemon
