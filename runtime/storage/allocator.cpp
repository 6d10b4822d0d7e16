#include "storage/allocator.hpp"

#include <pthread.h>
#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <mutex>
#include <new>
#include <utility>

#include "storage/environment.hpp"
#include "storage/spinlock.hpp"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif

namespace myia::allocator {
namespace {

// Four classes to a power of two: at most a quarter of a block is lost. Up to 256 bytes the alignment
// leaves but one class for every 64.
constexpr int kFine = 4;
constexpr int kLargestPower = 46;
constexpr int kClasses = kFine + (kLargestPower - 8) * 4;

constexpr int class_of(std::size_t bytes) noexcept {
  if (bytes <= 256) return bytes ? static_cast<int>((bytes - 1) / 64) : 0;
  const int power = std::bit_width(bytes - 1);  // 2^(power - 1) < bytes <= 2^power
  const std::size_t below = std::size_t{1} << (power - 1);
  return kFine + (power - 9) * 4 + static_cast<int>((bytes - 1 - below) >> (power - 3));
}

constexpr std::size_t size_of_class(int number) noexcept {
  if (number < kFine) return static_cast<std::size_t>(number + 1) * 64;
  const int power = 9 + (number - kFine) / 4;
  const auto quarters = static_cast<std::size_t>((number - kFine) % 4 + 1);
  return (std::size_t{1} << (power - 1)) + (quarters << (power - 3));
}

static_assert(size_of_class(class_of(1)) == 64 && size_of_class(class_of(65)) == 128);
static_assert(size_of_class(class_of(256)) == 256 && size_of_class(class_of(257)) == 320);
static_assert(size_of_class(class_of(512)) == 512 && size_of_class(class_of(513)) == 640);
static_assert(class_of(std::size_t{1} << kLargestPower) == kClasses - 1);

// Blocks from here on are mapped: what is given back is gone from the process, which free() does not
// promise. Twice that, and huge pages make the first touch of 8 MB cost 4 faults and not 2,048.
constexpr std::size_t kMapped = std::size_t{1} << 20;
constexpr std::size_t kHuge = std::size_t{1} << 22;

// What is idle is looked for when so many bytes, and as many as are pooled, have been asked for since.
constexpr std::uint64_t kLook = std::uint64_t{1} << 25;
constexpr std::uint64_t kMostOwed = std::uint64_t{1} << 26;

void* from_system(std::size_t size) noexcept {
  if (size < kMapped) return std::aligned_alloc(kAlignment, size);
  void* const block = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (block == MAP_FAILED) return nullptr;
  if (size >= kHuge) madvise(block, size, MADV_HUGEPAGE);
  return block;
}

void to_system(void* block, std::size_t size) noexcept {
  if (size < kMapped) std::free(block);
  else munmap(block, size);
}

/// A block that nobody uses: its first bytes are the link.
struct Free {
  Free* next;
};

// Address Sanitizer should see a use of a block that lies in the pool, all but the link.
void hide([[maybe_unused]] void* block, [[maybe_unused]] std::size_t size) noexcept {
#ifdef __SANITIZE_ADDRESS__
  ASAN_POISON_MEMORY_REGION(static_cast<char*>(block) + sizeof(Free), size - sizeof(Free));
#endif
}
void show([[maybe_unused]] void* block, [[maybe_unused]] std::size_t size) noexcept {
#ifdef __SANITIZE_ADDRESS__
  ASAN_UNPOISON_MEMORY_REGION(block, size);
#endif
}

/// What leaves the pool, to be given to the system after the lock is free.
struct Leaving {
  Free* blocks[kClasses] = {};

  void give_back() noexcept {
    for (int k = 0; k < kClasses; ++k) {
      while (Free* const block = blocks[k]) {
        blocks[k] = block->next;
        show(block, size_of_class(k));
        to_system(block, size_of_class(k));
      }
    }
  }
};

class Pool {
 public:
  Pool() {
    const std::uint64_t standard = std::min(std::uint64_t{2} << 30, bytes_of_memory() / 8);
    bound_ = number_in_environment("MYIA_POOL").value_or(standard);
  }

