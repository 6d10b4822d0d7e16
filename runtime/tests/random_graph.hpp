#pragma once

#include <cstdint>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/tasks.hpp"

namespace myia::tests {

using Word = std::uint64_t;

inline Word mix(Word a, Word b) {
  Word h = a ^ (b + 0x9e3779b97f4a7c15u + (a << 6) + (a >> 2));
  h ^= h >> 31;
  h *= 0xbf58476d1ce4e5b9u;
  return h ^ (h >> 29);
}

/// One task: every word that it writes depends on the seed and on every word that it reads, so that any
/// other order of the tasks gives other words.
struct Mix {
  std::vector<int> reads, writes;
  int parts = 1;
  Word seed = 0;
  int delay = 0;              ///< microseconds; -1: give up the core; -2: sleep
  std::optional<int> fails;   ///< in this part
  int number = 0;

  [[nodiscard]] bool reads_too(int storage) const {
    return std::find(reads.begin(), reads.end(), storage) != reads.end();
  }
  [[nodiscard]] bool writes_too(int storage) const {
    return std::find(writes.begin(), writes.end(), storage) != writes.end();
  }

  /// `memory(k)` are the words of storage number k.
  template <class Memory>
  void compute(int part, std::size_t words, Memory&& memory) const {
    Word all = seed;
    for (const int k : reads) {
      if (writes_too(k)) continue;  // other parts write it at this moment
      for (std::size_t at = 0; at < words; ++at) all = mix(all, memory(k)[at]);
    }
    const std::size_t begin = words * static_cast<std::size_t>(part) / static_cast<std::size_t>(parts);
    const std::size_t end = words * static_cast<std::size_t>(part + 1) / static_cast<std::size_t>(parts);
    for (std::size_t at = begin; at < end; ++at) {
      Word word = mix(all, at);
      for (const int k : writes)
        if (reads_too(k)) word = mix(word, memory(k)[at]);
      for (const int k : writes) memory(k)[at] = word = mix(word, static_cast<Word>(k));
    }
  }
};

inline void hold_up(int delay) {
  if (delay > 0) pause_for(std::chrono::microseconds(delay));
  if (delay == -1) std::this_thread::yield();
  if (delay == -2) std::this_thread::sleep_for(std::chrono::microseconds(30));
}

/// What failing tasks throw, by the number of the task; and what should be told about it.
[[noreturn]] inline void fail(int number) {
  switch (number % 4) {
    case 0: throw KernelError("LinAlgError", "task " + std::to_string(number));
    case 1: throw std::bad_alloc();
    case 2: throw std::runtime_error("task " + std::to_string(number));
    default: throw number;
  }
}
inline const char* expected_kind(int number) {
  constexpr const char* kinds[] = {"LinAlgError", "MemoryError", "RuntimeError", "RuntimeError"};
  return kinds[number % 4];
}

/// Does at once, and one after the other, what the dispatcher should do.
struct Sequential {
  explicit Sequential(int storages, std::size_t words)
      : contents(static_cast<std::size_t>(storages), std::vector<Word>(words)),
        failed(static_cast<std::size_t>(storages), 0), written(static_cast<std::size_t>(storages), false) {}

  std::vector<std::vector<Word>> contents;
  std::vector<int> failed;    ///< the number of the task whose failure it has; 0: none
  std::vector<bool> written;

  void run(const Mix& task) {
    int failure = 0;
    for (const int k : task.writes)
      if (!failure && task.reads_too(k)) failure = failed[static_cast<std::size_t>(k)];
    for (const int k : task.reads)
      if (!failure && !task.writes_too(k)) failure = failed[static_cast<std::size_t>(k)];
    if (!failure && task.fails) failure = task.number;
    if (!failure) {
      for (int part = 0; part < task.parts; ++part)
        task.compute(part, contents[0].size(), [&](int k) { return contents[static_cast<std::size_t>(k)].data(); });
    }
    for (const int k : task.writes) {
      failed[static_cast<std::size_t>(k)] = failure;
      written[static_cast<std::size_t>(k)] = true;
    }
  }
};

struct Kind {
  int storages = 6;
  int tasks = 30;
  std::size_t words = 16;
  int failing = 0;      ///< one task in so many; 0: none
  bool replaced = true; ///< storages are dropped on the way, and waited for
};

/// Submits a random graph and compares with what is computed sequentially. `shared` are read-only
/// storages of all submitting threads, with contents that are known.
class RandomGraph {
 public:
  RandomGraph(Kind kind, std::uint64_t seed, const Storages& shared = {})
      : kind_(kind), random_(seed), expected_(kind.storages + static_cast<int>(shared.size()), kind.words),
        shared_(static_cast<int>(shared.size())), first_shared_(kind.storages) {
    for (int k = 0; k < kind.storages; ++k) storages_.push_back(fresh());
    for (int k = 0; k < shared_; ++k) {
      const auto at = static_cast<std::size_t>(first_shared_ + k);
      storages_.push_back(shared[static_cast<std::size_t>(k)]);
      const Word* const words = words_of(*storages_[at]);
      expected_.contents[at].assign(words, words + kind.words);
      expected_.written[at] = true;
    }
  }

