// How Python objects become operands of kernels: reading, converting, broadcasting, assigning.

#include "array/array.hpp"

#include <cmath>
#include <complex>
#include <cstring>

#include "array/tasks.hpp"
#include "th/copy.hpp"
#include "th/gather.hpp"

namespace myia {

namespace {

template <class T>
void set_scalar(Operand& operand, Kind kind, signed char code, const T& value) {
  static_assert(sizeof(T) <= sizeof operand.value);
  std::memcpy(operand.value, &value, sizeof value);
  operand.address = operand.value;
  operand.kind = kind;
  operand.code = code;
  operand.scalar = true;
  operand.layout.ndim = 0;
}

bool read_numpy_scalar(PyObject* object, Operand& operand) {
  PyArray_Descr* const dtype = PyArray_DescrFromScalar(object);
  if (!dtype) {
    PyErr_Clear();
    return false;
  }
  Kind kind;
  const bool known = kind_of(dtype->type_num, kind) && PyArray_ISNBO(dtype->byteorder);
  Py_DECREF(dtype);
  if (!known) return false;
  PyArray_ScalarAsCtype(object, operand.value);
  operand.address = operand.value;
  operand.kind = kind;
  operand.code = static_cast<signed char>(kind);
  operand.scalar = true;
  operand.layout.ndim = 0;
  return true;
}

bool fits(std::int64_t value, Kind kind) noexcept {
  switch (kind) {
    case Kind::int8: return value >= INT8_MIN && value <= INT8_MAX;
    case Kind::int16: return value >= INT16_MIN && value <= INT16_MAX;
    case Kind::int32: return value >= INT32_MIN && value <= INT32_MAX;
    case Kind::uint8: return value >= 0 && value <= UINT8_MAX;
    case Kind::uint16: return value >= 0 && value <= UINT16_MAX;
    case Kind::uint32: return value >= 0 && value <= UINT32_MAX;
    case Kind::uint64: return value >= 0;
    case Kind::float16: return false;  // NumPy's rounding of large values is NumPy's business
    default: return true;
  }
}

}  // namespace

bool read_operand(PyObject* object, Operand& operand) {
  operand.object = object;
  PyTypeObject* const type = Py_TYPE(object);
  if (type == &ArrayType) {
    const Array* const array = as_array(object);
    operand.storage = array->storage;
    operand.offset = array->offset;
    operand.kind = array->kind;
    operand.code = static_cast<signed char>(array->kind);
    operand.layout = array->layout;
    return true;
  }
  if (type == &PyFloat_Type) {
    set_scalar(operand, Kind::float64, kWeakFloat, PyFloat_AS_DOUBLE(object));
    return true;
  }
  if (type == &PyDoubleArrType_Type) {
    set_scalar(operand, Kind::float64, static_cast<signed char>(Kind::float64), PyFloat_AS_DOUBLE(object));
    return true;
  }
  if (type == &PyArray_Type) {
    auto* const array = reinterpret_cast<PyArrayObject*>(object);
    Kind kind;
    const int ndim = PyArray_NDIM(array);
    if (ndim > th::kMaxDims || !kind_of(PyArray_TYPE(array), kind) || !PyArray_ISALIGNED(array) ||
        !PyArray_ISNOTSWAPPED(array))
      return false;
    operand.kept = known_storage(array);
    if (operand.kept && !operand.kept->idle()) {
      // What is queued on the memory comes before this reads it.
      operand.storage = operand.kept.get();
      operand.exported = true;
      operand.offset = PyArray_BYTES(array) - operand.storage->data();
    } else {
      operand.direct = array;
      operand.address = PyArray_BYTES(array);
    }
    operand.kind = kind;
    operand.code = static_cast<signed char>(kind);
    operand.layout.ndim = ndim;
    for (int d = 0; d < ndim; ++d) {
      operand.layout.shape[d] = PyArray_DIM(array, d);
      operand.layout.strides[d] = PyArray_STRIDE(array, d);
    }
    return true;
  }
  if (type == &PyLong_Type) {
    int overflow = 0;
    const long long value = PyLong_AsLongLongAndOverflow(object, &overflow);
    if (overflow) return false;
    set_scalar(operand, Kind::int64, kWeakInt, static_cast<std::int64_t>(value));
    return true;
  }
  if (type == &PyBool_Type) {
    set_scalar(operand, Kind::boolean, static_cast<signed char>(Kind::boolean),
               static_cast<npy_bool>(object == Py_True));
    return true;
  }
  if (type == &PyComplex_Type) {
    const Py_complex value = PyComplex_AsCComplex(object);
    set_scalar(operand, Kind::complex128, kWeakComplex, std::complex<double>(value.real, value.imag));
    return true;
  }
  return PyArray_IsScalar(object, Generic) && read_numpy_scalar(object, operand);
}

bool convert_operand(Operand& operand, Kind kind) {
  if (operand.kind == kind) return true;
  if (operand.scalar) {
    if (operand.code == kWeakInt) {
      std::int64_t value;
      std::memcpy(&value, operand.value, sizeof value);
      if (!fits(value, kind)) return false;
    }
    if ((kind == Kind::float16 || kind == Kind::float32 || kind == Kind::complex64) && operand.code >= kWeakInt) {
      // A Python number that overflows the array's kind is an affair of NumPy's error state.
      double parts[2] = {};
      if (operand.code != kWeakInt) std::memcpy(parts, operand.value, operand.code == kWeakFloat ? 8 : 16);
      for (const double value : parts)
        if (std::isfinite(value) && std::abs(value) > (kind == Kind::float16 ? 6e4 : 3.4e38)) return false;
    }
    if (operand.code == kWeakInt && (is_float(kind) || is_complex(kind) || kind == Kind::float16)) {
      // By way of a double, as Python's own conversion: the rounding is twice, and so is NumPy's.
      std::int64_t value;
      std::memcpy(&value, operand.value, sizeof value);
      const auto rounded = static_cast<double>(value);
      std::memcpy(operand.value, &rounded, sizeof rounded);
      operand.kind = Kind::float64;
      if (kind == Kind::float64) return true;
    }
    alignas(16) char converted[16];
    Walk w;
    w.operands = 2;
    char* const bases[2] = {converted, operand.value};
    th::cast(operand.kind, kind, w, bases, 0, 1);
    std::memcpy(operand.value, converted, sizeof converted);
    operand.address = operand.value;
    operand.kind = kind;
    return true;
  }
  Owned source = Owned::borrow(operand.object);
  const bool direct = !is_array(operand.object);
  if (direct) source = Owned(as_object(share(reinterpret_cast<PyArrayObject*>(operand.object))));
  if (!source) return false;
  Array* const made = cast(as_array(source.get()), kind);
  if (!made) return false;
  if (direct && !wait_ready(made->storage)) {
    Py_DECREF(as_object(made));
    return false;
  }
  operand.holder = Owned(as_object(made));
  PyObject* const object = as_object(made);
  operand.direct = nullptr;
  operand.exported = false;
  return read_operand(object, operand);
}

bool broadcast(const Operand* operands, int count, Layout& shape) noexcept {
  shape.ndim = 0;
  for (int k = 0; k < count; ++k)
    if (operands[k].layout.ndim > shape.ndim) shape.ndim = operands[k].layout.ndim;
  for (int d = 0; d < shape.ndim; ++d) shape.shape[d] = 1;
  for (int k = 0; k < count; ++k) {
    const Layout& layout = operands[k].layout;
    const int lead = shape.ndim - layout.ndim;
    for (int d = 0; d < layout.ndim; ++d) {
      Index& size = shape.shape[lead + d];
      if (layout.shape[d] == size || layout.shape[d] == 1) continue;
      if (size != 1) return false;
      size = layout.shape[d];
    }
  }
  return true;
}

void broadcast_strides(const Layout& operand, const Layout& shape, Index* strides) noexcept {
  const int lead = shape.ndim - operand.ndim;
  for (int d = 0; d < shape.ndim; ++d) {
    const bool along = d >= lead && (operand.shape[d - lead] != 1 || shape.shape[d] == 1);
    strides[d] = along ? operand.strides[d - lead] : 0;
  }
}

bool may_overlap(const Array* array, const Operand& operand) {
  if (operand.scalar) return false;
  Storage* const storage = array->storage;
  if (operand.storage == storage) return true;
  if (!storage->allocated()) return false;
  const char *begin, *end;
  if (operand.storage) {
    if (!storage->borrowed() && !operand.storage->borrowed()) return false;
    if (!operand.storage->allocated()) return false;
    begin = operand.storage->data();
    end = begin + operand.storage->bytes();
  } else {
    begin = operand.address;
    end = begin + th::item_size(operand.kind);
    for (int d = 0; d < operand.layout.ndim; ++d) {
      const Index reach = (operand.layout.shape[d] - 1) * operand.layout.strides[d];
      (reach < 0 ? begin : end) += reach;
    }
  }
  return begin < storage->data() + storage->bytes() && storage->data() < end;
}

bool same_shape(const Layout& a, const Layout& b) noexcept {
  if (a.ndim != b.ndim) return false;
  for (int d = 0; d < a.ndim; ++d)
    if (a.shape[d] != b.shape[d]) return false;
  return true;
}

bool same_view(const Array* a, const Storage* storage, Index offset, Kind kind, const Layout& layout) noexcept {
  if (storage != a->storage || offset != a->offset || kind != a->kind || !same_shape(a->layout, layout)) return false;
  for (int d = 0; d < layout.ndim; ++d)
    if (layout.shape[d] != 1 && a->layout.strides[d] != layout.strides[d]) return false;
  return true;
}

// -- copying -------------------------------------------------------------------------------------------

namespace {

struct Copying {
  Kind from, to;
  void operator()(const Walk& w, char* const* bases, Index begin, Index end) const {
    if (from == to) {
      th::copy(w, bases, th::item_size(to), begin, end);
    } else {
      th::cast(from, to, w, bases, begin, end);
    }
  }
};

bool copy_into(Array* destination, Operand& source) {
  Walk w;
  w.operands = 2;
  w.ndim = destination->layout.ndim;
  for (int d = 0; d < w.ndim; ++d) {
    w.shape[d] = destination->layout.shape[d];
    w.strides[0][d] = destination->layout.strides[d];
  }
  broadcast_strides(source.layout, destination->layout, w.strides[1]);
  const char* const name = source.kind == destination->kind ? "copy" : "cast";
  return run_walk(Copying{source.kind, destination->kind}, name, w, destination, &source, 1, kCheap);
}

}  // namespace

bool assign(Array* destination, PyObject* source) {
  if (!check_writable(destination)) return false;
  Operand operand;
  Owned converted;
  if (!read_operand(source, operand)) {
    // A list, or an array that kernels do not know: NumPy stores it.
    Owned view(to_numpy(destination)), value(to_host(source));
    if (!view || !value) return false;
    return PyArray_CopyObject(reinterpret_cast<PyArrayObject*>(view.get()), value.get()) == 0;
  }
  Layout shape;
  const int lead = operand.layout.ndim - destination->layout.ndim;
  if (lead > 0) {  // leading axes of size 1 may be too many
    for (int d = 0; d < lead; ++d) {
      if (operand.layout.shape[d] != 1) {
        PyErr_SetString(PyExc_ValueError, "could not broadcast the value into the shape of the destination");
        return false;
      }
    }
    for (int d = lead; d < operand.layout.ndim; ++d) {
      operand.layout.shape[d - lead] = operand.layout.shape[d];
      operand.layout.strides[d - lead] = operand.layout.strides[d];
    }
    operand.layout.ndim -= lead;
  }
  for (int d = 0; d < operand.layout.ndim; ++d) {
    const Index size = operand.layout.shape[d];
    if (size != 1 && size != destination->layout.shape[d + destination->layout.ndim - operand.layout.ndim]) {
      PyErr_SetString(PyExc_ValueError, "could not broadcast the value into the shape of the destination");
      return false;
    }
  }
  if (operand.scalar && operand.kind != destination->kind &&
      (is_integer(destination->kind) || !destination->layout.size())) {
    // Whether a number fits is for NumPy to say, even if there is nothing to store it in.
    Owned view(to_numpy(destination));
    return view && PyArray_CopyObject(reinterpret_cast<PyArrayObject*>(view.get()), source) == 0;
  }
  // Into windows that share elements the last write counts, and which that is NumPy knows.
  const bool half = destination->kind == Kind::float16 && operand.kind != Kind::float16;
  if (half || overlaps_itself(destination->layout, destination->item()) ||
      (is_complex(operand.kind) && !is_complex(destination->kind))) {
    Owned view(to_numpy(destination)), value(to_host(source));
    return view && value && PyArray_CopyObject(reinterpret_cast<PyArrayObject*>(view.get()), value.get()) == 0;
  }
  if (may_overlap(destination, operand)) {
    if (same_view(destination, operand)) return true;
    Owned array = is_array(source) ? Owned::borrow(source)
                                   : Owned(as_object(share(reinterpret_cast<PyArrayObject*>(source))));
    if (!array) return false;
    // A view of the layout that broadcasts, copied first.
    Owned fresh(as_object(copy_of(as_array(array.get()))));
    return fresh && assign(destination, fresh.get());
  }
  return copy_into(destination, operand);
}

namespace {

struct Adding {
  Kind kind;
  bool subtract;
  void operator()(const Walk& w, char* const* bases, Index begin, Index end) const {
    th::add_each(kind, subtract, w, bases, begin, end);
  }
};

}  // namespace

bool add_each(Array* destination, Operand& source, bool subtract) {
  Owned fresh;
  if (may_overlap(destination, source)) {
    fresh = Owned(as_object(copy_of(destination)));  // of the same view: others were refused
    if (!fresh || !read_operand(fresh.get(), source)) return false;
  }
  Walk w;
  w.operands = 2;
  w.ndim = destination->layout.ndim;
  for (int d = 0; d < w.ndim; ++d) {
    w.shape[d] = destination->layout.shape[d];
    w.strides[0][d] = destination->layout.strides[d];
  }
  broadcast_strides(source.layout, destination->layout, w.strides[1]);
  // Of no cost, it is never split: two parts could meet.
  return run_walk(Adding{destination->kind, subtract}, "add_each", w, destination, &source, 1, 0, true);
}

/// The strides of a copy with order='K': the axes by falling strides. A broadcast axis comes last, other than
/// where NumPy's iterator orders axes.
void set_sorted_strides(Layout& layout, Index item, const Layout& from) {
  int order[th::kMaxDims];
  const auto stride = [&](int d) { return std::abs(from.strides[d]); };
  for (int d = 0; d < from.ndim; ++d) {
    int at = d;
    for (; at > 0 && stride(order[at - 1]) < stride(d); --at) order[at] = order[at - 1];
    order[at] = d;
  }
  Index step = item;
  for (int k = from.ndim - 1; k >= 0; --k) {
    layout.strides[order[k]] = step;
    step *= layout.shape[order[k]] > 1 ? layout.shape[order[k]] : 1;
  }
}

Array* cast(Array* array, Kind kind) {
  Layout layout;
  layout.ndim = array->layout.ndim;
  for (int d = 0; d < layout.ndim; ++d) layout.shape[d] = array->layout.shape[d];
  if (c_contiguous(array->layout, array->item())) {
    set_c_strides(layout, th::item_size(kind));
  } else {
    set_sorted_strides(layout, th::item_size(kind), array->layout);
  }
  Owned made(as_object(make_array(kind, layout, layout.size() * th::item_size(kind))));
  if (!made) return nullptr;
  Operand source;
  read_operand(as_object(array), source);
  if (!copy_into(as_array(made.get()), source)) return nullptr;
  return as_array(made.release());
}

Array* copy_of(Array* array) {
  Owned made(as_object(make_array(array->kind, array->layout.ndim, array->layout.shape)));
  if (!made) return nullptr;
  Operand source;
  read_operand(as_object(array), source);
  if (!copy_into(as_array(made.get()), source)) return nullptr;
  return as_array(made.release());
}

}  // namespace myia
