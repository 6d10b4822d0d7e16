// A process forks while tasks are in flight: both go on.

#include <sys/wait.h>
#include <unistd.h>

#include <vector>

#include "dispatch/trace.hpp"
#include "tests/random_graph.hpp"

using namespace myia;
using namespace myia::tests;

namespace {

int run_in_child(std::uint64_t seed) {
  alarm(60);  // a child that hangs ends
  for (int k = 0; k < 3; ++k) {
    const SameMemory same;
    RandomGraph(Kind{}, seed + static_cast<std::uint64_t>(k)).run();
  }
  dispatcher::set_workers(2);
  {
    const SameMemory same;
    RandomGraph(Kind{}, seed).run();
  }
  dispatcher::shutdown();
  return 0;
}

void fork_once(std::uint64_t seed) {
  const Ref<Storage> counter = Storage::make(sizeof(int));
  *reinterpret_cast<int*>(counter->data()) = 0;
  for (int k = 0; k < 50; ++k)
    submit({counter}, {counter}, [at = counter.get()](int) {
      pause_for(std::chrono::microseconds(2));
      ++*reinterpret_cast<int*>(at->data());
    });
  const pid_t child = fork();
  CHECK(child >= 0);
  // On both sides, the work that was in flight is done.
  CHECK(counter->idle());
  CHECK_EQUAL(*reinterpret_cast<int*>(counter->data()), 50);
  if (child == 0) _exit(run_in_child(seed));
  RandomGraph(Kind{}, seed).run();
  int status = 0;
  CHECK(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

}  // namespace

int main() {
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
  std::puts("skipped: Thread Sanitizer knows no threads in a forked child");
#else
  std::uint64_t seed = 1;
  for (const int workers : {0, 1, 2, 4}) {
    dispatcher::set_workers(workers);
    for (int k = 0; k < repetitions(100); ++k) fork_once(seed++);
  }
  // With threads that submit, wait and record meanwhile.
  dispatcher::set_workers(2);
  trace::start();
  std::atomic<bool> over{false};
  std::vector<std::thread> threads;
  for (int k = 0; k < 2; ++k)
    threads.emplace_back([&over, k] {
      for (std::uint64_t own = 1000; !over; ++own) RandomGraph({}, own * 10 + static_cast<std::uint64_t>(k)).run();
    });
  for (int k = 0; k < repetitions(100); ++k) {
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
      // Memory of the threads that are not here stays in use, but what is made here comes back.
      _exit(run_in_child(seed));
    }
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    ++seed;
  }
  over = true;
  for (std::thread& thread : threads) thread.join();
  static_cast<void>(trace::stop());
  dispatcher::shutdown();
#endif
}
