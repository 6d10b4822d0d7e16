// Rows chosen by an array of integers: taking, taking away, adding.

#include "array/array.hpp"
#include "array/tasks.hpp"
#include "th/gather.hpp"

namespace myia {

namespace {

bool rows_contiguous(const Array* array) {
  Layout row;
  row.ndim = array->layout.ndim - 1;
  for (int d = 0; d < row.ndim; ++d) {
    row.shape[d] = array->layout.shape[d + 1];
    row.strides[d] = array->layout.strides[d + 1];
  }
  return c_contiguous(row, array->item());
}

// -- taking ---------------------------------------------------------------------------------------------------

struct TakeTask final : Task {
  TakeTask(int parts, const Array* out, const Array* source, const Array* index, bool away)
      : Task(away ? "take_at" : "take", parts), out(out->storage), source(source->storage), index(index->storage),
        out_at(out->offset), source_at(source->offset), index_at(index->offset), rows(source->layout.shape[0]),
        row_bytes(source->item()), row_stride(source->layout.strides[0]), index_stride(index->layout.strides[0]),
        count(index->layout.shape[0]), away(away) {
    for (int d = 1; d < source->layout.ndim; ++d) row_bytes *= source->layout.shape[d];
  }
  void run(int part) override {
    Index begin, end;
    th::part_of(count, part, parts, begin, end);
    const auto* const chosen = reinterpret_cast<const Index*>(index->data() + index_at);
    char *const to = out->data() + out_at, *const from = source->data() + source_at;
    try {
      if (away) {
        th::take_away(to, from, rows, row_bytes, row_stride, chosen, index_stride, count);
      } else {
        th::take(to, from, rows, row_bytes, row_stride, chosen, index_stride, begin, end);
      }
    } catch (const std::out_of_range& error) {
      throw KernelError("IndexError", error.what());
    }
  }
  Storage *out, *source, *index;
  Index out_at, source_at, index_at, rows, row_bytes, row_stride, index_stride, count;
  bool away;
};

PyObject* take_rows(Array* source, PyObject* index_object, bool away) {
  Owned holder;
  if (PyArray_CheckExact(index_object) && PyArray_TYPE(reinterpret_cast<PyArrayObject*>(index_object)) == NPY_INT64) {
    holder = Owned(as_object(share(reinterpret_cast<PyArrayObject*>(index_object))));
    if (!holder) return nullptr;
    index_object = holder.get();
  }
  if (!is_array(index_object)) return nullptr;
  Array* index = as_array(index_object);
  if (index->kind != Kind::int64 || index->layout.ndim != 1 || !source->layout.ndim || !source->layout.shape[0] ||
      !rows_contiguous(source))
    return nullptr;
  if (away && (source->storage->borrowed() || index->storage == source->storage ||
               overlaps_itself(source->layout, source->item())))
    return nullptr;
  Index shape[th::kMaxDims];
  Index size = shape[0] = index->layout.shape[0];
  for (int d = 1; d < source->layout.ndim; ++d) size *= shape[d] = source->layout.shape[d];
  if (!size && shape[0]) return nullptr;  // rows of no elements: NumPy checks the indices
  Owned made(as_object(make_array(source->kind, source->layout.ndim, shape)));
  if (!made || !size) return made.release();
  Array* const out = as_array(made.get());
  const bool ready = (away ? source->storage->idle() : source->storage->ready()) && index->storage->ready();
  if (ready && !source->storage->failed() && !index->storage->failed() && size * kCheap <= inline_limit) {
    try {
      out->data();
      source->data();
      TakeTask(1, out, source, index, away).run(0);
    } catch (const KernelError& error) {
      PyErr_SetString(PyExc_IndexError, error.what());
      return nullptr;
    } catch (const std::bad_alloc&) {
      return PyErr_NoMemory();
    }
    if (away) source->storage->written();
    return made.release();
  }
  if (holder) {
    // The indices are the user's to change: what waits gets a copy.
    holder = Owned(as_object(copy_of(index)));
    if (!holder || !wait_ready(as_array(holder.get())->storage)) return nullptr;
    index = as_array(holder.get());
  }
  auto task = std::make_unique<TakeTask>(away ? 1 : parts_for(size, 2 * kCheap), out, source, index, away);
  const bool done = away ? submit(std::move(task), {source->storage, index->storage}, {source->storage, out->storage})
                         : submit(std::move(task), {source->storage, index->storage}, {out->storage});
  return done ? made.release() : nullptr;
}

// -- adding ---------------------------------------------------------------------------------------------------

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

PyMethodDef functions[] = {
    {"scatter_add", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(scatter_add)), METH_FASTCALL,
     "scatter_add(out, index, g): out[index] += g along the first axis, repeats adding up; False if it cannot."},
    {},
};

}  // namespace

PyObject* take_rows(Array* source, PyObject* index) { return take_rows(source, index, false); }

PyObject* take_rows_away(Array* source, PyObject* index) { return take_rows(source, index, true); }

bool make_gather(PyObject* module) { return PyModule_AddFunctions(module, functions) == 0; }

}  // namespace myia
