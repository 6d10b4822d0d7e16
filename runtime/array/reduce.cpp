// Reductions through the ufuncs' own inner loops, in NumPy's order of summation, bit for bit.

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>

#include "array/array.hpp"
#include "array/operators.hpp"
#include "array/tasks.hpp"
#include "th/copy.hpp"

namespace myia {

namespace {

using th::Loop;

/// Which axes a call reduces, as flags; false without an exception for what the host must judge.
bool read_axes(PyObject* axis, int ndim, bool* reduced) {
  for (int d = 0; d < ndim; ++d) reduced[d] = axis == Py_None;
  if (axis == Py_None) return true;
  PyObject* const* items = &axis;
  Py_ssize_t count = 1;
  if (PyTuple_CheckExact(axis)) {
    items = &PyTuple_GET_ITEM(axis, 0);
    count = PyTuple_GET_SIZE(axis);
  }
  for (Py_ssize_t k = 0; k < count; ++k) {
    if (!PyLong_CheckExact(items[k])) return false;
    long d = PyLong_AsLong(items[k]);
    if (d == -1 && PyErr_Occurred()) return PyErr_Clear(), false;
    if (d < 0) d += ndim;
    if (d < 0 || d >= ndim || reduced[d]) return false;
    reduced[d] = true;
  }
  return true;
}

enum class Start { identity, first };

struct Reduction {
  Operator* op;
  Start start;
  double identity;
};

/// What NumPy's sums start from: 0.0 in some versions, in others -0.0, which leaves a sum of negative zeros as
/// it is.
double sum_identity = 0.0;

void ask_for_sum_identity() {
  Owned found(PyObject_CallMethod(numpy(), "sum", "([d])", -0.0));
  if (found) sum_identity = PyFloat_AsDouble(found.get());
  PyErr_Clear();
}

template <class T>
void store(char* at, double value) {
  const T converted = static_cast<T>(value);
  std::memcpy(at, &converted, sizeof converted);
}

void store_identity(char* at, Kind kind, double value) {
  switch (kind) {
    case Kind::float32: store<float>(at, value); break;
    case Kind::float64: store<double>(at, value); break;
    case Kind::int64: store<std::int64_t>(at, value); break;
    case Kind::uint64: store<std::uint64_t>(at, value); break;
    case Kind::complex64:
      store<float>(at, value);
      store<float>(at + 4, value == 1.0 ? 0.0 : value);
      break;
    case Kind::complex128:
      store<double>(at, value);
      store<double>(at + 8, value == 1.0 ? 0.0 : value);
      break;
    default: break;
  }
}

/// Whether NumPy's iterator copies operands without one stride for all into its buffer, as it does since 2.3: then
/// sums are taken over what is in the buffer, not over the runs of the innermost axis.
bool numpy_buffers = false;

void ask_for_buffers() {
  Owned base(PyObject_CallMethod(numpy(), "array", "([[dddd][dddd]])", 1e16, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0));
  Owned back(PySlice_New(nullptr, nullptr, nullptr)), three(PyLong_FromLong(3));
  Owned up_to(PySlice_New(nullptr, three.get(), nullptr));
  Owned key(PyTuple_Pack(2, back.get(), up_to.get()));
  Owned view(base && key ? PyObject_GetItem(base.get(), key.get()) : nullptr);
  Owned sum(view ? PyObject_CallMethod(view.get(), "sum", nullptr) : nullptr);
  const double value = sum ? PyFloat_AsDouble(sum.get()) : 0.0;
  PyErr_Clear();
  numpy_buffers = value == 1e16;  // by rows, it is 1e16 + (1 + 1)
}

/// The elements of that buffer.
constexpr Index kNumpyBuffer = 8192;

/// The walk of a reduction: operand 0 the result (stride 0 along reduced axes), operand 1 the source.
class ReduceTask final : public Task {
 public:
  ReduceTask(const char* name, int parts, const Walk& walk, const Array* out, const Array* in, Loop loop, void* data,
             int split, Start start, double identity, double divisor, int wanted)
      : Task(name, parts), walk_(walk), out_(out->storage), in_(in->storage), out_at_(out->offset),
        in_at_(in->offset), loop_(loop), data_(data), split_(split), kind_(out->kind), start_(start),
        identity_(identity), divisor_(divisor), wanted_(wanted) {}

