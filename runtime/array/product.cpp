// Matrix products: on a BLAS of our own, one thread a call, split by the dispatcher; small ones of which
// NumPy's own loop gives the bits through that loop; the rest on the host.

#include <cstring>

#include "array/array.hpp"
#include "array/operators.hpp"
#include "array/product.hpp"
#include "array/reuse.hpp"
#include "th/blas.hpp"
#include "th/product.hpp"

namespace myia {

namespace {

/// Multiply-adds below which OpenBLAS works in the calling thread, in NumPy's copy as in ours: there NumPy's
/// own loop serves, so that the bits are NumPy's.
constexpr Index kNumpyLoop = Index{1} << 18;
/// The same for products with a vector: OpenBLAS splits gemv from 2304 * 4 elements on.
constexpr Index kNumpyVectorLoop = 9216;
/// Multiply-adds in the time of a unit of work: up to `inline_limit` units, the caller does them himself.
constexpr Index kAUnit = 4;

struct Loops {
  PyUFuncGenericFunction loop[th::kKinds] = {};
  void* data[th::kKinds] = {};
};

const Loops& matmul_loops() {
  static const Loops loops = [] {
    Loops found;
    Owned object(PyObject_GetAttrString(numpy(), "matmul"));
    auto* const ufunc = reinterpret_cast<PyUFuncObject*>(object.get());
    if (!ufunc || !PyObject_TypeCheck(object.get(), &PyUFunc_Type)) return found;
    for (int k = 0; k < ufunc->ntypes; ++k) {
      const auto* const types = reinterpret_cast<const unsigned char*>(ufunc->types) + 3 * k;
      Kind kind;
      if (!kind_of(types[0], kind) || types[1] != types[0] || types[2] != types[0]) continue;
      found.loop[static_cast<int>(kind)] = ufunc->functions[k];
      found.data[static_cast<int>(kind)] = ufunc->data ? const_cast<void*>(static_cast<const void*>(ufunc->data[k])) : nullptr;
    }
    return found;
  }();
  return loops;
}

class ProductTask final : public Task {
 public:
  ProductTask(int parts, Kind kind, const Array* out, const Array* a, const Array* b, const Product& product,
              bool accumulate)
      : Task("matmul", parts), kind_(kind), out_(out->storage), a_(a->storage), b_(b->storage), out_at_(out->offset),
        a_at_(a->offset), b_at_(b->offset), product_(product), accumulate_(accumulate) {}
  void run(int part) override {
    status::clear();
    run_product(kind_, product_, out_->data() + out_at_, a_->data() + a_at_, b_->data() + b_at_, accumulate_, part,
                parts);
    if (const int flags = status::raised() & wanted_) status::note(flags, name, wanted_);
  }

