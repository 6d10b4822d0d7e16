#include "dispatch/dispatcher.hpp"

#include <pthread.h>
#include <sched.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "dispatch/failure.hpp"
#include "dispatch/graph.hpp"
#include "dispatch/sleep.hpp"
#include "dispatch/trace.hpp"
#include "storage/allocator.hpp"
#include "storage/environment.hpp"

// There is no thread that schedules. submit() itself finds out what a task waits for, under one short
// lock, and the worker that ends a task finds out who may go on: some 100 ns in threads that have the
// storages in their cache anyway, where a hand-over to a third thread costs a change of context for
// each task, ten times as much, and a core.

namespace myia::dispatcher {
namespace {

constexpr std::size_t kMaxUnfinished = 4096;
constexpr std::chrono::milliseconds kPoll{20};

int usable_cores() noexcept {
  cpu_set_t cores;
  if (sched_getaffinity(0, sizeof cores, &cores) == 0) return std::max(CPU_COUNT(&cores), 1);
  return std::max(static_cast<int>(std::thread::hardware_concurrency()), 1);
}

int standard_workers() noexcept {
  const auto asked = number_in_environment("MYIA_WORKERS");
  return asked ? static_cast<int>(std::min<std::uint64_t>(*asked, 1024)) : usable_cores();
}

/// Signals go to the threads that the embedding knows. Threads inherit this, so that there is no moment
/// at which a new worker could get one.
class NoSignals {
 public:
  NoSignals() {
    sigset_t all;
    sigfillset(&all);
    // A crash on a worker is reported as one anywhere (faulthandler).
    for (const int fatal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT}) sigdelset(&all, fatal);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  NoSignals(const NoSignals&) = delete;
  NoSignals& operator=(const NoSignals&) = delete;
  ~NoSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_;
};

/// Destroys the tasks and lets go of the storages. Without the lock, as this may free memory, and calls
/// what the embedding has set to release an owner.
void clean(const NodeList& retired) noexcept {
  for (Node* node = retired.first(); node; node = node->next) {
    node->task = nullptr;
    node->failure = nullptr;
    for (const Use& use : node->uses) use.storage->release();
    if (node->uses.capacity() > 64) std::vector<Use>().swap(node->uses);
  }
}

/// One part of a task, or the allocation before the parts. The failure, if any.
FailurePtr run(const Node& node, int part, int worker) noexcept {
  Task& task = *node.task;
  const std::uint64_t begin = trace::on() ? trace::now() : 0;
  FailurePtr failure;
  try {
    if (part == Job::kPrepare || node.parts == 1) {
      for (const Use& use : node.uses)
        if (use.writes) static_cast<void>(use.storage->data());
    }
    if (part != Job::kPrepare) task.run(part);
  } catch (...) {
    failure = current_failure(task);
  }
  if (begin && part != Job::kPrepare) {
    const auto or_begin = [begin](std::uint64_t time) { return time ? time : begin; };
    trace::record({task.name, task.place, worker, part, node.parts, node.number, or_begin(node.submitted),
                   or_begin(node.ready), begin, trace::now()});
  }
  return failure;
}

/// In the thread that submits it.
FailurePtr run_here(const Node& node) noexcept {
  constexpr int kHere = -2;
  if (node.parts > 1) {
    if (FailurePtr failure = run(node, Job::kPrepare, kHere)) return failure;
  }
  for (int part = 0; part < node.parts; ++part)
    if (FailurePtr failure = run(node, part, kHere)) return failure;
  return nullptr;
}

/// Invariants:
/// - `lock_` guards all but the atomic members, `control_` and what is said to belong to it. It is held
///   for well under a microsecond, and never while something sleeps, is freed or calls out;
/// - a worker that finds nothing to do looks once more under the lock before it sleeps, and whoever
///   adds work decides under the same lock whether to wake one: no wake-up is lost, and none is sent
///   while a worker is still searching;
/// - a task is over (wait_all) when its task has been destroyed and its storages let go, too.
class Dispatcher {
 public:
  Dispatcher() : wanted_(standard_workers()), state_(wanted_ ? State::fresh : State::here) {
    const std::uint64_t standard = std::min(std::uint64_t{4} << 30, bytes_of_memory() / 4);
    bytes_bound_ = number_in_environment("MYIA_IN_FLIGHT").value_or(standard);
    const char* const order = std::getenv("MYIA_ORDER");
    if (order && std::string(order) == "lifo") graph_.set_order(Order::lifo);
  }

