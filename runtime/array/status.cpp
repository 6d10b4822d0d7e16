// Floating-point status flags, reported as NumPy reports them.

#include "array/array.hpp"

#include <atomic>
#include <cfenv>
#include <mutex>
#include <vector>

namespace myia::status {

namespace {

struct Kept {
  int flags;
  const char* name;
  int thread;
};
std::mutex lock;
std::vector<Kept>& noted = *new std::vector<Kept>;
std::atomic<bool> any_noted{false};

constexpr int kFlagBits = 8;

/// A number of the thread. What it left unreported goes with it.
struct Number {
  Number() : value(++last) {}
  ~Number() {
    const std::lock_guard guard(lock);
    std::erase_if(noted, [this](const Kept& kept) { return kept.thread == value; });
  }
  int value;
  static inline std::atomic<int> last{0};
};
thread_local const Number number;

enum class Handling { ignore, warn, raise, print, call, log };

Handling handling_of(PyObject* settings, const char* key) {
  PyObject* const value = PyDict_GetItemString(settings, key);
  const char* const text = value ? PyUnicode_AsUTF8(value) : nullptr;
  if (!text) return Handling::warn;
  switch (text[0]) {
    case 'i': return Handling::ignore;
    case 'r': return Handling::raise;
    case 'p': return Handling::print;
    case 'c': return Handling::call;
    case 'l': return Handling::log;
    default: return Handling::warn;
  }
}

struct Flag {
  int bit;
  int numpy;  ///< the bit that a user's function gets
  const char* key;
  const char* words;
};
constexpr Flag kFlags[] = {
    {FE_DIVBYZERO, 1, "divide", "divide by zero"},
    {FE_OVERFLOW, 2, "over", "overflow"},
    {FE_UNDERFLOW, 4, "under", "underflow"},
    {FE_INVALID, 8, "invalid", "invalid value"},
};

Owned settings() {
  static PyObject* const geterr = PyObject_GetAttrString(numpy(), "geterr");
  return Owned(PyObject_CallNoArgs(geterr));
}

/// What numpy.seterrcall() was given: a function, or an object that logs.
bool call_user(const Flag& flag, int flags, const char* name, bool logs) {
  Owned handler(PyObject_CallMethod(numpy(), "geterrcall", nullptr));
  if (!handler) return false;
  if (handler.get() == Py_None) {
    PyErr_Format(PyExc_NameError, "%s specified for %s (in %s) but no %s found.",
                 logs ? "log" : "python callback", flag.words, name, logs ? "object with write method" : "function");
    return false;
  }
  int all = 0;
  for (const Flag& one : kFlags)
    if (flags & one.bit) all |= one.numpy;
  Owned message(logs ? PyUnicode_FromFormat("Warning: %s encountered in %s\n", flag.words, name) : nullptr);
  if (logs && !message) return false;
  Owned result(logs ? PyObject_CallMethod(handler.get(), "write", "O", message.get())
                    : PyObject_CallFunction(handler.get(), "si", flag.words, all));
  return static_cast<bool>(result);
}

}  // namespace

bool report(int flags, const char* name) {
  Owned now = settings();
  if (!now) return false;
  for (const Flag& flag : kFlags) {
    if (!(flags & flag.bit)) continue;
    const Handling handling = handling_of(now.get(), flag.key);
    if (handling == Handling::ignore) continue;
    char message[160];
    std::snprintf(message, sizeof message, "%s encountered in %s", flag.words, name);
    if (handling == Handling::raise) {
      PyErr_SetString(PyExc_FloatingPointError, message);
      return false;
    }
    if (handling == Handling::print) {
      PySys_WriteStderr("Warning: %s\n", message);
    } else if (handling == Handling::call || handling == Handling::log) {
      if (!call_user(flag, flags, name, handling == Handling::log)) return false;
    } else if (PyErr_WarnEx(PyExc_RuntimeWarning, message, 1) < 0) {
      return false;
    }
  }
  return true;
}

namespace {

/// What the error state asks for.
struct Wishes {
  int wanted = FE_DIVBYZERO | FE_OVERFLOW | FE_INVALID;
  bool raises = false;
};

Wishes read_wishes() {
  Wishes made;
  Owned now = settings();
  if (!now) {
    PyErr_Clear();
    return made;
  }
  made.wanted = 0;
  for (const Flag& flag : kFlags) {
    const Handling handling = handling_of(now.get(), flag.key);
    if (handling != Handling::ignore) made.wanted |= flag.bit;
    made.raises = made.raises || (handling != Handling::ignore && handling != Handling::warn);
  }
  return made;
}

/// numpy.errstate sets a context variable to an object that never changes: asking for that object is a hundred
/// times quicker than numpy.geterr(). Null where NumPy keeps its state otherwise.
PyObject* state_variable() {
  static PyObject* const variable = [] {
    Owned module(PyImport_ImportModule("numpy._core.umath"));
    PyObject* const found = module ? PyObject_GetAttrString(module.get(), "_extobj_contextvar") : nullptr;
    PyErr_Clear();
    return found && PyContextVar_CheckExact(found) ? found : nullptr;
  }();
  return variable;
}

const Wishes& wishes() {
  static PyObject* known = nullptr;  // kept, so that no other object can come to its address
  static Wishes kept;
  PyObject* state = nullptr;
  if (!state_variable() || PyContextVar_Get(state_variable(), Py_None, &state) < 0 || !state) {
    PyErr_Clear();
    kept = read_wishes();
    return kept;
  }
  if (state != known) {
    kept = read_wishes();
    Py_XSETREF(known, Py_NewRef(state));
  }
  Py_DECREF(state);
  return kept;
}

}  // namespace

int wanted() { return wishes().wanted | number.value << kFlagBits; }

bool raises() { return wishes().raises; }

void note(int flags, const char* name, int wanted) noexcept {
  const int thread = wanted >> kFlagBits;
  const std::lock_guard guard(lock);
  for (Kept& kept : noted) {
    if (kept.name == name && kept.thread == thread) {
      kept.flags |= flags;
      return;
    }
  }
  noted.push_back({flags, name, thread});
  any_noted.store(true, std::memory_order_release);
}

bool report_noted() {
  if (!any_noted.load(std::memory_order_acquire)) return true;
  std::vector<Kept> now;
  {
    const std::lock_guard guard(lock);
    for (const Kept& kept : noted)
      if (kept.thread == number.value) now.push_back(kept);
    std::erase_if(noted, [](const Kept& kept) { return kept.thread == number.value; });
    any_noted.store(!noted.empty(), std::memory_order_release);
  }
  for (const Kept& kept : now)
    if (!report(kept.flags, kept.name)) return false;
  return true;
}

}  // namespace myia::status
