// The host fallback: Arrays as ndarrays for NumPy's and the user's own functions, results back as Arrays.

#include <cstring>

#include "array/array.hpp"
#include "array/operators.hpp"

namespace myia {

namespace {

bool holds_array(PyObject* object, int depth) {
  if (is_array(object)) return true;
  if (depth > 8) return false;
  if (PyList_CheckExact(object)) {
    for (Py_ssize_t k = 0; k < PyList_GET_SIZE(object); ++k)
      if (holds_array(PyList_GET_ITEM(object, k), depth + 1)) return true;
  } else if (PyTuple_Check(object)) {
    for (Py_ssize_t k = 0; k < PyTuple_GET_SIZE(object); ++k)
      if (holds_array(PyTuple_GET_ITEM(object, k), depth + 1)) return true;
  } else if (PyDict_CheckExact(object)) {
    PyObject *key, *value;
    Py_ssize_t at = 0;
    while (PyDict_Next(object, &at, &key, &value))
      if (holds_array(value, depth + 1)) return true;
  }
  return false;
}

using Change = PyObject* (*)(PyObject*);

/// A tuple of the type of `like`: namedtuples stay namedtuples.
PyObject* tuple_like(PyObject* like, PyObject* items) {
  if (PyTuple_CheckExact(like)) return Py_NewRef(items);
  if (!PyObject_HasAttrString(like, "_fields")) return Py_NewRef(like);
  // Not through the class: one derived from it may have a constructor of its own.
  Owned made(PyObject_CallMethod(reinterpret_cast<PyObject*>(&PyTuple_Type), "__new__", "OO",
                                 reinterpret_cast<PyObject*>(Py_TYPE(like)), items));
  Owned attributes(made ? PyObject_GetAttrString(like, "__dict__") : nullptr);
  if (!made) return nullptr;
  if (!attributes) {
    PyErr_Clear();
  } else if (PyDict_Check(attributes.get()) && PyDict_GET_SIZE(attributes.get())) {
    Owned own(PyObject_GetAttrString(made.get(), "__dict__"));
    if (!own || PyDict_Update(own.get(), attributes.get()) < 0) return nullptr;
  }
  return made.release();
}

/// A container with its items changed, new.
PyObject* changed(PyObject* object, Change change) {
  if (PyList_CheckExact(object)) {
    const Py_ssize_t size = PyList_GET_SIZE(object);
    Owned made(PyList_New(size));
    if (!made) return nullptr;
    for (Py_ssize_t k = 0; k < size; ++k) {
      PyObject* const item = change(PyList_GET_ITEM(object, k));
      if (!item) return nullptr;
      PyList_SET_ITEM(made.get(), k, item);
    }
    return made.release();
  }
  if (PyTuple_Check(object)) {
    const Py_ssize_t size = PyTuple_GET_SIZE(object);
    Owned made(PyTuple_New(size));
    if (!made) return nullptr;
    for (Py_ssize_t k = 0; k < size; ++k) {
      PyObject* const item = change(PyTuple_GET_ITEM(object, k));
      if (!item) return nullptr;
      PyTuple_SET_ITEM(made.get(), k, item);
    }
    return tuple_like(object, made.get());
  }
  Owned made(PyDict_New());
  if (!made) return nullptr;
  PyObject *key, *value;
  Py_ssize_t at = 0;
  while (PyDict_Next(object, &at, &key, &value)) {
    Owned item(change(value));
    if (!item || PyDict_SetItem(made.get(), key, item.get()) < 0) return nullptr;
  }
  return made.release();
}

/// The ndarray that an Array is the whole of, if it is one that was handed to us.
PyObject* original(const Array* array) {
  if (!array->storage->borrowed()) return nullptr;
  auto* const owner = static_cast<PyObject*>(array->storage->owner());
  if (!owner || !PyArray_CheckExact(owner)) return nullptr;
  auto* const source = reinterpret_cast<PyArrayObject*>(owner);
  Kind kind;
  bool same = PyArray_NDIM(source) == array->layout.ndim && kind_of(PyArray_TYPE(source), kind) &&
              kind == array->kind && PyArray_BYTES(source) == array->storage->data() + array->offset &&
              static_cast<bool>(PyArray_ISWRITEABLE(source)) == array->writable;
  for (int d = 0; same && d < array->layout.ndim; ++d)
    same = PyArray_DIM(source, d) == array->layout.shape[d] && PyArray_STRIDE(source, d) == array->layout.strides[d];
  return same ? owner : nullptr;
}

/// Whether a container that was converted for a call still is what it was converted from.
bool untouched(PyObject* given, PyObject* converted, int depth) {
  if (given == converted) return true;
  if (is_array(given)) {
    if (!PyArray_CheckExact(converted)) return false;
    return original(as_array(given)) == converted ||
           exported_from(reinterpret_cast<PyArrayObject*>(converted)) == as_array(given);
  }
  if (Py_TYPE(given) != Py_TYPE(converted) || depth > 8) return false;
  if (PyDict_CheckExact(given)) {
    if (PyDict_GET_SIZE(given) != PyDict_GET_SIZE(converted)) return false;
    PyObject *key, *value;
    for (Py_ssize_t at = 0; PyDict_Next(given, &at, &key, &value);) {
      PyObject* const found = PyDict_GetItemWithError(converted, key);
      if (!found || !untouched(value, found, depth + 1)) return PyErr_Clear(), false;
    }
    return true;
  }
  if (!PyList_CheckExact(given) && !PyTuple_Check(given)) return false;
  if (PySequence_Fast_GET_SIZE(given) != PySequence_Fast_GET_SIZE(converted)) return false;
  for (Py_ssize_t k = 0; k < PySequence_Fast_GET_SIZE(given); ++k)
    if (!untouched(PySequence_Fast_GET_ITEM(given, k), PySequence_Fast_GET_ITEM(converted, k), depth + 1)) return false;
  return true;
}

/// The refusal of a call that wrote into a container, of which it had a converted copy.
void refuse_writing(PyObject* callable) {
  Owned errors(PyImport_ImportModule("myia.errors"));
  Owned kind(errors ? PyObject_GetAttrString(errors.get(), "UnsupportedMutation") : nullptr);
  Owned what(PyUnicode_FromFormat("%R writes into a list or dictionary of arrays", callable));
  Owned arguments(what ? PyTuple_Pack(1, what.get()) : nullptr);
  Owned options(Py_BuildValue("{s:s,s:s}", "reason",
                              "writing into arrays, containers and objects is not differentiated yet", "remedy",
                              "let the function return what it would write"));
  Owned error(kind && arguments && options ? PyObject_Call(kind.get(), arguments.get(), options.get()) : nullptr);
  if (error) PyErr_SetObject(kind.get(), error.get());
}

}  // namespace

PyObject* to_host(PyObject* object) {
  if (is_array(object)) {
    if (PyObject* const whole = original(as_array(object)))
      return wait_idle(as_array(object)->storage) ? Py_NewRef(whole) : nullptr;
    return to_numpy(as_array(object));
  }
  return holds_array(object, 0) ? changed(object, to_host) : Py_NewRef(object);
}

namespace {

/// Whether an object is an ndarray, made for a result, that shows the memory of an Array: its work is ordered,
/// NumPy's is not.
bool shows_an_array(PyObject* object) {
  return PyArray_CheckExact(object) && Py_REFCNT(object) == 1 && PyArray_NDIM(reinterpret_cast<PyArrayObject*>(object)) &&
         known_storage(reinterpret_cast<PyArrayObject*>(object));
}

/// A list or tuple that was made for this result, as np.split makes one, with such views as Arrays. Null with an
/// exception, or without one if there are none.
PyObject* views_from_host(PyObject* sequence) {
  const Py_ssize_t size = PySequence_Fast_GET_SIZE(sequence);
  PyObject** const items = PySequence_Fast_ITEMS(sequence);
  bool any = false;
  for (Py_ssize_t k = 0; k < size && !any; ++k) any = shows_an_array(items[k]);
  if (!any) return nullptr;
  Owned made(PyList_New(size));
  for (Py_ssize_t k = 0; made && k < size; ++k) {
    PyObject* const item = shows_an_array(items[k]) ? from_host(items[k]) : Py_NewRef(items[k]);
    if (!item) return nullptr;
    PyList_SET_ITEM(made.get(), k, item);
  }
  if (!made) return nullptr;
  return PyTuple_CheckExact(sequence) ? PyList_AsTuple(made.get()) : made.release();
}

}  // namespace

PyObject* from_host(PyObject* object) {
  // What others refer to as well stays the object that it is.
  if ((PyList_CheckExact(object) || PyTuple_CheckExact(object)) && Py_REFCNT(object) == 1) {
    PyObject* const made = views_from_host(object);
    if (made || PyErr_Occurred()) return made;
  }
  // A 0-d ndarray stays NumPy's: it is a scalar to those who compute with it.
  if (PyArray_CheckExact(object) && PyArray_NDIM(reinterpret_cast<PyArrayObject*>(object))) {
    Array* const made = share(reinterpret_cast<PyArrayObject*>(object));
    if (made || PyErr_Occurred()) return as_object(made);
  }
  return Py_NewRef(object);
}

PyObject* call_host(PyObject* callable, PyObject* const* args, Py_ssize_t count, PyObject* names) {
  const Py_ssize_t total = count + (names ? PyTuple_GET_SIZE(names) : 0);
  constexpr Py_ssize_t kFew = 8;
  PyObject* few[kFew];
  std::unique_ptr<PyObject*[]> many;
  PyObject** converted = few;
  if (total > kFew) {
    many = std::make_unique<PyObject*[]>(static_cast<std::size_t>(total));
    converted = many.get();
  }
  Py_ssize_t done = 0;
  for (; done < total; ++done) {
    converted[done] = to_host(args[done]);
    if (!converted[done]) break;
  }
  PyObject* result = nullptr;
  if (done == total) {
    Owned made(PyObject_Vectorcall(callable, converted, static_cast<std::size_t>(count), names));
    for (Py_ssize_t k = 0; made && k < total; ++k) {
      if (converted[k] == args[k] || is_array(args[k]) || untouched(args[k], converted[k], 0)) continue;
      refuse_writing(callable);
      made = Owned();
    }
    // What was given to be filled is what comes back.
    for (Py_ssize_t k = 0; made && !result && k < total; ++k)
      if (made.get() == converted[k]) result = Py_NewRef(args[k]);
    if (made && !result) result = from_host(made.get());
  }
  for (Py_ssize_t k = 0; k < done; ++k) Py_DECREF(converted[k]);
  return result;
}

// -- functions that are wrapped -------------------------------------------------------------------------

namespace {

/// Kernels for NumPy's functions, which are handed Arrays through __array_function__.
PyObject* numpy_functions = nullptr;

PyObject* set_numpy_functions(PyObject*, PyObject* functions) {
  if (!PyDict_CheckExact(functions)) {
    PyErr_SetString(PyExc_TypeError, "set_numpy_functions() takes a dictionary of functions");
    return nullptr;
  }
  Py_XSETREF(numpy_functions, Py_NewRef(functions));
  Py_RETURN_NONE;
}

/// A function of NumPy's or ours that knows only ndarrays, callable with Arrays.
struct HostFunction {
  PyObject_HEAD
  vectorcallfunc call;
  PyObject* function;
};

PyObject* call_wrapped(PyObject* self, PyObject* const* args, std::size_t flags, PyObject* names) {
  return call_host(reinterpret_cast<HostFunction*>(self)->function, args, PyVectorcall_NARGS(flags), names);
}

void deallocate(PyObject* self) {
  Py_XDECREF(reinterpret_cast<HostFunction*>(self)->function);
  PyObject_Free(self);
}

PyObject* represent(PyObject* self) {
  return PyUnicode_FromFormat("<host function %R>", reinterpret_cast<HostFunction*>(self)->function);
}

PyObject* attribute(PyObject* self, PyObject* name) {
  PyObject* const own = PyObject_GenericGetAttr(self, name);
  if (own || !PyErr_ExceptionMatches(PyExc_AttributeError)) return own;
  PyErr_Clear();
  return PyObject_GetAttr(reinterpret_cast<HostFunction*>(self)->function, name);
}

PyObject* get_wrapped(PyObject* self, void*) { return Py_NewRef(reinterpret_cast<HostFunction*>(self)->function); }

PyGetSetDef wrapped_attributes[] = {{"__wrapped__", get_wrapped, nullptr, "The function on the host.", nullptr}, {}};

PyTypeObject host_function_type = {
    .ob_base = PyVarObject_HEAD_INIT(nullptr, 0)
    .tp_name = "myia._runtime.HostFunction",
    .tp_basicsize = sizeof(HostFunction),
    .tp_dealloc = deallocate,
    .tp_vectorcall_offset = offsetof(HostFunction, call),
    .tp_repr = represent,
    .tp_call = PyVectorcall_Call,
    .tp_getattro = attribute,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_IMMUTABLETYPE |
                Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_doc = "Waits for its Arrays, and runs a function on them as ndarrays.",
    .tp_getset = wrapped_attributes,
};

PyObject* make_host_function(PyObject*, PyObject* function) {
  if (!PyCallable_Check(function)) {
    PyErr_SetString(PyExc_TypeError, "host() wraps a function");
    return nullptr;
  }
  auto* const made = PyObject_New(HostFunction, &host_function_type);
  if (!made) return nullptr;
  made->call = call_wrapped;
  made->function = Py_NewRef(function);
  return reinterpret_cast<PyObject*>(made);
}

PyObject* asarray(PyObject*, PyObject* object) {
  if (is_array(object)) return Py_NewRef(object);
  Owned array(PyArray_FromAny(object, nullptr, 0, 0, 0, nullptr));
  if (!array) return nullptr;
  if (!PyArray_CheckExact(array.get())) {  // a subclass: the plain view of it
    array = Owned(PyArray_View(reinterpret_cast<PyArrayObject*>(array.get()), nullptr, &PyArray_Type));
    if (!array) return nullptr;
  }
  Array* made = share(reinterpret_cast<PyArrayObject*>(array.get()));
  if (made || PyErr_Occurred()) return as_object(made);
  auto* const source = reinterpret_cast<PyArrayObject*>(array.get());
  Kind kind;
  if (PyArray_NDIM(source) > th::kMaxDims) {
    PyErr_Format(PyExc_ValueError, "an Array has at most %d axes, not %d; keep it as a NumPy array", th::kMaxDims,
                 PyArray_NDIM(source));
    return nullptr;
  }
  if (!kind_of(PyArray_TYPE(source), kind)) {
    PyErr_Format(PyExc_TypeError, "an Array cannot hold elements of %R; keep it as a NumPy array",
                 PyArray_DESCR(source));
    return nullptr;
  }
  // Swapped bytes or crooked addresses: copied into order.
  PyArray_Descr* const dtype = descriptor(kind);
  Py_INCREF(dtype);
  Owned proper(PyArray_FromArray(source, dtype, NPY_ARRAY_ALIGNED | NPY_ARRAY_WRITEABLE | NPY_ARRAY_NOTSWAPPED |
                                                    NPY_ARRAY_ENSURECOPY));
  return proper ? as_object(share(reinterpret_cast<PyArrayObject*>(proper.get()))) : nullptr;
}

PyObject* enter(PyObject*, PyObject* arguments) {
  if (!PyTuple_CheckExact(arguments)) {
    PyErr_SetString(PyExc_TypeError, "enter() takes a tuple");
    return nullptr;
  }
  const Py_ssize_t size = PyTuple_GET_SIZE(arguments);
  Owned made(PyTuple_New(size));
  for (Py_ssize_t k = 0; made && k < size; ++k) {
    PyObject* const given = PyTuple_GET_ITEM(arguments, k);
    PyObject* array = nullptr;
    // One for each ndarray, however often it is given: `is` says of them what it says of the ndarrays.
    for (Py_ssize_t j = 0; j < k && !array; ++j)
      if (PyTuple_GET_ITEM(arguments, j) == given) array = Py_NewRef(PyTuple_GET_ITEM(made.get(), j));
    if (!array) array = from_host(given);
    if (!array) return nullptr;
    PyTuple_SET_ITEM(made.get(), k, array);
  }
  return made.release();
}

/// What distinguishes the types of arguments: a class for plain scalars, (dtype, rank) for arrays, else what
/// `describe` says. Quicker to make and to compare than the types themselves.
PyObject* signature(PyObject*, PyObject* const* args, Py_ssize_t count) {
  if (count != 2 || !PyTuple_CheckExact(args[0])) {
    PyErr_SetString(PyExc_TypeError, "signature(args, describe)");
    return nullptr;
  }
  const Py_ssize_t size = PyTuple_GET_SIZE(args[0]);
  Owned made(PyTuple_New(size));
  if (!made) return nullptr;
  for (Py_ssize_t k = 0; k < size; ++k) {
    PyObject* const x = PyTuple_GET_ITEM(args[0], k);
    PyTypeObject* const type = Py_TYPE(x);
    PyObject* key;
    if (type == &PyFloat_Type || type == &PyLong_Type || type == &PyBool_Type || type == &PyUnicode_Type ||
        type == &PyComplex_Type || x == Py_None) {
      key = Py_NewRef(reinterpret_cast<PyObject*>(type));
    } else if (is_array(x)) {
      key = Py_BuildValue("(Oi)", descriptor(as_array(x)->kind), as_array(x)->layout.ndim);
    } else if (PyArray_CheckExact(x)) {
      auto* const array = reinterpret_cast<PyArrayObject*>(x);
      key = Py_BuildValue("(Oi)", PyArray_DESCR(array), PyArray_NDIM(array));
    } else {
      key = PyObject_CallOneArg(args[1], x);
    }
    if (!key) return nullptr;
    PyTuple_SET_ITEM(made.get(), k, key);
  }
  return made.release();
}

PyObject* leave(PyObject*, PyObject* object) { return to_host(object); }

PyObject* outside(PyObject*, PyObject* const* args, Py_ssize_t count, PyObject* names) {
  if (!count) {
    PyErr_SetString(PyExc_TypeError, "outside() takes a function");
    return nullptr;
  }
  return call_host(args[0], args + 1, count - 1, names);
}

PyMethodDef functions[] = {
    {"outside", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(outside)), METH_FASTCALL | METH_KEYWORDS,
     "outside(f, *args, **kwargs): a call of a function that Myia does not compile; it sees NumPy arrays."},
    {"host", make_host_function, METH_O, "host(f): f, callable with Arrays; an ndarray it returns becomes an Array."},
    {"asarray", asarray, METH_O,
     "asarray(x): an Array that shares the memory of the NumPy array `x`, or holds the numbers of `x`.\n\n"
     "Shape and dtype are those of numpy.asarray(x). The memory is shared, as NumPy's views share it: whoever\n"
     "writes into `x` later changes the Array, and must not do so while work on it is pending (`wait()`).\n"
     "A read-only `x` gives a read-only Array. Raises TypeError for other elements than booleans, integers,\n"
     "floats of 16, 32 or 64 bits and complex numbers, ValueError for more than 8 axes."},
    {"enter", enter, METH_O, "enter(args): the tuple with ndarrays as Arrays. What is in containers stays: they are the user's."},
    {"set_numpy_functions", set_numpy_functions, METH_O, "The kernels that NumPy's functions reach, by function."},
    {"signature", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(signature)), METH_FASTCALL,
     "signature(args, describe): what distinguishes the types of the arguments, to look up a specialisation by."},
    {"leave", leave, METH_O, "leave(x): x with Arrays as ndarrays, in lists, tuples and dictionaries too. Waits."},
    {},
};

}  // namespace

