// DLPack, through NumPy's implementation of it: the memory is the same.

#include "array/array.hpp"

namespace myia {

PyObject* export_dlpack(PyObject* self, PyObject* const* args, Py_ssize_t count, PyObject* names) {
  Owned view(to_numpy(as_array(self)));
  Owned method(view ? PyObject_GetAttrString(view.get(), "__dlpack__") : nullptr);
  return method ? PyObject_Vectorcall(method.get(), args, static_cast<std::size_t>(count), names) : nullptr;
}

PyObject* dlpack_device(PyObject*, PyObject*) { return Py_BuildValue("(ii)", 1, 0); }

namespace {

PyObject* from_dlpack(PyObject*, PyObject* object) {
  Owned function(PyObject_GetAttrString(numpy(), "from_dlpack"));
  Owned view(function ? PyObject_CallOneArg(function.get(), object) : nullptr);
  Owned module(view ? PyImport_ImportModule("myia._runtime") : nullptr);
  return module ? PyObject_CallMethod(module.get(), "asarray", "O", view.get()) : nullptr;
}

PyMethodDef functions[] = {
    {"from_dlpack", from_dlpack, METH_O,
     "from_dlpack(x): an Array on the memory of any object with __dlpack__ on the processor."},
    {},
};

}  // namespace

bool make_interchange(PyObject* module) { return PyModule_AddFunctions(module, functions) == 0; }

}  // namespace myia
