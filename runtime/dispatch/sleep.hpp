#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>

#include "dispatch/graph.hpp"
#include "storage/spinlock.hpp"

namespace myia {

// Going to sleep and waking up costs 5 us and more, on each side. So long it pays to look whether what
// one waits for is already there.
constexpr std::chrono::nanoseconds kSpin{3000};

/// Whether the condition came true within kSpin.
template <class Condition>
bool spin_until(Condition&& condition) noexcept {
  const auto end = std::chrono::steady_clock::now() + kSpin;
  do {
    for (int k = 0; k < 16; ++k) {
      if (condition()) return true;
      pause_core();
    }
  } while (std::chrono::steady_clock::now() < end);
  return false;
}

/// Where workers sleep: each token wakes one.
class Tokens {
 public:
  void give(int count) {
    {
      const std::lock_guard guard(mutex_);
      tokens_ += count;
    }
    for (int k = 0; k < count; ++k) given_.notify_one();
  }
  void take() {
    std::unique_lock guard(mutex_);
    given_.wait(guard, [this] { return tokens_ > 0; });
    --tokens_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable given_;
  int tokens_ = 0;
};

/// Somebody who waits, for one of several things. It lives on the stack of the thread that waits.
struct Waiter {
  enum class For { ready, idle, all, room, turn, open } what;
  const Storage* storage = nullptr;  ///< (ready, idle)
  const Node* node = nullptr;        ///< (turn) until it may run, or has been settled
  bool granted = false;              ///< (turn) which of the two
  Waiter* next = nullptr;
  /// The last that its waker touches.
  std::atomic<bool> woken{false};
};

/// Where submitting threads sleep, until their waiter is woken.
class Bed {
 public:
  using Clock = std::chrono::steady_clock;

  void wait(const Waiter& waiter) {
    std::unique_lock guard(mutex_);
    changed_.wait(guard, [&] { return waiter.woken.load(std::memory_order_acquire); });
  }
  /// False when the time is over.
  bool wait_until(const Waiter& waiter, Clock::time_point time) {
    std::unique_lock guard(mutex_);
    return changed_.wait_until(guard, time, [&] { return waiter.woken.load(std::memory_order_acquire); });
  }
  void wake_all() {
    // Without this a sleeper could look just before the change, and go to sleep just after the call.
    { const std::lock_guard guard(mutex_); }
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
};

}  // namespace myia
