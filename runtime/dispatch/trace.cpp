#include "dispatch/trace.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>

namespace myia::trace {
namespace {

std::atomic<bool> recording{false};

struct Record {
  std::mutex mutex;
  std::vector<Event> events;
};

/// Never destroyed: workers may still record while the process ends.
Record& events_so_far() {
  static Record& made = *std::make_unique<Record>().release();
  return made;
}

}  // namespace

bool on() noexcept { return recording.load(std::memory_order_relaxed); }

void start() {
  const std::lock_guard guard(events_so_far().mutex);
  events_so_far().events.clear();
  recording.store(true, std::memory_order_relaxed);
}

std::vector<Event> stop() {
  std::vector<Event> events;
  {
    const std::lock_guard guard(events_so_far().mutex);
    recording.store(false, std::memory_order_relaxed);
    events.swap(events_so_far().events);
  }
  std::stable_sort(events.begin(), events.end(), [](const Event& a, const Event& b) { return a.begin < b.begin; });
  return events;
}

void record(const Event& event) {
  const std::lock_guard guard(events_so_far().mutex);
  // Asked again under the lock: what comes after stop() belongs to no record.
  if (on()) events_so_far().events.push_back(event);
}

std::uint64_t now() noexcept {
  const auto since = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(since).count());
}

void before_fork() { events_so_far().mutex.lock(); }
void after_fork() { events_so_far().mutex.unlock(); }

}  // namespace myia::trace
