#pragma once

// The embedding in Python: the Array type, and how Python objects become operands of kernels.
// Everything here is called with the GIL held, unless it says otherwise.

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#define PY_ARRAY_UNIQUE_SYMBOL MYIA_ARRAY_API
#define PY_UFUNC_UNIQUE_SYMBOL MYIA_UFUNC_API
#ifndef MYIA_IMPORTS_NUMPY
#define NO_IMPORT_ARRAY
#define NO_IMPORT_UFUNC
#endif
#include <numpy/arrayobject.h>
#include <numpy/arrayscalars.h>
#include <numpy/ufuncobject.h>

#include <initializer_list>
#include <memory>

#include "dispatch/dispatcher.hpp"
#include "storage/storage.hpp"
#include "th/flags.hpp"
#include "th/layout.hpp"

namespace myia {

using th::Index;
using th::Kind;
using th::Layout;
using th::Walk;

/// A strided view of a storage. Shape, strides and dtype are known at once; the contents may be pending.
struct Array {
  PyObject_HEAD
  Storage* storage;  ///< one reference is ours
  Index offset;      ///< of the first element, in bytes
  Kind kind;
  bool writable;
  bool adjoint;      ///< adjoint memory: what is added to elements that share memory adds up, as in `x += g`
  PyObject* weak_references;
  Layout layout;

