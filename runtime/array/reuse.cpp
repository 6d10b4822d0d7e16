#include "array/reuse.hpp"

namespace myia {

namespace {

PyObject* reuse_name = nullptr;

bool is_reuse(PyObject* name) noexcept {
  // Names in compiled code are interned; others may be equal all the same.
  return name == reuse_name || PyUnicode_Compare(name, reuse_name) == 0;
}

}  // namespace

PyObject* named_reuse(PyObject* const* args, Py_ssize_t count, PyObject* names) noexcept {
  for (Py_ssize_t k = 0; names && k < PyTuple_GET_SIZE(names); ++k)
    if (is_reuse(PyTuple_GET_ITEM(names, k))) return args[count + k];
  return nullptr;
}

Dead::Dead(PyObject* const* args, Py_ssize_t count, PyObject* names) noexcept {
  PyObject* const named = named_reuse(args, count, names);
  if (!named || !is_array(named)) return;
  array = as_array(named);
  passed = times_passed(named, args, count + PyTuple_GET_SIZE(names));
}

Array* Dead::taken(Kind kind, const Layout& result, bool at_once) const noexcept {
  if (!array || !held_by_one_variable(array, passed)) return nullptr;
  Storage* const storage = array->storage;
  if (storage->holders() != 1 || storage->borrowed() || storage->marks() > 0) return nullptr;
  if (array->kind != kind || !array->writable || array->offset || array->weak_references) return nullptr;
  if (at_once && (!storage->idle() || storage->failed())) return nullptr;
  if (!same_shape(array->layout, result)) return nullptr;
  for (int d = 0; d < result.ndim; ++d)
    if (result.shape[d] != 1 && array->layout.strides[d] != result.strides[d]) return nullptr;
  if (static_cast<Index>(storage->bytes()) != result.size() * th::item_size(kind)) return nullptr;
  array->adjoint = false;
  Py_INCREF(as_object(array));
  return array;
}

bool WithoutReuse::read(PyObject* const* given, Py_ssize_t positional, PyObject* given_names) {
  args = given;
  names = given_names;
  if (!named_reuse(given, positional, given_names)) return true;
  const Py_ssize_t named = PyTuple_GET_SIZE(given_names);
  names = nullptr;
  if (named == 1) return true;
  left_ = Owned(PyTuple_New(named - 1));
  if (!left_) return false;
  moved_.assign(given, given + positional);
  for (Py_ssize_t k = 0, kept = 0; k < named; ++k) {
    PyObject* const name = PyTuple_GET_ITEM(given_names, k);
    if (is_reuse(name)) continue;
    PyTuple_SET_ITEM(left_.get(), kept++, Py_NewRef(name));
    moved_.push_back(given[positional + k]);
  }
  args = moved_.data();
  names = left_.get();
  return true;
}

bool make_reuse() {
  reuse_name = PyUnicode_InternFromString("reuse");
  return reuse_name != nullptr;
}

}  // namespace myia
