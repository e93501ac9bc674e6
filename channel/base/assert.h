#pragma once

namespace hedgerow::channel {

/// Called with the text of a violated assertion just before the process traps. The shell may install its own
/// (to flush a log); the default writes one line to stderr. The process ends in any case.
using AssertHandler = void (*)(const char* expression, const char* file, int line);
void set_assert_handler(AssertHandler handler);

[[noreturn]] void assert_failed(const char* expression, const char* file, int line);

}  // namespace hedgerow::channel

/// A bug, not a peer's or user's fault: on in every build. The node stops rather than sign on a broken invariant.
#define ASSERT(expression) \
    ((expression) ? static_cast<void>(0) : ::hedgerow::channel::assert_failed(#expression, __FILE__, __LINE__))
