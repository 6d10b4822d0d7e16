#pragma once

#include <cstdint>
#include <vector>

namespace myia::trace {

/// One part of a task, or a wait of a submitting thread (worker = -1). Times are nanoseconds of the
/// steady clock.
struct Event {
  const char* name;
  std::uint32_t place;
  std::int32_t worker;  ///< 0, 1, ...; -1: a thread that submits or waits; -2: run in the submitting thread
  std::int32_t part, parts;
  std::uint64_t task;  ///< number of the task, 0 for a wait
  std::uint64_t submitted, ready, begin, end;
};

/// Cheap to ask: whether events are recorded.
[[nodiscard]] bool on() noexcept;
/// Forgets what was recorded and begins.
void start();
/// Ends, and hands over what was recorded, in order of `begin`.
[[nodiscard]] std::vector<Event> stop();
void record(const Event& event);
[[nodiscard]] std::uint64_t now() noexcept;

// For the dispatcher: nobody records while the process forks.
void before_fork();
void after_fork();

}  // namespace myia::trace
