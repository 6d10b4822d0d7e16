// Indexing: views for integers, slices, None and Ellipsis; rows by an array of integers; the rest by NumPy.

#include "array/array.hpp"
#include "array/tasks.hpp"
#include "th/gather.hpp"

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

bool is_sequence(PyObject* value) {
  if (is_array(value)) return as_array(value)->layout.ndim > 0;
  if (PyArray_Check(value)) return PyArray_NDIM(reinterpret_cast<PyArrayObject*>(value)) > 0;
  return PyList_Check(value) || PyTuple_Check(value);
}

struct TakeTask final : Task {
  TakeTask(int parts, const Array* out, const Array* source, const Array* index)
      : Task("take", parts), out(out->storage), source(source->storage), index(index->storage), out_at(out->offset),
        source_at(source->offset), index_at(index->offset), rows(source->layout.shape[0]),
        row_bytes(source->item()), row_stride(source->layout.strides[0]), index_stride(index->layout.strides[0]),
        count(index->layout.shape[0]) {
    for (int d = 1; d < source->layout.ndim; ++d) row_bytes *= source->layout.shape[d];
  }
  void run(int part) override {
    Index begin, end;
    th::part_of(count, part, parts, begin, end);
    try {
      th::take(out->data() + out_at, source->data() + source_at, rows, row_bytes, row_stride,
               reinterpret_cast<const Index*>(index->data() + index_at), index_stride, begin, end);
    } catch (const std::out_of_range& error) {
      throw KernelError("IndexError", error.what());
    }
  }
  Storage *out, *source, *index;
  Index out_at, source_at, index_at, rows, row_bytes, row_stride, index_stride, count;
};

/// source[index] for one array of int64 along the first axis of contiguous rows; null without an exception
/// if it is not that case.
PyObject* take_rows(Array* source, PyObject* index_object) {
  Owned holder;
  if (!is_array(index_object)) {
    if (!PyArray_CheckExact(index_object)) return nullptr;
    // The indices are the user's to change: what waits gets a copy.
    if (PyArray_TYPE(reinterpret_cast<PyArrayObject*>(index_object)) != NPY_INT64) return nullptr;
    Array* const view = share(reinterpret_cast<PyArrayObject*>(index_object));
    if (!view) return nullptr;
    Owned shared(as_object(view));
    holder = Owned(as_object(copy_of(view)));
    if (!holder || !wait_ready(as_array(holder.get())->storage)) return nullptr;
    index_object = holder.get();
  }
  Array* const index = as_array(index_object);
  if (index->kind != Kind::int64 || index->layout.ndim != 1 || !source->layout.ndim || !source->layout.shape[0])
    return nullptr;
  Layout row = source->layout;
  for (int d = 1; d < row.ndim; ++d) {
    row.shape[d - 1] = source->layout.shape[d];
    row.strides[d - 1] = source->layout.strides[d];
  }
  --row.ndim;
  if (!c_contiguous(row, source->item())) return nullptr;
  Index shape[th::kMaxDims];
  shape[0] = index->layout.shape[0];
  Index size = shape[0];
  for (int d = 1; d < source->layout.ndim; ++d) size *= shape[d] = source->layout.shape[d];
  Owned made(as_object(make_array(source->kind, source->layout.ndim, shape)));
  if (!made) return nullptr;
  if (!size) return shape[0] ? nullptr : made.release();  // rows of no elements: NumPy checks the indices
  Array* const out = as_array(made.get());
  if (size * kCheap <= inline_limit && source->storage->ready() && index->storage->ready() && !source->storage->failed() &&
      !index->storage->failed()) {
    try {
      out->data();
      TakeTask(1, out, source, index).run(0);
    } catch (const KernelError& error) {
      PyErr_SetString(PyExc_IndexError, error.what());
      return nullptr;
    } catch (const std::bad_alloc&) {
      return PyErr_NoMemory();
    }
    return made.release();
  }
  if (!submit(std::make_unique<TakeTask>(parts_for(size, 2 * kCheap), out, source, index), {source->storage, index->storage},
              {out->storage}))
    return nullptr;
  return made.release();
}