 private:
  Kind kind_;
  Storage *out_, *a_, *b_;
  Index out_at_, a_at_, b_at_;
  Product product_;
  bool accumulate_;
  int wanted_ = status::wanted();
};

}  // namespace

void run_product(Kind kind, const Product& p, char* out, char* a, char* b, bool accumulate, int part, int parts) {
  const bool vector = p.m == 1 || p.n == 1;
  const Index work = p.m * p.n * p.k;
  if (!accumulate && parts == 1 && work < (vector ? kNumpyVectorLoop : kNumpyLoop)) {
    const Loops& loops = matmul_loops();
    const int k = static_cast<int>(kind);
    if (loops.loop[k]) {
      char* pointers[3];
      npy_intp sizes[4] = {1, p.m, p.k, p.n};
      npy_intp steps[9] = {0, 0, 0, p.a[0], p.a[1], p.b[0], p.b[1], p.c[0], p.c[1]};
      walk_batch(p, out, a, b, 0, p.batch(), [&](char* c, char* x, char* y) {
        pointers[0] = x;
        pointers[1] = y;
        pointers[2] = c;
        loops.loop[k](pointers, sizes, steps, loops.data[k]);
      });
      return;
    }
  }
  Index first = 0, last = p.batch(), r0 = 0, r1 = p.m, c0 = 0, c1 = p.n;
  if (parts > 1) {
    if (last > 1) {
      const Index step = (last + parts - 1) / parts;
      first = std::min(last, step * part);
      last = std::min(last, step * (part + 1));
    } else {
      th::part_of_product(p.m, p.n, part, parts, r0, r1, c0, c1);
    }
  }
  bool done = true;
  walk_batch(p, out, a, b, first, last, [&](char* c, char* x, char* y) {
    const th::Matrix mc{c, p.m, p.n, p.c[0], p.c[1]}, ma{x, p.m, p.k, p.a[0], p.a[1]}, mb{y, p.k, p.n, p.b[0], p.b[1]};
    done = th::multiply(kind, mc, ma, mb, accumulate, r0, r1, c0, c1) && done;
  });
  if (!done) throw KernelError("ValueError", "a matrix product is too large for BLAS");
}

bool plan_product(const Layout& a, const Layout& b, Product& p, Layout& result) {
  if (!a.ndim || !b.ndim) return false;
  const bool row = a.ndim == 1, column = b.ndim == 1;
  p.m = row ? 1 : a.shape[a.ndim - 2];
  p.k = a.shape[a.ndim - 1];
  p.n = column ? 1 : b.shape[b.ndim - 1];
  if (p.k != (column ? b.shape[0] : b.shape[b.ndim - 2])) return false;
  p.a[0] = row ? 0 : a.strides[a.ndim - 2];
  p.a[1] = a.strides[a.ndim - 1];
  p.b[0] = column ? b.strides[0] : b.strides[b.ndim - 2];
  p.b[1] = column ? 0 : b.strides[b.ndim - 1];
  // The leading axes broadcast.
  const int a_batch = row ? 0 : a.ndim - 2, b_batch = column ? 0 : b.ndim - 2;
  p.batch_ndim = std::max(a_batch, b_batch);
  result.ndim = 0;
  for (int d = 0; d < p.batch_ndim; ++d) {
    const int da = d - (p.batch_ndim - a_batch), db = d - (p.batch_ndim - b_batch);
    const Index sa = da < 0 ? 1 : a.shape[da], sb = db < 0 ? 1 : b.shape[db];
    if (sa != sb && sa != 1 && sb != 1) return false;
    p.batch_shape[d] = sa == 1 ? sb : sa;
    p.batch_strides[0][d] = da < 0 || sa == 1 ? 0 : a.strides[da];
    p.batch_strides[1][d] = db < 0 || sb == 1 ? 0 : b.strides[db];
    result.shape[result.ndim++] = p.batch_shape[d];
  }
  if (!row) result.shape[result.ndim++] = p.m;
  if (!column) result.shape[result.ndim++] = p.n;
  return true;
}

void set_result(Product& p, const Layout& result, bool row, bool column) {
  for (int d = 0; d < p.batch_ndim; ++d) p.batch_strides[2][d] = result.strides[d];
  int at = p.batch_ndim;
  p.c[0] = row ? 0 : result.strides[at++];
  p.c[1] = column ? 0 : result.strides[at++];
}

bool submit_product(const Product& p, Array* out, Array* a, Array* b, bool accumulate) {
  const Index work = p.m * p.n * p.k * p.batch();
  const bool vector = p.m == 1 || p.n == 1;
  if (work <= kAUnit * inline_limit && a->storage->ready() && b->storage->ready() && !a->storage->failed() &&
      !b->storage->failed() && out->storage->idle()) {
    try {
      out->data();
      status::clear();
      run_product(out->kind, p, out->data(), a->data(), b->data(), accumulate, 0, 1);
      out->storage->written();
      const int flags = status::raised();
      if (flags && !status::report(flags, "matmul")) return false;
    } catch (const std::bad_alloc&) {
      PyErr_NoMemory();
      return false;
    } catch (const KernelError& error) {
      PyErr_SetString(PyExc_ValueError, error.what());
      return false;
    }
    return true;
  }
  int parts = 1;
  if (work >= (vector ? kNumpyVectorLoop : kNumpyLoop))
    parts = p.batch() > 1 ? static_cast<int>(std::min<Index>(p.batch(), dispatcher::workers() ? dispatcher::workers() : 1))
                          : th::parts_for(p.m, p.n, p.k, dispatcher::workers() ? dispatcher::workers() : 1);
  auto task = std::make_unique<ProductTask>(std::max(parts, 1), out->kind, out, a, b, p, accumulate);
  if (accumulate) return submit(std::move(task), {a->storage, b->storage, out->storage}, {out->storage});
  return submit(std::move(task), {a->storage, b->storage}, {out->storage});
}

/// An Array for an operand that is one, or an ndarray that kernels can use; null without an exception if not.
Array* array_operand(PyObject* object, Owned& holder, bool& direct) {
  if (is_array(object)) return as_array(object);
  if (!PyArray_CheckExact(object)) return nullptr;
  holder = Owned(as_object(share(reinterpret_cast<PyArrayObject*>(object))));
  direct = direct || holder;
  return holder ? as_array(holder.get()) : nullptr;
}

namespace {

/// The array of `dead` for a product that fits it, else a new one; null with an exception.
Array* product_array(const Dead& dead, const Array* a, const Array* b, const Product& p, const Layout& result) {
  const bool is_operand = dead.array && (dead.array->storage == a->storage || dead.array->storage == b->storage);
  const bool at_once = p.m * p.n * p.k * p.batch() <= kAUnit * inline_limit;
  if (!is_operand)
    if (Array* const taken = dead.taken(a->kind, c_layout(a->kind, result.ndim, result.shape), at_once)) return taken;
  return make_array(a->kind, result.ndim, result.shape);
}

PyObject* matmul_native(PyObject* x, PyObject* y, const Dead& dead) {
  Owned hold_x, hold_y;
  bool direct = false;
  Array* const a = array_operand(x, hold_x, direct);
  Array* const b = a ? array_operand(y, hold_y, direct) : nullptr;
  if (!a || !b || a->kind != b->kind || !th::can_multiply(a->kind)) return nullptr;
  Product p;
  Layout result;
  if (!plan_product(a->layout, b->layout, p, result)) return nullptr;
  const bool row = a->layout.ndim == 1, column = b->layout.ndim == 1;
  if (p.m > INT32_MAX || p.n > INT32_MAX || p.k > INT32_MAX || !p.m || !p.n || !p.k || !p.batch()) return nullptr;
  Owned made(as_object(product_array(dead, a, b, p, result)));
  if (!made) return nullptr;
  Array* const out = as_array(made.get());
  set_result(p, out->layout, row, column);
  if (!submit_product(p, out, a, b, false)) return nullptr;
  if (!result.ndim) {
    if (!wait_ready(out->storage)) return nullptr;
    return scalar_at(out->data(), out->kind);
  }
  if (direct && !wait_ready(out->storage)) return nullptr;
  return made.release();
}

PyObject* matmul(PyObject* a, PyObject* b, const Dead& dead) {
  PyObject* const made = matmul_native(a, b, dead);
  if (made || PyErr_Occurred()) return made;
  static PyObject* const function = PyObject_GetAttrString(numpy(), "matmul");
  PyObject* const operands[2] = {a, b};
  return call_host(function, operands, 2, nullptr);
}

PyObject* dot(PyObject* a, PyObject* b, const Dead& dead) {
  // For vectors and matrices np.dot is a matrix product; for more axes it is not.
  const auto rank = [](PyObject* x) {
    return is_array(x) ? as_array(x)->layout.ndim
                       : PyArray_CheckExact(x) ? PyArray_NDIM(reinterpret_cast<PyArrayObject*>(x)) : 0;
  };
  const int n = rank(a), m = rank(b);
  if (n && m && n <= 2 && m <= 2) {
    PyObject* const made = matmul_native(a, b, dead);
    if (made || PyErr_Occurred()) return made;
  }
  static PyObject* const function = PyObject_GetAttrString(numpy(), "dot");
  PyObject* const operands[2] = {a, b};
  return call_host(function, operands, 2, nullptr);
}

}  // namespace

PyObject* matmul(PyObject* a, PyObject* b) { return matmul(a, b, Dead()); }
PyObject* dot(PyObject* a, PyObject* b) { return dot(a, b, Dead()); }

/// out += a @ b; false with an exception. `out` must not share memory with the operands.
PyObject* matmul_into(PyObject*, PyObject* const* args, Py_ssize_t count) {
  if (count != 3 || !is_array(args[0])) {
    PyErr_SetString(PyExc_TypeError, "matmul_into(out, a, b) adds to an Array");
    return nullptr;
  }
  Array* const out = as_array(args[0]);
  if (!check_writable(out)) return nullptr;
  Owned hold_a, hold_b;
  bool direct = false;
  Array* const a = array_operand(args[1], hold_a, direct);
  Array* const b = a ? array_operand(args[2], hold_b, direct) : nullptr;
  if (PyErr_Occurred()) return nullptr;
  Product p;
  Layout result;
  bool fits = a && b && a->kind == b->kind && a->kind == out->kind && th::can_multiply(a->kind) &&
              plan_product(a->layout, b->layout, p, result) && result.ndim == out->layout.ndim && p.m && p.n &&
              p.k && p.batch() && a->storage != out->storage && b->storage != out->storage;
  for (int d = 0; fits && d < result.ndim; ++d) fits = result.shape[d] == out->layout.shape[d];
  if (!fits) {
    Owned product(matmul(args[1], args[2]));
    PyObject* const operands[2] = {args[0], product.get()};
    return product ? apply(find_operator("add"), operands, 2, args[0]) : nullptr;
  }
  set_result(p, out->layout, a->layout.ndim == 1, b->layout.ndim == 1);
  if (!submit_product(p, out, a, b, true)) return nullptr;
  if (direct && !wait_ready(out->storage)) return nullptr;
  return Py_NewRef(args[0]);
}

namespace {

/// Whether a call has two operands and nothing else but perhaps `reuse=`.
bool is_plain(PyObject* const* args, Py_ssize_t count, PyObject* names) {
  return count == 2 && (!names || (PyTuple_GET_SIZE(names) == 1 && named_reuse(args, count, names)));
}

PyObject* matmul_function(PyObject*, PyObject* const* args, Py_ssize_t count, PyObject* names) {
  if (is_plain(args, count, names)) return matmul(args[0], args[1], Dead(args, count, names));
  static PyObject* const function = PyObject_GetAttrString(numpy(), "matmul");
  return call_host(function, args, count, names);
}

PyObject* dot_function(PyObject*, PyObject* const* args, Py_ssize_t count, PyObject* names) {
  if (is_plain(args, count, names)) return dot(args[0], args[1], Dead(args, count, names));
  static PyObject* const function = PyObject_GetAttrString(numpy(), "dot");
  return call_host(function, args, count, names);
}

PyObject* load_blas(PyObject*, PyObject* path) {
  const char* const text = PyUnicode_AsUTF8(path);
  return text ? PyBool_FromLong(th::load_blas(text)) : nullptr;
}

PyMethodDef functions[] = {
    {"matmul", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(matmul_function)), METH_FASTCALL | METH_KEYWORDS,
     "numpy.matmul, on Arrays by the workers. `reuse=`: an Array that is dead in the caller, for the result."},
    {"dot", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(dot_function)), METH_FASTCALL | METH_KEYWORDS,
     "numpy.dot, on Arrays by the workers. `reuse=` as of matmul."},
    {"matmul_into", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(matmul_into)), METH_FASTCALL,
     "matmul_into(out, a, b): out += a @ b, in place; gives out."},
    {"load_blas", load_blas, METH_O, "Open the BLAS of the scipy-openblas32 wheel; whether that worked."},
    {},
};

}  // namespace

bool make_products(PyObject* module) {
  matmul_loops();  // asked of NumPy now: a worker has no right to
  return PyModule_AddFunctions(module, functions) == 0;
}

}  // namespace myia