  void* allocate(std::size_t bytes) {
    if (bytes > std::size_t{1} << kLargestPower) throw std::bad_alloc();
    const int number = class_of(bytes);
    Class& c = classes_[number];
    lock_.lock();
    c.last = asked_ += size_of_class(number);
    Free* const block = c.first;
    if (block) [[likely]] {
      count(bytes, size_of_class(number));
      c.first = block->next;
      c.idle = std::min(c.idle, --c.blocks);
      pooled_ -= size_of_class(number);
      lock_.unlock();
      show(block, size_of_class(number));
      return block;
    }
    lock_.unlock();
    return fresh(number, bytes);
  }

  void free(void* memory, std::size_t bytes) noexcept {
    const int number = class_of(bytes);
    const std::size_t size = size_of_class(number);
    auto* const block = static_cast<Free*>(memory);
    Class& c = classes_[number];
    lock_.lock();
    live_ -= bytes;
    used_ -= size;
    --blocks_;
    if (pooled_ + size <= bound_) [[likely]] {
      block->next = c.first;
      c.first = block;
      ++c.blocks;
      pooled_ += size;
      hide(block, size);
      lock_.unlock();
      return;
    }
    lock_.unlock();
    free_when_full(number, block);
  }

  Stats stats() noexcept {
    const std::lock_guard guard(lock_);
    return {live_, peak_, pooled_, blocks_, asked_};
  }
  void reset_peak() noexcept {
    const std::lock_guard guard(lock_);
    peak_ = live_;
  }
  std::uint64_t begin_stretch() noexcept {
    const std::lock_guard guard(lock_);
    return std::exchange(stretch_, live_);
  }
  std::uint64_t end_stretch(std::uint64_t around) noexcept {
    const std::lock_guard guard(lock_);
    const std::uint64_t ended = stretch_;
    stretch_ = std::max(around, ended);
    return ended;
  }
  std::size_t bound() noexcept {
    const std::lock_guard guard(lock_);
    return bound_;
  }
  void set_bound(std::size_t bytes) noexcept {
    bool above = false;
    {
      const std::lock_guard guard(lock_);
      bound_ = bytes;
      above = pooled_ > bound_;
    }
    if (above) trim();
  }
  void trim() noexcept {
    Leaving leaving;
    {
      const std::lock_guard guard(lock_);
      for (int k = 0; k < kClasses; ++k) take_out(k, leaving);
    }
    leaving.give_back();
  }

  void lock() noexcept { lock_.lock(); }
  void unlock() noexcept { lock_.unlock(); }

 private:
  struct Class {
    Free* first = nullptr;
    std::size_t blocks = 0;
    std::uint64_t last = 0;  // asked_ when it was last asked for
    // The blocks that were in the pool all the time since looked_, and all the time between the two looks before.
    std::size_t idle = 0, idle_before = 0;
    std::size_t gone = 0;  // blocks that left to keep to highest_, and that nobody has asked for since
  };

  void count(std::size_t bytes, std::size_t size) noexcept {
    live_ += bytes;
    used_ += size;
    ++blocks_;
    if (used_ > highest_) highest_ = used_;
    if (live_ > peak_) peak_ = live_;
    if (live_ > stretch_) stretch_ = live_;
  }

  void* fresh(int number, std::size_t bytes) {
    const std::size_t size = size_of_class(number);
    let_go_idle(number);
    void* block = from_system(size);
    if (!block) {
      trim();
      block = from_system(size);
    }
    if (!block) throw std::bad_alloc();
    const std::lock_guard guard(lock_);
    count(bytes, size);
    return block;
  }