PyObject* host_attribute(Array* array, PyObject* name) {
  // What ndarray has and Array has not: methods work on the memory itself.
  Owned known(PyObject_GetAttr(reinterpret_cast<PyObject*>(&PyArray_Type), name));
  if (!known) {
    PyErr_Clear();
    PyErr_Format(PyExc_AttributeError, "'Array' object has no attribute '%U'", name);
    return nullptr;
  }
  Owned view(to_numpy(array));
  if (!view) return nullptr;
  Owned found(PyObject_GetAttr(view.get(), name));
  if (!found) return nullptr;
  if (PyCFunction_Check(found.get())) return make_host_function(nullptr, found.get());
  return from_host(found.get());
}

// -- NumPy's protocols ----------------------------------------------------------------------------------

PyObject* array_protocol(PyObject* self, PyObject* const* args, Py_ssize_t count, PyObject* names) {
  Owned view(to_numpy(as_array(self)));
  if (!view) return nullptr;
  PyObject *dtype = Py_None, *copy = Py_None;
  if (count > 0) dtype = args[0];
  if (count > 1) copy = args[1];
  for (Py_ssize_t k = 0; names && k < PyTuple_GET_SIZE(names); ++k) {
    PyObject* const name = PyTuple_GET_ITEM(names, k);
    if (PyUnicode_CompareWithASCIIString(name, "dtype") == 0) dtype = args[count + k];
    if (PyUnicode_CompareWithASCIIString(name, "copy") == 0) copy = args[count + k];
  }
  if (dtype == Py_None && copy != Py_True) return view.release();
  Owned method(PyObject_GetAttrString(numpy(), "array"));
  Owned arguments(PyTuple_Pack(1, view.get()));
  Owned options(PyDict_New());
  if (!method || !arguments || !options) return nullptr;
  if (dtype != Py_None && PyDict_SetItemString(options.get(), "dtype", dtype) < 0) return nullptr;
  if (PyDict_SetItemString(options.get(), "copy", copy) < 0) return nullptr;
  return PyObject_Call(method.get(), arguments.get(), options.get());
}

