// What the runtime itself costs, in nanoseconds. Not a test: run it on a machine that does nothing else.

#include <algorithm>
#include <cstdio>

#include "tests/tasks.hpp"

using namespace myia;
using namespace myia::tests;
using Clock = std::chrono::steady_clock;

namespace {

class Nothing : public Task {
 public:
  Nothing() : Task("nothing") {}
  void run(int) override {}
};

/// The best of many runs: what disturbs only adds.
template <class Function>
void measure(const char* what, int count, Function&& function) {
  double best = 1e30;
  for (int run = 0; run < 30; ++run) {
    const auto begin = Clock::now();
    function(count);
    const std::chrono::duration<double, std::nano> took = Clock::now() - begin;
    best = std::min(best, took.count() / count);
  }
  std::printf("%-64s %8.1f ns\n", what, best);
}

void memory() {
  for (const std::size_t bytes : {64u, 4096u, 8'000'000u}) {
    char what[64];
    std::snprintf(what, sizeof what, "allocate and free %zu bytes", bytes);
    measure(what, 100'000, [bytes](int count) {
      for (int k = 0; k < count; ++k) allocator::free(allocator::allocate(bytes), bytes);
    });
  }
  measure("make a storage of 64 bytes and let it go", 100'000, [](int count) {
    for (int k = 0; k < count; ++k) static_cast<void>(Storage::make(64)->data());
  });
  measure("make a storage of 4096 bytes and let it go", 100'000, [](int count) {
    for (int k = 0; k < count; ++k) static_cast<void>(Storage::make(4096)->data());
  });
}

void submission(bool distinct) {
  constexpr int kCount = 2000;
  Storages storages;
  for (int k = 0; k < 3 * kCount; ++k) {
    storages.push_back(Storage::make(64));
    static_cast<void>(storages.back()->data());
  }
  double best = 1e30;
  for (int run = 0; run < 100; ++run) {
    Gate gate;
    for (int k = 0; k < dispatcher::workers(); ++k) submit({}, {}, [&gate](int) { gate.pass(); });
    gate.wait_for_arrivals(dispatcher::workers());
    const auto begin = Clock::now();
    for (int k = 0; k < kCount; ++k) {
      const std::size_t at = distinct ? static_cast<std::size_t>(3 * k) : static_cast<std::size_t>(k);
      Storage* const reads[] = {storages[at].get(), storages[at + 1].get()};
      Storage* const writes[] = {storages[at + 2].get()};
      dispatcher::submit(std::make_unique<Nothing>(), reads, writes);
    }
    const std::chrono::duration<double, std::nano> took = Clock::now() - begin;
    best = std::min(best, took.count() / kCount);
    gate.open();
    dispatcher::wait_all();
  }
  std::printf("%-64s %8.1f ns\n",
              distinct ? "submit, 2 reads and 1 write, workers held up" : "the same, each after the two before", best);
}

void whole_way(int workers) {
  dispatcher::set_workers(workers);
  std::printf("with %d workers\n", workers);
  const Ref<Storage> a = Storage::make(64), b = Storage::make(64), c = Storage::make(64);
  Storage* const reads[] = {a.get(), b.get()};
  Storage* const writes[] = {c.get()};
  measure("  submit and run, a chain", 20'000, [&](int count) {
    for (int k = 0; k < count; ++k) {
      if (!dispatcher::has_room()) dispatcher::wait_for_room();
      dispatcher::submit(std::make_unique<Nothing>(), writes, writes);
    }
    dispatcher::wait_all();
  });
  measure("  submit and run, new results", 20'000, [&](int count) {
    for (int k = 0; k < count; ++k) {
      if (!dispatcher::has_room()) dispatcher::wait_for_room();
      const Ref<Storage> result = Storage::make(64);
      Storage* const written[] = {result.get()};
      dispatcher::submit(std::make_unique<Nothing>(), reads, written);
    }
    dispatcher::wait_all();
  });
  measure("  submit and wait for the result", 2000, [&](int count) {
    for (int k = 0; k < count; ++k) {
      dispatcher::submit(std::make_unique<Nothing>(), reads, writes);
      dispatcher::wait_ready(*c);
    }
  });
  measure("  the same with 50 us between, so that workers sleep", 200, [&](int count) {
    for (int k = 0; k < count; ++k) {
      pause_for(std::chrono::microseconds(50));
      dispatcher::submit(std::make_unique<Nothing>(), reads, writes);
      dispatcher::wait_ready(*c);
    }
  });
}

}  // namespace

int main() {
  memory();
  dispatcher::set_workers(2);
  submission(true);
  submission(false);
  for (const int workers : {0, 1, 2}) whole_way(workers);
  dispatcher::shutdown();
}
