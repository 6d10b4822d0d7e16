// Waiting without the GIL, submitting with the line of Python, failures as exceptions.

#include "array/array.hpp"

#include <atomic>
#include <chrono>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <vector>

namespace myia {

using namespace std::chrono_literals;

// -- references that workers drop ------------------------------------------------------------------

namespace {

std::mutex deferred_lock;
std::vector<PyObject*>& deferred = *new std::vector<PyObject*>;  // never destroyed: workers outlive statics
std::atomic<bool> any_deferred{false};

}  // namespace

thread_local bool releases_at_once = false;

void defer_release(void* owner) {
  forget_owner(owner);
  auto* const object = static_cast<PyObject*>(owner);
  // Not PyGILState_Check(): it says yes on every thread once there has been a sub-interpreter.
  if (releases_at_once) {
    Py_DECREF(object);
    return;
  }
  const std::lock_guard lock(deferred_lock);
  deferred.push_back(object);
  any_deferred.store(true, std::memory_order_release);
}

void release_deferred() {
  if (!any_deferred.load(std::memory_order_acquire)) return;
  std::vector<PyObject*> dropped;
  {
    const std::lock_guard lock(deferred_lock);
    dropped.swap(deferred);
    any_deferred.store(false, std::memory_order_release);
  }
  for (PyObject* object : dropped) Py_DECREF(object);
}

// -- places ------------------------------------------------------------------------------------------

namespace {

struct Site {
  PyCodeObject* code;  // kept: there are as many as lines that submit
  int instruction;
  bool operator==(const Site&) const = default;
};
struct SiteHash {
  std::size_t operator()(const Site& s) const noexcept {
    return std::hash<void*>()(s.code) * 31 + static_cast<std::size_t>(s.instruction);
  }
};
std::unordered_map<Site, std::uint32_t, SiteHash> site_numbers;
std::vector<Site> sites{{nullptr, 0}};

}  // namespace

std::uint32_t current_place() {
  PyFrameObject* const frame = PyEval_GetFrame();
  if (!frame) return 0;
  PyCodeObject* const code = PyFrame_GetCode(frame);
  const Site site{code, PyFrame_GetLasti(frame)};
  const auto found = site_numbers.find(site);
  if (found != site_numbers.end()) {
    Py_DECREF(code);
    return found->second;
  }
  const auto number = static_cast<std::uint32_t>(sites.size());
  sites.push_back(site);
  site_numbers.emplace(site, number);
  return number;
}

PyObject* place_of(std::uint32_t place) {
  if (!place || place >= sites.size()) Py_RETURN_NONE;
  const Site& site = sites[place];
  return Py_BuildValue("(Oi)", site.code->co_filename, PyCode_Addr2Line(site.code, site.instruction));
}

// -- failures ------------------------------------------------------------------------------------------

void raise_failure(const Failure& failure) {
  Owned builtins(PyImport_ImportModule("builtins"));
  Owned kind(builtins ? PyObject_GetAttrString(builtins.get(), failure.kind.c_str()) : nullptr);
  if (!kind) PyErr_Clear();
  PyObject* const type = kind ? kind.get() : PyExc_RuntimeError;
  Owned error(PyObject_CallFunction(type, "s", failure.message.c_str()));
  if (!error) return;
  Owned place(place_of(failure.place));
  if (place && place.get() != Py_None) {
    Owned errors(PyImport_ImportModule("myia.codegen.load"));
    Owned note(errors ? PyObject_CallMethod(errors.get(), "place_note", "Os", place.get(), failure.kernel.c_str())
                      : nullptr);
    Owned noted(note ? PyObject_CallMethod(error.get(), "add_note", "O", note.get()) : nullptr);
    if (!noted) PyErr_Clear();
  }
  PyErr_SetObject(type, error.get());
}

// -- waiting --------------------------------------------------------------------------------------------

namespace {

bool signalled(void* context) {
  auto** const state = static_cast<PyThreadState**>(context);
  PyEval_RestoreThread(*state);
  const bool stop = PyErr_CheckSignals() != 0;
  *state = PyEval_SaveThread();
  return stop;
}

std::atomic<bool> process_ends{false};
thread_local bool ends_process = false;

template <class Wait>
bool without_gil(Wait wait) {
  PyThreadState* state = PyEval_SaveThread();
  const bool done = wait(Interrupt{signalled, &state});
  // What a daemon thread waited for has been dropped. It is as good as gone, and has nothing to say of that.
  while (process_ends.load(std::memory_order_acquire) && !ends_process) std::this_thread::sleep_for(1h);
  PyEval_RestoreThread(state);
  return done;  // false: the signal's handler has set an exception
}

bool checked(Storage* storage) {
  release_deferred();
  if (storage->failed()) {
    if (const FailurePtr failure = dispatcher::failure(*storage)) {
      raise_failure(*failure);
      return false;
    }
  }
  return status::report_noted();
}

/// Contents that nobody wrote take memory when they are looked at.
bool has_memory(Storage* storage) {
  try {
    static_cast<void>(storage->data());
    return true;
  } catch (const std::bad_alloc&) {
    PyErr_NoMemory();
    return false;
  }
}

}  // namespace

bool wait_ready(Storage* storage) {
  if (storage->ready() && !storage->failed()) return status::report_noted() && has_memory(storage);
  if (!storage->ready() &&
      !without_gil([&](Interrupt interrupt) { return dispatcher::wait_ready(*storage, interrupt); }))
    return false;
  return checked(storage) && has_memory(storage);
}

bool wait_idle(Storage* storage) {
  if (storage->idle() && !storage->failed()) return status::report_noted() && has_memory(storage);
  if (!storage->idle() &&
      !without_gil([&](Interrupt interrupt) { return dispatcher::wait_idle(*storage, interrupt); }))
    return false;
  return checked(storage) && has_memory(storage);
}

void end_process() {
  ends_process = true;
  process_ends.store(true, std::memory_order_release);
  PyThreadState* const state = PyEval_SaveThread();
  dispatcher::shutdown();
  PyEval_RestoreThread(state);
  release_deferred();
}

bool wait_all() {
  if (!without_gil([](Interrupt interrupt) { return dispatcher::wait_all(interrupt); })) return false;
  release_deferred();
  return status::report_noted();
}

bool submit(std::unique_ptr<Task> task, std::span<Storage* const> reads, std::span<Storage* const> writes) {
  task->place = current_place();
  release_deferred();
  if (!dispatcher::has_room() &&
      !without_gil([](Interrupt interrupt) { return dispatcher::wait_for_room(interrupt); }))
    return false;
  if (dispatcher::workers()) {
    dispatcher::submit(std::move(task), reads, writes);
  } else {
    // The work is done here, and other threads may go on meanwhile.
    PyThreadState* const state = PyEval_SaveThread();
    dispatcher::submit(std::move(task), reads, writes);
    PyEval_RestoreThread(state);
  }
  return true;
}

bool submit(std::unique_ptr<Task> task, std::initializer_list<Storage*> reads,
            std::initializer_list<Storage*> writes) {
  return submit(std::move(task), std::span<Storage* const>(reads.begin(), reads.size()),
                std::span<Storage* const>(writes.begin(), writes.size()));
}

bool check_writable(const Array* array) {
  if (!array->writable) {
    PyErr_SetString(PyExc_ValueError, "assignment destination is read-only");
    return false;
  }
  if (enforce_marks && array->storage->marks() > 0) {
    PyErr_SetString(PyExc_RuntimeError,
                    "an array is written that a pending backprop still reads: its operator marks it read-only");
    return false;
  }
  return true;
}

}  // namespace myia
