#pragma once

// Results in the memory of an operand that is dead in the caller: `a = rt.add(a, x, reuse=a)`.
//
// `reuse=` is a permission: the caller's variable is not read again before it is bound anew. Whether the array is
// fit, and whether nothing else refers to it after all, is decided here; in any doubt the result has new memory.
// What reads the memory and is still pending does not matter: the dispatcher runs it first.

#include <vector>

#include "array/array.hpp"

namespace myia {

/// Whether CPython's reference counts tell that an Array is held by nothing but one variable of the caller and the
/// `passed` places in which it stands among the arguments of this call.
///
/// From 3.11 to 3.13 LOAD_FAST puts a reference of its own on the stack for every argument, given by position or by
/// name, and a vectorcall hands on that stack. So there are 1 + passed references; more if a list, another
/// variable, an ndarray (which has the Array as its base) or a tuple of arguments holds it too. From 3.14 on
/// LOAD_FAST_BORROW leaves references out where the compiler can, and free threading counts otherwise.
inline bool held_by_one_variable([[maybe_unused]] Array* array, [[maybe_unused]] Py_ssize_t passed) noexcept {
#if PY_VERSION_HEX >= 0x030e0000 || defined(Py_GIL_DISABLED)
  return false;
#else
  return Py_REFCNT(as_object(array)) == 1 + passed;
#endif
}

/// How often an object stands among the arguments.
inline Py_ssize_t times_passed(PyObject* object, PyObject* const* args, Py_ssize_t count) noexcept {
  Py_ssize_t times = 0;
  for (Py_ssize_t k = 0; k < count; ++k) times += args[k] == object;
  return times;
}

/// What `reuse=` names; null if it is not among the names of the arguments.
PyObject* named_reuse(PyObject* const* args, Py_ssize_t count, PyObject* names) noexcept;

/// An Array that is dead in the caller, if `reuse=` names one.
struct Dead {
  Array* array = nullptr;
  Py_ssize_t passed = 0;  ///< how often it stands among the arguments, `reuse=` included

  Dead() = default;
  Dead(Array* dead, Py_ssize_t times) noexcept : array(dead), passed(times) {}
  /// Of a call in which `count` arguments have no name.
  Dead(PyObject* const* args, Py_ssize_t count, PyObject* names) noexcept;

  /// The array, a new reference, if a result of this kind and layout may be written over it: it is the whole of its
  /// storage, lies as the result would, and nothing else can see it. Null if the result needs new memory.
  /// `at_once`: the result is small enough for that, so what still reads the array is not waited for.
  [[nodiscard]] Array* taken(Kind kind, const Layout& result, bool at_once) const noexcept;
};

/// A call without its `reuse=`.
class WithoutReuse {
 public:
  /// False with an exception.
  bool read(PyObject* const* given, Py_ssize_t positional, PyObject* given_names);

  PyObject* const* args = nullptr;
  PyObject* names = nullptr;  ///< null if there are none left

 private:
  std::vector<PyObject*> moved_;
  Owned left_;
};

bool make_reuse();

}  // namespace myia
