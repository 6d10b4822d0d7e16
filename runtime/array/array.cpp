// The Array type: making views, attributes, and the protocols that need no kernel.

#include "array/array.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <cstring>

namespace myia {

// -- making ---------------------------------------------------------------------------------------

namespace {

// Arrays come and go with every operation: a few freed ones are kept.
constexpr int kKept = 64;
Array* kept[kKept];
int kept_count = 0;

Array* new_array() {
  if (kept_count) {
    Array* array = kept[--kept_count];
    // The type is static, so that there is nothing else to do than to count the reference.
    PyObject_Init(as_object(array), &ArrayType);
    array->weak_references = nullptr;
    return array;
  }
  Array* array = PyObject_New(Array, &ArrayType);
  if (array) array->weak_references = nullptr;
  return array;
}

void deallocate(PyObject* self) {
  Array* array = as_array(self);
  if (array->weak_references) PyObject_ClearWeakRefs(self);
  array->storage->drop_holder();
  releases_at_once = true;
  array->storage->release();
  releases_at_once = false;
  if (kept_count < kKept) {
    kept[kept_count++] = array;
  } else {
    PyObject_Free(self);
  }
}

void copy_layout(Layout& to, const Layout& from) noexcept {
  to.ndim = from.ndim;
  for (int d = 0; d < from.ndim; ++d) {
    to.shape[d] = from.shape[d];
    to.strides[d] = from.strides[d];
  }
}

}  // namespace

Array* make_view(Ref<Storage> storage, Index offset, Kind kind, const Layout& layout, bool writable) {
  Array* array = new_array();
  if (!array) return nullptr;
  array->storage = storage.detach();
  array->storage->add_holder();
  array->offset = offset;
  array->kind = kind;
  array->writable = writable;
  array->adjoint = false;
  copy_layout(array->layout, layout);
  return array;
}

Array* make_view(const Array* base, Index offset, const Layout& layout) {
  Array* const array = make_view(Ref<Storage>(base->storage), offset, base->kind, layout, base->writable);
  if (array) array->adjoint = base->adjoint;
  return array;
}

void set_c_strides(Layout& layout, Index item) noexcept {
  Index step = item;
  for (int d = layout.ndim - 1; d >= 0; --d) {
    layout.strides[d] = step;
    step *= layout.shape[d] > 1 ? layout.shape[d] : 1;
  }
}

bool c_contiguous(const Layout& layout, Index item) noexcept {
  Index step = item;
  for (int d = layout.ndim - 1; d >= 0; --d) {
    if (layout.shape[d] == 0) return true;
    if (layout.shape[d] == 1) continue;
    if (layout.strides[d] != step) return false;
    step *= layout.shape[d];
  }
  return true;
}

bool overlaps_itself(const Layout& layout, Index item) noexcept {
  if (c_contiguous(layout, item)) return false;
  // By rising strides, each must step over all that the axes before it reach.
  int order[th::kMaxDims], axes = 0;
  const auto stride = [&](int d) { return std::abs(layout.strides[d]); };
  for (int d = 0; d < layout.ndim; ++d) {
    if (layout.shape[d] == 0) return false;
    if (layout.shape[d] == 1) continue;
    int at = axes++;
    for (; at > 0 && stride(order[at - 1]) > stride(d); --at) order[at] = order[at - 1];
    order[at] = d;
  }
  Index reach = item;
  for (int k = 0; k < axes; ++k) {
    if (stride(order[k]) < reach) return true;
    reach += stride(order[k]) * (layout.shape[order[k]] - 1);
  }
  return false;
}

void set_k_strides(Layout& layout, Index item, const Layout* const* operands, int count) noexcept {
  bool plain = true;
  for (int k = 0; plain && k < count; ++k) plain = c_contiguous(*operands[k], item);
  if (plain || layout.ndim < 2) return set_c_strides(layout, item);
  int order[th::kMaxDims];
  const int ndim = layout.ndim;
  th::axis_order(
      ndim, count,
      [&](int k, int d) {
        const int at = d - (ndim - operands[k]->ndim);
        return at < 0 || operands[k]->shape[at] == 1 ? 0 : operands[k]->strides[at];
      },
      order);
  Index step = item;
  for (int i = 0; i < ndim; ++i) {
    layout.strides[order[i]] = step;
    step *= layout.shape[order[i]] > 1 ? layout.shape[order[i]] : 1;
  }
}

Array* make_array(Kind kind, const Layout& layout, Index bytes) {
  Index size = th::item_size(kind);
  bool too_big = false;
  for (int d = 0; d < layout.ndim; ++d)
    too_big = __builtin_mul_overflow(size, layout.shape[d] ? layout.shape[d] : 1, &size) || too_big;
  if (too_big) {
    PyErr_SetString(PyExc_ValueError, "array is too big; its size in bytes is larger than the address space");
    return nullptr;
  }
  return make_view(Storage::make(static_cast<std::size_t>(bytes)), 0, kind, layout);
}

Layout c_layout(Kind kind, int ndim, const Index* shape) noexcept {
  Layout layout;
  layout.ndim = ndim;
  std::copy_n(shape, ndim, layout.shape);
  set_c_strides(layout, th::item_size(kind));
  return layout;
}

Array* make_array(Kind kind, int ndim, const Index* shape) {
  const Layout layout = c_layout(kind, ndim, shape);
  return make_array(kind, layout, layout.size() * th::item_size(kind));
}

// -- from and to NumPy -----------------------------------------------------------------------------

Array* share(PyArrayObject* array) {
  Kind kind;
  const int ndim = PyArray_NDIM(array);
  if (ndim > th::kMaxDims || !PyArray_ISALIGNED(array) || !kind_of(PyArray_TYPE(array), kind) ||
      !PyArray_ISNOTSWAPPED(array)) {
    return nullptr;
  }
  Layout layout;
  layout.ndim = ndim;
  for (int d = 0; d < ndim; ++d) {
    layout.shape[d] = PyArray_DIM(array, d);
    layout.strides[d] = PyArray_STRIDE(array, d);
  }
  Ref<Storage> storage = storage_of(array);
  const Index offset = PyArray_BYTES(array) - storage->data();
  return make_view(std::move(storage), offset, kind, layout, PyArray_ISWRITEABLE(array));
}

PyObject* to_numpy(Array* array) {
  // Whoever gets the view may write through it: nothing may still read or write the memory.
  if (!wait_idle(array->storage)) return nullptr;
  npy_intp shape[th::kMaxDims], strides[th::kMaxDims];
  for (int d = 0; d < array->layout.ndim; ++d) {
    shape[d] = array->layout.shape[d];
    strides[d] = array->layout.strides[d];
  }
  char* data;
  try {
    data = array->data();
  } catch (const std::bad_alloc&) {
    return PyErr_NoMemory();
  }
  PyArray_Descr* const dtype = descriptor(array->kind);
  Py_INCREF(dtype);
  PyObject* made = PyArray_NewFromDescr(&PyArray_Type, dtype, array->layout.ndim, shape, strides, data,
                                        array->writable ? NPY_ARRAY_WRITEABLE : 0, nullptr);
  if (!made) return nullptr;
  Py_INCREF(as_object(array));
  if (PyArray_SetBaseObject(reinterpret_cast<PyArrayObject*>(made), as_object(array)) < 0) {
    Py_DECREF(made);
    return nullptr;
  }
  return made;
}

PyObject* scalar_at(const char* address, Kind kind) {
  // The common ones without PyArray_Scalar's detour over the dtype.
  if (kind == Kind::float64) {
    PyObject* const made = PyDoubleArrType_Type.tp_alloc(&PyDoubleArrType_Type, 0);
    if (made) std::memcpy(&PyArrayScalar_VAL(made, Double), address, sizeof(double));
    return made;
  }
  if (kind == Kind::float32) {
    PyObject* const made = PyFloatArrType_Type.tp_alloc(&PyFloatArrType_Type, 0);
    if (made) std::memcpy(&PyArrayScalar_VAL(made, Float), address, sizeof(float));
    return made;
  }
  return PyArray_Scalar(const_cast<char*>(address), descriptor(kind), nullptr);
}

// -- attributes --------------------------------------------------------------------------------------

namespace {

PyObject* index_tuple(const Index* values, int count) {
  PyObject* made = PyTuple_New(count);
  if (!made) return nullptr;
  for (int k = 0; k < count; ++k) {
    PyObject* item = PyLong_FromLongLong(values[k]);
    if (!item) {
      Py_DECREF(made);
      return nullptr;
    }
    PyTuple_SET_ITEM(made, k, item);
  }
  return made;
}

PyObject* get_shape(PyObject* self, void*) {
  return index_tuple(as_array(self)->layout.shape, as_array(self)->layout.ndim);
}
PyObject* get_strides(PyObject* self, void*) {
  return index_tuple(as_array(self)->layout.strides, as_array(self)->layout.ndim);
}
PyObject* get_ndim(PyObject* self, void*) { return PyLong_FromLong(as_array(self)->layout.ndim); }
PyObject* get_size(PyObject* self, void*) { return PyLong_FromLongLong(as_array(self)->layout.size()); }
PyObject* get_itemsize(PyObject* self, void*) { return PyLong_FromLongLong(as_array(self)->item()); }
PyObject* get_nbytes(PyObject* self, void*) {
  return PyLong_FromLongLong(as_array(self)->item() * as_array(self)->layout.size());
}
PyObject* get_dtype(PyObject* self, void*) {
  return Py_NewRef(reinterpret_cast<PyObject*>(descriptor(as_array(self)->kind)));
}
PyObject* get_transposed(PyObject* self, void*) {
  Array* const array = as_array(self);
  Layout layout;
  const int ndim = layout.ndim = array->layout.ndim;
  for (int d = 0; d < ndim; ++d) {
    layout.shape[d] = array->layout.shape[ndim - 1 - d];
    layout.strides[d] = array->layout.strides[ndim - 1 - d];
  }
  return as_object(make_view(array, array->offset, layout));
}
PyObject* get_array_interface(PyObject* self, void*) {
  Owned view(to_numpy(as_array(self)));
  return view ? PyObject_GetAttrString(view.get(), "__array_interface__") : nullptr;
}
PyObject* get_array_struct(PyObject* self, void*) {
  Owned view(to_numpy(as_array(self)));
  return view ? PyObject_GetAttrString(view.get(), "__array_struct__") : nullptr;
}

PyObject* attribute(PyObject* self, PyObject* name) {
  PyObject* found = PyObject_GenericGetAttr(self, name);
  if (found || !PyErr_ExceptionMatches(PyExc_AttributeError)) return found;
  PyErr_Clear();
  return host_attribute(as_array(self), name);
}

// -- protocols ----------------------------------------------------------------------------------------

PyObject* represent(PyObject* self) {
  // As an ndarray's: what a program prints does not depend on who runs it.
  Owned view(to_numpy(as_array(self)));
  return view ? PyObject_Repr(view.get()) : nullptr;
}

PyObject* print(PyObject* self) {
  Owned view(to_numpy(as_array(self)));
  return view ? PyObject_Str(view.get()) : nullptr;
}

PyObject* iterate(PyObject* self) {
  if (!as_array(self)->layout.ndim) {
    PyErr_SetString(PyExc_TypeError, "iteration over a 0-d array");
    return nullptr;
  }
  return PySeqIter_New(self);
}

int contains(PyObject* self, PyObject* value) {
  Owned view(to_numpy(as_array(self)));
  return view ? PySequence_Contains(view.get(), value) : -1;
}

PyObject* on_host(PyObject* self, PyObject* (*ask)(PyObject*)) {
  Owned view(to_numpy(as_array(self)));
  return view ? ask(view.get()) : nullptr;
}

PySequenceMethods sequence = {
    .sq_length = length,
    .sq_item = item_at,
    .sq_contains = contains,
};

PyMappingMethods mapping = {
    .mp_length = length,
    .mp_subscript = get_item,
    .mp_ass_subscript = set_item,
};

int get_buffer(PyObject* self, Py_buffer* buffer, int flags) {
  Owned view(to_numpy(as_array(self)));  // the buffer keeps it, and it keeps the Array
  return view ? PyObject_GetBuffer(view.get(), buffer, flags) : -1;
}

PyBufferProcs buffer = {.bf_getbuffer = get_buffer, .bf_releasebuffer = nullptr};

PyObject* new_from_python(PyTypeObject*, PyObject*, PyObject*) {
  PyErr_SetString(PyExc_TypeError, "an Array is made by myia.asarray");
  return nullptr;
}

}  // namespace

PyObject* as_float(PyObject* self) { return on_host(self, PyNumber_Float); }
PyObject* as_int(PyObject* self) { return on_host(self, PyNumber_Long); }
PyObject* as_index(PyObject* self) { return on_host(self, PyNumber_Index); }
int as_bool(PyObject* self) {
  Owned view(to_numpy(as_array(self)));
  return view ? PyObject_IsTrue(view.get()) : -1;
}

PyGetSetDef array_attributes[] = {
    {"shape", get_shape, nullptr, "The sizes of the axes. Never waits.", nullptr},
    {"strides", get_strides, nullptr, "Bytes from one element to the next along each axis. Never waits.", nullptr},
    {"ndim", get_ndim, nullptr, "The number of axes. Never waits.", nullptr},
    {"size", get_size, nullptr, "The number of elements. Never waits.", nullptr},
    {"itemsize", get_itemsize, nullptr, "Bytes of an element. Never waits.", nullptr},
    {"nbytes", get_nbytes, nullptr, "Bytes of all elements. Never waits.", nullptr},
    {"dtype", get_dtype, nullptr, "NumPy's dtype of the elements. Never waits.", nullptr},
    {"T", get_transposed, nullptr, "The transposed view. Never waits.", nullptr},
    {"__array_interface__", get_array_interface, nullptr, "NumPy's description of the memory. Waits.", nullptr},
    {"__array_struct__", get_array_struct, nullptr, "NumPy's description of the memory. Waits.", nullptr},
    {},
};

PyTypeObject ArrayType = {
    .ob_base = PyVarObject_HEAD_INIT(nullptr, 0)
    .tp_name = "myia.Array",
    .tp_basicsize = sizeof(Array),
    .tp_dealloc = deallocate,
    .tp_repr = represent,
    .tp_as_number = &array_numbers,
    .tp_as_sequence = &sequence,
    .tp_as_mapping = &mapping,
    .tp_hash = PyObject_HashNotImplemented,
    .tp_str = print,
    .tp_getattro = attribute,
    .tp_as_buffer = &buffer,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .tp_doc = "An array whose elements may still be on their way; made by myia.asarray.\n\n"
              "Behaves as numpy.ndarray does, and can be handed to any NumPy function. Shape and dtype are\n"
              "known at once; whatever needs an element waits for it. Where NumPy gives a scalar, so does\n"
              "this, after waiting. A failure of the work raises at its first use, naming the line.",
    .tp_richcompare = compare,
    .tp_weaklistoffset = offsetof(Array, weak_references),
    .tp_iter = iterate,
    .tp_methods = array_methods,
    .tp_getset = array_attributes,
    .tp_new = new_from_python,
};

}  // namespace myia
