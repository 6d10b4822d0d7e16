#include <cstring>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "storage/allocator.hpp"
#include "tests/tasks.hpp"

using namespace myia;

namespace {

struct Block {
  unsigned char* at;
  std::size_t bytes;
  unsigned char mark;

  [[nodiscard]] bool intact() const {
    return bytes == 0 || (at[0] == mark && at[bytes / 2] == mark && at[bytes - 1] == mark);
  }
};

Block allocate(std::size_t bytes, unsigned char mark) {
  const Block block{static_cast<unsigned char*>(allocator::allocate(bytes)), bytes, mark};
  CHECK(block.at != nullptr);
  CHECK_EQUAL(reinterpret_cast<std::uintptr_t>(block.at) % allocator::kAlignment, 0u);
  if (bytes) {
    block.at[0] = mark;
    block.at[bytes / 2] = mark;
    block.at[bytes - 1] = mark;
  }
  return block;
}

void sizes() {
  const tests::SameMemory same;
  for (std::size_t bytes = 0; bytes < 5000; ++bytes) {
    const Block block = allocate(bytes, 7);
    std::memset(block.at, 7, bytes);
    allocator::free(block.at, bytes);
  }
  for (std::size_t power = 12; power < 28; ++power) {
    for (const std::size_t bytes : {(std::size_t{1} << power) - 1, std::size_t{1} << power, (std::size_t{1} << power) + 1}) {
      const Block block = allocate(bytes, 9);
      CHECK(block.intact());
      allocator::free(block.at, bytes);
    }
  }
}

void reuse() {
  for (const std::size_t bytes : {8u, 1000u, 100'000u, 3'000'000u}) {
    void* const first = allocator::allocate(bytes);
    allocator::free(first, bytes);
    void* const second = allocator::allocate(bytes);
    CHECK(first == second);
    allocator::free(second, bytes);
  }
  CHECK(allocator::stats().pooled >= 3'000'000);
  allocator::trim();
  CHECK_EQUAL(allocator::stats().pooled, 0u);
}

void counts() {
  const allocator::Stats before = allocator::stats();
  void* const a = allocator::allocate(1000);
  void* const b = allocator::allocate(500);
  CHECK_EQUAL(allocator::stats().live, before.live + 1500);
  CHECK_EQUAL(allocator::stats().blocks, before.blocks + 2);
  allocator::free(a, 1000);
  CHECK(allocator::stats().peak >= before.live + 1500);
  allocator::reset_peak();
  CHECK_EQUAL(allocator::stats().peak, before.live + 500);
  allocator::free(b, 500);
  CHECK_EQUAL(allocator::stats().live, before.live);
}

void bound() {
  const std::size_t standard = allocator::bound();
  allocator::trim();
  allocator::set_bound(1 << 20);
  std::vector<void*> blocks;
  for (int k = 0; k < 64; ++k) blocks.push_back(allocator::allocate(40'000));
  for (void* const block : blocks) {
    allocator::free(block, 40'000);
    CHECK(allocator::stats().pooled <= 1 << 20);
  }
  CHECK(allocator::stats().pooled > 900'000);
  // Sizes that are no longer asked for make room for those that are.
  for (int round = 0; round < 6; ++round) allocator::free(allocator::allocate(500'000), 500'000);
  CHECK(allocator::stats().pooled <= 1 << 20);
  void* const kept = allocator::allocate(500'000);
  allocator::free(kept, 500'000);
  CHECK(allocator::allocate(500'000) == kept);
  allocator::free(kept, 500'000);
  // More than the bound is never kept.
  allocator::free(allocator::allocate(2 << 20), 2 << 20);
  CHECK(allocator::stats().pooled <= 1 << 20);
  allocator::set_bound(0);
  CHECK_EQUAL(allocator::stats().pooled, 0u);
  allocator::free(allocator::allocate(64), 64);
  CHECK_EQUAL(allocator::stats().pooled, 0u);
  allocator::set_bound(standard);
}

/// What lies idle makes room for blocks of other sizes; what takes turns with them stays.
void idle() {
  constexpr std::size_t kSaved = 8'000'000, kMade = 1'500'000;
  allocator::trim();
  std::vector<void*> saved, made;
  for (int k = 0; k < 20; ++k) saved.push_back(allocator::allocate(kSaved));
  const auto all = [] { return allocator::stats().live + allocator::stats().pooled; };
  const std::uint64_t before = all();
  for (void* const block : saved) {
    allocator::free(block, kSaved);
    for (int k = 0; k < 3; ++k) allocator::free(allocator::allocate(kSaved), kSaved);
    for (int k = 0; k < 3; ++k) made.push_back(allocator::allocate(kMade));
  }
  CHECK(all() < before + 40'000'000);  // it would be 90 MB more
  for (void* const block : made) allocator::free(block, kMade);
  allocator::trim();

  void *first = nullptr, *second = nullptr;
  for (int k = 0; k < 100; ++k) {
    void* const a = allocator::allocate(kSaved);
    CHECK(!first || first == a);
    allocator::free(first = a, kSaved);
    void* const b = allocator::allocate(kMade);
    CHECK(!second || second == b);
    allocator::free(second = b, kMade);
  }
  allocator::trim();
}

/// The process does not grow beyond what was in use at once, unless sizes take turns: then that costs little.
void highest() {
  constexpr std::size_t kSaved = 50'000'000, kMade = 30'000'000;
  allocator::trim();
  const std::size_t standard = allocator::bound();
  allocator::set_bound(std::size_t{1} << 31);
  const auto all = [] { return allocator::stats().live + allocator::stats().pooled; };
  std::vector<void*> saved, made;
  for (int k = 0; k < 10; ++k) saved.push_back(allocator::allocate(kSaved));
  const std::uint64_t most = all();
  for (void* const block : saved) {
    allocator::free(block, kSaved);
    made.push_back(allocator::allocate(kMade));
    CHECK(all() <= most + most / 4);  // sizes of classes are up to a quarter more
  }
  for (void* const block : made) allocator::free(block, kMade);
  allocator::trim();

  void *first = nullptr, *second = nullptr;
  int fresh = 0;
  for (int k = 0; k < 50; ++k) {
    void* const a = allocator::allocate(10 * kSaved);
    fresh += a != std::exchange(first, a);
    allocator::free(a, 10 * kSaved);
    void* const b = allocator::allocate(10 * kMade);
    fresh += b != std::exchange(second, b);
    allocator::free(b, 10 * kMade);
  }
  CHECK(fresh <= 6);
  allocator::trim();
  allocator::set_bound(standard);
}

void too_much() {
  const tests::SameMemory same;
  for (const std::size_t bytes : {std::size_t{1} << 46, (std::size_t{1} << 46) + 1, ~std::size_t{0}}) {
    bool thrown = false;
    try {
      allocator::free(allocator::allocate(bytes), bytes);
    } catch (const std::bad_alloc&) {
      thrown = true;
    }
    CHECK(thrown || bytes == std::size_t{1} << 46);  // a system may promise 64 TiB
  }
}

void random_use(unsigned seed, int steps) {
  std::mt19937 random(seed);
  std::vector<Block> blocks;
  for (int step = 0; step < steps; ++step) {
    if (blocks.size() < 50 && random() % 2) {
      const std::size_t bytes = random() % (std::size_t{1} << (random() % 22));
      blocks.push_back(allocate(bytes, static_cast<unsigned char>(random())));
    } else if (!blocks.empty()) {
      std::swap(blocks[random() % blocks.size()], blocks.back());
      CHECK(blocks.back().intact());
      allocator::free(blocks.back().at, blocks.back().bytes);
      blocks.pop_back();
    }
    if (random() % 5000 == 0) allocator::trim();
  }
  for (const Block& block : blocks) {
    CHECK(block.intact());
    allocator::free(block.at, block.bytes);
  }
}

void many_threads() {
  const tests::SameMemory same;
  std::vector<std::thread> threads;
  for (unsigned k = 0; k < 4; ++k) threads.emplace_back(random_use, k, tests::repetitions(200'000));
  for (std::thread& thread : threads) thread.join();
}

}  // namespace

int main() {
  sizes();
  reuse();
  counts();
  bound();
  idle();
  highest();
  too_much();
  many_threads();
}
