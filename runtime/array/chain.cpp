// The type of chains: functions that run a plain function's operations in one pass.

#include "array/chain.hpp"

#include <set>
#include <string>

#include "array/reuse.hpp"

namespace myia {

namespace {

struct ChainObject {
  PyObject_HEAD
  vectorcallfunc call;
  PyObject* function;
  Py_ssize_t fallbacks;
  Recipe* recipe;  ///< owned
};

ChainObject* as_chain(PyObject* object) noexcept { return reinterpret_cast<ChainObject*>(object); }

/// Names of kernels outlive them: in traces, and in what workers noted. There are as many as functions.
const char* lasting(const char* name) {
  static auto& names = *new std::set<std::string>;
  return names.insert(name).first->c_str();
}

PyObject* call_chain(PyObject* self, PyObject* const* args, std::size_t flags, PyObject* names) {
  ChainObject* const chain = as_chain(self);
  const Py_ssize_t count = PyVectorcall_NARGS(flags);
  PyObject* const dead = names ? named_reuse(args, count, names) : nullptr;
  if (count == chain->recipe->parameters && (!names || (dead && PyTuple_GET_SIZE(names) == 1))) {
    PyObject* const made = run_chain(*chain->recipe, args, dead);
    if (made || PyErr_Occurred()) return made;
  }
  ++chain->fallbacks;
  WithoutReuse rest;
  if (!rest.read(args, count, names)) return nullptr;
  return PyObject_Vectorcall(chain->function, rest.args, static_cast<std::size_t>(count), rest.names);
}

PyObject* make_new(PyTypeObject* type, PyObject* args, PyObject* options) {
  PyObject *function, *parameters, *constants, *operations, *results;
  static const char* names[] = {"function", "parameters", "constants", "operations", "results", nullptr};
  if (!PyArg_ParseTupleAndKeywords(args, options, "OOOOO:Chain", const_cast<char**>(names), &function, &parameters,
                                   &constants, &operations, &results))
    return nullptr;
  auto recipe = std::make_unique<Recipe>();
  if (!read_recipe(parameters, constants, operations, results, *recipe)) return nullptr;
  Owned name(PyObject_GetAttrString(function, "__name__"));
  const char* const text = name ? PyUnicode_AsUTF8(name.get()) : nullptr;
  if (!text) return nullptr;
  recipe->name = lasting(text);
  PyObject* const made = type->tp_alloc(type, 0);
  if (!made) return nullptr;
  ChainObject* const chain = as_chain(made);
  chain->recipe = recipe.release();
  chain->call = call_chain;
  chain->function = Py_NewRef(function);
  chain->fallbacks = 0;
  return made;
}

/// There is no tp_clear: a cycle goes through the function's globals, and they are cleared.
int traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(as_chain(self)->function);
  return 0;
}

void deallocate(PyObject* self) {
  PyObject_GC_UnTrack(self);
  Py_DECREF(as_chain(self)->function);
  std::unique_ptr<Recipe>(as_chain(self)->recipe).reset();
  Py_TYPE(self)->tp_free(self);
}

PyObject* represent(PyObject* self) { return PyUnicode_FromFormat("<chain %s>", as_chain(self)->recipe->name); }

PyObject* attribute(PyObject* self, PyObject* name) {
  PyObject* const own = PyObject_GenericGetAttr(self, name);
  if (own || !PyErr_ExceptionMatches(PyExc_AttributeError)) return own;
  PyErr_Clear();
  return PyObject_GetAttr(as_chain(self)->function, name);
}

PyObject* get_wrapped(PyObject* self, void*) { return Py_NewRef(as_chain(self)->function); }
PyObject* get_name(PyObject* self, void*) { return PyUnicode_FromString(as_chain(self)->recipe->name); }
PyObject* get_doc(PyObject* self, void*) { return PyObject_GetAttrString(as_chain(self)->function, "__doc__"); }
PyObject* get_fallbacks(PyObject* self, void*) { return PyLong_FromSsize_t(as_chain(self)->fallbacks); }

PyGetSetDef attributes[] = {
    {"__wrapped__", get_wrapped, nullptr, "The plain function.", nullptr},
    {"__name__", get_name, nullptr, "The name of the plain function.", nullptr},
    {"__doc__", get_doc, nullptr, "The docstring of the plain function.", nullptr},
    {"fallbacks", get_fallbacks, nullptr, "How many calls were left to the plain function.", nullptr},
    {},
};

PyTypeObject chain_type = {
    .ob_base = PyVarObject_HEAD_INIT(nullptr, 0)
    .tp_name = "myia._runtime.Chain",
    .tp_basicsize = sizeof(ChainObject),
    .tp_dealloc = deallocate,
    .tp_vectorcall_offset = offsetof(ChainObject, call),
    .tp_repr = represent,
    .tp_call = PyVectorcall_Call,
    .tp_getattro = attribute,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .tp_doc = "A plain function of elementwise operations, which are run in one pass over memory.",
    .tp_traverse = traverse,
    .tp_getset = attributes,
    .tp_new = make_new,
};

}  // namespace

bool make_chains(PyObject* module) {
  return PyType_Ready(&chain_type) == 0 &&
         PyModule_AddObjectRef(module, "Chain", reinterpret_cast<PyObject*>(&chain_type)) == 0;
}

}  // namespace myia