struct ScatterTask final : Task {
  ScatterTask(const Array* out, const Array* g, const Array* index)
      : Task("scatter_add"), kind(out->kind), out(out->storage), g(g->storage), index(index->storage),
        out_at(out->offset), g_at(g->offset), index_at(index->offset), rows(out->layout.shape[0]),
        row_stride(out->layout.strides[0]), g_stride(g->layout.strides[0]), index_stride(index->layout.strides[0]),
        count(index->layout.shape[0]) {
    for (int d = 1; d < out->layout.ndim; ++d) row_items *= out->layout.shape[d];
  }
  void run(int) override {
    try {
      th::scatter_add(kind, out->data() + out_at, rows, row_items, row_stride, g->data() + g_at, g_stride,
                      reinterpret_cast<const Index*>(index->data() + index_at), index_stride, 0, count);
    } catch (const std::out_of_range& error) {
      throw KernelError("IndexError", error.what());
    }
  }
  Kind kind;
  Storage *out, *g, *index;
  Index out_at, g_at, index_at, rows, row_items = 1, row_stride, g_stride, index_stride, count;
};

bool rows_contiguous(const Array* array) {
  Layout row;
  row.ndim = array->layout.ndim - 1;
  for (int d = 0; d < row.ndim; ++d) {
    row.shape[d] = array->layout.shape[d + 1];
    row.strides[d] = array->layout.strides[d + 1];
  }
  return c_contiguous(row, array->item());
}

/// np.add.at(out, index, g) for one array of int64 along the first axis, repeats adding up. True if done here.
PyObject* scatter_add(PyObject*, PyObject* const* args, Py_ssize_t count) {
  if (count != 3 || !is_array(args[0]) || !is_array(args[1]) || !is_array(args[2])) Py_RETURN_FALSE;
  Array *const out = as_array(args[0]), *const index = as_array(args[1]), *const g = as_array(args[2]);
  bool fits = index->kind == Kind::int64 && index->layout.ndim == 1 && out->kind == g->kind &&
              th::can_scatter_add(out->kind) && out->layout.ndim && out->layout.ndim == g->layout.ndim &&
              g->layout.shape[0] == index->layout.shape[0] && rows_contiguous(out) && rows_contiguous(g) &&
              g->storage != out->storage && index->storage != out->storage && !out->storage->borrowed();
  for (int d = 1; fits && d < out->layout.ndim; ++d) fits = g->layout.shape[d] == out->layout.shape[d];
  if (!fits) Py_RETURN_FALSE;
  if (!check_writable(out)) return nullptr;
  if (!g->layout.size()) Py_RETURN_FALSE;
  const bool ready = out->storage->idle() && g->storage->ready() && index->storage->ready();
  const bool failed = out->storage->failed() || g->storage->failed() || index->storage->failed();
  if (ready && !failed && g->layout.size() * kCheap <= inline_limit) {
    try {
      out->data();
      ScatterTask(out, g, index).run(0);
      out->storage->written();
    } catch (const KernelError& error) {
      PyErr_SetString(PyExc_IndexError, error.what());
      return nullptr;
    } catch (const std::bad_alloc&) {
      return PyErr_NoMemory();
    }
    Py_RETURN_TRUE;
  }
  if (!submit(std::make_unique<ScatterTask>(out, g, index), {out->storage, g->storage, index->storage}, {out->storage}))
    return nullptr;
  Py_RETURN_TRUE;
}

// -- taking away --------------------------------------------------------------------------------------------

struct TakeAwayTask final : Task {
  TakeAwayTask(const Array* out, const Array* source, const Array* index)
      : Task("take_at"), out(out->storage), source(source->storage), index(index->storage), out_at(out->offset),
        source_at(source->offset), index_at(index->offset), rows(source->layout.shape[0]),
        row_bytes(source->item()), row_stride(source->layout.strides[0]), index_stride(index->layout.strides[0]),
        count(index->layout.shape[0]) {
    for (int d = 1; d < source->layout.ndim; ++d) row_bytes *= source->layout.shape[d];
  }
  void run(int) override {
    try {
      th::take_away(out->data() + out_at, source->data() + source_at, rows, row_bytes, row_stride,
                    reinterpret_cast<const Index*>(index->data() + index_at), index_stride, count);
    } catch (const std::out_of_range& error) {
      throw KernelError("IndexError", error.what());
    }
  }
  Storage *out, *source, *index;
  Index out_at, source_at, index_at, rows, row_bytes, row_stride, index_stride, count;
};

