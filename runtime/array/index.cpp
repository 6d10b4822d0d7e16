// Indexing: elements, views for integers, slices, None and Ellipsis; the rest by NumPy.

#include "array/array.hpp"

#include <cmath>
#include <cstring>

#include "array/tasks.hpp"
#include "th/copy.hpp"

namespace myia {

namespace {

enum class Form { view, other, error };

/// One integer or slice of axis `d`, applied to the view being built.
struct Selection {
  const Array* array;
  Layout layout;
  Index offset;
  int axis = 0;

  bool integer(Py_ssize_t position) {
    const Index size = array->layout.shape[axis];
    const Index at = position < 0 ? position + size : position;
    if (at < 0 || at >= size) {
      PyErr_Format(PyExc_IndexError, "index %zd is out of bounds for axis %d with size %lld", position, axis,
                   static_cast<long long>(size));
      return false;
    }
    offset += at * array->layout.strides[axis++];
    return true;
  }
  bool slice(PyObject* part) {
    Py_ssize_t start, stop, step;
    if (PySlice_Unpack(part, &start, &stop, &step) < 0) return false;
    const Index size = array->layout.shape[axis], stride = array->layout.strides[axis];
    const Py_ssize_t count = PySlice_AdjustIndices(size, &start, &stop, step);
    if (count) offset += start * stride;
    layout.shape[layout.ndim] = count;
    layout.strides[layout.ndim++] = stride * step;
    ++axis;
    return true;
  }
  void rest_up_to(int end) {
    for (; axis < end; ++axis, ++layout.ndim) {
      layout.shape[layout.ndim] = array->layout.shape[axis];
      layout.strides[layout.ndim] = array->layout.strides[axis];
    }
  }
};

bool plain_integer(PyObject* part) {
  return PyLong_CheckExact(part) || PyArray_IsScalar(part, Integer);
}

/// The view that an index of integers, slices, None and Ellipsis selects. `whole` tells that every axis
/// was given an integer, where NumPy gives a scalar.
Form select(const Array* array, PyObject* index, Selection& made, bool& whole) {
  PyObject* const* parts = &index;
  Py_ssize_t count = 1;
  if (PyTuple_CheckExact(index)) {
    parts = &PyTuple_GET_ITEM(index, 0);
    count = PyTuple_GET_SIZE(index);
  }
  int used = 0, added = 0, ellipses = 0;
  for (Py_ssize_t k = 0; k < count; ++k) {
    PyObject* const part = parts[k];
    if (part == Py_Ellipsis) {
      ++ellipses;
    } else if (part == Py_None) {
      ++added;
    } else if (PySlice_Check(part) || plain_integer(part)) {
      ++used;
    } else {
      return Form::other;
    }
  }
  const int ndim = array->layout.ndim;
  if (used > ndim || ellipses > 1 || ndim + added > th::kMaxDims) return Form::other;  // NumPy says what is wrong
  made.array = array;
  made.offset = array->offset;
  made.layout.ndim = 0;
  whole = !ellipses && used == ndim && !added;
  for (Py_ssize_t k = 0; k < count; ++k) {
    PyObject* const part = parts[k];
    if (part == Py_None) {
      made.layout.shape[made.layout.ndim] = 1;
      made.layout.strides[made.layout.ndim++] = 0;
    } else if (part == Py_Ellipsis) {
      made.rest_up_to(made.axis + ndim - used);
    } else if (PySlice_Check(part)) {
      whole = false;
      if (!made.slice(part)) return Form::error;
    } else {
      const Py_ssize_t position = PyNumber_AsSsize_t(part, PyExc_IndexError);
      if (position == -1 && PyErr_Occurred()) return Form::error;
      if (!made.integer(position)) return Form::error;
    }
  }
  made.rest_up_to(ndim);
  return Form::view;
}

// -- one element ----------------------------------------------------------------------------------------------

/// Where the element lies that integers select, one for each axis. False, without an exception, if the index is
/// not of that form, or out of bounds.
bool element_at(const Array* array, PyObject* index, Index& offset) {
  const Layout& layout = array->layout;
  PyObject* const* parts = &index;
  Py_ssize_t count = 1;
  if (PyTuple_CheckExact(index)) {
    parts = &PyTuple_GET_ITEM(index, 0);
    count = PyTuple_GET_SIZE(index);
  }
  if (count != layout.ndim) return false;
  offset = array->offset;
  for (int d = 0; d < layout.ndim; ++d) {
    Index at;
    if (PyLong_CheckExact(parts[d])) {
      at = PyLong_AsSsize_t(parts[d]);
      if (at == -1 && PyErr_Occurred()) return PyErr_Clear(), false;
    } else if (Py_TYPE(parts[d]) == &PyInt64ArrType_Type) {
      at = PyArrayScalar_VAL(parts[d], Int64);
    } else {
      return false;
    }
    if (at < 0) at += layout.shape[d];
    if (at < 0 || at >= layout.shape[d]) return false;
    offset += at * layout.strides[d];
  }
  return true;
}

/// Whether an element can be read or written where it lies, by the caller and at once.
bool at_hand(const Array* array) {
  return array->storage->idle() && !array->storage->failed() && array->storage->allocated();
}

/// Stores a number if that takes no more than writing it: no error state is asked, and nobody works on the memory.
bool store_number(Array* array, Index offset, PyObject* value) {
  if (!array->writable || enforce_marks || !at_hand(array)) return false;
  char* const place = array->storage->data() + offset;
  double number;
  if (PyFloat_CheckExact(value) || Py_TYPE(value) == &PyDoubleArrType_Type) {
    number = PyFloat_AS_DOUBLE(value);
  } else if (PyLong_CheckExact(value)) {
    number = PyLong_AsDouble(value);
    if (number == -1.0 && PyErr_Occurred()) return PyErr_Clear(), false;
  } else {
    return false;
  }
  if (array->kind == Kind::float64) {
    std::memcpy(place, &number, sizeof number);
  } else if (array->kind == Kind::float32) {
    const auto narrow = static_cast<float>(number);
    // One that overflows or underflows is for NumPy's error state.
    if (!std::isnormal(narrow) && number != 0.0) return false;
    std::memcpy(place, &narrow, sizeof narrow);
  } else {
    return false;
  }
  array->storage->written();
  return true;
}

bool is_sequence(PyObject* value) {
  if (is_array(value)) return as_array(value)->layout.ndim > 0;
  if (PyArray_Check(value)) return PyArray_NDIM(reinterpret_cast<PyArrayObject*>(value)) > 0;
  return PyList_Check(value) || PyTuple_Check(value);
}

// -- taking away ----------------------------------------------------------------------------------------

bool is_mask(PyObject* part) {
  if (is_array(part)) return as_array(part)->kind == Kind::boolean;
  return PyArray_Check(part) && PyArray_TYPE(reinterpret_cast<PyArrayObject*>(part)) == NPY_BOOL;
}

/// Whether an index may select an element more than once.
bool may_repeat(PyObject* index) {
  if (!PyTuple_CheckExact(index)) return !is_mask(index);
  for (Py_ssize_t k = 0; k < PyTuple_GET_SIZE(index); ++k) {
    PyObject* const part = PyTuple_GET_ITEM(index, k);
    if (!(part == Py_Ellipsis || part == Py_None || PySlice_Check(part) || plain_integer(part) || is_mask(part)))
      return true;
  }
  return false;
}

/// Zeros in `taken` where a later element of the same index was stored in the same place.
bool forget_overwritten(PyArrayObject* array, PyObject* key, PyObject* taken) {
  auto* const elements = reinterpret_cast<PyArrayObject*>(taken);
  // NumPy says itself which store comes last. Only the places that are stored into are touched.
  Owned last(PyArray_SimpleNew(PyArray_NDIM(array), PyArray_DIMS(array), NPY_INTP));
  Owned numbers(PyArray_Arange(0.0, static_cast<double>(PyArray_SIZE(elements)), 1.0, NPY_INTP));
  PyArray_Dims shape{PyArray_DIMS(elements), PyArray_NDIM(elements)};
  Owned order(numbers ? PyArray_Newshape(reinterpret_cast<PyArrayObject*>(numbers.get()), &shape, NPY_CORDER) : nullptr);
  if (!last || !order || PyObject_SetItem(last.get(), key, order.get()) < 0) return false;
  Owned found(PyObject_GetItem(last.get(), key));
  Owned lost(found ? PyObject_RichCompare(found.get(), order.get(), Py_NE) : nullptr);
  Owned zero(PyFloat_FromDouble(0.0));
  return lost && zero && PyObject_SetItem(taken, lost.get(), zero.get()) == 0;
}

PyObject* take_away_on_host(Array* array, PyObject* index) {
  Owned view(to_numpy(array)), key(to_host(index)), zero(PyFloat_FromDouble(0.0));
  Owned taken(view && key && zero ? PyObject_GetItem(view.get(), key.get()) : nullptr);
  if (!taken) return nullptr;
  const bool is_new = !PyArray_Check(taken.get()) || !PyArray_BASE(reinterpret_cast<PyArrayObject*>(taken.get()));
  if (!is_new) taken = Owned(PyArray_NewCopy(reinterpret_cast<PyArrayObject*>(taken.get()), NPY_KEEPORDER));
  if (!taken || PyObject_SetItem(view.get(), key.get(), zero.get()) < 0) return nullptr;
  array->storage->written();
  if (PyArray_Check(taken.get()) && may_repeat(index) &&
      !forget_overwritten(reinterpret_cast<PyArrayObject*>(view.get()), key.get(), taken.get()))
    return nullptr;
  return from_host(taken.get());
}

/// Zeros by the queue, after whatever reads or writes the memory.
bool store_zeros(const Array* array, Index offset, const Layout& layout) {
  static PyObject* const zero = PyFloat_FromDouble(0.0);
  Owned view(as_object(make_view(array, offset, layout)));
  return view && assign(as_array(view.get()), zero);
}

PyObject* take_element_away(Array* array, Index offset) {
  if (!wait_ready(array->storage)) return nullptr;
  Owned taken(scalar_at(array->storage->data() + offset, array->kind));
  if (!taken) return nullptr;
  if (at_hand(array)) {
    std::memset(array->storage->data() + offset, 0, static_cast<std::size_t>(array->item()));
    array->storage->written();
    return taken.release();
  }
  return store_zeros(array, offset, Layout()) ? taken.release() : nullptr;
}

/// From the last element to the first, of those that share memory: the last has what is there, the others zero.
bool take_each_away(Array* array, Index offset, const Layout& layout, Array* out) {
  if (!wait_idle(array->storage)) return false;
  const auto item = static_cast<std::size_t>(array->item());
  Walk w;
  w.operands = 2;
  w.ndim = layout.ndim;
  for (int d = 0; d < layout.ndim; ++d) {
    w.shape[d] = layout.shape[d];
    w.strides[0][d] = out->layout.strides[d];
    w.strides[1][d] = layout.strides[d];
  }
  char* const bases[2] = {out->data(), array->storage->data() + offset};
  for (Index k = layout.size() - 1; k >= 0; --k) {
    th::walk(w, bases, k, k + 1, [item](char** pointers, Index, const std::intptr_t*) {
      std::memcpy(pointers[0], pointers[1], item);
      std::memset(pointers[1], 0, item);
    });
  }
  array->storage->written();
  return true;
}

PyObject* take_view_away(Array* array, Index offset, const Layout& layout) {
  const Index item = array->item(), size = layout.size();
  Owned made(as_object(make_array(array->kind, layout.ndim, layout.shape)));
  if (!made) return nullptr;
  Array* const out = as_array(made.get());
  if (overlaps_itself(layout, item)) return take_each_away(array, offset, layout, out) ? made.release() : nullptr;
  if (size && at_hand(array) && 2 * size * kCheap <= inline_limit) {
    try {
      out->data();
    } catch (const std::bad_alloc&) {
      return PyErr_NoMemory();
    }
    static const char nothing[16] = {};
    Walk w;
    w.operands = 2;
    w.ndim = layout.ndim;
    for (int d = 0; d < layout.ndim; ++d) {
      w.shape[d] = layout.shape[d];
      w.strides[0][d] = out->layout.strides[d];
      w.strides[1][d] = layout.strides[d];
    }
    w.coalesce();
    char* const source = array->storage->data() + offset;
    char* bases[2] = {out->data(), source};
    th::copy(w, bases, item, 0, size);
    for (int d = 0; d < w.ndim; ++d) w.strides[0][d] = std::exchange(w.strides[1][d], 0);
    bases[0] = source;
    bases[1] = const_cast<char*>(nothing);
    th::copy(w, bases, item, 0, size);
    array->storage->written();
    return made.release();
  }
  Owned view(as_object(make_view(array, offset, layout)));
  if (!view || !assign(out, view.get())) return nullptr;
  return store_zeros(array, offset, layout) ? made.release() : nullptr;
}

/// take_at(d, index): d[index], and zeros in its place.
PyObject* take_at(PyObject*, PyObject* const* args, Py_ssize_t count) {
  if (count != 2 || !is_array(args[0])) {
    PyErr_SetString(PyExc_TypeError, "take_at() takes an Array and an index");
    return nullptr;
  }
  Array* const array = as_array(args[0]);
  PyObject* const index = args[1];
  if (!check_writable(array)) return nullptr;
  Index offset;
  if (element_at(array, index, offset)) return take_element_away(array, offset);
  Selection made;
  bool whole = false;
  switch (select(array, index, made, whole)) {
    case Form::error: return nullptr;
    case Form::view:
      return whole ? take_element_away(array, made.offset) : take_view_away(array, made.offset, made.layout);
    case Form::other: break;
  }
  PyObject* const rows = take_rows_away(array, index);
  return rows || PyErr_Occurred() ? rows : take_away_on_host(array, index);
}

PyMethodDef functions[] = {
    {"take_at", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(take_at)), METH_FASTCALL,
     "take_at(d, index): a copy of d[index], and zeros in its place.\n\n"
     "Where the index repeats an element, the occurrence that a store with this index leaves there has its value,\n"
     "the others have zero."},
    {},
};

}  // namespace