  char* data() const { return storage->data() + offset; }
  [[nodiscard]] Index item() const noexcept { return th::item_size(kind); }
};

extern PyTypeObject ArrayType;

inline bool is_array(PyObject* object) noexcept { return Py_TYPE(object) == &ArrayType; }
inline Array* as_array(PyObject* object) noexcept { return reinterpret_cast<Array*>(object); }
inline PyObject* as_object(Array* array) noexcept { return reinterpret_cast<PyObject*>(array); }

/// An owned reference to a Python object.
class Owned {
 public:
  Owned() noexcept = default;
  explicit Owned(PyObject* object) noexcept : object_(object) {}
  Owned(Owned&& other) noexcept : object_(other.release()) {}
  Owned& operator=(Owned&& other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  Owned(const Owned&) = delete;
  Owned& operator=(const Owned&) = delete;
  ~Owned() { Py_XDECREF(object_); }
  static Owned borrow(PyObject* object) noexcept {
    Py_XINCREF(object);
    return Owned(object);
  }
  [[nodiscard]] PyObject* get() const noexcept { return object_; }
  [[nodiscard]] PyObject* release() noexcept { return std::exchange(object_, nullptr); }
  explicit operator bool() const noexcept { return object_ != nullptr; }

 private:
  PyObject* object_ = nullptr;
};

// -- dtypes (array/dtypes.cpp) --------------------------------------------------------------------

/// The kind of one of NumPy's type numbers; false if kernels do not know it.
bool kind_of(int type_number, Kind& kind) noexcept;
int type_number(Kind kind) noexcept;
/// NumPy's descriptor, borrowed.
PyArray_Descr* descriptor(Kind kind) noexcept;
bool import_dtypes();
inline bool is_float(Kind kind) noexcept { return kind == Kind::float32 || kind == Kind::float64; }
inline bool is_complex(Kind kind) noexcept { return kind == Kind::complex64 || kind == Kind::complex128; }
inline bool is_integer(Kind kind) noexcept { return kind >= Kind::int8 && kind <= Kind::uint64; }

// -- making arrays (array/array.cpp) --------------------------------------------------------------

/// The layout of a new array in C order.
Layout c_layout(Kind kind, int ndim, const Index* shape) noexcept;
/// A view of `storage`, whose reference it takes over.
Array* make_view(Ref<Storage> storage, Index offset, Kind kind, const Layout& layout, bool writable = true);
/// A view of the same storage as `base`.
Array* make_view(const Array* base, Index offset, const Layout& layout);
/// A new array in C order, uninitialised; its memory comes when it is first written.
Array* make_array(Kind kind, int ndim, const Index* shape);
/// A new array of which `layout.strides` are set already and cover `bytes` bytes.
Array* make_array(Kind kind, const Layout& layout, Index bytes);
/// A new array of zeros in C order; they take memory when they are first used (array/backprops.cpp).
Array* zeros(Kind kind, int ndim, const Index* shape);
void set_c_strides(Layout& layout, Index item) noexcept;
bool c_contiguous(const Layout& layout, Index item) noexcept;
/// Whether two elements of a view may share memory: a broadcast one, windows. Says yes if it is not sure.
bool overlaps_itself(const Layout& layout, Index item) noexcept;
/// Strides in the order of the operands' axes, as NumPy's order='K' gives a result.
void set_k_strides(Layout& layout, Index item, const Layout* const* operands, int count) noexcept;

/// An Array that shares the memory of an ndarray; null without an exception if kernels cannot use it
/// (dtype, alignment, byte order, too many dimensions).
Array* share(PyArrayObject* array);
/// An ndarray that shares the memory, after what is pending on it is done. Null with an exception.
PyObject* to_numpy(Array* array);
/// The element at this address as NumPy's scalar. The contents must be there.
PyObject* scalar_at(const char* address, Kind kind);

// -- whose memory it is (array/memory.cpp) -----------------------------------------------------------

/// The Array whose memory an ndarray that we exported shows, found along its bases; borrowed, or null.
Array* exported_from(PyArrayObject* array);
/// The storage of an ndarray's memory: that of the Array it was exported from, or one that is borrowed for all
/// views of the memory.
Ref<Storage> storage_of(PyArrayObject* array);
/// The same if there is one already, else null.
Ref<Storage> known_storage(PyArrayObject* array);
/// A storage lets go of the memory of this owner. Any thread, no GIL.
void forget_owner(void* owner) noexcept;

// -- waiting (array/waiting.cpp) -------------------------------------------------------------------

/// Wait, without the GIL. False with an exception: a failure of the work, or of a signal's handler.
bool wait_ready(Storage* storage);
bool wait_idle(Storage* storage);
bool wait_all();
/// Drops what is pending because the process ends: daemon threads that wait for it wait on, and say nothing.
void end_process();
/// Submits a task from the line of Python that is running; waits first if too much is in flight.
bool submit(std::unique_ptr<Task> task, std::initializer_list<Storage*> reads,
            std::initializer_list<Storage*> writes);
bool submit(std::unique_ptr<Task> task, std::span<Storage* const> reads, std::span<Storage* const> writes);
/// An id of the line of Python that is running.
std::uint32_t current_place();
/// (file name, line) of a place, None if it is not known.
PyObject* place_of(std::uint32_t place);
/// Sets the Python exception of a failure.
void raise_failure(const Failure& failure);
/// Lets go of objects whose last reference a worker dropped.
void release_deferred();
void defer_release(void* owner);
/// Set while this thread, with the GIL, lets go of a storage: its owner goes with it.
extern thread_local bool releases_at_once;
/// Whether writing to a storage that a pending backprop reads raises: in debug builds, or when asked for.
extern bool enforce_marks;
/// False with an exception: the array is read-only, or marked by a pending backprop.
bool check_writable(const Array* array);

// -- floating-point errors (array/status.cpp) -------------------------------------------------------

namespace status {
using th::flags::clear;
using th::flags::forget_undefined;
using th::flags::raised;
/// Reports flags as numpy.errstate asks. False with an exception.
bool report(int flags, const char* name);
/// What the errstate of this thread wants to know of, flags that are not ignored; and above them a number of
/// this thread, whose errstate it is.
int wanted();
/// Whether a flag of the user's errstate raises; then work is waited for.
bool raises();
/// Notes flags raised on a worker; any thread, no GIL. `wanted` is what wanted() gave at the submission.
void note(int flags, const char* name, int wanted) noexcept;
/// Reports what workers noted of the work of this thread. False with an exception.
bool report_noted();
}  // namespace status

// -- work ------------------------------------------------------------------------------------------

// Work is elements times cost; a unit is about 0.3 ns, an addition costs kCheap (benchmarks/runtime.py).
constexpr int kCheap = 2;
/// The most work that the caller does himself, if everything is ready.
extern Index inline_limit;
/// The least work that is worth a part of its own.
extern Index split_size;
/// How many parts a kernel over `size` elements of this cost is split into.
int parts_for(Index size, int cost) noexcept;

// -- operations that others build on ----------------------------------------------------------------

/// An operand of a kernel: an array's view, or a scalar's value.
struct Operand {
  Storage* storage = nullptr;  ///< null for a scalar, and for an ndarray used directly
  PyArrayObject* direct = nullptr;
  char* address = nullptr;     ///< of a scalar or an ndarray; of an Array only when it is ready
  Index offset = 0;
  Kind kind = Kind::float64;
  signed char code = 0;        ///< kind, or kWeakInt ...: what result types are looked up by
  bool scalar = false;
  bool exported = false;       ///< an ndarray that shows `storage`: the user may write through it at any time
  Ref<Storage> kept;           ///< the storage of an ndarray's memory, if it has one
  Layout layout;
  alignas(16) char value[16];
  PyObject* object = nullptr;  ///< borrowed
  Owned holder;                ///< keeps a converted operand alive

