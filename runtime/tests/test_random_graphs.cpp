// Random graphs of tasks against the same tasks one after the other.
// MYIA_SOAK=seconds goes on for so long; MYIA_SEED=number begins there.

#include <cstdlib>
#include <thread>
#include <vector>

#include "storage/environment.hpp"
#include "tests/random_graph.hpp"

using namespace myia;
using namespace myia::tests;

namespace {

std::uint64_t next_seed = number_in_environment("MYIA_SEED").value_or(1);
long graphs = 0;

Kind kind_of(std::uint64_t seed) {
  Kind kind;
  constexpr int storages[] = {2, 4, 8, 20};
  constexpr std::size_t words[] = {6, 16, 16, 200};
  constexpr int failing[] = {0, 0, 12, 4};
  kind.storages = storages[seed % 4];
  kind.words = words[seed / 4 % 4];
  kind.failing = failing[seed / 16 % 4];
  kind.tasks = 10 + static_cast<int>(seed % 37);
  kind.replaced = seed % 5 != 0;
  return kind;
}

void one_thread(int count) {
  for (int k = 0; k < count; ++k) {
    const SameMemory same;
    const std::uint64_t seed = next_seed++;
    RandomGraph(kind_of(seed), seed).run();
    ++graphs;
  }
}

/// Each on storages of its own, and on some that all read.
void several_threads(int count) {
  const SameMemory same;
  Kind kind;
  kind.failing = 15;
  Storages shared;
  for (int k = 0; k < 3; ++k) {
    shared.push_back(Storage::make(kind.words * sizeof(Word)));
    submit({}, {shared.back()}, [k, at = shared.back().get(), words = kind.words](int) {
      for (std::size_t word = 0; word < words; ++word)
        reinterpret_cast<Word*>(at->data())[word] = mix(word, static_cast<Word>(k));
    });
  }
  for (const Ref<Storage>& storage : shared) CHECK(dispatcher::wait_ready(*storage));
  std::vector<std::thread> threads;
  for (int k = 0; k < 3; ++k) {
    threads.emplace_back([=, seed = next_seed] {
      for (int graph = 0; graph < count; ++graph)
        RandomGraph(kind, seed + static_cast<std::uint64_t>(k * count + graph), shared).run();
    });
  }
  for (std::thread& thread : threads) thread.join();
  next_seed += static_cast<std::uint64_t>(3 * count);
  graphs += 3 * count;
}

void every_configuration(int count) {
  for (const Order order : {Order::fifo, Order::lifo}) {
    dispatcher::set_order(order);
    for (int workers = 0; workers <= 4; ++workers) {
      dispatcher::set_workers(workers);
      CHECK_EQUAL(dispatcher::workers(), workers);
      one_thread(count);
      several_threads(count / 10);
    }
  }
}

}  // namespace

int main() {
  every_configuration(repetitions(1000));
  const std::uint64_t soak = number_in_environment("MYIA_SOAK").value_or(0);
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(soak);
  while (std::chrono::steady_clock::now() < end) every_configuration(50);
  const dispatcher::Counts counts = dispatcher::counts();
  CHECK_EQUAL(counts.submitted, counts.finished);
  CHECK(counts.failed > 0 && counts.failed < counts.finished);
  CHECK_EQUAL(counts.dropped, 0u);
  std::printf("%ld graphs, %llu tasks, next seed %llu\n", graphs, static_cast<unsigned long long>(counts.finished),
              static_cast<unsigned long long>(next_seed));
  dispatcher::shutdown();
}
