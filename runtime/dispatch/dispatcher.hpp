#pragma once

#include <cstdint>
#include <exception>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "storage/storage.hpp"

namespace myia {

/// What a kernel throws; it becomes the Python exception of that name.
class KernelError : public std::exception {
 public:
  KernelError(std::string kind, std::string message) : kind_(std::move(kind)), message_(std::move(message)) {}
  [[nodiscard]] const std::string& kind() const noexcept { return kind_; }
  [[nodiscard]] const std::string& message() const noexcept { return message_; }
  [[nodiscard]] const char* what() const noexcept override { return message_.c_str(); }

 private:
  std::string kind_, message_;
};

/// Work on storages. Subclasses hold what they need; the storages are kept alive by the dispatcher.
class Task {
 public:
  explicit Task(const char* name, int parts = 1) noexcept : name(name), parts(parts) {}
  virtual ~Task() = default;
  /// Part `part` of `parts`. Parts run at the same time on several workers, and must write apart.
  /// The memory of every storage that is written has been allocated. Throws KernelError, bad_alloc.
  virtual void run(int part) = 0;

  const char* const name;  ///< a literal
  const int parts;
  std::uint32_t place = 0;  ///< the line that submitted it (an id of the embedding)
};

/// Asked now and then during a wait; true ends the wait.
struct Interrupt {
  bool (*asked)(void*) = nullptr;
  void* context = nullptr;
};

enum class Order { fifo, lifo };

/// Runs tasks on worker threads, each after the tasks whose results it needs.
///
/// Invariants:
/// - two tasks that use a storage run in the order of their submission, unless both only read it;
/// - a task reads a storage only after every write submitted before it, and never a failed one: the
///   failure is handed on to what it writes;
/// - a task that wrote a storage without reading it, and did not fail, ends that storage's failure;
/// - of the failures that a task reads, the first is handed on: those of what it also writes, in order,
///   then the others in order;
/// - with no workers (0, or after shutdown) submit() runs the task before it returns.
/// Any thread may call any function. Workers never call into the embedding.
namespace dispatcher {

void submit(std::unique_ptr<Task> task, std::span<Storage* const> reads, std::span<Storage* const> writes);

/// Waits until the contents are there. False if interrupted. Does not look at failures.
bool wait_ready(Storage& storage, Interrupt interrupt = {});
/// Waits until no task uses the storage. False if interrupted.
bool wait_idle(Storage& storage, Interrupt interrupt = {});
/// Waits until every task has finished, been destroyed, and let its storages go. False if interrupted.
bool wait_all(Interrupt interrupt = {});
/// Null if it has none, or no longer.
[[nodiscard]] FailurePtr failure(const Storage& storage);

/// Bytes that submitted tasks write into memory not allocated when they were submitted, at least one for each, until
/// they have let go of all storages.
[[nodiscard]] std::uint64_t bytes_in_flight() noexcept;
void set_bytes_in_flight_bound(std::uint64_t bytes) noexcept;
[[nodiscard]] std::uint64_t bytes_in_flight_bound() noexcept;
/// Whether a task may be submitted without going over the bounds (bytes, and number of tasks).
[[nodiscard]] bool has_room() noexcept;
/// Waits until there is room. False if interrupted.
bool wait_for_room(Interrupt interrupt = {});

/// Waits for what is pending, then goes on with n workers. 0: the submitting thread does the work.
void set_workers(int count);
[[nodiscard]] int workers() noexcept;
void set_order(Order order) noexcept;

/// Drops the tasks that have not started (their results fail), waits for those that have, ends the
/// workers. Afterwards submit() runs tasks at once, unless set_workers() is called.
void shutdown() noexcept;

/// Finished are all that are over. Of these, failed are those that threw or were handed a failure, and
/// dropped those that a shutdown did not let run.
struct Counts {
  std::uint64_t submitted, finished, failed, dropped;
};
[[nodiscard]] Counts counts() noexcept;

// A fork waits for the work in flight, and the child starts its own workers when it first submits
// (pthread_atfork, registered with the first workers).

}  // namespace dispatcher
}  // namespace myia