  void run(int part) override {
    Walk w = walk_;
    char* out = out_->data() + out_at_;
    char* in = in_->data() + in_at_;
    status::clear();
    if (split_ >= 0) {  // along an axis that is kept
      Index begin, end;
      th::part_of(w.shape[split_], part, parts, begin, end);
      if (begin == end) return;
      out += begin * w.strides[0][split_];
      in += begin * w.strides[1][split_];
      w.shape[split_] = end - begin;
    }
    whole(w, out, in);
    if (const int flags = status::raised() & wanted_) status::note(flags, "reduce", wanted_);
  }

  void whole(const Walk& w, char* out, char* in) const {
    initialise(w, out, in);
    if (!buffered(w, out, in)) unbuffered(w, out, in);
    if (divisor_ != 0.0) divide(w, out);
  }

 private:
  void unbuffered(const Walk& w, char* out, char* in) const {
    char* const bases[2] = {out, in};
    th::walk(w, bases, 0, w.size(), [this](char** pointers, Index count, const std::intptr_t* strides) {
      char* ordered[3] = {pointers[0], pointers[1], pointers[0]};
      const npy_intp steps[3] = {strides[0], strides[1], strides[0]};
      const npy_intp n = count;
      loop_(ordered, &n, steps, data_);
    });
  }

  /// Sums as NumPy's iterator takes them if several reduced axes lie innermost and have no common stride: it
  /// copies as many of them as fit into its buffer (npyiter_find_buffering_setup in nditer_constr.c), in whole
  /// multiples of the inner ones. False if it would not copy.
  bool buffered(const Walk& w, char* out, char* in) const {
    int inner = 0;
    while (inner < w.ndim && reduced(w, w.ndim - 1 - inner)) ++inner;
    if (!buffers_ || inner < 2 || 2 * w.shape[w.ndim - 1] > kNumpyBuffer) return false;
    Index core = w.shape[w.ndim - 1], block = core;
    int taken = 1;
    while (taken < inner && block < kNumpyBuffer) {
      core = block;
      block *= w.shape[w.ndim - 1 - taken++];
    }
    const Index fill = block <= kNumpyBuffer ? block : core * (kNumpyBuffer / core);
    const Index item = th::item_size(kind_);
    Walk within, around;  // the axes of a block, and the others
    within.operands = around.operands = 2;
    within.ndim = taken;
    around.ndim = w.ndim - taken;
    for (int d = 0; d < w.ndim; ++d) {
      Walk& to = d < around.ndim ? around : within;
      const int at = d < around.ndim ? d : d - around.ndim;
      to.shape[at] = w.shape[d];
      for (int k = 0; k < 2; ++k) to.strides[k][at] = w.strides[k][d];
    }
    Index step = item;
    for (int d = taken - 1; d >= 0; --d) {
      within.strides[0][d] = step;
      step *= within.shape[d];
    }
    const std::unique_ptr<char[]> buffer(new char[static_cast<std::size_t>(fill * item)]);
    char* const bases[2] = {out, in};
    th::walk(around, bases, 0, around.size(), [&](char** pointers, Index count, const std::intptr_t* strides) {
      for (Index k = 0; k < count; ++k) {
        char* const into = pointers[0] + k * strides[0];
        for (Index begin = 0; begin < block; begin += fill) {
          const Index end = std::min(begin + fill, block);
          char* const copied[2] = {buffer.get() - begin * item, pointers[1] + k * strides[1]};
          th::copy(within, copied, item, begin, end);
          char* ordered[3] = {into, buffer.get(), into};
          const npy_intp steps[3] = {0, static_cast<npy_intp>(item), 0}, n = end - begin;
          loop_(ordered, &n, steps, data_);
        }
      }
    });
    return true;
  }