PyObject* array_ufunc(PyObject*, PyObject* const* args, Py_ssize_t count, PyObject* names) {
  // (ufunc, method, *inputs, **options)
  if (count < 2) {
    PyErr_SetString(PyExc_TypeError, "__array_ufunc__ takes a ufunc and the name of its method");
    return nullptr;
  }
  PyObject* const ufunc = args[0];
  const bool plain = PyUnicode_CompareWithASCIIString(args[1], "__call__") == 0;
  static PyObject* const product = PyObject_GetAttrString(numpy(), "matmul");
  if (plain && ufunc == product && count == 4 && !names) return matmul(args[2], args[3]);
  Operator* const op = plain ? operator_of(ufunc) : nullptr;
  const Py_ssize_t named = names ? PyTuple_GET_SIZE(names) : 0;
  PyObject* out = nullptr;
  bool simple = op != nullptr;
  for (Py_ssize_t k = 0; k < named; ++k) {
    if (PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(names, k), "out") == 0) {
      PyObject* const given = args[count + k];
      if (PyTuple_Check(given) && PyTuple_GET_SIZE(given) == 1) {
        out = PyTuple_GET_ITEM(given, 0);
        if (out == Py_None) out = nullptr;
        continue;
      }
    }
    simple = false;
  }
  if (simple && count - 2 == inputs_of(op) && (!out || is_array(out))) return apply(op, args + 2, inputs_of(op), out);
  Owned method(plain ? Py_NewRef(ufunc) : PyObject_GetAttr(ufunc, args[1]));
  if (!method) return nullptr;
  Owned result(call_host(method.get(), args + 2, count - 2, names));
  if (!result) return nullptr;
  return out ? Py_NewRef(out) : result.release();
}

PyObject* array_function(PyObject*, PyObject* const* args, Py_ssize_t count) {
  // (function, types, args, kwargs)
  if (count != 4) {
    PyErr_SetString(PyExc_TypeError, "__array_function__ takes four arguments");
    return nullptr;
  }
  if (PyObject* const kernel = numpy_functions ? PyDict_GetItemWithError(numpy_functions, args[0]) : nullptr)
    return PyObject_Call(kernel, args[2], args[3]);
  if (PyErr_Occurred()) return nullptr;
  Owned arguments(to_host(args[2])), options(to_host(args[3]));
  if (!arguments || !options) return nullptr;
  Owned result(PyObject_Call(args[0], arguments.get(), options.get()));
  if (!result) return nullptr;
  // What was given to be filled is what comes back.
  PyObject* const out = PyDict_GetItemString(args[3], "out");
  if (out && is_array(out)) return Py_NewRef(out);
  return from_host(result.get());
}

bool make_host(PyObject* module) {
  return PyType_Ready(&host_function_type) == 0 && PyModule_AddFunctions(module, functions) == 0;
}

}  // namespace myia
