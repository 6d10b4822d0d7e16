#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "dispatch/dispatcher.hpp"
#include "storage/allocator.hpp"
#include "tests/check.hpp"

namespace myia::tests {

#ifdef MYIA_SANITIZED
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

/// So many repetitions, fewer when each costs ten times as much.
constexpr int repetitions(int count) { return kSanitized ? count / 20 + 1 : count; }

/// A task that calls a function.
class Call : public Task {
 public:
  Call(std::function<void(int)> function, int parts = 1, const char* name = "call")
      : Task(name, parts), function_(std::move(function)) {}
  void run(int part) override { function_(part); }

 private:
  std::function<void(int)> function_;
};

using Storages = std::vector<Ref<Storage>>;

inline std::vector<Storage*> addresses(const Storages& storages) {
  std::vector<Storage*> result;
  for (const Ref<Storage>& storage : storages) result.push_back(storage.get());
  return result;
}

inline void submit(const Storages& reads, const Storages& writes, std::function<void(int)> function,
                   int parts = 1, const char* name = "call") {
  dispatcher::submit(std::make_unique<Call>(std::move(function), parts, name), addresses(reads), addresses(writes));
}

inline void pause_for(std::chrono::microseconds time) {
  const auto end = std::chrono::steady_clock::now() + time;
  while (std::chrono::steady_clock::now() < end) {}
}

/// Holds up the tasks that pass it, until it is opened.
class Gate {
 public:
  void open() { open_ = true; }
  void pass() {
    ++arrived_;
    while (!open_) std::this_thread::sleep_for(std::chrono::microseconds(50));
  }
  void wait_for_arrivals(int count) const {
    while (arrived_ < count) std::this_thread::sleep_for(std::chrono::microseconds(50));
  }

 private:
  std::atomic<bool> open_{false};
  std::atomic<int> arrived_{0};
};

/// At its end, as much memory is in use as at its beginning.
class SameMemory {
 public:
  SameMemory() : before_(allocator::stats()) {}
  SameMemory(const SameMemory&) = delete;
  SameMemory& operator=(const SameMemory&) = delete;
  ~SameMemory() {
    dispatcher::wait_all();
    const allocator::Stats now = allocator::stats();
    CHECK_EQUAL(now.live, before_.live);
    CHECK_EQUAL(now.blocks, before_.blocks);
  }

 private:
  const allocator::Stats before_;
};

}  // namespace myia::tests
