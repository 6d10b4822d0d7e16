// Whose memory an ndarray shows: one storage for one piece of memory, by whatever view of it one comes.

#include <cstring>
#include <mutex>
#include <thread>
#include <unordered_map>

#include "array/array.hpp"

namespace myia {

namespace {

/// The storages that borrow memory, by the ndarray that they keep. A storage is in here until its owner is let
/// go, so while the lock is held what is found has not been freed; it may be on its way, with no references.
std::mutex lock;
std::unordered_map<void*, Storage*>& borrowed = *new std::unordered_map<void*, Storage*>;

struct Extent {
  char* begin;
  char* end;
  /// Nothing is held anywhere.
  [[nodiscard]] bool holds(const Extent& other) const noexcept {
    return other.begin == other.end || (begin <= other.begin && other.end <= end);
  }
};

Extent extent_of(PyArrayObject* array) {
  char *begin = PyArray_BYTES(array), *end = begin + PyArray_ITEMSIZE(array);
  for (int d = 0; d < PyArray_NDIM(array); ++d) {
    if (!PyArray_DIM(array, d)) return {PyArray_BYTES(array), PyArray_BYTES(array)};
    const Index reach = (PyArray_DIM(array, d) - 1) * PyArray_STRIDE(array, d);
    (reach < 0 ? begin : end) += reach;
  }
  return {begin, end};
}

Extent extent_of(Storage* storage) {
  return {storage->data(), storage->data() + storage->bytes()};
}

/// What is behind a base that is no ndarray: the buffer protocol puts a memoryview between, __array_struct__ a
/// tuple, as_strided and sliding_window_view an object of their own. Borrowed, or null.
PyObject* behind(PyObject* base) {
  if (PyMemoryView_Check(base)) return PyMemoryView_GET_BASE(base);
  if (PyTuple_Check(base)) return PyTuple_GET_SIZE(base) ? PyTuple_GET_ITEM(base, 0) : nullptr;
  if (std::strcmp(Py_TYPE(base)->tp_name, "DummyArray") != 0) return nullptr;
  const Owned found(PyObject_GetAttrString(base, "base"));
  if (!found) PyErr_Clear();
  return found.get();  // the object keeps it
}

/// The ndarray at the end of the bases: of all views of one memory the same.
PyArrayObject* root_of(PyArrayObject* array) {
  for (PyObject* base = PyArray_BASE(array); base && !is_array(base);) {
    if (PyArray_Check(base)) {
      array = reinterpret_cast<PyArrayObject*>(base);
      base = PyArray_BASE(array);
    } else {
      base = behind(base);
    }
  }
  return array;
}

/// The storage known for an owner. Null if there is none.
Ref<Storage> known(PyArrayObject* owner) {
  for (;;) {
    {
      const std::lock_guard guard(lock);
      const auto found = borrowed.find(owner);
      if (found == borrowed.end()) return nullptr;
      if (found->second->retain_if_alive()) return Ref<Storage>::adopt(found->second);
    }
    std::this_thread::yield();  // a worker is letting go of it: it needs the lock for that, and not the GIL
  }
}

}  // namespace

Array* exported_from(PyArrayObject* array) {
  for (PyObject* base = PyArray_BASE(array); base;) {
    if (is_array(base)) return as_array(base);
    base = PyArray_Check(base) ? PyArray_BASE(reinterpret_cast<PyArrayObject*>(base)) : behind(base);
  }
  return nullptr;
}

Ref<Storage> known_storage(PyArrayObject* array) {
  const Extent needed = extent_of(array);
  if (Array* const origin = exported_from(array)) {
    if (origin->storage->allocated() && extent_of(origin->storage).holds(needed))
      return Ref<Storage>(origin->storage);
    return nullptr;
  }
  for (PyArrayObject* const owner : {root_of(array), array}) {
    Ref<Storage> found = known(owner);
    if (found && extent_of(found.get()).holds(needed)) return found;
  }
  return nullptr;
}

Ref<Storage> storage_of(PyArrayObject* array) {
  if (Ref<Storage> found = known_storage(array)) return found;
  PyArrayObject* owner = root_of(array);
  // Strides made by hand may lead outside; then there is the view alone.
  if (!extent_of(owner).holds(extent_of(array))) owner = array;
  const Extent all = extent_of(owner);
  Py_INCREF(owner);
  Ref<Storage> made = Storage::borrow(all.begin, static_cast<std::size_t>(all.end - all.begin), owner,
                                      PyArray_ISWRITEABLE(owner));
  const std::lock_guard guard(lock);
  borrowed.emplace(owner, made.get());
  return made;
}

void forget_owner(void* owner) noexcept {
  const std::lock_guard guard(lock);
  borrowed.erase(owner);
}

}  // namespace myia