  /// Before the process grows by `size`: large blocks leave that nobody needed for a while, of as many bytes. A
  /// reverse sweep frees what was saved, and makes gradients, which have other sizes. A class of which all blocks are
  /// used now and then loses none, so that sizes that take turns do not drive each other out.
  ///
  /// It should not grow beyond what was ever in use at once. For that, blocks leave that were idle for a short while;
  /// those that are wanted again may be there beside the others from then on.
  void let_go_idle(int number) noexcept {
    const std::size_t size = size_of_class(number);
    Leaving leaving;
    {
      const std::lock_guard guard(lock_);
      if (classes_[number].gone) {
        --classes_[number].gone;
        allowed_ += size;
      }
      owed_ = std::min(owed_ + size, kMostOwed);
      const auto is_high = [&] { return used_ + pooled_ + size > highest_ + allowed_; };
      if (asked_ - looked_ > (is_high() ? 0 : pooled_) + kLook) {
        looked_ = asked_;
        for (Class& c : classes_) c.idle_before = std::exchange(c.idle, c.blocks);
      }
      for (int k = kClasses - 1; k >= class_of(kMapped); --k) {
        Class& c = classes_[k];
        while (c.idle) {
          const bool owes = c.idle_before && size_of_class(k) <= owed_;
          if (!owes && !is_high()) break;
          Free* const block = std::exchange(c.first, c.first->next);
          block->next = std::exchange(leaving.blocks[k], block);
          --c.blocks, --c.idle;
          if (c.idle_before) --c.idle_before;
          pooled_ -= size_of_class(k);
          if (owes) owed_ -= size_of_class(k);
          else ++c.gone;
        }
      }
    }
    leaving.give_back();
  }

  /// A program that goes over to other sizes would find the pool full of those that it no longer
  /// uses. So classes leave first that were not asked for while twice the bound was; if there are none,
  /// it is the block that leaves.
  void free_when_full(int number, Free* block) noexcept {
    const std::size_t size = size_of_class(number);
    Leaving leaving;
    {
      const std::lock_guard guard(lock_);
      for (int k = 0; k < kClasses; ++k)
        if (asked_ - classes_[k].last > 2 * bound_) take_out(k, leaving);
      const bool fits = pooled_ + size <= bound_;
      Free*& first = fits ? classes_[number].first : leaving.blocks[number];
      block->next = first;
      first = block;
      if (fits) {
        ++classes_[number].blocks;
        pooled_ += size;
        hide(block, size);
      }
    }
    leaving.give_back();
  }

  void take_out(int number, Leaving& leaving) noexcept {
    Class& c = classes_[number];
    pooled_ -= size_of_class(number) * std::exchange(c.blocks, 0);
    c.idle = c.idle_before = 0;
    leaving.blocks[number] = std::exchange(c.first, nullptr);
  }

  Spinlock lock_;
  std::uint64_t live_ = 0, peak_ = 0, stretch_ = 0, pooled_ = 0, blocks_ = 0, bound_ = 0;
  std::uint64_t used_ = 0, highest_ = 0;  // bytes of the blocks in use: now, and the most ever
  std::uint64_t allowed_ = 0;  // bytes that may be there beside that
  std::uint64_t asked_ = 0;  // bytes that were ever asked for
  std::uint64_t looked_ = 0;  // asked_ at the last look at what is idle
  std::uint64_t owed_ = 0;  // bytes that came from the system, for which idle ones have yet to go
  Class classes_[kClasses];
};

Pool& pool();

Pool& make_pool() {
  alignas(Pool) static char place[sizeof(Pool)];
  Pool& made = *::new (place) Pool;
  // A thread of another library may hold the lock at the moment of a fork.
  pthread_atfork([] { pool().lock(); }, [] { pool().unlock(); }, [] { pool().unlock(); });
  return made;
}

/// Never destroyed: storages are released while the process ends.
Pool& pool() {
  static Pool& made = make_pool();
  return made;
}

}  // namespace

void* allocate(std::size_t bytes) { return pool().allocate(bytes); }
void free(void* block, std::size_t bytes) noexcept { pool().free(block, bytes); }
Stats stats() noexcept { return pool().stats(); }
void reset_peak() noexcept { pool().reset_peak(); }
std::uint64_t begin_stretch() noexcept { return pool().begin_stretch(); }
std::uint64_t end_stretch(std::uint64_t around) noexcept { return pool().end_stretch(around); }
void set_bound(std::size_t bytes) noexcept { pool().set_bound(bytes); }
std::size_t bound() noexcept { return pool().bound(); }
void trim() noexcept { pool().trim(); }

}  // namespace myia::allocator
