// Views and copies in other shapes, joining and choosing; the methods of Array.

#include <algorithm>
#include <cstring>
#include <vector>

#include "array/array.hpp"
#include "array/operators.hpp"
#include "array/product.hpp"
#include "array/tasks.hpp"
#include "th/select.hpp"

namespace myia {

PyObject* array_protocol(PyObject*, PyObject* const*, Py_ssize_t, PyObject*);
PyObject* array_ufunc(PyObject*, PyObject* const*, Py_ssize_t, PyObject*);
PyObject* array_function(PyObject*, PyObject* const*, Py_ssize_t);
extern PyMethodDef reduction_methods[];
PyObject* export_dlpack(PyObject* self, PyObject* const* args, Py_ssize_t count, PyObject* names);
PyObject* dlpack_device(PyObject* self, PyObject*);

namespace {

PyObject* on_host(PyObject* self, const char* method, PyObject* const* args, Py_ssize_t count, PyObject* names) {
  Owned view(to_numpy(as_array(self)));
  Owned function(view ? PyObject_GetAttrString(view.get(), method) : nullptr);
  return function ? call_host(function.get(), args, count, names) : nullptr;
}

/// Integers from the arguments of reshape and its like: one tuple or list, or several integers.
bool read_integers(PyObject* const* args, Py_ssize_t count, Index* values, int& size) {
  PyObject* const* items = args;
  Py_ssize_t total = count;
  if (count == 1 && (PyTuple_CheckExact(args[0]) || PyList_CheckExact(args[0]))) {
    items = PySequence_Fast_ITEMS(args[0]);
    total = PySequence_Fast_GET_SIZE(args[0]);
  }
  if (total > th::kMaxDims) return false;
  for (Py_ssize_t k = 0; k < total; ++k) {
    if (!PyLong_CheckExact(items[k])) return false;
    values[k] = PyLong_AsLongLong(items[k]);
    if (values[k] == -1 && PyErr_Occurred()) return PyErr_Clear(), false;
  }
  size = static_cast<int>(total);
  return true;
}

// -- reshape -----------------------------------------------------------------------------------------------

/// The strides of a view in the new shape, if the old strides allow one.
bool strides_for(const Layout& from, Layout& to, Index item) {
  Index old_shape[th::kMaxDims], old_strides[th::kMaxDims];
  int old = 0;
  for (int d = 0; d < from.ndim; ++d) {
    if (from.shape[d] == 1) continue;
    old_shape[old] = from.shape[d];
    old_strides[old++] = from.strides[d];
  }
  int i = 0, j = 0;
  while (i < old && j < to.ndim) {
    Index in = old_shape[i], out = to.shape[j];
    int i_end = i + 1, j_end = j + 1;
    while (in != out) {
      if (out < in) {
        out *= to.shape[j_end++];
      } else {
        in *= old_shape[i_end++];
      }
    }
    for (int k = i; k < i_end - 1; ++k)
      if (old_strides[k] != old_shape[k + 1] * old_strides[k + 1]) return false;
    to.strides[j_end - 1] = old_strides[i_end - 1];
    for (int k = j_end - 1; k > j; --k) to.strides[k - 1] = to.strides[k] * to.shape[k];
    i = i_end;
    j = j_end;
  }
  const Index last = j > 0 ? to.strides[j - 1] : item;
  for (; j < to.ndim; ++j) to.strides[j] = last;  // axes of size 1 at the end
  return true;
}

/// In C order; null without an exception for what NumPy must judge.
PyObject* reshape_native(Array* array, const Index* sizes, int ndim) {
  Layout layout;
  layout.ndim = ndim;
  const Index size = array->layout.size();
  Index known = 1;
  int open = -1;
  for (int d = 0; d < ndim; ++d) {
    if (sizes[d] < 0) {
      if (sizes[d] != -1 || open >= 0) return nullptr;
      open = d;
    } else {
      known *= sizes[d];
    }
    layout.shape[d] = sizes[d];
  }
  if (open >= 0) {
    if (!known || size % known) return nullptr;
    layout.shape[open] = size / known;
  } else if (known != size) {
    return nullptr;
  }
  if (!size || c_contiguous(array->layout, array->item())) {
    set_c_strides(layout, array->item());
    return as_object(make_view(array, array->offset, layout));
  }
  if (strides_for(array->layout, layout, array->item())) return as_object(make_view(array, array->offset, layout));
  Owned copied(as_object(copy_of(array)));
  if (!copied) return nullptr;
  set_c_strides(layout, array->item());
  return as_object(make_view(as_array(copied.get()), 0, layout));
}

PyObject* reshape(PyObject* self, PyObject* const* args, Py_ssize_t count, PyObject* names) {
  Index sizes[th::kMaxDims];
  int ndim = 0;
  if (count && !names && read_integers(args, count, sizes, ndim)) {
    PyObject* const made = reshape_native(as_array(self), sizes, ndim);
    if (made || PyErr_Occurred()) return made;
  }
  return on_host(self, "reshape", args, count, names);
}

PyObject* flatten(PyObject* self, PyObject* const* args, Py_ssize_t count, PyObject* names);

PyObject* ravel(PyObject* self, PyObject* const* args, Py_ssize_t count, PyObject* names) {
  if (count || names) return on_host(self, "ravel", args, count, names);
  // A view only of what is contiguous, even where strides would allow one.
  Array* const array = as_array(self);
  if (!c_contiguous(array->layout, array->item())) return flatten(self, args, 0, nullptr);
  const Index size = array->layout.size();
  return reshape_native(array, &size, 1);
}

PyObject* flatten(PyObject* self, PyObject* const* args, Py_ssize_t count, PyObject* names) {
  if (count || names) return on_host(self, "flatten", args, count, names);
  Owned copied(as_object(copy_of(as_array(self))));
  const Index size = as_array(self)->layout.size();
  return copied ? reshape_native(as_array(copied.get()), &size, 1) : nullptr;
}

// -- axes in another order ----------------------------------------------------------------------------------

PyObject* transposed(Array* array, const Index* axes, int count) {
  const int ndim = array->layout.ndim;
  if (count != ndim) return nullptr;
  bool seen[th::kMaxDims] = {};
  Layout layout;
  layout.ndim = ndim;
  for (int d = 0; d < ndim; ++d) {
    const Index axis = axes[d] < 0 ? axes[d] + ndim : axes[d];
    if (axis < 0 || axis >= ndim || seen[axis]) return nullptr;
    seen[axis] = true;
    layout.shape[d] = array->layout.shape[axis];
    layout.strides[d] = array->layout.strides[axis];
  }
  return as_object(make_view(array, array->offset, layout));
}

PyObject* transpose(PyObject* self, PyObject* const* args, Py_ssize_t count) {
  if (!count || (count == 1 && args[0] == Py_None)) return PyObject_GetAttrString(self, "T");
  Index axes[th::kMaxDims];
  int size = 0;
  if (read_integers(args, count, axes, size)) {
    PyObject* const made = transposed(as_array(self), axes, size);
    if (made || PyErr_Occurred()) return made;
  }
  return on_host(self, "transpose", args, count, nullptr);
}

PyObject* swapaxes(PyObject* self, PyObject* const* args, Py_ssize_t count) {
  Index axes[th::kMaxDims];
  int size = 0;
  Array* const array = as_array(self);
  const int ndim = array->layout.ndim;
  if (count == 2 && read_integers(args, count, axes, size)) {
    for (int k = 0; k < 2; ++k) axes[k] += axes[k] < 0 ? ndim : 0;
    if (axes[0] >= 0 && axes[0] < ndim && axes[1] >= 0 && axes[1] < ndim) {
      Layout layout = array->layout;
      std::swap(layout.shape[axes[0]], layout.shape[axes[1]]);
      std::swap(layout.strides[axes[0]], layout.strides[axes[1]]);
      return as_object(make_view(array, array->offset, layout));
    }
  }
  return on_host(self, "swapaxes", args, count, nullptr);
}

// -- copies -------------------------------------------------------------------------------------------------

PyObject* copy(PyObject* self, PyObject* const* args, Py_ssize_t count, PyObject* names) {
  if (!count && !names) return as_object(copy_of(as_array(self)));
  return on_host(self, "copy", args, count, names);
}

PyObject* dot_method(PyObject* self, PyObject* const* args, Py_ssize_t count, PyObject* names) {
  if (count == 1 && !names) return dot(self, args[0]);
  return on_host(self, "dot", args, count, names);
}

/// Keeps the order of the axes in memory, as an ndarray's.
PyObject* shallow_copy(PyObject* self, PyObject*) { return as_object(cast(as_array(self), as_array(self)->kind)); }

PyObject* astype(PyObject* self, PyObject* const* args, Py_ssize_t count, PyObject* names) {
  if (count == 1 && !names) {
    PyArray_Descr* dtype = nullptr;
    if (!PyArray_DescrConverter(args[0], &dtype)) return nullptr;
    Kind kind;
    const bool known = kind_of(dtype->type_num, kind) && PyArray_ISNBO(dtype->byteorder);
    Py_DECREF(dtype);
    Array* const array = as_array(self);
    // A float that no integer holds, an imaginary part that is lost: NumPy warns, and so it does them.
    const bool lossy = (is_complex(array->kind) && !is_complex(kind)) ||
                       (!is_integer(array->kind) && array->kind != Kind::boolean && is_integer(kind));
    if (known && !lossy && array->kind != Kind::float16 && kind != Kind::float16) return as_object(cast(array, kind));
  }
  return on_host(self, "astype", args, count, names);
}

PyObject* as_complex(PyObject* self, PyObject*) { return on_host(self, "__complex__", nullptr, 0, nullptr); }

PyObject* format(PyObject* self, PyObject* how) { return on_host(self, "__format__", &how, 1, nullptr); }

PyObject* fill(PyObject* self, PyObject* value) {
  if (!assign(as_array(self), value)) return nullptr;
  Py_RETURN_NONE;
}

PyObject* reduce_for_pickle(PyObject* self, PyObject*) {
  Owned module(PyImport_ImportModule("myia._runtime"));
  Owned function(module ? PyObject_GetAttrString(module.get(), "asarray") : nullptr);
  Owned view(to_numpy(as_array(self)));
  // NumPy pickles the view, in the order that its version and the protocol keep.
  return function && view ? Py_BuildValue("O(O)", function.get(), view.get()) : nullptr;
}

// -- the future ----------------------------------------------------------------------------------------------

PyObject* ready(PyObject* self, PyObject*) { return PyBool_FromLong(as_array(self)->storage->ready()); }

PyObject* wait(PyObject* self, PyObject*) {
  return wait_ready(as_array(self)->storage) ? Py_NewRef(self) : nullptr;
}

PyObject* shares_storage(PyObject* self, PyObject* other) {
  if (!is_array(other)) Py_RETURN_FALSE;
  return PyBool_FromLong(as_array(self)->storage == as_array(other)->storage);
}

// -- marks ---------------------------------------------------------------------------------------------------

PyObject* mark_read(PyObject* self, PyObject*) {
  as_array(self)->storage->mark_read();
  return Py_NewRef(self);
}
PyObject* unmark_read(PyObject* self, PyObject*) {
  as_array(self)->storage->unmark_read();
  Py_RETURN_NONE;
}

#define MYIA_FAST(function) reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(function))

PyMethodDef own_methods[] = {
    {"reshape", MYIA_FAST(reshape), METH_FASTCALL | METH_KEYWORDS, "As numpy.ndarray.reshape."},
    {"ravel", MYIA_FAST(ravel), METH_FASTCALL | METH_KEYWORDS, "As numpy.ndarray.ravel."},
    {"flatten", MYIA_FAST(flatten), METH_FASTCALL | METH_KEYWORDS, "As numpy.ndarray.flatten."},
    {"transpose", MYIA_FAST(transpose), METH_FASTCALL, "As numpy.ndarray.transpose."},
    {"swapaxes", MYIA_FAST(swapaxes), METH_FASTCALL, "As numpy.ndarray.swapaxes."},
    {"dot", MYIA_FAST(dot_method), METH_FASTCALL | METH_KEYWORDS, "As numpy.ndarray.dot."},
    {"copy", MYIA_FAST(copy), METH_FASTCALL | METH_KEYWORDS, "As numpy.ndarray.copy."},
    {"astype", MYIA_FAST(astype), METH_FASTCALL | METH_KEYWORDS, "As numpy.ndarray.astype."},
    {"fill", fill, METH_O, "As numpy.ndarray.fill."},
    {"ready", ready, METH_NOARGS, "Whether the elements are there."},
    {"wait", wait, METH_NOARGS, "Wait until the elements are there; the array. Raises what the work raised."},
    {"shares_storage", shares_storage, METH_O, "Whether the other is a view of the same storage."},
    {"mark_read", mark_read, METH_NOARGS,
     "A pending backprop reads this: in a debug build, writing to the storage raises until unmark_read()."},
    {"unmark_read", unmark_read, METH_NOARGS, "The backprop has run."},
    {"__array__", MYIA_FAST(array_protocol), METH_FASTCALL | METH_KEYWORDS, "The ndarray on the same memory. Waits."},
    {"__array_ufunc__", MYIA_FAST(array_ufunc), METH_FASTCALL | METH_KEYWORDS, "NumPy's ufuncs on Arrays."},
    {"__array_function__", MYIA_FAST(array_function), METH_FASTCALL, "NumPy's functions on Arrays."},
    {"__dlpack__", MYIA_FAST(export_dlpack), METH_FASTCALL | METH_KEYWORDS, "The memory as a DLPack capsule. Waits."},
    {"__dlpack_device__", dlpack_device, METH_NOARGS, "(1, 0): the processor's memory."},
    {"__copy__", shallow_copy, METH_NOARGS, "A copy, as of an ndarray."},
    {"__deepcopy__", shallow_copy, METH_O, "A copy."},
    {"__complex__", as_complex, METH_NOARGS, "As numpy.ndarray.__complex__."},
    {"__format__", format, METH_O, "As numpy.ndarray.__format__."},
    {"__reduce__", reduce_for_pickle, METH_NOARGS, "For pickle."},
};
constexpr std::size_t kOwn = std::size(own_methods), kReductions = 5;

// -- functions -------------------------------------------------------------------------------------------------

struct Selecting {
  Index item;
  void operator()(const Walk& w, char* const* bases, Index begin, Index end) const {
    th::select(w, bases, item, begin, end);
  }
};

PyObject* where_native(PyObject* const* args) {
  if (!is_array(args[0]) && !is_array(args[1]) && !is_array(args[2])) return nullptr;
  Operand operands[3];
  for (int k = 0; k < 3; ++k)
    if (!read_operand(args[k], operands[k])) return nullptr;
  if (operands[0].kind != Kind::boolean) return nullptr;
  // Numbers take the kind of the array they stand beside, if that can hold them.
  for (int k = 1; k < 3; ++k) {
    Operand &own = operands[k], &other = operands[3 - k];
    if (own.kind == other.kind) break;
    const bool weak = own.code == kWeakFloat ? is_float(other.kind) || is_complex(other.kind)
                                             : own.code == kWeakInt && other.code < th::kKinds &&
                                                   (is_float(other.kind) || is_complex(other.kind) ||
                                                    is_integer(other.kind));
    if (weak && !convert_operand(own, other.kind)) return nullptr;
  }
  if (operands[1].kind != operands[2].kind) return nullptr;
  if (operands[1].code >= kWeakInt && operands[2].code >= kWeakInt && operands[1].code != operands[2].code)
    return nullptr;
  Layout shape;
  if (!broadcast(operands, 3, shape) || !shape.ndim) return nullptr;
  const Kind kind = operands[1].kind;
  const Index item = th::item_size(kind);
  const Layout* layouts[3];
  int arrays = 0;
  bool plain = true;
  for (int k = 0; k < 3; ++k) {
    if (operands[k].scalar) continue;
    layouts[arrays++] = &operands[k].layout;
    plain = plain && c_contiguous(operands[k].layout, th::item_size(operands[k].kind));
  }
  if (plain) {
    set_c_strides(shape, item);
  } else {
    set_k_strides(shape, item, layouts, arrays);
  }
  Owned made(as_object(make_array(kind, shape, shape.size() * item)));
  if (!made) return nullptr;
  Walk w;
  w.operands = 4;
  w.ndim = shape.ndim;
  for (int d = 0; d < shape.ndim; ++d) {
    w.shape[d] = shape.shape[d];
    w.strides[0][d] = shape.strides[d];
  }
  for (int k = 0; k < 3; ++k) broadcast_strides(operands[k].layout, shape, w.strides[k + 1]);
  if (!run_walk(Selecting{item}, "where", w, as_array(made.get()), operands, 3, kCheap)) return nullptr;
  return made.release();
}

PyObject* where(PyObject*, PyObject* const* args, Py_ssize_t count, PyObject* names) {
  if (count == 3 && !names) {
    PyObject* const made = where_native(args);
    if (made || PyErr_Occurred()) return made;
  }
  static PyObject* const function = PyObject_GetAttrString(numpy(), "where");
  return call_host(function, args, count, names);
}

/// Joins Arrays of one kind along an axis; null without an exception if it is not that case.
PyObject* concatenate_native(PyObject* parts, Index axis) {
  if (!PyList_CheckExact(parts) && !PyTuple_CheckExact(parts)) return nullptr;
  const Py_ssize_t count = PySequence_Fast_GET_SIZE(parts);
  PyObject* const* items = PySequence_Fast_ITEMS(parts);
  if (!count || !is_array(items[0])) return nullptr;
  const Array* const first = as_array(items[0]);
  const int ndim = first->layout.ndim;
  if (axis < 0) axis += ndim;
  if (axis < 0 || axis >= ndim) return nullptr;
  Index shape[th::kMaxDims];
  std::copy_n(first->layout.shape, ndim, shape);
  shape[axis] = 0;
  for (Py_ssize_t k = 0; k < count; ++k) {
    if (!is_array(items[k])) return nullptr;
    const Array* const part = as_array(items[k]);
    if (part->kind != first->kind || part->layout.ndim != ndim) return nullptr;
    for (int d = 0; d < ndim; ++d)
      if (d != axis && part->layout.shape[d] != shape[d]) return nullptr;
    if (!c_contiguous(part->layout, part->item()) && ndim > 1) return nullptr;  // NumPy keeps Fortran order
    shape[axis] += part->layout.shape[axis];
  }
  Owned made(as_object(make_array(first->kind, ndim, shape)));
  if (!made) return nullptr;
  Array* const whole = as_array(made.get());
  Index at = 0;
  for (Py_ssize_t k = 0; k < count; ++k) {
    const Array* const part = as_array(items[k]);
    Layout window = whole->layout;
    window.shape[axis] = part->layout.shape[axis];
    Owned target(as_object(make_view(whole, at * whole->layout.strides[axis], window)));
    if (!target || !assign(as_array(target.get()), items[k])) return nullptr;
    at += part->layout.shape[axis];
  }
  return made.release();
}

PyObject* concatenate(PyObject*, PyObject* const* args, Py_ssize_t count, PyObject* names) {
  Index axis = 0;
  bool simple = count == 1 || (count == 2 && PyLong_CheckExact(args[1]));
  if (simple && count == 2) axis = PyLong_AsLong(args[1]);
  if (names) {
    simple = simple && PyTuple_GET_SIZE(names) == 1 && count == 1 && PyLong_CheckExact(args[1]) &&
             PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(names, 0), "axis") == 0;
    if (simple) axis = PyLong_AsLong(args[1]);
  }
  if (PyErr_Occurred()) {
    PyErr_Clear();
    simple = false;  // an axis beyond all integers
  }
  if (simple) {
    PyObject* const made = concatenate_native(args[0], axis);
    if (made || PyErr_Occurred()) return made;
  }
  static PyObject* const function = PyObject_GetAttrString(numpy(), "concatenate");
  return call_host(function, args, count, names);
}

PyObject* reshape_function(PyObject*, PyObject* const* args, Py_ssize_t count, PyObject* names) {
  if (count == 2 && !names && is_array(args[0])) {
    if (PyTuple_CheckExact(args[1]) || PyList_CheckExact(args[1]) || PyLong_CheckExact(args[1]))
      return reshape(args[0], args + 1, 1, nullptr);
  }
  static PyObject* const function = PyObject_GetAttrString(numpy(), "reshape");
  return call_host(function, args, count, names);
}

PyObject* transpose_function(PyObject*, PyObject* const* args, Py_ssize_t count, PyObject* names) {
  if ((count == 1 || count == 2) && !names && is_array(args[0])) return transpose(args[0], args + 1, count - 1);
  static PyObject* const function = PyObject_GetAttrString(numpy(), "transpose");
  return call_host(function, args, count, names);
}

PyObject* broadcast_to(PyObject*, PyObject* const* args, Py_ssize_t count, PyObject* names) {
  Index sizes[th::kMaxDims];
  int ndim = 0;
  if (count == 2 && !names && is_array(args[0]) && read_integers(args + 1, 1, sizes, ndim)) {
    Array* const array = as_array(args[0]);
    Layout layout;
    layout.ndim = ndim;
    bool fits = ndim >= array->layout.ndim;
    for (int d = 0; fits && d < ndim; ++d) {
      layout.shape[d] = sizes[d];
      const int at = d - (ndim - array->layout.ndim);
      fits = sizes[d] >= 0 && (at < 0 || array->layout.shape[at] == 1 || array->layout.shape[at] == sizes[d]);
    }
    if (fits) {
      broadcast_strides(array->layout, layout, layout.strides);
      return as_object(make_view(Ref<Storage>(array->storage), array->offset, array->kind, layout, false));
    }
  }
  static PyObject* const function = PyObject_GetAttrString(numpy(), "broadcast_to");
  return call_host(function, args, count, names);
}

PyMethodDef functions[] = {
    {"where", MYIA_FAST(where), METH_FASTCALL | METH_KEYWORDS, "numpy.where, on Arrays by the workers."},
    {"concatenate", MYIA_FAST(concatenate), METH_FASTCALL | METH_KEYWORDS, "numpy.concatenate, on Arrays."},
    {"reshape", MYIA_FAST(reshape_function), METH_FASTCALL | METH_KEYWORDS, "numpy.reshape, on Arrays."},
    {"transpose", MYIA_FAST(transpose_function), METH_FASTCALL | METH_KEYWORDS, "numpy.transpose, on Arrays."},
    {"broadcast_to", MYIA_FAST(broadcast_to), METH_FASTCALL | METH_KEYWORDS, "numpy.broadcast_to, on Arrays."},
    {},
};

}  // namespace

PyMethodDef array_methods[kOwn + kReductions + 1];

bool make_shaping(PyObject* module) {
  std::copy_n(own_methods, kOwn, array_methods);
  std::copy_n(reduction_methods, kReductions, array_methods + kOwn);
  return PyModule_AddFunctions(module, functions) == 0;
}

}  // namespace myia