  void submit(std::unique_ptr<Task> task, std::span<Storage* const> reads, std::span<Storage* const> writes) {
    const std::uint64_t time = trace::on() ? trace::now() : 0;
    lock_.lock();
    while (closed_ || state_ == State::fresh) {
      const bool closed = closed_;
      lock_.unlock();
      if (closed) wait(Waiter{.what = Waiter::For::open});
      else start();
      lock_.lock();
    }
    Node* node = nullptr;
    try {
      node = &graph_.add(task, reads, writes, state_ == State::here, time);
    } catch (...) {
      lock_.unlock();
      throw;
    }
    if (node->by_submitter) finish_here(*node);
    unlock_and_clean();
  }

  bool wait_ready(const Storage& storage, Interrupt interrupt) {
    if (storage.ready()) return true;
    const Wait traced;
    if (spin_until([&] { return storage.ready(); })) return true;
    return wait(Waiter{.what = Waiter::For::ready, .storage = &storage}, interrupt);
  }
  bool wait_idle(const Storage& storage, Interrupt interrupt) {
    if (storage.idle()) return true;
    const Wait traced;
    if (spin_until([&] { return storage.idle(); })) return true;
    return wait(Waiter{.what = Waiter::For::idle, .storage = &storage}, interrupt);
  }
  bool wait_all(Interrupt interrupt) {
    {
      const std::lock_guard guard(lock_);
      if (!graph_.in_use()) return true;
    }
    const Wait traced;
    return wait(Waiter{.what = Waiter::For::all}, interrupt);
  }
  bool wait_for_room(Interrupt interrupt) {
    if (has_room()) return true;
    const Wait traced;
    return wait(Waiter{.what = Waiter::For::room}, interrupt);
  }

  FailurePtr failure(const Storage& storage) {
    const std::lock_guard guard(lock_);
    return storage.failure_;
  }
  Counts counts() {
    const std::lock_guard guard(lock_);
    return graph_.counts();
  }