  void run() {
    for (int number = 1; number <= kind_.tasks; ++number) {
      const Mix task = choose(number);
      submit_(task);
      expected_.run(task);
      if (kind_.replaced) meanwhile();
    }
    for (int k = 0; k < static_cast<int>(storages_.size()); ++k) compare(k);
    compare_failures();
  }

 private:
  int below(int bound) { return static_cast<int>(random_() % static_cast<unsigned>(bound)); }
  static Word* words_of(Storage& storage) { return reinterpret_cast<Word*>(storage.data()); }
  Ref<Storage> fresh() { return Storage::make(kind_.words * sizeof(Word)); }
  Storage& storage(int k) { return *storages_[static_cast<std::size_t>(k)]; }

  Mix choose(int number) {
    Mix task;
    task.number = number;
    task.seed = random_();
    for (int count = below(4); count > 0; --count) {
      const int k = below(static_cast<int>(storages_.size()));
      if (expected_.written[static_cast<std::size_t>(k)]) task.reads.push_back(k);  // twice, now and then
    }
    for (int count = 1 + below(8) / 6; count > 0; --count) {
      const int k = below(kind_.storages);
      task.writes.push_back(k);
      if (expected_.written[static_cast<std::size_t>(k)] && below(3) == 0) task.reads.push_back(k);
    }
    if (below(4) == 0) task.parts = 2 + below(4);
    const int delay = below(40);
    task.delay = delay < 10 ? delay : delay == 10 ? -1 : delay == 11 && below(8) == 0 ? -2 : 0;
    if (kind_.failing && below(kind_.failing) == 0) task.fails = below(task.parts);
    return task;
  }

  void submit_(const Mix& task) {
    Storages reads, writes;
    for (const int k : task.reads) reads.push_back(storages_[static_cast<std::size_t>(k)]);
    for (const int k : task.writes) writes.push_back(storages_[static_cast<std::size_t>(k)]);
    // The task knows the storages by address only: the dispatcher must keep them alive.
    std::vector<Storage*> known = addresses(storages_);
    tests::submit(
        reads, writes,
        [task, known = std::move(known), words = kind_.words](int part) {
          hold_up(task.delay);
          if (task.fails == part) fail(task.number);
          task.compute(part, words, [&](int k) { return words_of(*known[static_cast<std::size_t>(k)]); });
        },
        task.parts, "mix");
  }

  /// What a program does between two submissions.
  void meanwhile() {
    const int k = below(kind_.storages);
    const auto at = static_cast<std::size_t>(k);
    switch (below(24)) {
      case 0:  // drops a storage that may be in use, and makes another
        storages_[at] = fresh();
        expected_.failed[at] = 0;
        expected_.written[at] = false;
        break;
      case 1:
        compare(k);
        break;
      case 2:  // a small kernel at once
        CHECK(dispatcher::wait_idle(storage(k)));
        if (expected_.written[at] && !storage(k).failed()) {
          words_of(storage(k))[0] ^= 5;
          expected_.contents[at][0] ^= 5;
          storage(k).written();
        }
        break;
      case 3:
        if (below(4) == 0) {
          CHECK(dispatcher::wait_all());
          for (int each = 0; each < kind_.storages; ++each) CHECK(storage(each).idle());
        }
        break;
      default: break;
    }
  }

  void compare(int k) {
    const auto at = static_cast<std::size_t>(k);
    CHECK(dispatcher::wait_ready(storage(k)));
    CHECK_EQUAL(storage(k).failed(), expected_.failed[at] != 0);
    const FailurePtr failure = dispatcher::failure(storage(k));
    if (const int number = expected_.failed[at]) {
      CHECK(failure && failure->kind == expected_kind(number) && failure->kernel == "mix");
      if (number % 2 == 0) CHECK(failure->message == "task " + std::to_string(number));
      return;
    }
    CHECK(!failure);
    if (!expected_.written[at]) return;
    for (std::size_t word = 0; word < kind_.words; ++word)
      CHECK_EQUAL(words_of(storage(k))[word], expected_.contents[at][word]);
  }

  /// The same failure, not one that looks the same.
  void compare_failures() {
    for (int j = 0; j < kind_.storages; ++j)
      for (int k = 0; k < j; ++k) {
        const bool same = expected_.failed[static_cast<std::size_t>(j)] == expected_.failed[static_cast<std::size_t>(k)];
        CHECK_EQUAL(dispatcher::failure(storage(j)) == dispatcher::failure(storage(k)), same);
      }
  }

  const Kind kind_;
  std::mt19937_64 random_;
  Sequential expected_;
  const int shared_, first_shared_;
  Storages storages_;
};

}  // namespace myia::tests
