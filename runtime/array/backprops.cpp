// What backprops of emitted code call: fused adjoints, sums over broadcast axes, zeros.

#include <algorithm>
#include <cstring>
#include <new>
#include <string_view>
#include <utility>

#include "array/array.hpp"
#include "array/operators.hpp"
#include "array/reuse.hpp"
#include "array/tasks.hpp"
#include "dispatch/dispatcher.hpp"
#include "thnn/fused.hpp"

namespace myia {

namespace {

// -- fused kernels -------------------------------------------------------------------------------------------

/// A fused kernel as a function of Arrays; anything else goes to the function of that name in Python.
struct FusedFunction {
  PyObject_HEAD
  vectorcallfunc call;
  thnn::Op op;
  PyObject* fallback;
};

Kind common_kind(const Operand* operands, int count, bool& found) {
  Kind kind = Kind::float64;
  found = false;
  for (int k = 0; k < count; ++k) {
    if (operands[k].code >= kWeakInt) continue;
    if (found && operands[k].kind != kind) return found = false, kind;
    kind = operands[k].kind;
    found = true;
  }
  return kind;
}

/// Null without an exception: the fallback must do it. `out` is null, or an Array to add to.
PyObject* fused_native(thnn::Op op, PyObject* const* args, int count, PyObject* out_object, const Dead& dead) {
  Operand operands[4];
  for (int k = 0; k < count; ++k)
    if (!read_operand(args[k], operands[k])) return nullptr;
  bool found;
  const Kind kind = common_kind(operands, count, found);
  if (!found || !is_float(kind)) return nullptr;
  const thnn::Fused kernel = thnn::find(op, kind);
  Layout shape;
  if (!kernel || !broadcast(operands, count, shape) || !shape.ndim) return nullptr;
  for (int k = 0; k < count; ++k)
    if (!convert_operand(operands[k], kind)) return nullptr;
  const Index item = th::item_size(kind);
  Owned target;
  if (out_object) {
    Array* const out = as_array(out_object);
    if (out->kind != kind || !same_shape(out->layout, shape) || !check_writable(out)) return nullptr;
    if (overlaps_itself(out->layout, item)) return nullptr;  // the fallback adds one element after the other
    for (int k = 0; k < count; ++k)
      if (may_overlap(out, operands[k]) && !same_view(out, operands[k])) return nullptr;
    target = Owned::borrow(out_object);
  } else {
    const Layout* layouts[4];
    int arrays = 0;
    for (int k = 0; k < count; ++k)
      if (!operands[k].scalar) layouts[arrays++] = &operands[k].layout;
    set_k_strides(shape, item, layouts, arrays);
    const Index size = shape.size();
    if (dead.array) target = Owned(as_object(dead.taken(kind, shape, size * kCheap <= inline_limit)));
    if (!target) target = Owned(as_object(make_array(kind, shape, size * item)));
    if (!target) return nullptr;
  }
  Array* const out = as_array(target.get());
  Walk w;
  w.operands = count + 1;
  w.ndim = shape.ndim;
  for (int d = 0; d < shape.ndim; ++d) {
    w.shape[d] = shape.shape[d];
    w.strides[0][d] = out->layout.strides[d];
  }
  for (int k = 0; k < count; ++k) broadcast_strides(operands[k].layout, shape, w.strides[k + 1]);
  // What a cotangent of zero meets, 0 * inf or 0 / 0, is computed and left out.
  const auto quiet = [kernel](const Walk& walk, char* const* bases, Index begin, Index end) {
    kernel(walk, bases, begin, end);
    status::forget_undefined();
  };
  if (!run_walk(quiet, thnn::name(op), w, out, operands, count, kCheap, thnn::accumulates(op))) return nullptr;
  return target.release();
}

PyObject* call_fused(PyObject* self, PyObject* const* args, std::size_t flags, PyObject* names) {
  auto* const function = reinterpret_cast<FusedFunction*>(self);
  const Py_ssize_t count = PyVectorcall_NARGS(flags);
  const int inputs = thnn::inputs(function->op);
  const bool into = thnn::accumulates(function->op);
  Dead dead;
  WithoutReuse rest;
  if (names) {
    dead = Dead(args, count, names);
    if (!rest.read(args, count, names)) return nullptr;
    args = rest.args;
    names = rest.names;
  }
  if (!names && count == inputs + into) {
    bool any = false;
    for (Py_ssize_t k = 0; k < count; ++k) any = any || is_array(args[k]);
    if (any && (!into || is_array(args[0]))) {
      PyObject* const made = fused_native(function->op, args + into, inputs, into ? args[0] : nullptr, dead);
      if (made || PyErr_Occurred()) return made;
    }
  }
  return PyObject_Vectorcall(function->fallback, args, static_cast<std::size_t>(count), names);
}

void deallocate(PyObject* self) {
  Py_XDECREF(reinterpret_cast<FusedFunction*>(self)->fallback);
  PyObject_Free(self);
}

PyObject* represent(PyObject* self) {
  return PyUnicode_FromFormat("<fused %s>", thnn::name(reinterpret_cast<FusedFunction*>(self)->op));
}

PyObject* attribute(PyObject* self, PyObject* name) {
  PyObject* const own = PyObject_GenericGetAttr(self, name);
  if (own || !PyErr_ExceptionMatches(PyExc_AttributeError)) return own;
  PyErr_Clear();
  return PyObject_GetAttr(reinterpret_cast<FusedFunction*>(self)->fallback, name);
}

PyTypeObject fused_type = {
    .ob_base = PyVarObject_HEAD_INIT(nullptr, 0)
    .tp_name = "myia._runtime.FusedFunction",
    .tp_basicsize = sizeof(FusedFunction),
    .tp_dealloc = deallocate,
    .tp_vectorcall_offset = offsetof(FusedFunction, call),
    .tp_repr = represent,
    .tp_call = PyVectorcall_Call,
    .tp_getattro = attribute,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_IMMUTABLETYPE |
                Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_doc = "A backprop in one pass over memory.",
};

PyObject* make_fused(PyObject*, PyObject* const* args, Py_ssize_t count) {
  if (count != 2 || !PyUnicode_Check(args[0]) || !PyCallable_Check(args[1])) {
    PyErr_SetString(PyExc_TypeError, "fused(name, fallback)");
    return nullptr;
  }
  const char* const text = PyUnicode_AsUTF8(args[0]);
  if (!text) return nullptr;
  for (int k = 0; k < thnn::kOps; ++k) {
    if (std::string_view(thnn::name(static_cast<thnn::Op>(k))) != text) continue;
    auto* const made = PyObject_New(FusedFunction, &fused_type);
    if (!made) return nullptr;
    made->call = call_fused;
    made->op = static_cast<thnn::Op>(k);
    made->fallback = Py_NewRef(args[1]);
    return reinterpret_cast<PyObject*>(made);
  }
  PyErr_Format(PyExc_LookupError, "no fused kernel is called %s", text);
  return nullptr;
}

// -- sums over broadcast axes ---------------------------------------------------------------------------------

PyObject* fallback_sum_to = nullptr;
PyObject* fallback_unbroadcast = nullptr;
PyObject* fallback_zeros_like = nullptr;
PyObject* fallback_form = nullptr;
PyObject* fallback_vector_outer = nullptr;
PyObject* fallback_spread = nullptr;

PyObject* sum_to(PyObject*, PyObject* const* args, Py_ssize_t count) {
  if (count == 2 && is_array(args[0]) && PyTuple_CheckExact(args[1])) {
    Index shape[th::kMaxDims];
    const Py_ssize_t ndim = PyTuple_GET_SIZE(args[1]);
    bool read = ndim <= th::kMaxDims;
    for (Py_ssize_t d = 0; read && d < ndim; ++d) {
      shape[d] = PyLong_AsLongLong(PyTuple_GET_ITEM(args[1], d));
      if (shape[d] == -1 && PyErr_Occurred()) return nullptr;
    }
    if (read) {
      PyObject* const made = sum_to_shape(as_array(args[0]), shape, static_cast<int>(ndim));
      if (made || PyErr_Occurred()) return made;
    }
  }
  return PyObject_Vectorcall(fallback_sum_to, args, static_cast<std::size_t>(count), nullptr);
}

PyObject* unbroadcast(PyObject*, PyObject* const* args, Py_ssize_t count) {
  if (count == 2 && is_array(args[0]) && is_array(args[1])) {
    const Layout& layout = as_array(args[1])->layout;
    PyObject* const made = sum_to_shape(as_array(args[0]), layout.shape, layout.ndim);
    if (made || PyErr_Occurred()) return made;
  }
  return PyObject_Vectorcall(fallback_unbroadcast, args, static_cast<std::size_t>(count), nullptr);
}

// -- zeros ------------------------------------------------------------------------------------------------------

}  // namespace

Array* zeros(Kind kind, int ndim, const Index* shape) {
  const Layout layout = c_layout(kind, ndim, shape);
  Ref<Storage> made = Storage::make_zeros(static_cast<std::size_t>(layout.size() * th::item_size(kind)));
  if (dispatcher::bytes_in_flight_bound() <= 1) {
    // Nothing runs ahead: somebody counts memory, and where the program comes to it.
    try {
      static_cast<void>(made->data());
    } catch (const std::bad_alloc&) {
      PyErr_NoMemory();
      return nullptr;
    }
  }
  return make_view(std::move(made), 0, kind, layout);
}

namespace {

PyObject* zeros_like(PyObject*, PyObject* x) {
  Operand like;
  if ((is_array(x) || PyArray_CheckExact(x)) && read_operand(x, like) && like.layout.ndim) {
    const bool varies = is_float(like.kind) || is_complex(like.kind) || like.kind == Kind::float16;
    return as_object(zeros(varies ? like.kind : Kind::float64, like.layout.ndim, like.layout.shape));
  }
  return PyObject_CallOneArg(fallback_zeros_like, x);
}

/// The shape and dtype of x as a read-only Array without memory: all its elements are one zero.
PyObject* form(PyObject*, PyObject* x) {
  if (!is_array(x)) return PyObject_CallOneArg(fallback_form, x);
  static Storage* const zero = [] {
    Ref<Storage> made = Storage::make(16);  // room for one element of any kind
    std::memset(made->data(), 0, made->bytes());
    return made.detach();
  }();
  Layout layout = as_array(x)->layout;
  std::fill_n(layout.strides, layout.ndim, Index{0});
  return as_object(make_view(Ref<Storage>(zero), 0, as_array(x)->kind, layout, false));
}

PyObject* vector_outer(PyObject*, PyObject* const* args, Py_ssize_t count) {
  if (count == 2 && is_array(args[0]) && is_array(args[1]) && as_array(args[0])->layout.ndim == 1 &&
      as_array(args[1])->layout.ndim == 1) {
    Layout column;
    column.ndim = 2;
    column.shape[0] = as_array(args[0])->layout.shape[0];
    column.shape[1] = 1;
    column.strides[0] = as_array(args[0])->layout.strides[0];
    column.strides[1] = 0;
    Owned left(as_object(make_view(as_array(args[0]), as_array(args[0])->offset, column)));
    PyObject* const operands[2] = {left.get(), args[1]};
    return left ? apply(find_operator("multiply"), operands, 2, nullptr) : nullptr;
  }
  return PyObject_Vectorcall(fallback_vector_outer, args, static_cast<std::size_t>(count), nullptr);
}

/// g everywhere in the shape of a: of a sum over all axes, a new array filled with a number.
PyObject* spread(PyObject*, PyObject* const* args, Py_ssize_t count) {
  if (count == 4 && is_array(args[1]) && args[2] == Py_None && is_float(as_array(args[1])->kind)) {
    Operand g;
    if (read_operand(args[0], g) && g.scalar && as_array(args[1])->layout.ndim) {
      Array* const a = as_array(args[1]);
      Owned made(as_object(make_array(a->kind, a->layout.ndim, a->layout.shape)));
      return made && assign(as_array(made.get()), args[0]) ? made.release() : nullptr;
    }
  }
  return PyObject_Vectorcall(fallback_spread, args, static_cast<std::size_t>(count), nullptr);
}

/// Whether an Array is all of a storage that no other view has, in C order: fit to be handed out. Tasks may have it:
/// they take their turns, and whoever hands out memory waits for them.
bool whole_and_alone(const Array* array) {
  return array->storage->holders() == 1 && !array->storage->borrowed() && array->writable && !array->offset &&
         static_cast<Index>(array->storage->bytes()) == array->layout.size() * array->item() &&
         c_contiguous(array->layout, array->item());
}

/// The shape and kind of a call (x, shape, dtype) or (shape, dtype); false with an exception.
bool read_form(PyObject* shape, PyObject* dtype, Kind& kind, Layout& layout) {
  PyArray_Descr* found = nullptr;
  if (!PyTuple_CheckExact(shape) || PyTuple_GET_SIZE(shape) > th::kMaxDims) {
    PyErr_SetString(PyExc_ValueError, "the shape is a tuple of at most 8 integers");
    return false;
  }
  if (!PyArray_DescrConverter(dtype, &found)) return false;
  const bool known = kind_of(found->type_num, kind) && PyArray_ISNBO(found->byteorder);
  Py_DECREF(found);
  if (!known) {
    PyErr_SetString(PyExc_TypeError, "an Array cannot hold elements of this dtype");
    return false;
  }
  layout.ndim = static_cast<int>(PyTuple_GET_SIZE(shape));
  for (int d = 0; d < layout.ndim; ++d) {
    layout.shape[d] = PyLong_AsLongLong(PyTuple_GET_ITEM(shape, d));
    if (layout.shape[d] == -1 && PyErr_Occurred()) return false;
    if (layout.shape[d] < 0) {
      PyErr_SetString(PyExc_ValueError, "negative dimensions are not allowed");
      return false;
    }
  }
  return true;
}

PyObject* is_own(PyObject*, PyObject* const* args, Py_ssize_t count) {
  Kind kind;
  Layout layout;
  if (count != 3 || !is_array(args[0])) {
    PyErr_SetString(PyExc_TypeError, "is_own(array, shape, dtype)");
    return nullptr;
  }
  if (!read_form(args[1], args[2], kind, layout)) {
    PyErr_Clear();
    Py_RETURN_FALSE;
  }
  const Array* const array = as_array(args[0]);
  bool same = array->kind == kind && array->layout.ndim == layout.ndim && whole_and_alone(array);
  for (int d = 0; same && d < layout.ndim; ++d) same = array->layout.shape[d] == layout.shape[d];
  return PyBool_FromLong(same);
}

PyObject* empty(PyObject*, PyObject* const* args, Py_ssize_t count) {
  Kind kind;
  Layout layout;
  if (count != 2) {
    PyErr_SetString(PyExc_TypeError, "empty(shape, dtype)");
    return nullptr;
  }
  if (!read_form(args[0], args[1], kind, layout)) return nullptr;
  return as_object(make_array(kind, layout.ndim, layout.shape));
}

PyObject* set_fallbacks(PyObject*, PyObject* functions) {
  const struct {
    const char* name;
    PyObject** place;
  } wanted[] = {{"sum_to", &fallback_sum_to},
                {"unbroadcast", &fallback_unbroadcast},
                {"zeros_like", &fallback_zeros_like},
                {"form", &fallback_form},
                {"vector_outer", &fallback_vector_outer},
                {"spread", &fallback_spread}};
  for (const auto& one : wanted) {
    PyObject* const found = PyDict_Check(functions) ? PyDict_GetItemString(functions, one.name) : nullptr;
    if (!found) {
      PyErr_Format(PyExc_LookupError, "set_fallbacks() takes a dictionary with %s", one.name);
      return nullptr;
    }
    *one.place = Py_NewRef(found);
  }
  Py_RETURN_NONE;
}

#define MYIA_FAST(function) reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(function))

PyMethodDef functions[] = {
    {"fused", MYIA_FAST(make_fused), METH_FASTCALL, "fused(name, fallback): the fused kernel as a function."},
    {"sum_to", MYIA_FAST(sum_to), METH_FASTCALL, "sum_to(g, shape): g summed over the axes that shape was broadcast along."},
    {"unbroadcast", MYIA_FAST(unbroadcast), METH_FASTCALL, "unbroadcast(g, x): g summed to the shape of x."},
    {"zeros_like", zeros_like, METH_O, "zeros_like(x): a fresh zero adjoint for x."},
    {"form", form, METH_O, "form(x): the shape and dtype of x, without its memory."},
    {"is_own", MYIA_FAST(is_own), METH_FASTCALL,
     "is_own(array, shape, dtype): it has this form, and nothing else uses its storage."},
    {"empty", MYIA_FAST(empty), METH_FASTCALL, "empty(shape, dtype): a new Array, uninitialised."},
    {"vector_outer", MYIA_FAST(vector_outer), METH_FASTCALL, "vector_outer(u, v): the outer product of two vectors."},
    {"spread", MYIA_FAST(spread), METH_FASTCALL, "spread(g, a, axis, keepdims): the contribution of a sum to `a`."},
    {"set_fallbacks", set_fallbacks, METH_O, "The functions in Python for what is no Array, by name."},
    {},
};

}  // namespace

bool as_fused(PyObject* object, thnn::Op& op) {
  if (Py_TYPE(object) != &fused_type) return false;
  op = reinterpret_cast<FusedFunction*>(object)->op;
  return true;
}

bool make_backprops(PyObject* module) {
  return PyType_Ready(&fused_type) == 0 && PyModule_AddFunctions(module, functions) == 0;
}

}  // namespace myia