  [[nodiscard]] bool ready() const noexcept { return !storage || (storage->ready() && !storage->failed()); }
  [[nodiscard]] char* data() const { return storage ? storage->data() + offset : address; }
};
constexpr signed char kWeakInt = th::kKinds, kWeakFloat = th::kKinds + 1, kWeakComplex = th::kKinds + 2;
constexpr int kCodes = th::kKinds + 3;

/// Reads an Array, ndarray, NumPy scalar or Python number. False, without an exception, for others.
bool read_operand(PyObject* object, Operand& operand);
/// The operand converted to another kind: scalars in place, arrays into a new one. False with an
/// exception, or without one if the value does not fit.
bool convert_operand(Operand& operand, Kind kind);

/// Whether an operand may share memory with an array: it is of the same storage, or one of the two is
/// somebody else's memory and they meet.
bool may_overlap(const Array* array, const Operand& operand);
bool same_shape(const Layout& a, const Layout& b) noexcept;
/// Whether this is the very view that an array is: the same elements in the same order.
bool same_view(const Array* a, const Storage* storage, Index offset, Kind kind, const Layout& layout) noexcept;
inline bool same_view(const Array* a, const Operand& b) noexcept {
  return same_view(a, b.storage, b.offset, b.kind, b.layout);
}

/// The shape the operands broadcast to. False, without an exception, if they do not.
bool broadcast(const Operand* operands, int count, Layout& shape) noexcept;
/// The strides of an operand in that shape, zero where it is broadcast.
void broadcast_strides(const Layout& operand, const Layout& shape, Index* strides) noexcept;

/// copy `source` into `destination`, which it broadcasts to, converting. False with an exception.
bool assign(Array* destination, PyObject* source);
Array* copy_of(Array* array);
/// destination += source (or -=), which has its kind and broadcasts to it; one element after the other, so that
/// contributions to elements that share memory add up. False with an exception.
bool add_each(Array* destination, Operand& source, bool subtract);
/// A new array of another kind.
Array* cast(Array* array, Kind kind);

// -- the operator table (array/operators.cpp) -------------------------------------------------------

struct Operator;
/// A ufunc's operator by name, null if there is none.
Operator* find_operator(const char* name);
/// ufunc(operands...), a new reference; out may be null. Falls back to NumPy.
PyObject* apply(Operator* op, PyObject* const* operands, int count, PyObject* out);
bool make_operators(PyObject* module);

// -- the host (array/host.cpp) ----------------------------------------------------------------------

/// `object` with every Array in it (in exact lists, tuples and dictionaries too) as an ndarray.
PyObject* to_host(PyObject* object);
/// ndarrays as Arrays, where kernels can use them; anything else as it is. Steals nothing.
PyObject* from_host(PyObject* object);
/// callable(*args, **kwargs) on the host: Arrays as ndarrays, the result back as an Array.
PyObject* call_host(PyObject* callable, PyObject* const* args, Py_ssize_t count, PyObject* names);
bool make_host(PyObject* module);
/// An attribute of ndarray that Array has no own version of.
PyObject* host_attribute(Array* array, PyObject* name);

// -- methods by file ----------------------------------------------------------------------------------

PyObject* get_item(PyObject* self, PyObject* index);
int set_item(PyObject* self, PyObject* index, PyObject* value);
PyObject* item_at(PyObject* self, Py_ssize_t position);
Py_ssize_t length(PyObject* self);

/// source[index] for one array of int64 along the first axis of contiguous rows (array/gather.cpp); null without an
/// exception if it is not that case.
PyObject* take_rows(Array* source, PyObject* index);
/// The same, and zeros in their place.
PyObject* take_rows_away(Array* source, PyObject* index);

PyObject* matmul(PyObject* a, PyObject* b);
bool make_products(PyObject* module);
bool make_reductions(PyObject* module);
bool make_shaping(PyObject* module);
bool make_backprops(PyObject* module);
bool make_interchange(PyObject* module);
bool make_index(PyObject* module);
bool make_gather(PyObject* module);
bool make_shadows(PyObject* module);
bool make_cumulative(PyObject* module);

extern PyMethodDef array_methods[];
extern PyGetSetDef array_attributes[];
extern PyNumberMethods array_numbers;
PyObject* compare(PyObject* a, PyObject* b, int how);

/// numpy, imported once.
PyObject* numpy();

}  // namespace myia