  /// The result's elements once each.
  template <class Each>
  void each(const Walk& w, char* out, char* in, Each&& use) const {
    Walk kept;
    kept.operands = 2;
    for (int d = 0; d < w.ndim; ++d) {
      if (!reduced(w, d)) {
        kept.shape[kept.ndim] = w.shape[d];
        kept.strides[0][kept.ndim] = w.strides[0][d];
        kept.strides[1][kept.ndim++] = w.strides[1][d];
      }
    }
    char* const bases[2] = {out, in};
    th::walk(kept, bases, 0, kept.size(), [&](char** pointers, Index count, const std::intptr_t* strides) {
      for (Index k = 0; k < count; ++k) use(pointers[0] + k * strides[0], pointers[1] + k * strides[1]);
    });
  }
  static bool reduced(const Walk& w, int d) { return w.strides[0][d] == 0; }

  void initialise(const Walk& w, char* out, char* in) const {
    const auto item = static_cast<std::size_t>(th::item_size(kind_));
    if (start_ == Start::first) {
      each(w, out, in, [item](char* to, const char* from) { std::memcpy(to, from, item); });
    } else {
      alignas(16) char value[16] = {};
      store_identity(value, kind_, identity_);
      each(w, out, in, [&value, item](char* to, const char*) { std::memcpy(to, value, item); });
    }
  }
  void divide(const Walk& w, char* out) const {
    if (kind_ == Kind::float64) {
      each(w, out, out, [this](char* to, const char*) { *reinterpret_cast<double*>(to) /= divisor_; });
    } else {
      const auto divisor = static_cast<float>(divisor_);
      each(w, out, out, [divisor](char* to, const char*) { *reinterpret_cast<float*>(to) /= divisor; });
    }
  }

  Walk walk_;
  Storage *out_, *in_;
  Index out_at_, in_at_;
  Loop loop_;
  void* data_;
  int split_;
  Kind kind_;
  Start start_;
  double identity_, divisor_;
  int wanted_;
  bool buffers_ = numpy_buffers;  // asked here, where the GIL is held
};

/// NumPy's pairwise summation of a long contiguous run halves it at a multiple of 8 until 128 are left
/// (umath/loops_utils.h.src); so the halves can be summed by two workers with the same rounding.
class PairTask final : public Task {
 public:
  static constexpr Index kLeast = 129;  ///< what is shorter is not halved
  PairTask(const Array* out, const Array* in, Index count, Loop loop, void* data, double identity, int wanted)
      : Task("sum", 2), out_(out->storage), in_(in->storage), out_at_(out->offset), in_at_(in->offset), count_(count),
        loop_(loop), data_(data), kind_(in->kind), identity_(identity), wanted_(wanted) {}
  void run(int part) override {
    status::clear();
    const Index item = th::item_size(kind_);
    Index half = count_ / 2;
    half -= half % 8;
    char* const in = in_->data() + in_at_ + (part ? half * item : 0);
    npy_intp count = part ? count_ - half : half;
    char* const into = reinterpret_cast<char*>(halves_[part]);
    store_identity(into, kind_, -0.0);
    char* pointers[3] = {into, in, into};
    const npy_intp steps[3] = {0, static_cast<npy_intp>(item), 0};
    loop_(pointers, &count, steps, data_);
    if (finished_.fetch_add(1) == 1) add();
    if (const int flags = status::raised() & wanted_) status::note(flags, "reduce", wanted_);
  }

