// Cumulative sums and products along an axis, through NumPy's inner loops: the same additions in the same order.

#include <algorithm>

#include "array/array.hpp"
#include "array/operators.hpp"
#include "th/cumulative.hpp"

namespace myia {

namespace {

/// The lanes of an array in C order: `outer` blocks of `inner` lanes, whose elements lie `inner` apart.
struct Lanes {
  Index outer = 1, count = 1, inner = 1;
};

class CumulateTask final : public Task {
 public:
  CumulateTask(const char* name, int parts, const Array* out, const Array* in, const Lanes& lanes, th::Loop loop,
               void* data, int wanted)
      : Task(name, parts), out_(out->storage), in_(in->storage), out_at_(out->offset), in_at_(in->offset),
        item_(in->item()), lanes_(lanes), loop_(loop), data_(data), wanted_(wanted) {}

  void run(int part) override {
    char* const out = out_->data() + out_at_;
    const char* const in = in_->data() + in_at_;
    const Index all = lanes_.outer * lanes_.inner, step = (all + parts - 1) / parts;
    const Index stride = lanes_.inner * item_;
    status::clear();
    for (Index lane = std::min(all, step * part); lane < std::min(all, step * (part + 1)); ++lane) {
      const Index at = (lane / lanes_.inner * lanes_.count * lanes_.inner + lane % lanes_.inner) * item_;
      th::cumulate(loop_, data_, out + at, stride, in + at, stride, lanes_.count, item_);
    }
    if (const int flags = status::raised() & wanted_) status::note(flags, name, wanted_);
  }

 private:
  Storage *out_, *in_;
  Index out_at_, in_at_, item_;
  Lanes lanes_;
  th::Loop loop_;
  void* data_;
  int wanted_;
};

/// Null without an exception: the host must do it.
PyObject* cumulate(Array* in, PyObject* axis, const char* ufunc) {
  const bool sums = is_float(in->kind) || is_complex(in->kind) || in->kind == Kind::int64 || in->kind == Kind::uint64;
  const int ndim = in->layout.ndim;
  if (!sums || !ndim || !c_contiguous(in->layout, in->item())) return nullptr;
  PyUFuncGenericFunction loop;
  void* data;
  if (!find_loop(find_operator(ufunc), in->kind, loop, data)) return nullptr;
  Lanes lanes;
  const Index size = in->layout.size();
  Index shape[th::kMaxDims];
  int out_ndim = ndim;
  if (axis == Py_None) {
    shape[0] = lanes.count = size;
    out_ndim = 1;
  } else {
    if (!PyLong_CheckExact(axis)) return nullptr;
    long along = PyLong_AsLong(axis);
    if (along == -1 && PyErr_Occurred()) return PyErr_Clear(), nullptr;
    if (along < 0) along += ndim;
    if (along < 0 || along >= ndim) return nullptr;
    for (int d = 0; d < ndim; ++d) {
      shape[d] = in->layout.shape[d];
      (d < along ? lanes.outer : d > along ? lanes.inner : lanes.count) *= shape[d];
    }
  }
  if (!size) return nullptr;
  Owned made(as_object(make_array(in->kind, out_ndim, shape)));
  if (!made) return nullptr;
  Array* const out = as_array(made.get());
  const Index lane_count = lanes.outer * lanes.inner;
  if (size * kCheap <= inline_limit && in->storage->ready() && !in->storage->failed()) {
    try {
      out->data();
      CumulateTask task("accumulate", 1, out, in, lanes, reinterpret_cast<th::Loop>(loop), data, 0);
      task.run(0);
    } catch (const std::bad_alloc&) {
      return PyErr_NoMemory();
    }
    const int flags = status::raised();
    return flags && !status::report(flags, "accumulate") ? nullptr : made.release();
  }
  const int parts = static_cast<int>(std::min<Index>(lane_count, parts_for(size, 2 * kCheap)));
  if (!submit(std::make_unique<CumulateTask>("accumulate", std::max(parts, 1), out, in, lanes,
                                             reinterpret_cast<th::Loop>(loop), data, status::wanted()),
              {in->storage}, {out->storage}))
    return nullptr;
  if (status::raises() && !wait_ready(out->storage)) return nullptr;
  return made.release();
}

PyObject* call(PyObject* const* args, Py_ssize_t count, PyObject* names, const char* ufunc, const char* function) {
  const Py_ssize_t named = names ? PyTuple_GET_SIZE(names) : 0;
  const bool axis_named = named == 1 && PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(names, 0), "axis") == 0;
  if (count >= 1 && is_array(args[0]) && ((count <= 2 && !named) || (count == 1 && axis_named))) {
    PyObject* const made = cumulate(as_array(args[0]), count + named > 1 ? args[1] : Py_None, ufunc);
    if (made || PyErr_Occurred()) return made;
  }
  Owned host(PyObject_GetAttrString(numpy(), function));
  return host ? call_host(host.get(), args, count, names) : nullptr;
}

PyObject* cumsum(PyObject*, PyObject* const* args, Py_ssize_t count, PyObject* names) {
  return call(args, count, names, "add", "cumsum");
}
PyObject* cumprod(PyObject*, PyObject* const* args, Py_ssize_t count, PyObject* names) {
  return call(args, count, names, "multiply", "cumprod");
}

PyMethodDef functions[] = {
    {"cumsum", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(cumsum)), METH_FASTCALL | METH_KEYWORDS,
     "numpy.cumsum, on Arrays by the workers."},
    {"cumprod", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(cumprod)), METH_FASTCALL | METH_KEYWORDS,
     "numpy.cumprod, on Arrays by the workers."},
    {},
};

}  // namespace

bool make_cumulative(PyObject* module) { return PyModule_AddFunctions(module, functions) == 0; }

}  // namespace myia