bool make_index(PyObject* module) { return PyModule_AddFunctions(module, functions) == 0; }

Py_ssize_t length(PyObject* self) {
  const Layout& layout = as_array(self)->layout;
  if (layout.ndim) return layout.shape[0];
  PyErr_SetString(PyExc_TypeError, "len() of unsized object");
  return -1;
}

PyObject* item_at(PyObject* self, Py_ssize_t position) {
  Array* const array = as_array(self);
  const Layout& layout = array->layout;
  if (!layout.ndim) {
    PyErr_SetString(PyExc_IndexError, "too many indices for array: array is 0-dimensional, but 1 were indexed");
    return nullptr;
  }
  const Index size = layout.shape[0];
  const Index at = position < 0 ? position + size : position;
  if (at < 0 || at >= size) {
    PyErr_Format(PyExc_IndexError, "index %zd is out of bounds for axis 0 with size %lld", position,
                 static_cast<long long>(size));
    return nullptr;
  }
  const Index offset = array->offset + at * layout.strides[0];
  if (layout.ndim == 1) {
    if (!wait_ready(array->storage)) return nullptr;
    return scalar_at(array->storage->data() + offset, array->kind);
  }
  Layout row;
  row.ndim = layout.ndim - 1;
  for (int d = 0; d < row.ndim; ++d) {
    row.shape[d] = layout.shape[d + 1];
    row.strides[d] = layout.strides[d + 1];
  }
  return as_object(make_view(array, offset, row));
}

