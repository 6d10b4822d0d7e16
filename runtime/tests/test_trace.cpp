#include <cstring>
#include <set>

#include "dispatch/trace.hpp"
#include "tests/tasks.hpp"

using namespace myia;
using namespace myia::tests;

namespace {

void recorded(int workers) {
  dispatcher::set_workers(workers);
  const Ref<Storage> a = Storage::make(64), b = Storage::make(64);
  submit({}, {a}, [](int) {}, 1, "before");
  CHECK(dispatcher::wait_all());
  CHECK(!trace::on());
  trace::start();
  CHECK(trace::on());
  const std::uint64_t begin = trace::now();
  auto task = std::make_unique<Call>([](int) { std::this_thread::sleep_for(std::chrono::milliseconds(2)); }, 1, "first");
  task->place = 12;
  dispatcher::submit(std::move(task), {}, addresses({a}));
  submit({a}, {b}, [](int) {}, 3, "second");
  CHECK(dispatcher::wait_ready(*b));
  CHECK(dispatcher::wait_all());
  const std::uint64_t end = trace::now();
  const std::vector<trace::Event> events = trace::stop();
  CHECK(!trace::on());
  submit({}, {a}, [](int) {}, 1, "after");
  CHECK(dispatcher::wait_all());

  int firsts = 0, waits = 0;
  std::set<int> parts;
  std::uint64_t first_end = 0, last_begin = 0, first_task = 0;
  for (const trace::Event& event : events) {
    CHECK(event.begin >= last_begin);
    last_begin = event.begin;
    CHECK(begin <= event.submitted && event.submitted <= event.ready && event.ready <= event.begin &&
          event.begin <= event.end && event.end <= end);
    if (std::strcmp(event.name, "wait") == 0) {
      ++waits;
      CHECK(event.worker == -1 && event.task == 0);
    } else if (std::strcmp(event.name, "first") == 0) {
      ++firsts;
      CHECK(event.place == 12 && event.part == 0 && event.parts == 1);
      CHECK(event.end - event.begin >= 2'000'000);
      first_end = event.end;
      first_task = event.task;
    } else {
      CHECK(std::strcmp(event.name, "second") == 0 && event.parts == 3);
      CHECK(event.begin >= first_end && event.task == first_task + 1);
      parts.insert(event.part);
    }
    if (event.task) CHECK(workers ? event.worker >= 0 && event.worker < workers : event.worker == -2);
  }
  CHECK_EQUAL(firsts, 1);
  CHECK(parts == (std::set<int>{0, 1, 2}));
  CHECK(workers ? waits >= 1 : waits == 0);
}

}  // namespace

int main() {
  for (const int workers : {2, 0, 1}) recorded(workers);
  dispatcher::shutdown();
}
