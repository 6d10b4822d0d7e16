// How failures run from task to task, and end.

#include <memory>
#include <string>

#include "tests/tasks.hpp"

using namespace myia;
using namespace myia::tests;

namespace {

Ref<Storage> numbers(std::size_t bytes = 64) { return Storage::make(bytes); }

void fill(const Ref<Storage>& storage, char value) {
  submit({}, {storage}, [at = storage.get(), value](int) { at->data()[0] = value; });
}
void breaks(const Storages& reads, const Storages& writes, const char* message = "broken") {
  submit(reads, writes, [message](int) { throw KernelError("LinAlgError", message); }, 1, "cholesky");
}
void nothing(const Storages& reads, const Storages& writes) { submit(reads, writes, [](int) {}); }

bool fails(const Ref<Storage>& storage) {
  CHECK(dispatcher::wait_ready(*storage));
  CHECK_EQUAL(storage->failed(), dispatcher::failure(*storage) != nullptr);
  return storage->failed();
}

void handed_on() {
  const SameMemory same;
  const Ref<Storage> a = numbers(), b = numbers(), c = numbers(), other = numbers();
  fill(other, 1);
  auto task = std::make_unique<Call>([](int) { throw KernelError("LinAlgError", "not definite"); }, 1, "cholesky");
  task->place = 77;
  dispatcher::submit(std::move(task), {}, addresses({a}));
  submit({a, other}, {b}, [](int) { CHECK(false); });
  submit({b}, {c}, [](int) { CHECK(false); });
  submit({other}, {other}, [at = other.get()](int) { at->data()[0] = 2; });
  CHECK(fails(a) && fails(b) && fails(c) && !fails(other));
  const FailurePtr failure = dispatcher::failure(*c);
  CHECK(failure->kind == "LinAlgError" && failure->message == "not definite" && failure->kernel == "cholesky");
  CHECK_EQUAL(failure->place, 77u);
  CHECK(failure == dispatcher::failure(*a) && failure == dispatcher::failure(*b));
  CHECK_EQUAL(other->data()[0], 2);
}

void ended_by_writing() {
  const SameMemory same;
  const Ref<Storage> a = numbers(), b = numbers();
  breaks({}, {a});
  nothing({a}, {a});  // adds to it: it stays broken
  CHECK(fails(a));
  fill(a, 5);
  CHECK(!fails(a) && a->data()[0] == 5);
  // Those that read between the failure and its end have it, those after do not.
  breaks({}, {a}, "first");
  nothing({a}, {b});
  fill(a, 6);
  const Ref<Storage> c = numbers();
  nothing({a}, {c});
  CHECK(fails(b) && !fails(a) && !fails(c));
  // A task that fails takes the place of an older failure that it did not read.
  breaks({}, {b}, "second");
  CHECK(fails(b) && dispatcher::failure(*b)->message == "second");
  // Of several, the first.
  breaks({}, {a}, "third");
  const Ref<Storage> d = numbers();
  nothing({b, a}, {d});
  CHECK(fails(d) && dispatcher::failure(*d)->message == "second");
}

void kinds() {
  const SameMemory same;
  const Ref<Storage> a = numbers();
  const auto failure_of = [&a](std::function<void(int)> function) {
    submit({}, {a}, std::move(function));
    CHECK(fails(a));
    return dispatcher::failure(*a);
  };
  CHECK_EQUAL(failure_of([](int) { throw std::bad_alloc(); })->kind == "MemoryError", true);
  CHECK_EQUAL(failure_of([](int) { throw std::out_of_range("far"); })->message == "far", true);
  CHECK_EQUAL(failure_of([](int) { throw 3; })->kind == "RuntimeError", true);
}

void no_memory() {
  const SameMemory same;
  for (const int parts : {1, 3}) {
    const Ref<Storage> a = numbers(std::size_t{1} << 47), b = numbers(), c = numbers();
    submit({}, {b, a}, [](int) { CHECK(false); }, parts, "outer");
    nothing({b}, {c});
    CHECK(fails(a) && fails(b) && fails(c));
    CHECK(dispatcher::failure(*c)->kind == "MemoryError" && dispatcher::failure(*c)->kernel == "outer");
    // Read and never written: its memory must come, too.
    const Ref<Storage> d = numbers(std::size_t{1} << 47), e = numbers();
    submit({d}, {e}, [](int) { CHECK(false); }, parts);
    CHECK(fails(e) && !fails(d) && dispatcher::failure(*e)->kind == "MemoryError");
  }
  // Two readers of what nobody wrote find the same memory.
  for (int round = 0; round < 50; ++round) {
    const Ref<Storage> never = numbers(100'000), x = numbers(), y = numbers();
    for (const Ref<Storage>& each : {x, y})
      submit({never}, {each}, [never, each](int) { *reinterpret_cast<char**>(each->data()) = never->data(); });
    CHECK(!fails(x) && !fails(y));
    CHECK(*reinterpret_cast<char**>(x->data()) == *reinterpret_cast<char**>(y->data()));
  }
}

void parts() {
  const SameMemory same;
  for (int round = 0; round < repetitions(500); ++round) {
    const Ref<Storage> a = numbers(), b = numbers();
    submit({}, {a}, [round](int part) {
      if (part == 1) pause_for(std::chrono::microseconds(round % 7));
      if (part >= 1) throw KernelError("ValueError", "part " + std::to_string(part));
    }, 6);
    nothing({a}, {b});
    CHECK(fails(b) && dispatcher::failure(*b)->message == "part 1");
  }
}

void long_chain() {
  const SameMemory same;
  const Ref<Storage> a = numbers(), result = numbers();
  Gate gate;
  submit({}, {a}, [&gate](int) {
    gate.pass();
    throw KernelError("ValueError", "far away");
  });
  Ref<Storage> last = a;
  std::thread opener([&gate] {
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    gate.open();
  });
  for (int k = 0; k < repetitions(50'000); ++k) {
    Ref<Storage> next = numbers();
    submit({last}, {next}, [](int) { CHECK(false); });
    last = next;
  }
  CHECK(fails(last) && dispatcher::failure(*last) == dispatcher::failure(*a));
  opener.join();
}

void versions() {
  const SameMemory same;
  const Ref<Storage> a = numbers(), b = numbers();
  fill(a, 1);
  breaks({}, {a});
  nothing({a}, {a});
  submit({a}, {b, b}, [](int) {}, 3);  // named twice: one use
  CHECK(fails(a) && fails(b));
  CHECK_EQUAL(a->version(), 3u);
  CHECK_EQUAL(b->version(), 1u);
}

void counted() {
  const dispatcher::Counts before = dispatcher::counts();
  {
    const Ref<Storage> a = numbers(), b = numbers();
    fill(a, 1);
    breaks({}, {a});
    nothing({a}, {b});
    CHECK(dispatcher::wait_all());
  }
  const dispatcher::Counts now = dispatcher::counts();
  CHECK_EQUAL(now.submitted - before.submitted, 3u);
  CHECK_EQUAL(now.finished - before.finished, 3u);
  CHECK_EQUAL(now.failed - before.failed, 2u);
}

}  // namespace

int main() {
  for (const int workers : {2, 0, 1, 4}) {
    dispatcher::set_workers(workers);
    handed_on();
    ended_by_writing();
    kinds();
    no_memory();
    parts();
    if (workers) long_chain();
    versions();
    counted();
  }
  dispatcher::shutdown();
}
