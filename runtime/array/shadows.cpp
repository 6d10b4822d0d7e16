// Shadows: the adjoint memory of one call of a gradient. The same storage has the same shadow.

#include <cstdint>
#include <unordered_map>

#include "array/array.hpp"

namespace myia {

namespace {

/// A reference of the table's, which counts among the storage's holders.
class Held {
 public:
  Held() noexcept = default;
  explicit Held(Storage* storage) noexcept : storage_(storage) { storage->add_holder(); }
  Held(Held&&) noexcept = default;
  Held& operator=(Held&& other) noexcept {
    std::swap(storage_, other.storage_);
    return *this;
  }
  ~Held() {
    if (storage_) storage_->drop_holder();
  }
  [[nodiscard]] Storage* get() const noexcept { return storage_.get(); }
  Storage* operator->() const noexcept { return storage_.get(); }

 private:
  Ref<Storage> storage_;
};

struct Shadow {
  Held of;              ///< kept, so that its address is not given to another storage
  Held memory;
  Index shift;          ///< where the image of the first byte is: borrowed memory may begin at any address
};
using Table = std::unordered_map<Storage*, Shadow>;

/// Not a field of the storage: two calls, in two threads or one inside the other, must not meet.
struct Shadows {
  PyObject_HEAD
  Table* table;
  PyObject* weak_references;
};

Table& table_of(PyObject* self) noexcept { return *reinterpret_cast<Shadows*>(self)->table; }

/// Lets go of shadows, with the GIL.
template <class Held>
void let_go(Held& held) noexcept {
  releases_at_once = true;
  held = Held();
  releases_at_once = false;
}

// -- whose shadow is asked for -------------------------------------------------------------------------------

/// The Array of an argument, shared if it is an ndarray. Null with an exception for anything else.
Owned array_for(PyObject* x) {
  if (is_array(x)) return Owned::borrow(x);
  if (!PyArray_Check(x)) {
    PyErr_Format(PyExc_TypeError, "only arrays have a shadow, not %.200s", Py_TYPE(x)->tp_name);
    return Owned();
  }
  Owned made(as_object(share(reinterpret_cast<PyArrayObject*>(x))));
  if (!made && !PyErr_Occurred()) {
    const Owned errors(PyImport_ImportModule("myia.errors"));
    const Owned kind(errors ? PyObject_GetAttrString(errors.get(), "NotDifferentiable") : nullptr);
    if (kind) {
      PyErr_Format(kind.get(), "an array of %R, or with such strides, is written in place; use float64 or float32",
                   PyArray_DESCR(reinterpret_cast<PyArrayObject*>(x)));
    }
  }
  return made;
}

/// The storage of an argument that has been seen before; null without an exception for any other, and for what
/// is no array.
Ref<Storage> storage_for(PyObject* x) {
  if (is_array(x)) return Ref<Storage>(as_array(x)->storage);
  return PyArray_Check(x) ? known_storage(reinterpret_cast<PyArrayObject*>(x)) : Ref<Storage>();
}

void refuse_complex(Kind kind) {
  Owned errors(PyImport_ImportModule("myia.errors"));
  Owned refusal(errors ? PyObject_GetAttrString(errors.get(), "NotDifferentiable") : nullptr);
  Owned what(PyUnicode_FromFormat("an array of %S is written in place", descriptor(kind)));
  Owned arguments(what ? PyTuple_Pack(1, what.get()) : nullptr);
  Owned options(Py_BuildValue("{s:s,s:s}", "reason", "adjoints of complex arrays are not kept in place", "remedy",
                              "keep the real and the imaginary part in two real arrays"));
  Owned error(refusal && arguments && options ? PyObject_Call(refusal.get(), arguments.get(), options.get()) : nullptr);
  if (error) PyErr_SetObject(refusal.get(), error.get());
}

enum class Adjoint { shadow, fresh, none };

/// Where the adjoint of an array is kept: one without a derivative has zeros that nobody adds up.
Adjoint adjoint_of(Kind kind) {
  if (is_float(kind) || kind == Kind::float16) return Adjoint::shadow;
  if (!is_complex(kind)) return Adjoint::fresh;
  refuse_complex(kind);
  return Adjoint::none;
}

// -- the shadow ----------------------------------------------------------------------------------------------

/// The image of a view in a shadow. It can be written, also where the view cannot.
PyObject* image(const Array* array, const Shadow& shadow) {
  Array* const made =
      make_view(Ref<Storage>(shadow.memory.get()), array->offset + shadow.shift, array->kind, array->layout);
  if (made) made->adjoint = true;
  return as_object(made);
}

bool make_shadow(Storage* storage, Shadow& made) {
  constexpr std::uintptr_t kAligned = 16;  // as the elements of the largest kind
  made.shift = storage->borrowed() ? static_cast<Index>(reinterpret_cast<std::uintptr_t>(storage->data()) % kAligned) : 0;
  const Index bytes = static_cast<Index>(storage->bytes()) + made.shift;
  // Zeros over the whole storage, as other views have their part in it. Those of bytes are those of any kind.
  Owned whole(as_object(zeros(Kind::int8, 1, &bytes)));
  if (!whole) return false;
  made.of = Held(storage);
  made.memory = Held(as_array(whole.get())->storage);
  return true;
}

PyObject* of(PyObject* self, PyObject* x) {
  Owned holder(array_for(x));
  if (!holder) return nullptr;
  Array* const array = as_array(holder.get());
  switch (adjoint_of(array->kind)) {
    case Adjoint::none: return nullptr;
    case Adjoint::fresh: return as_object(zeros(Kind::float64, array->layout.ndim, array->layout.shape));
    case Adjoint::shadow: break;
  }
  Table& table = table_of(self);
  const auto found = table.find(array->storage);
  if (found != table.end()) return image(array, found->second);
  Shadow made;
  if (!make_shadow(array->storage, made)) return nullptr;
  // Another thread may have been first, if the zeros had to wait for room.
  return image(array, table.try_emplace(array->storage, std::move(made)).first->second);
}

PyObject* take(PyObject* self, PyObject* x) {
  Owned holder(array_for(x));
  if (!holder) return nullptr;
  Array* const array = as_array(holder.get());
  switch (adjoint_of(array->kind)) {
    case Adjoint::none: return nullptr;
    case Adjoint::fresh: return as_object(zeros(Kind::float64, array->layout.ndim, array->layout.shape));
    case Adjoint::shadow: break;
  }
  Table& table = table_of(self);
  const auto found = table.find(array->storage);
  if (found == table.end()) return as_object(zeros(array->kind, array->layout.ndim, array->layout.shape));
  PyObject* const made = image(array, found->second);
  if (made) table.erase(found);  // x keeps the storage
  return made;
}

PyObject* has(PyObject* self, PyObject* x) {
  const Ref<Storage> storage = storage_for(x);
  return PyBool_FromLong(storage && table_of(self).contains(storage.get()));
}

PyObject* clear(PyObject* self, PyObject*) {
  Table held;
  held.swap(table_of(self));  // an owner's end may run any code
  let_go(held);
  Py_RETURN_NONE;
}

Py_ssize_t count(PyObject* self) { return static_cast<Py_ssize_t>(table_of(self).size()); }

PyObject* get_bytes(PyObject* self, void*) {
  std::size_t bytes = 0;
  for (const auto& [storage, shadow] : table_of(self)) bytes += shadow.memory->bytes();
  return PyLong_FromSize_t(bytes);
}

// -- the type ------------------------------------------------------------------------------------------------

PyObject* make_new(PyTypeObject* type, PyObject*, PyObject*) {
  PyObject* const made = type->tp_alloc(type, 0);
  if (made) reinterpret_cast<Shadows*>(made)->table = new Table;
  return made;
}

void deallocate(PyObject* self) {
  auto* const shadows = reinterpret_cast<Shadows*>(self);
  if (shadows->weak_references) PyObject_ClearWeakRefs(self);
  let_go(*shadows->table);
  delete shadows->table;
  Py_TYPE(self)->tp_free(self);
}

PyMethodDef methods[] = {
    {"of", of, METH_O,
     "of(x): the same view of the shadow of x's storage, which is zero when first asked for.\n\n"
     "x is an Array or an ndarray of floats; shape, strides and dtype of the result are its own. Views of one memory\n"
     "have views of one shadow, which can be written also where x cannot. Where elements of x share memory (a\n"
     "broadcast view, windows), `+=` and `-=` of an array add up in it. Integers and booleans have no derivative:\n"
     "fresh float64 zeros, which are not kept. Raises NotDifferentiable for complex numbers, TypeError for what is\n"
     "no array."},
    {"take", take, METH_O,
     "take(x): as of(x), but the shadow leaves the table: it is the caller's. Fresh zeros if there was none."},
    {"has", has, METH_O, "has(x): whether the storage of x has a shadow here."},
    {"clear", clear, METH_NOARGS, "Let go of all shadows."},
    {},
};

PyGetSetDef attributes[] = {
    {"nbytes", get_bytes, nullptr, "Bytes of all shadows in the table.", nullptr},
    {},
};

PySequenceMethods sequence = {.sq_length = count};
PyMappingMethods mapping = {.mp_length = count};

PyTypeObject shadows_type = {
    .ob_base = PyVarObject_HEAD_INIT(nullptr, 0)
    .tp_name = "myia._runtime.Shadows",
    .tp_basicsize = sizeof(Shadows),
    .tp_dealloc = deallocate,
    .tp_as_sequence = &sequence,
    .tp_as_mapping = &mapping,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    .tp_doc = "The adjoint memory of one call: for each storage that was asked for, as much memory, zero at first.",
    .tp_weaklistoffset = offsetof(Shadows, weak_references),
    .tp_methods = methods,
    .tp_getset = attributes,
    .tp_new = make_new,
};

// -- whether memory is shared -----------------------------------------------------------------------------------

PyObject* shares(PyObject*, PyObject* const* args, Py_ssize_t given) {
  if (given != 2) {
    PyErr_SetString(PyExc_TypeError, "shares() takes two arguments");
    return nullptr;
  }
  Ref<Storage> storages[2];
  for (int k = 0; k < 2; ++k) {
    if (is_array(args[k])) {
      storages[k] = Ref<Storage>(as_array(args[k])->storage);
    } else if (PyArray_Check(args[k])) {
      storages[k] = storage_of(reinterpret_cast<PyArrayObject*>(args[k]));
    } else {
      Py_RETURN_FALSE;
    }
  }
  const bool same = storages[0].get() == storages[1].get();
  let_go(storages[0]);
  let_go(storages[1]);
  return PyBool_FromLong(same);
}

PyObject* overlaps(PyObject*, PyObject* x) {
  if (is_array(x)) return PyBool_FromLong(overlaps_itself(as_array(x)->layout, as_array(x)->item()));
  if (!PyArray_Check(x)) Py_RETURN_FALSE;
  auto* const array = reinterpret_cast<PyArrayObject*>(x);
  if (PyArray_NDIM(array) > th::kMaxDims) Py_RETURN_FALSE;  // it has no shadow
  Layout layout;
  layout.ndim = PyArray_NDIM(array);
  for (int d = 0; d < layout.ndim; ++d) {
    layout.shape[d] = PyArray_DIM(array, d);
    layout.strides[d] = PyArray_STRIDE(array, d);
  }
  return PyBool_FromLong(overlaps_itself(layout, PyArray_ITEMSIZE(array)));
}

PyObject* memory_of(PyObject*, PyObject* x) {
  if (!is_array(x)) Py_RETURN_NONE;
  const Storage* const storage = as_array(x)->storage;
  return Py_BuildValue("(Nn)", PyLong_FromVoidPtr(const_cast<Storage*>(storage)),
                       static_cast<Py_ssize_t>(storage->bytes()));
}

PyMethodDef functions[] = {
    {"memory_of", memory_of, METH_O,
     "memory_of(x): the storage of an Array, as a number that no other has while it lives, and its size in bytes;\n"
     "None for anything else."},
    {"overlaps_itself", overlaps, METH_O,
     "overlaps_itself(x): whether elements of the array share memory with one another, as those of a broadcast view\n"
     "do. Its shadow then has one place for them. False for anything that is no array."},
    {"shares", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(shares)), METH_FASTCALL,
     "shares(a, b): whether both are arrays on one storage; False for anything that is no array."},
    {},
};

}  // namespace

bool make_shadows(PyObject* module) {
  return PyType_Ready(&shadows_type) == 0 &&
         PyModule_AddObjectRef(module, "Shadows", reinterpret_cast<PyObject*>(&shadows_type)) == 0 &&
         PyModule_AddFunctions(module, functions) == 0;
}

}  // namespace myia
