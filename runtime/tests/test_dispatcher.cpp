// Workers that come and go, waits, bounds, the end. What tasks compute is in test_random_graphs.cpp.

#include <cstring>
#include <mutex>
#include <random>
#include <set>
#include <string>

#include <pthread.h>
#include <signal.h>

#include "tests/tasks.hpp"

using namespace myia;
using namespace myia::tests;
using std::chrono::milliseconds;

namespace {

int& number_in(const Ref<Storage>& storage) { return *reinterpret_cast<int*>(storage->data()); }
int& number_in(Storage* storage) { return *reinterpret_cast<int*>(storage->data()); }

Ref<Storage> zero() {
  Ref<Storage> made = Storage::make(sizeof(int));
  number_in(made) = 0;
  return made;
}
void add_one(const Ref<Storage>& storage) {
  submit({storage}, {storage}, [at = storage.get()](int) { ++number_in(at); });
}

void start_and_stop() {
  const SameMemory same;
  std::mt19937 random(1);
  const Ref<Storage> counter = zero();
  int expected = 0;
  const int cycles = repetitions(5000);
  for (int cycle = 0; cycle < cycles; ++cycle) {
    dispatcher::set_workers(static_cast<int>(random() % 4));
    for (unsigned k = random() % 5; k > 0; --k) {
      add_one(counter);
      ++expected;
    }
    if (cycle % 50 == 0) dispatcher::shutdown();
    if (cycle % 50 == 0) expected = (dispatcher::wait_ready(*counter), number_in(counter));
    if (counter->failed()) submit({}, {counter}, [at = counter.get(), expected](int) { number_in(at) = expected; });
  }
  CHECK(dispatcher::wait_ready(*counter));
  CHECK_EQUAL(number_in(counter), expected);
}

/// The workers change while others submit.
void changes_under_load() {
  const SameMemory same;
  std::atomic<bool> over{false};
  std::vector<std::thread> threads;
  for (int k = 0; k < 2; ++k)
    threads.emplace_back([&over] {
      const Ref<Storage> counter = zero();
      int expected = 0;
      while (!over) {
        add_one(counter);
        ++expected;
        if (expected % 100 == 0) CHECK(dispatcher::wait_for_room());
      }
      CHECK(dispatcher::wait_ready(*counter));
      CHECK_EQUAL(number_in(counter), expected);
    });
  for (int k = 0; k < repetitions(200); ++k) {
    dispatcher::set_workers(k % 4);
    std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
  over = true;
  for (std::thread& thread : threads) thread.join();
}

/// A thread that submits, waits and submits again meets workers that are just going to sleep.
void to_and_fro() {
  dispatcher::set_workers(2);
  const SameMemory same;
  std::mt19937 random(2);
  const Ref<Storage> counter = zero();
  const int rounds = repetitions(20'000);
  for (int round = 0; round < rounds; ++round) {
    add_one(counter);
    if (random() % 2) pause_for(std::chrono::microseconds(random() % 8));
    if (random() % 8 == 0) CHECK(dispatcher::wait_all());
    else CHECK(dispatcher::wait_ready(*counter));
    CHECK_EQUAL(number_in(counter), round + 1);
  }
}

void workers_are_named_and_blocked() {
  dispatcher::set_workers(2);
  std::mutex mutex;
  std::set<std::string> names;
  const Ref<Storage> result = zero();
  std::atomic<int> together{0};
  submit({}, {result}, [&](int) {
    // Both parts at the same time, or this never ends.
    ++together;
    while (together < 2) std::this_thread::yield();
    char name[16];
    pthread_getname_np(pthread_self(), name, sizeof name);
    sigset_t blocked;
    pthread_sigmask(SIG_BLOCK, nullptr, &blocked);
    CHECK(sigismember(&blocked, SIGINT) && sigismember(&blocked, SIGTERM));
    const std::lock_guard guard(mutex);
    names.insert(name);
  }, 2);
  CHECK(dispatcher::wait_all());
  CHECK(names == (std::set<std::string>{"myia-0", "myia-1"}));
  sigset_t mine;
  pthread_sigmask(SIG_BLOCK, nullptr, &mine);
  CHECK(!sigismember(&mine, SIGINT));
}

void without_workers() {
  dispatcher::set_workers(0);
  const SameMemory same;
  const Ref<Storage> result = zero();
  const std::thread::id me = std::this_thread::get_id();
  submit({result}, {result}, [at = result.get(), me](int part) {
    CHECK(std::this_thread::get_id() == me);
    number_in(at) = number_in(at) * 10 + part;
  }, 4);
  CHECK(result->idle());
  CHECK_EQUAL(number_in(result), 123);
  // Two threads that submit on one storage still take turns.
  const Ref<Storage> counter = zero();
  const int count = repetitions(20'000);
  std::vector<std::thread> threads;
  for (int k = 0; k < 3; ++k)
    threads.emplace_back([&counter, count] {
      for (int step = 0; step < count; ++step) add_one(counter);
    });
  for (std::thread& thread : threads) thread.join();
  CHECK_EQUAL(number_in(counter), 3 * count);
}

void interrupted() {
  dispatcher::set_workers(1);
  const SameMemory same;
  Gate gate;
  const Ref<Storage> result = zero(), input = zero();
  submit({input}, {result}, [&gate](int) { gate.pass(); });
  int asked = 0;
  const Interrupt at_third{[](void* count) { return ++*static_cast<int*>(count) == 3; }, &asked};
  const auto begin = std::chrono::steady_clock::now();
  CHECK(!dispatcher::wait_ready(*result, at_third));
  CHECK_EQUAL(asked, 3);
  const auto took = std::chrono::steady_clock::now() - begin;
  CHECK(took >= milliseconds(50) && took < milliseconds(kSanitized ? 2000 : 500));
  CHECK(dispatcher::wait_ready(*input));  // it is only read
  asked = 0;
  CHECK(!dispatcher::wait_idle(*input, at_third));
  asked = 0;
  CHECK(!dispatcher::wait_all(at_third));
  dispatcher::set_bytes_in_flight_bound(1);
  const Ref<Storage> big = Storage::make(1000);
  submit({result}, {big}, [](int) {});
  asked = 0;
  CHECK(!dispatcher::has_room() && !dispatcher::wait_for_room(at_third));
  // An interrupt that is not asked for ends nothing.
  std::thread opener([&gate] {
    std::this_thread::sleep_for(milliseconds(60));
    gate.open();
  });
  asked = -1'000'000;
  CHECK(dispatcher::wait_ready(*result, at_third));
  CHECK(dispatcher::wait_for_room(at_third) && dispatcher::wait_idle(*input, at_third) && dispatcher::wait_all(at_third));
  CHECK(asked > -1'000'000);
  opener.join();
  dispatcher::set_bytes_in_flight_bound(std::uint64_t{1} << 30);
}

constexpr std::size_t kBig = 8'000'000;

void chain_of_large_results(bool split) {
  dispatcher::set_workers(2);
  const SameMemory same;
  dispatcher::set_bytes_in_flight_bound(4 * kBig);
  allocator::reset_peak();
  Ref<Storage> last = Storage::make(kBig);
  std::memset(last->data(), 0, kBig);
  const int steps = repetitions(1000);
  for (int step = 0; step < steps; ++step) {
    CHECK(dispatcher::wait_for_room());
    const Ref<Storage> next = Storage::make(kBig);
    submit({last}, {next}, [from = last.get(), to = next.get(), split](int part) {
      const std::size_t size = split ? kBig / 2 : kBig;
      std::memcpy(to->data() + size * static_cast<std::size_t>(part), from->data() + size * static_cast<std::size_t>(part), size);
      if (part == 0) ++to->data()[0];
    }, split ? 2 : 1);
    CHECK(dispatcher::bytes_in_flight() <= 5 * kBig);
    last = next;
  }
  CHECK(dispatcher::wait_all());
  CHECK_EQUAL(dispatcher::bytes_in_flight(), 0u);
  CHECK_EQUAL(static_cast<unsigned char>(last->data()[0]), static_cast<unsigned char>(steps));
  // The one that is read, the one that is written, and those that wait to be let go.
  CHECK(allocator::stats().peak < 5 * kBig);
  dispatcher::set_bytes_in_flight_bound(std::uint64_t{1} << 30);
}

void bounds() {
  dispatcher::set_workers(2);
  const SameMemory same;
  dispatcher::set_bytes_in_flight_bound(10'000);
  CHECK_EQUAL(dispatcher::bytes_in_flight_bound(), 10'000u);
  {
    Gate gate;
    const Ref<Storage> first = zero();
    submit({}, {first}, [&gate](int) { gate.pass(); });
    Storages results;
    while (dispatcher::has_room()) {
      results.push_back(Storage::make(1000));
      submit({first}, {results.back()}, [](int) {});
    }
    CHECK_EQUAL(results.size(), 10u);
    // Bytes that are in flight already, or have their memory, count once; a task without others counts as one byte.
    submit({first}, {results[0], results[0], first}, [](int) {});
    CHECK_EQUAL(dispatcher::bytes_in_flight(), 10'002u);
    gate.open();
    CHECK(dispatcher::wait_for_room());
    CHECK(dispatcher::has_room());
    CHECK(dispatcher::wait_all());
    CHECK_EQUAL(dispatcher::bytes_in_flight(), 0u);
  }
  dispatcher::set_bytes_in_flight_bound(1);
  const Ref<Storage> kept = zero();
  const std::uint64_t live = allocator::stats().live;
  for (int step = 0; step < repetitions(2000); ++step) {
    CHECK(dispatcher::wait_for_room());
    // What the one before read and nobody else holds has been let go.
    CHECK_EQUAL(allocator::stats().live, live);
    const Ref<Storage> read = Storage::make(1000);
    std::memset(read->data(), 0, 1000);
    submit({read}, {kept}, [](int) {});
  }
  CHECK(dispatcher::wait_all());
  dispatcher::set_bytes_in_flight_bound(0);
  CHECK(dispatcher::has_room());  // one at a time
  dispatcher::set_bytes_in_flight_bound(std::uint64_t{1} << 30);
  {
    Gate gate;
    const Ref<Storage> first = zero();
    submit({}, {first}, [&gate](int) { gate.pass(); });
    int count = 1;
    for (; dispatcher::has_room(); ++count) submit({first}, {first}, [](int) {});
    CHECK_EQUAL(count, 4096);
    gate.open();
    CHECK(dispatcher::wait_for_room());
    CHECK(dispatcher::wait_all());
  }
}

void ends_with_work_pending() {
  for (int round = 0; round < repetitions(200); ++round) {
    dispatcher::set_workers(1 + round % 3);
    const SameMemory same;
    const std::uint64_t before = dispatcher::counts().dropped;
    Gate gate;
    const Ref<Storage> running = zero();
    submit({}, {running}, [&gate, at = running.get()](int) {
      gate.pass();
      number_in(at) = 5;
    });
    gate.wait_for_arrivals(1);
    Storages behind;
    for (int k = 0; k < 20; ++k) {
      behind.push_back(zero());
      submit({running}, {behind.back()}, [](int) { CHECK(false); });
      submit({behind.back()}, {behind.back()}, [](int) { CHECK(false); });
    }
    std::thread opener([&gate, round] {
      // Long enough for the shutdown to have begun, also on a machine with other work.
      std::this_thread::sleep_for(std::chrono::microseconds(round % 10 * 100 + (kSanitized ? 50'000 : 5000)));
      gate.open();
    });
    dispatcher::shutdown();
    opener.join();
    CHECK(running->idle() && !running->failed());
    CHECK_EQUAL(number_in(running), 5);
    for (const Ref<Storage>& storage : behind) {
      CHECK(storage->idle() && storage->failed());
      CHECK(dispatcher::failure(*storage)->kind == "RuntimeError");
    }
    CHECK_EQUAL(dispatcher::counts().dropped - before, 40u);
    CHECK_EQUAL(dispatcher::workers(), 0);
    add_one(running);
    CHECK_EQUAL(number_in(running), 6);
    dispatcher::shutdown();
  }
}

/// Several threads wait for the same things, while a fourth submits.
void many_waiting() {
  dispatcher::set_workers(2);
  const SameMemory same;
  const Ref<Storage> a = zero(), b = zero();
  std::atomic<bool> over{false};
  std::vector<std::thread> threads;
  for (int k = 0; k < 3; ++k)
    threads.emplace_back([&, k] {
      while (!over) CHECK(k == 0 ? dispatcher::wait_ready(*a) : k == 1 ? dispatcher::wait_idle(*b) : dispatcher::wait_all());
    });
  const int rounds = repetitions(5000);
  for (int round = 0; round < rounds; ++round) {
    submit({b}, {a}, [at = a.get(), from = b.get(), round](int) {
      pause_for(std::chrono::microseconds(round % 8));
      number_in(at) = number_in(from) + 1;
    });
    submit({a}, {b}, [at = b.get(), from = a.get()](int) { number_in(at) = number_in(from) + 1; });
    if (round % 10 == 0) CHECK(dispatcher::wait_ready(*b));
  }
  over = true;
  for (std::thread& thread : threads) thread.join();
  CHECK(dispatcher::wait_all());
  CHECK_EQUAL(number_in(b), 2 * rounds);
}

void many_storages() {
  dispatcher::set_workers(2);
  const SameMemory same;
  Storages inputs;
  for (int k = 0; k < 2000; ++k) {
    inputs.push_back(zero());
    add_one(inputs.back());
  }
  for (int k = 0; k < 2000; ++k) inputs.push_back(inputs[static_cast<std::size_t>(k)]);  // each twice
  const Ref<Storage> sum = zero();
  std::vector<Storage*> from = addresses(inputs);
  submit(inputs, {sum}, [from, at = sum.get()](int) {
    for (Storage* const each : from) number_in(at) += number_in(each);
  });
  submit({}, {}, [](int) {});  // a task without storages
  CHECK(dispatcher::wait_ready(*sum));
  CHECK_EQUAL(number_in(sum), 4000);
}

void orders() {
  dispatcher::set_workers(1);
  for (const Order order : {Order::fifo, Order::lifo}) {
    dispatcher::set_order(order);
    const SameMemory same;
    Gate gate;
    std::string ran;
    submit({}, {}, [&gate](int) { gate.pass(); });
    gate.wait_for_arrivals(1);
    for (const char name : {'a', 'b', 'c'}) submit({}, {}, [&ran, name](int) { ran += name; });
    gate.open();
    CHECK(dispatcher::wait_all());
    CHECK(ran == (order == Order::fifo ? "abc" : "cba"));
  }
  dispatcher::set_order(Order::fifo);
}

}  // namespace

int main() {
  start_and_stop();
  changes_under_load();
  to_and_fro();
  workers_are_named_and_blocked();
  without_workers();
  interrupted();
  chain_of_large_results(false);
  chain_of_large_results(true);
  bounds();
  ends_with_work_pending();
  many_waiting();
  many_storages();
  orders();
  dispatcher::shutdown();
  dispatcher::shutdown();
}