 private:
  void add() {
    char* const out = out_->data() + out_at_;
    if (kind_ == Kind::float64) {
      *reinterpret_cast<double*>(out) = identity_ + (halves_[0][0] + halves_[1][0]);
    } else {
      float first, second;
      std::memcpy(&first, halves_[0], sizeof first);
      std::memcpy(&second, halves_[1], sizeof second);
      *reinterpret_cast<float*>(out) = static_cast<float>(identity_) + (first + second);
    }
  }
  Storage *out_, *in_;
  Index out_at_, in_at_, count_;
  Loop loop_;
  void* data_;
  Kind kind_;
  double identity_;
  int wanted_;
  double halves_[2][8] = {};  // apart, so that the workers do not share a cache line
  std::atomic<int> finished_{0};
};

/// Null without an exception: the host must do it.
PyObject* reduce(Array* in, PyObject* axis, bool keepdims, const Reduction& how, bool mean) {
  const int ndim = in->layout.ndim;
  bool reduced[th::kMaxDims] = {};
  if (!ndim || !read_axes(axis, ndim, reduced)) return nullptr;
  Loop loop;
  void* data;
  {
    PyUFuncGenericFunction found;
    if (!find_loop(how.op, in->kind, found, data)) return nullptr;
    loop = reinterpret_cast<Loop>(found);
  }
  Walk w;
  w.operands = 2;
  w.ndim = ndim;
  Layout result;
  Index count = 1;
  for (int d = 0; d < ndim; ++d) {
    w.shape[d] = in->layout.shape[d];
    w.strides[1][d] = in->layout.strides[d];
    if (reduced[d]) {
      count *= w.shape[d];
      if (keepdims) result.shape[result.ndim++] = 1;
    } else {
      result.shape[result.ndim++] = w.shape[d];
    }
  }
  const Index size = in->layout.size();
  if (!size || (mean && !count)) return nullptr;
  // The result's axes follow the operand's, as those of NumPy's iterator.
  Layout full;
  full.ndim = ndim;
  for (int d = 0; d < ndim; ++d) full.shape[d] = reduced[d] ? 1 : w.shape[d];
  const Layout* const layouts[1] = {&in->layout};
  set_k_strides(full, in->item(), layouts, 1);
  for (int d = 0, r = 0; d < ndim; ++d) {
    w.strides[0][d] = reduced[d] ? 0 : full.strides[d];
    if (!reduced[d] || keepdims) result.strides[r++] = full.strides[d];
  }
  // A kept axis of size 1 has a stride, so that only reduced axes have none; coalesce() drops it anyway.
  Owned made(as_object(make_array(in->kind, result, size / count * in->item())));
  if (!made) return nullptr;
  Array* const out = as_array(made.get());
  w.coalesce();
  const char* const name = mean ? "mean" : operator_name(how.op);
  const double divisor = mean ? static_cast<double>(count) : 0.0;
  const bool ready = in->storage->ready() && !in->storage->failed();
  const int cost = is_float(in->kind) ? kCheap : 2 * kCheap;
  if (ready && size * cost <= inline_limit) {
    try {
      const ReduceTask task(name, 1, w, out, in, loop, data, -1, how.start, how.identity, divisor, 0);
      char* const into = out->data();
      status::clear();
      task.whole(w, into, in->data());
    } catch (const std::bad_alloc&) {
      return PyErr_NoMemory();
    }
    const int flags = status::raised();
    if (flags && !status::report(flags, "reduce")) return nullptr;
  } else {
    const bool pair = w.ndim == 1 && w.strides[0][0] == 0 && w.strides[1][0] == in->item() && !mean &&
                      is_float(in->kind) && how.identity == 0.0 && how.start == Start::identity &&
                      size >= std::max(PairTask::kLeast, 2 * split_size / kCheap);
    std::unique_ptr<Task> task;
    if (pair) {
      task = std::make_unique<PairTask>(out, in, size, loop, data, how.identity, status::wanted());
    } else {
      int split = -1;
      for (int d = 0; d < w.ndim; ++d)
        if (w.strides[0][d] != 0 && (split < 0 || w.shape[d] > w.shape[split])) split = d;
      // Rows of 64 go to a part at least, or the parts would be empty.
      int parts = split < 0 ? 1 : parts_for(size, cost);
      if (split >= 0) parts = static_cast<int>(std::min<Index>(parts, (w.shape[split] + 63) / 64));
      task = std::make_unique<ReduceTask>(name, parts, w, out, in, loop, data, parts > 1 ? split : -1, how.start,
                                          how.identity, divisor, status::wanted());
    }
    if (!submit(std::move(task), {in->storage}, {out->storage})) return nullptr;
    if (status::raises() && !wait_ready(out->storage)) return nullptr;
  }
  if (result.ndim) return made.release();
  if (!wait_ready(out->storage)) return nullptr;
  return scalar_at(out->data(), out->kind);
}

/// The parameters that np.sum and its like share, as far as the kernels know them.
struct Call {
  PyObject* a = nullptr;
  PyObject* axis = Py_None;
  bool keepdims = false;
};

/// False: there is something that the host must look at.
bool read_call(PyObject* const* args, Py_ssize_t count, PyObject* names, Call& call) {
  if (count < 1 || count > 2) return false;
  call.a = args[0];
  if (count == 2) call.axis = args[1];
  const Py_ssize_t named = names ? PyTuple_GET_SIZE(names) : 0;
  for (Py_ssize_t k = 0; k < named; ++k) {
    PyObject* const name = PyTuple_GET_ITEM(names, k);
    PyObject* const value = args[count + k];
    if (PyUnicode_CompareWithASCIIString(name, "axis") == 0 && count == 1) {
      call.axis = value;
    } else if (PyUnicode_CompareWithASCIIString(name, "keepdims") == 0 && (PyBool_Check(value))) {
      call.keepdims = value == Py_True;
    } else if (!((PyUnicode_CompareWithASCIIString(name, "dtype") == 0 ||
                  PyUnicode_CompareWithASCIIString(name, "out") == 0) &&
                 value == Py_None)) {
      return false;
    }
  }
  return true;
}

bool sums(Kind kind) {
  return is_float(kind) || is_complex(kind) || kind == Kind::int64 || kind == Kind::uint64;
}

template <class Allowed>
PyObject* reduction(PyObject* const* args, Py_ssize_t count, PyObject* names, const char* ufunc, Start start,
                    double identity, bool mean, const char* numpy_name, Allowed allowed) {
  Call call;
  if (read_call(args, count, names, call)) {
    Owned shared;
    Array* array = nullptr;
    if (is_array(call.a)) {
      array = as_array(call.a);
    } else if (PyArray_CheckExact(call.a)) {
      shared = Owned(as_object(share(reinterpret_cast<PyArrayObject*>(call.a))));
      if (PyErr_Occurred()) return nullptr;
      if (shared) array = as_array(shared.get());
    }
    if (array && allowed(array->kind)) {
      PyObject* const made =
          reduce(array, call.axis, call.keepdims, {find_operator(ufunc), start, identity}, mean);
      if (made && shared && is_array(made) && !wait_ready(as_array(made)->storage)) {
        Py_DECREF(made);
        return nullptr;
      }
      if (made || PyErr_Occurred()) return made;
    }
  }
  Owned function(PyObject_GetAttrString(numpy(), numpy_name));
  return function ? call_host(function.get(), args, count, names) : nullptr;
}

#define MYIA_REDUCTION(function, ufunc, start, identity, mean, name, allowed)                             \
  PyObject* function(PyObject*, PyObject* const* args, Py_ssize_t count, PyObject* names) {               \
    return reduction(args, count, names, ufunc, start, identity, mean, name, allowed);                    \
  }                                                                                                       \
  PyObject* function##_method(PyObject* self, PyObject* const* args, Py_ssize_t count, PyObject* names) { \
    return with_self(function, self, args, count, names);                                                 \
  }

using Function = PyObject* (*)(PyObject*, PyObject* const*, Py_ssize_t, PyObject*);
PyObject* with_self(Function function, PyObject* self, PyObject* const* args, Py_ssize_t count, PyObject* names) {
  const Py_ssize_t named = names ? PyTuple_GET_SIZE(names) : 0;
  if (count + named > 7) {
    PyErr_SetString(PyExc_TypeError, "too many arguments");
    return nullptr;
  }
  PyObject* all[8] = {self};
  std::copy_n(args, count + named, all + 1);
  return function(nullptr, all, count + 1, names);
}

bool real(Kind kind) { return is_float(kind) || is_integer(kind); }

MYIA_REDUCTION(sum, "add", Start::identity, sum_identity, false, "sum", sums)
MYIA_REDUCTION(prod, "multiply", Start::identity, 1.0, false, "prod", sums)
MYIA_REDUCTION(max, "maximum", Start::first, 0.0, false, "max", real)
MYIA_REDUCTION(min, "minimum", Start::first, 0.0, false, "min", real)
MYIA_REDUCTION(mean, "add", Start::identity, sum_identity, true, "mean", is_float)

#define MYIA_METHOD(function, text) \
  {#function, reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(function)), METH_FASTCALL | METH_KEYWORDS, text}

PyMethodDef functions[] = {
    MYIA_METHOD(sum, "numpy.sum, on Arrays by the workers."),
    MYIA_METHOD(prod, "numpy.prod, on Arrays by the workers."),
    MYIA_METHOD(max, "numpy.max, on Arrays by the workers."),
    MYIA_METHOD(min, "numpy.min, on Arrays by the workers."),
    MYIA_METHOD(mean, "numpy.mean, on Arrays by the workers."),
    {},
};

}  // namespace

#define MYIA_BOUND(function)                                                                             \
  {#function, reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(function##_method)),                 \
   METH_FASTCALL | METH_KEYWORDS, "As numpy.ndarray." #function "."}

PyMethodDef reduction_methods[] = {MYIA_BOUND(sum), MYIA_BOUND(prod), MYIA_BOUND(max), MYIA_BOUND(min),
                                   MYIA_BOUND(mean), {}};

bool make_reductions(PyObject* module) {
  // Asked now, by the only thread there is: the answers are needed where no Python may run.
  ask_for_sum_identity();
  ask_for_buffers();
  return PyModule_AddFunctions(module, functions) == 0;
}

double identity_of_sums() { return sum_identity; }

PyObject* sum_of_all(Array* array) {
  PyObject* const object = as_object(array);
  return sum(nullptr, &object, 1, nullptr);
}

/// Sums an array over the axes along which a shape was broadcast to it; the array itself if there are none.
/// Null without an exception: the host must do it.
PyObject* sum_to_shape(Array* g, const Index* shape, int ndim) {
  const int lead = g->layout.ndim - ndim;
  if (lead < 0) return nullptr;
  bool same = lead == 0;
  for (int d = 0; d < ndim; ++d) {
    if (shape[d] == g->layout.shape[lead + d]) continue;
    if (shape[d] != 1) return nullptr;
    same = false;
  }
  if (same) return Py_NewRef(as_object(g));
  if (!ndim || !sums(g->kind)) return nullptr;
  PyObject* axes[th::kMaxDims];
  int count = 0;
  for (int d = 0; d < g->layout.ndim; ++d)
    if (d < lead || (shape[d - lead] == 1 && g->layout.shape[d] != 1)) axes[count++] = PyLong_FromLong(d);
  Owned axis(PyTuple_New(count));
  if (!axis) return nullptr;
  for (int k = 0; k < count; ++k) PyTuple_SET_ITEM(axis.get(), k, axes[k]);
  Owned summed(reduce(g, axis.get(), true, {find_operator("add"), Start::identity, sum_identity}, false));
  if (!summed || !is_array(summed.get())) return nullptr;
  Array* const full = as_array(summed.get());
  Layout layout;
  layout.ndim = ndim;
  for (int d = 0; d < ndim; ++d) {
    layout.shape[d] = shape[d];
    layout.strides[d] = full->layout.strides[lead + d];
  }
  return as_object(make_view(full, full->offset, layout));
}

}  // namespace myia
