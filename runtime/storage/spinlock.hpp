#pragma once

#include <sched.h>

#include <atomic>

namespace myia {

/// Tells the core that this is a spin: it saves power, and leaves the loop without a penalty.
inline void pause_core() noexcept {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

/// A lock for sections of some tens of nanoseconds.
///
/// Not std::mutex: when two threads meet, a mutex goes to the kernel and costs microseconds, a hundred
/// times the section that it waits for. Whoever holds it may have been preempted, though, so that a
/// wait that grows long gives up its core. It is a plain flag: a forked child can use it.
class Spinlock {
 public:
  void lock() noexcept {
    while (taken_.exchange(true, std::memory_order_acquire)) wait();
  }
  void unlock() noexcept { taken_.store(false, std::memory_order_release); }

 private:
  void wait() const noexcept {
    for (int round = 0; taken_.load(std::memory_order_relaxed); ++round) {
      if (round < 200) pause_core();
      else sched_yield();
    }
  }

  std::atomic<bool> taken_{false};
};

}  // namespace myia
