#include <cstring>
#include <thread>
#include <vector>

#include "storage/allocator.hpp"
#include "storage/storage.hpp"
#include "tests/tasks.hpp"

using namespace myia;

namespace {

void lazy() {
  const tests::SameMemory same;
  for (const std::size_t bytes : {0u, 1u, 64u, 1024u, 1025u, 100'000u}) {
    const Ref<Storage> storage = Storage::make(bytes);
    CHECK(!storage->allocated());
    CHECK_EQUAL(storage->bytes(), bytes);
    CHECK(storage->writable() && !storage->borrowed() && storage->ready() && storage->idle() && !storage->failed());
    char* const data = storage->data();
    CHECK(data != nullptr && storage->allocated() && storage->data() == data);
    CHECK_EQUAL(reinterpret_cast<std::uintptr_t>(data) % allocator::kAlignment, 0u);
    std::memset(data, 1, bytes);
  }
  // What is never asked for takes no room.
  const std::uint64_t before = allocator::stats().live;
  const Ref<Storage> huge = Storage::make(std::size_t{1} << 50);
  CHECK(allocator::stats().live < before + 1000);
}

void zeros() {
  const tests::SameMemory same;
  for (const std::size_t bytes : {0u, 1u, 1024u, 1025u, 1'000'000u}) {
    // So that the memory is not fresh from the system.
    const Ref<Storage> before = Storage::make(bytes);
    std::memset(before->data(), 1, bytes);
  }
  const std::vector<char> expected(1'000'000);
  for (const std::size_t bytes : {0u, 1u, 1024u, 1025u, 1'000'000u}) {
    const std::uint64_t live = allocator::stats().live;
    const Ref<Storage> storage = Storage::make_zeros(bytes);
    CHECK(storage->zeros() && storage->bytes() == bytes);
    CHECK(allocator::stats().live < live + 2000);
    // All threads that ask for it at once get the same memory, with the zeros in it.
    std::vector<char*> seen(4);
    std::vector<std::thread> threads;
    for (char*& data : seen)
      threads.emplace_back([&data, &storage, &expected, bytes] {
        data = storage->data();
        CHECK(bytes == 0 || std::memcmp(data, expected.data(), bytes) == 0);
      });
    for (std::thread& thread : threads) thread.join();
    for (char* const data : seen) CHECK(data == storage->data());
  }
  const Ref<Storage> huge = Storage::make_zeros(std::size_t{1} << 50);
  for (int attempt = 0; attempt < 2; ++attempt) {
    bool refused = false;
    try {
      static_cast<void>(huge->data());
    } catch (const std::bad_alloc&) {
      refused = true;
    }
    CHECK(refused && !huge->allocated());
  }
}

void references() {
  const tests::SameMemory same;
  Ref<Storage> one = Storage::make(8);
  CHECK_EQUAL(one->references(), 1u);
  {
    const Ref<Storage> two = one;  // NOLINT: the copy is the test
    CHECK_EQUAL(one->references(), 2u);
  }
  CHECK_EQUAL(one->references(), 1u);
  Storage* const raw = one.detach();
  CHECK(!one && raw->references() == 1);
  one = Ref<Storage>::adopt(raw);
  std::vector<std::thread> threads;
  for (int k = 0; k < 4; ++k)
    threads.emplace_back([one] {
      for (int step = 0; step < 10'000; ++step) const Ref<Storage> copy = one;
    });
  for (std::thread& thread : threads) thread.join();
  CHECK_EQUAL(one->references(), 1u);
}

int released = 0;
void* last_released = nullptr;

void borrowed() {
  const tests::SameMemory same;
  Storage::set_owner_release([](void* owner) {
    ++released;
    last_released = owner;
  });
  char memory[16] = {42};
  int owner = 0;
  {
    const Ref<Storage> storage = Storage::borrow(memory, sizeof memory, &owner, false);
    CHECK(storage->borrowed() && storage->owner() == &owner && !storage->writable() && storage->allocated());
    CHECK(storage->data() == memory);
  }
  CHECK(released == 1 && last_released == &owner);
  {
    const Ref<Storage> storage = Storage::borrow(memory, sizeof memory, nullptr, true);
    CHECK(storage->data() == memory);
  }
  CHECK_EQUAL(released, 1);
  {
    const Ref<Storage> storage = Storage::borrow(nullptr, 0, &owner, true);
    CHECK(storage->allocated() && storage->data() != nullptr);
  }
  CHECK_EQUAL(released, 2);
  CHECK_EQUAL(memory[0], 42);
}

void versions_and_marks() {
  const Ref<Storage> storage = Storage::make(8);
  CHECK_EQUAL(storage->version(), 0u);
  storage->written();
  storage->written();
  CHECK_EQUAL(storage->version(), 2u);
  storage->mark_read();
  CHECK_EQUAL(storage->marks(), 1);
  storage->unmark_read();
  CHECK_EQUAL(storage->marks(), 0);
}

}  // namespace

int main() {
  lazy();
  zeros();
  references();
  borrowed();
  versions_and_marks();
}