PyObject* get_item(PyObject* self, PyObject* index) {
  Array* const array = as_array(self);
  Index offset;
  if (element_at(array, index, offset)) {
    if (!wait_ready(array->storage)) return nullptr;
    return scalar_at(array->storage->data() + offset, array->kind);
  }
  if (PyLong_CheckExact(index) && array->layout.ndim) {
    const Py_ssize_t position = PyNumber_AsSsize_t(index, PyExc_IndexError);
    if (position == -1 && PyErr_Occurred()) return nullptr;
    return item_at(self, position);
  }
  Selection made;
  bool whole = false;
  switch (select(array, index, made, whole)) {
    case Form::error: return nullptr;
    case Form::view:
      if (whole) {
        if (!wait_ready(array->storage)) return nullptr;
        return scalar_at(array->storage->data() + made.offset, array->kind);
      }
      return as_object(make_view(array, made.offset, made.layout));
    case Form::other: break;
  }
  if (PyObject* const rows = take_rows(array, index)) return rows;
  if (PyErr_Occurred()) return nullptr;
  Owned view(to_numpy(array)), key(to_host(index));
  Owned found(view && key ? PyObject_GetItem(view.get(), key.get()) : nullptr);
  return found ? from_host(found.get()) : nullptr;
}

int set_item(PyObject* self, PyObject* index, PyObject* value) {
  Array* const array = as_array(self);
  if (!value) {
    PyErr_SetString(PyExc_ValueError, "cannot delete array elements");
    return -1;
  }
  Index offset;
  if (element_at(array, index, offset) && store_number(array, offset, value)) return 0;
  Selection made;
  bool whole = false;
  switch (select(array, index, made, whole)) {
    case Form::error: return -1;
    case Form::view: {
      // y[i] += z ends in storing a view where it is already.
      if (is_array(value) && same_view(as_array(value), array->storage, made.offset, array->kind, made.layout))
        return check_writable(array) ? 0 : -1;
      if (whole && is_sequence(value)) break;  // into a single element: NumPy says whether that can be
      Owned target(as_object(make_view(array, made.offset, made.layout)));
      return target && assign(as_array(target.get()), value) ? 0 : -1;
    }
    case Form::other: break;
  }
  if (!check_writable(array)) return -1;
  Owned view(to_numpy(array)), key(to_host(index)), stored(to_host(value));
  if (!view || !key || !stored) return -1;
  array->storage->written();
  return PyObject_SetItem(view.get(), key.get(), stored.get());
}

}  // namespace myia
