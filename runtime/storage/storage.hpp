#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "storage/ref.hpp"

namespace myia {

struct Dependences;  // dispatch/graph.hpp: the tasks that wait for their turn with a storage

/// Why a storage has no valid contents: the first failure on the way to it.
struct Failure {
  std::string kind;     ///< the name of a Python exception, "MemoryError"
  std::string message;
  std::string kernel;   ///< the kernel that failed
  std::uint32_t place;  ///< where it was submitted (an id of the embedding), 0 if not known
};
using FailurePtr = std::shared_ptr<const Failure>;

/// Bytes that several views share.
///
/// Invariants:
/// - memory of its own is allocated when data() is first called, not when the storage is made: a
///   result that waits for its turn takes no room;
/// - `version` only grows: each task or statement that writes raises it;
/// - the memory lives until the last reference is gone.
class Storage {
 public:
  /// Memory of its own, uninitialised, which comes when first asked for.
  [[nodiscard]] static Ref<Storage> make(std::size_t bytes);
  /// The same, of zeros.
  [[nodiscard]] static Ref<Storage> make_zeros(std::size_t bytes);
  /// Somebody else's memory. `owner` is given to the embedding's release function at the end.
  [[nodiscard]] static Ref<Storage> borrow(void* data, std::size_t bytes, void* owner, bool writable);
  /// What to do with an owner at the end; called on any thread, workers too, so it must not wait for one.
  static void set_owner_release(void (*release)(void* owner)) noexcept;

  void retain() noexcept { references_.fetch_add(1, std::memory_order_relaxed); }
  /// Retains it unless its last reference is already gone. For who knows that it has not been freed.
  [[nodiscard]] bool retain_if_alive() noexcept {
    std::uint32_t now = references_.load(std::memory_order_relaxed);
    while (now && !references_.compare_exchange_weak(now, now + 1, std::memory_order_acquire)) {
    }
    return now != 0;
  }
  void release() noexcept {
    if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) destroy();
  }
  [[nodiscard]] std::uint32_t references() const noexcept {
    return references_.load(std::memory_order_acquire);
  }

  /// The memory, allocated if it is not yet. Throws std::bad_alloc. Not for two threads at once while
  /// it is not allocated: the dispatcher calls it before a task's parts run. That of zeros: for any number.
  [[nodiscard]] char* data() {
    char* const there = data_.load(std::memory_order_acquire);
    return there ? there : allocate();
  }
  [[nodiscard]] bool allocated() const noexcept { return data_.load(std::memory_order_acquire) != nullptr; }
  [[nodiscard]] bool zeros() const noexcept { return zeros_; }
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }
  [[nodiscard]] bool borrowed() const noexcept { return owner_ != nullptr; }
  [[nodiscard]] void* owner() const noexcept { return owner_; }
  [[nodiscard]] bool writable() const noexcept { return writable_; }

  [[nodiscard]] std::uint64_t version() const noexcept { return version_.load(std::memory_order_acquire); }
  void written() noexcept { version_.fetch_add(1, std::memory_order_acq_rel); }

  // -- marks of backprops that will read it (enforced in debug builds of the embedding) ----------
  void mark_read() noexcept { marks_.fetch_add(1, std::memory_order_relaxed); }
  void unmark_read() noexcept { marks_.fetch_sub(1, std::memory_order_relaxed); }
  [[nodiscard]] std::int32_t marks() const noexcept { return marks_.load(std::memory_order_relaxed); }

  // -- for the embedding, under its lock -----------------------------------------------------------
  /// Who may look at the contents later, other than tasks, which take their turns: views, and tables that
  /// know it. Each has a reference, too.
  void add_holder() noexcept { ++holders_; }
  void drop_holder() noexcept { --holders_; }
  [[nodiscard]] std::uint32_t holders() const noexcept { return holders_; }

  // -- for the dispatcher -------------------------------------------------------------------------
  /// No unfinished task writes it: its contents are there (or it has failed).
  [[nodiscard]] bool ready() const noexcept { return writers_.load(std::memory_order_acquire) == 0; }
  /// No unfinished task reads or writes it.
  [[nodiscard]] bool idle() const noexcept {
    return ready() && readers_.load(std::memory_order_acquire) == 0;
  }
  /// Cheap: false for almost every storage.
  [[nodiscard]] bool failed() const noexcept { return failed_.load(std::memory_order_acquire); }

  std::atomic<std::int32_t> writers_{0};
  std::atomic<std::int32_t> readers_{0};
  std::atomic<bool> failed_{false};
  FailurePtr failure_;                   // guarded by the dispatcher's lock
  Dependences* dependences_ = nullptr;   // guarded by the dispatcher's lock
  std::uint64_t last_task_ = 0;          // guarded by the dispatcher's lock

 private:
  enum class Memory : std::uint8_t {
    with_header,  ///< small: in one block with this object, behind it
    own,          ///< a block of its own
    foreign,
  };

  Storage() = default;
  ~Storage() = default;
  char* allocate();
  void free_data() noexcept;
  void destroy() noexcept;

  std::atomic<std::uint32_t> references_{1};
  std::atomic<std::int32_t> marks_{0};
  std::uint32_t holders_ = 0;
  std::atomic<char*> data_{nullptr};
  std::size_t bytes_ = 0;
  std::atomic<std::uint64_t> version_{0};
  void* owner_ = nullptr;
  bool writable_ = true;
  bool zeros_ = false;  ///< what is in the memory when it comes
  Memory memory_ = Memory::own;
};

}  // namespace myia