  [[nodiscard]] std::uint64_t bytes_in_flight() const noexcept { return bytes_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t bytes_bound() const noexcept { return bytes_bound_.load(std::memory_order_relaxed); }
  void set_bytes_bound(std::uint64_t bytes) noexcept {
    bytes_bound_ = bytes;
    lock_.lock();
    unlock_and_clean();
  }
  [[nodiscard]] bool has_room() const noexcept {
    // One task alone always has room: it could wait for ever.
    const std::uint64_t bytes = bytes_in_flight();
    return (bytes == 0 || bytes < bytes_bound()) &&
           unfinished_.load(std::memory_order_relaxed) < kMaxUnfinished;
  }

  void set_workers(int count) {
    const std::lock_guard control(control_);
    close();
    stop();
    lock_.lock();
    wanted_ = count < 0 ? standard_workers() : count;
    state_ = wanted_ ? State::fresh : State::here;
    open();
  }
  [[nodiscard]] int workers() const noexcept { return wanted_.load(std::memory_order_relaxed); }
  void set_order(Order order) noexcept {
    const std::lock_guard guard(lock_);
    graph_.set_order(order);
  }

  void shutdown() noexcept {
    const std::lock_guard control(control_);
    lock_.lock();
    graph_.drop(true);
    unlock_and_clean();
    close();
    stop();
    lock_.lock();
    graph_.drop(false);
    wanted_ = 0;
    state_ = State::here;
    open();
  }

  // -- fork ------------------------------------------------------------------------------------------
  void before_fork() {
    control_.lock();
    close();
    lock_.lock();  // and stays so
    trace::before_fork();
  }
  void after_fork_in_parent() {
    trace::after_fork();
    open();
    control_.unlock();
  }
  void after_fork_in_child() {
    trace::after_fork();
    // What belonged to threads that are not here. It is not destroyed: a condition variable with
    // sleepers cannot be, nor can threads that nobody joined.
    static_cast<void>(threads_.release());
    static_cast<void>(tokens_.release());
    static_cast<void>(bed_.release());
    threads_ = std::make_unique<std::vector<std::thread>>();
    tokens_ = std::make_unique<Tokens>();
    bed_ = std::make_unique<Bed>();
    waiters_ = nullptr;
    searching_ = sleeping_ = 0;
    if (state_ == State::running) state_ = State::fresh;
    open();
    control_.unlock();
  }

 private:
  enum class State {
    fresh,    ///< workers will be started when there is work
    running,
    here,     ///< no workers: the submitting thread does the work
  };

  /// Records a wait.
  class Wait {
   public:
    Wait() noexcept : begin_(trace::on() ? trace::now() : 0) {}
    Wait(const Wait&) = delete;
    Wait& operator=(const Wait&) = delete;
    ~Wait() {
      if (begin_) trace::record({"wait", 0, -1, 0, 1, 0, begin_, begin_, begin_, trace::now()});
    }

   private:
    const std::uint64_t begin_;
  };

  // -- with the lock -----------------------------------------------------------------------------------

  /// How many sleeping workers to wake, who count as searching from now on.
  int to_wake() noexcept {
    const int count = std::clamp(graph_.available() - searching_, 0, sleeping_);
    sleeping_ -= count;
    searching_ += count;
    return count;
  }

  [[nodiscard]] bool came_true(const Waiter& waiter) const noexcept {
    switch (waiter.what) {
      case Waiter::For::ready: return waiter.storage->ready();
      case Waiter::For::idle: return waiter.storage->idle();
      case Waiter::For::all: return !graph_.in_use();
      case Waiter::For::turn: return waiter.node->granted || waiter.node->settled;
      case Waiter::For::open: return !closed_;
      case Waiter::For::room: break;
    }
    // Not at the first place that gets free: the submitting thread would wake up for each.
    return graph_.bytes() <= bytes_bound() / 4 * 3 && graph_.unfinished() <= kMaxUnfinished / 4 * 3;
  }

  /// Whether somebody has to be woken.
  bool look_at_waiters() noexcept {
    bool any = false;
    for (Waiter** at = &waiters_; *at;) {
      Waiter& waiter = **at;
      if (!came_true(waiter)) {
        at = &waiter.next;
        continue;
      }
      *at = waiter.next;
      any = true;
      waiter.granted = waiter.node && waiter.node->granted;
      waiter.woken.store(true, std::memory_order_release);
    }
    return any;
  }

  /// Ends a section in which the graph may have changed.
  void publish_and_unlock() {
    bytes_.store(graph_.bytes(), std::memory_order_relaxed);
    unfinished_.store(graph_.unfinished(), std::memory_order_relaxed);
    available_.store(graph_.available(), std::memory_order_relaxed);
    const int workers = to_wake();
    const bool waiters = waiters_ && look_at_waiters();
    Tokens& tokens = *tokens_;
    Bed& bed = *bed_;
    lock_.unlock();
    if (workers) tokens.give(workers);
    if (waiters) bed.wake_all();
  }

  void unlock_and_clean() {
    NodeList retired = graph_.take_retired();
    publish_and_unlock();
    while (!retired.empty()) {
      clean(retired);
      lock_.lock();
      graph_.give_back(retired);
      publish_and_unlock();
    }
  }

  /// Runs a node of this thread when its turn has come.
  void finish_here(Node& node) {
    if (!node.granted && !node.settled) {
      Waiter waiter{.what = Waiter::For::turn, .node = &node};
      waiter.next = std::exchange(waiters_, &waiter);
      publish_and_unlock();
      bed_->wait(waiter);
      lock_.lock();
      // If another task's failure has settled it, the node may be somebody else's by now.
      if (!waiter.granted) return;
    }
    if (node.settled) return;
    lock_.unlock();
    FailurePtr failure = run_here(node);
    lock_.lock();
    graph_.ended(node, 0, std::move(failure));
  }

  // -- without the lock --------------------------------------------------------------------------------

  bool wait(Waiter&& waiter, Interrupt interrupt = {}) {
    lock_.lock();
    if (came_true(waiter)) {
      lock_.unlock();
      return true;
    }
    waiter.next = std::exchange(waiters_, &waiter);
    lock_.unlock();
    if (!interrupt.asked) {
      bed_->wait(waiter);
      return true;
    }
    while (!bed_->wait_until(waiter, Bed::Clock::now() + kPoll)) {
      if (!interrupt.asked(interrupt.context)) continue;
      const std::lock_guard guard(lock_);
      if (waiter.woken.load(std::memory_order_acquire)) return true;
      Waiter** at = &waiters_;
      while (*at != &waiter) at = &(*at)->next;
      *at = waiter.next;
      return false;
    }
    return true;
  }

  // -- the workers: with `control_` and without the lock ------------------------------------------------

  /// Until open(), who submits waits; and all that was submitted is over.
  void close() {
    lock_.lock();
    closed_ = true;
    lock_.unlock();
    wait(Waiter{.what = Waiter::For::all});
  }
  /// With the lock, which is free afterwards.
  void open() {
    closed_ = false;
    publish_and_unlock();
  }

  void start() {
    const std::lock_guard control(control_);
    {
      const std::lock_guard guard(lock_);
      if (state_ != State::fresh) return;
    }
    threads_->reserve(static_cast<std::size_t>(workers()));
    const NoSignals blocked;
    try {
      for (int index = 0; index < workers(); ++index)
        threads_->emplace_back([this, index] { work(index); });
    } catch (const std::system_error&) {
      // The system gives no more threads: we go on with those that there are.
    }
    lock_.lock();
    if (threads_->empty()) wanted_ = 0;
    state_ = threads_->empty() ? State::here : State::running;
    publish_and_unlock();
  }

  /// When nothing is in use.
  void stop() {
    lock_.lock();
    stopping_ = true;
    const int asleep = std::exchange(sleeping_, 0);
    searching_ += asleep;
    lock_.unlock();
    tokens_->give(asleep);
    for (std::thread& thread : *threads_) thread.join();
    threads_->clear();
    const std::lock_guard guard(lock_);
    stopping_ = false;
  }

  void work(int index) {
    pthread_setname_np(pthread_self(), ("myia-" + std::to_string(index)).c_str());
    bool searching = false;  // counted in searching_
    lock_.lock();
    for (;;) {
      NodeList retired = graph_.take_retired();
      const Job job = graph_.take();
      const bool nothing = !job.node && retired.empty();
      if (nothing && stopping_) {
        searching_ -= searching;
        return lock_.unlock();
      }
      if (nothing && searching) {
        searching = false;
        --searching_;
        ++sleeping_;
        publish_and_unlock();
        tokens_->take();
        searching = true;  // as its waker has counted
        lock_.lock();
        continue;
      }
      if (nothing) {
        searching = true;
        ++searching_;
        publish_and_unlock();
        spin_until([this] { return available_.load(std::memory_order_relaxed) > 0; });
        lock_.lock();
        continue;
      }
      if (job.node && std::exchange(searching, false)) --searching_;
      publish_and_unlock();
      clean(retired);
      FailurePtr failure;
      if (job.node) failure = run(*job.node, job.part, index);
      lock_.lock();
      graph_.give_back(retired);
      if (!job.node) continue;
      if (job.part == Job::kPrepare && !failure) graph_.prepared(*job.node);
      else graph_.ended(*job.node, job.part, std::move(failure));
    }
  }

  std::mutex control_;  // one at a time changes the workers: taken before the lock
  std::unique_ptr<std::vector<std::thread>> threads_ = std::make_unique<std::vector<std::thread>>();  // control_
  std::unique_ptr<Tokens> tokens_ = std::make_unique<Tokens>();
  std::unique_ptr<Bed> bed_ = std::make_unique<Bed>();
  std::atomic<int> wanted_;
  std::atomic<std::uint64_t> bytes_bound_{0};

  alignas(64) Spinlock lock_;
  State state_;
  bool closed_ = false;
  bool stopping_ = false;
  int searching_ = 0;  // workers awake that have found nothing yet
  int sleeping_ = 0;   // workers asleep for whom there is no token
  Waiter* waiters_ = nullptr;
  Graph graph_;

  // As of the last publish_and_unlock, to be looked at without the lock.
  alignas(64) std::atomic<int> available_{0};
  alignas(64) std::atomic<std::uint64_t> bytes_{0};
  std::atomic<std::size_t> unfinished_{0};
};

Dispatcher& it();

Dispatcher& make() {
  // The allocator first: the handlers before a fork run in the reverse order, and the work that we
  // wait for needs memory.
  static_cast<void>(allocator::bound());
  Dispatcher& made = *std::make_unique<Dispatcher>().release();
  pthread_atfork([] { it().before_fork(); }, [] { it().after_fork_in_parent(); },
                 [] { it().after_fork_in_child(); });
  return made;
}

/// Never destroyed: workers may be at work while the process ends.
Dispatcher& it() {
  static Dispatcher& made = make();
  return made;
}

}  // namespace

void submit(std::unique_ptr<Task> task, std::span<Storage* const> reads, std::span<Storage* const> writes) {
  it().submit(std::move(task), reads, writes);
}
bool wait_ready(Storage& storage, Interrupt interrupt) { return it().wait_ready(storage, interrupt); }
bool wait_idle(Storage& storage, Interrupt interrupt) { return it().wait_idle(storage, interrupt); }
bool wait_all(Interrupt interrupt) { return it().wait_all(interrupt); }
FailurePtr failure(const Storage& storage) { return it().failure(storage); }
std::uint64_t bytes_in_flight() noexcept { return it().bytes_in_flight(); }
void set_bytes_in_flight_bound(std::uint64_t bytes) noexcept { it().set_bytes_bound(bytes); }
std::uint64_t bytes_in_flight_bound() noexcept { return it().bytes_bound(); }
bool has_room() noexcept { return it().has_room(); }
bool wait_for_room(Interrupt interrupt) { return it().wait_for_room(interrupt); }
void set_workers(int count) { it().set_workers(count); }
int workers() noexcept { return it().workers(); }
void set_order(Order order) noexcept { it().set_order(order); }
void shutdown() noexcept { it().shutdown(); }
Counts counts() noexcept { return it().counts(); }

}  // namespace myia::dispatcher