/// For one array of int64 along the first axis of contiguous rows; null without an exception if it is not that.
PyObject* take_rows_away(Array* source, PyObject* index_object) {
  Owned holder;
  if (PyArray_CheckExact(index_object) && PyArray_TYPE(reinterpret_cast<PyArrayObject*>(index_object)) == NPY_INT64) {
    holder = Owned(as_object(share(reinterpret_cast<PyArrayObject*>(index_object))));
    if (!holder) return nullptr;
    index_object = holder.get();
  }
  if (!is_array(index_object)) return nullptr;
  Array* index = as_array(index_object);
  if (index->kind != Kind::int64 || index->layout.ndim != 1 || !source->layout.ndim || !source->layout.size() ||
      !index->layout.size() || !rows_contiguous(source) || overlaps_itself(source->layout, source->item()) ||
      source->storage->borrowed() || index->storage == source->storage)
    return nullptr;
  Index shape[th::kMaxDims];
  Index size = shape[0] = index->layout.shape[0];
  for (int d = 1; d < source->layout.ndim; ++d) size *= shape[d] = source->layout.shape[d];
  Owned made(as_object(make_array(source->kind, source->layout.ndim, shape)));
  if (!made) return nullptr;
  Array* const out = as_array(made.get());
  const bool ready = source->storage->idle() && index->storage->ready();
  if (ready && !source->storage->failed() && !index->storage->failed() && size * kCheap <= inline_limit) {
    try {
      out->data();
      source->data();
      TakeAwayTask(out, source, index).run(0);
    } catch (const KernelError& error) {
      PyErr_SetString(PyExc_IndexError, error.what());
      return nullptr;
    } catch (const std::bad_alloc&) {
      return PyErr_NoMemory();
    }
    source->storage->written();
    return made.release();
  }
  if (holder) {
    // The indices are the user's to change: what waits gets a copy.
    holder = Owned(as_object(copy_of(index)));
    if (!holder || !wait_ready(as_array(holder.get())->storage)) return nullptr;
    index = as_array(holder.get());
  }
  if (!submit(std::make_unique<TakeAwayTask>(out, source, index), {source->storage, index->storage},
              {source->storage, out->storage}))
    return nullptr;
  return made.release();
}

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

/// take_at(d, index): d[index], and zeros in its place.
PyObject* take_at(PyObject*, PyObject* const* args, Py_ssize_t count) {
  if (count != 2 || !is_array(args[0])) {
    PyErr_SetString(PyExc_TypeError, "take_at() takes an Array and an index");
    return nullptr;
  }
  Array* const array = as_array(args[0]);
  PyObject* const index = args[1];
  if (!check_writable(array)) return nullptr;
  Selection made;
  bool whole = false;
  switch (select(array, index, made, whole)) {
    case Form::error: return nullptr;
    case Form::view: {
      static PyObject* const zero = PyFloat_FromDouble(0.0);
      Owned view(as_object(make_view(array, made.offset, made.layout)));
      if (!view) return nullptr;
      if (whole && !wait_ready(array->storage)) return nullptr;
      Owned taken(whole ? scalar_at(array->storage->data() + made.offset, array->kind)
                        : as_object(copy_of(as_array(view.get()))));
      return taken && assign(as_array(view.get()), zero) ? taken.release() : nullptr;
    }
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
    {"scatter_add", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(scatter_add)), METH_FASTCALL,
     "scatter_add(out, index, g): out[index] += g along the first axis, repeats adding up; False if it cannot."},
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
  Selection made;
  bool whole = false;
  switch (select(array, index, made, whole)) {
    case Form::error: return -1;
    case Form::view: {
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
