// The operator table: NumPy's ufuncs, run through their own inner loops without the GIL.
//
// The loop for the operands' types is asked of NumPy once (ufunc.resolve_dtypes knows NEP 50) and kept. What
// no loop of ours fits (objects, strings, longdouble, `where=`, `dtype=`, two results) goes to the host.

#include <cmath>
#include <cstring>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "array/operators.hpp"
#include "array/reuse.hpp"
#include "array/tasks.hpp"

namespace myia {

namespace {

struct Resolved {
  bool known = false;   ///< NumPy has been asked
  bool native = false;  ///< there is a loop that needs no GIL
  bool converts = false;
  PyUFuncGenericFunction loop = nullptr;
  void* data = nullptr;
  Kind in[2] = {};
  Kind out = {};
};

struct Kernel {
  PyUFuncGenericFunction loop;
  void* data;
  int inputs;
  void operator()(const Walk& w, char* const* bases, Index begin, Index end) const {
    // Our operand 0 is the output; a ufunc's comes last.
    th::walk(w, bases, begin, end, [this](char** pointers, Index count, const std::intptr_t* strides) {
      char* ordered[3];
      npy_intp steps[3], n = count;
      for (int k = 0; k < inputs; ++k) {
        ordered[k] = pointers[k + 1];
        steps[k] = strides[k + 1];
      }
      ordered[inputs] = pointers[0];
      steps[inputs] = strides[0];
      loop(ordered, &n, steps, data);
    });
  }
};

}  // namespace

struct Operator {
  PyObject_HEAD
  vectorcallfunc call;
  PyUFuncObject* ufunc;
  const char* name;
  int inputs;
  int cost;  ///< of an element, relative to an addition
  Resolved* table;
};

namespace {

extern PyTypeObject operator_type;

std::unordered_map<std::string_view, Operator*>& by_name() {
  static auto& table = *new std::unordered_map<std::string_view, Operator*>;
  return table;
}
std::unordered_map<PyObject*, Operator*>& by_ufunc() {
  static auto& table = *new std::unordered_map<PyObject*, Operator*>;
  return table;
}

// In units of about 0.3 ns, measured on 4,096 doubles (python -m benchmarks.runtime --only costs).
int cost_of(std::string_view name) {
  static const std::unordered_map<std::string_view, int> costs = {
      {"sqrt", 6},     {"log", 18},        {"exp", 20},    {"exp2", 20},    {"log2", 24},    {"expm1", 27},
      {"arcsin", 28},  {"arccos", 28},     {"fmod", 30},   {"remainder", 30}, {"log10", 33}, {"log1p", 33},
      {"hypot", 33},   {"cosh", 33},       {"sin", 40},    {"cos", 40},     {"arctan", 40},  {"tan", 45},
      {"floor_divide", 48}, {"tanh", 50},  {"sinh", 50},   {"arctan2", 60}, {"arcsinh", 60}, {"arccosh", 60},
      {"arctanh", 60}, {"cbrt", 60},       {"power", 60},  {"float_power", 60}, {"logaddexp", 60},
      {"logaddexp2", 60}, {"divide", 3},
  };
  const auto found = costs.find(name);
  return found == costs.end() ? 2 : found->second;
}

/// What resolve_dtypes wants for an operand's code, borrowed.
PyObject* type_for(signed char code) {
  switch (code) {
    case kWeakInt: return reinterpret_cast<PyObject*>(&PyLong_Type);
    case kWeakFloat: return reinterpret_cast<PyObject*>(&PyFloat_Type);
    case kWeakComplex: return reinterpret_cast<PyObject*>(&PyComplex_Type);
    default: return reinterpret_cast<PyObject*>(descriptor(static_cast<Kind>(code)));
  }
}

/// Integer powers raise from inside the loop, and take the GIL for it.
bool raises_inside(const Operator* op, Kind first) {
  return is_integer(first) && (std::string_view(op->name) == "power");
}

void resolve(Operator* op, const signed char* codes, Resolved& found) {
  found.known = true;
  Owned types(PyTuple_New(op->inputs + 1));
  if (!types) return PyErr_Clear();
  bool weak_only = true;
  for (int k = 0; k < op->inputs; ++k) {
    weak_only = weak_only && codes[k] >= kWeakInt;
    PyTuple_SET_ITEM(types.get(), k, Py_NewRef(type_for(codes[k])));
  }
  PyTuple_SET_ITEM(types.get(), op->inputs, Py_NewRef(Py_None));
  if (weak_only) return;
  Owned resolved(PyObject_CallMethod(reinterpret_cast<PyObject*>(op->ufunc), "resolve_dtypes", "(O)", types.get()));
  if (!resolved) return PyErr_Clear();
  int numbers[3];
  for (int k = 0; k <= op->inputs; ++k) {
    PyObject* const dtype = PyTuple_GetItem(resolved.get(), k);
    if (!dtype || !PyArray_DescrCheck(dtype)) return PyErr_Clear();
    Kind kind;
    numbers[k] = reinterpret_cast<PyArray_Descr*>(dtype)->type_num;
    if (!kind_of(numbers[k], kind)) return;
    (k < op->inputs ? found.in[k] : found.out) = kind;
  }
  if (raises_inside(op, found.in[0])) return;
  const int operands = op->inputs + 1;
  for (int k = 0; k < op->ufunc->ntypes; ++k) {
    bool same = true;
    for (int j = 0; same && j < operands; ++j) {
      Kind kind;
      same = kind_of(static_cast<unsigned char>(op->ufunc->types[k * operands + j]), kind) &&
             kind == (j < op->inputs ? found.in[j] : found.out);
    }
    if (!same || !op->ufunc->functions[k]) continue;
    found.loop = op->ufunc->functions[k];
    found.data = op->ufunc->data ? const_cast<void*>(static_cast<const void*>(op->ufunc->data[k])) : nullptr;
    found.native = true;
    for (int j = 0; j < op->inputs; ++j) {
      const bool weak = codes[j] >= kWeakInt;
      found.converts = found.converts || weak || static_cast<Kind>(codes[j]) != found.in[j];
    }
    return;
  }
}

Resolved& resolved_for(Operator* op, const Operand* operands) {
  if (!op->table) op->table = new Resolved[static_cast<std::size_t>(op->inputs == 1 ? kCodes : kCodes * kCodes)];
  const signed char codes[2] = {operands[0].code, op->inputs == 2 ? operands[1].code : static_cast<signed char>(0)};
  Resolved& found = op->table[op->inputs == 1 ? codes[0] : codes[0] * kCodes + codes[1]];
  if (!found.known) resolve(op, codes, found);
  return found;
}

/// Two or one small contiguous arrays of one kind and shape, ready: nothing to work out. Null without an
/// exception if it is not that case.
PyObject* apply_small(Operator* op, PyObject* const* operands, const Dead& dead) {
  if (!is_array(operands[0])) return nullptr;
  Array* const a = as_array(operands[0]);
  Array* const b = op->inputs == 2 ? (is_array(operands[1]) ? as_array(operands[1]) : nullptr) : a;
  if (!b || a->kind != b->kind || !a->layout.ndim || !op->table) return nullptr;
  const int code = static_cast<int>(a->kind);
  const Resolved& found = op->table[op->inputs == 1 ? code : code * kCodes + code];
  if (!found.native || found.converts) return nullptr;
  const Index item = a->item();
  if (!same_shape(a->layout, b->layout) || !c_contiguous(a->layout, item) ||
      (b != a && !c_contiguous(b->layout, item)))
    return nullptr;
  const Index size = a->layout.size();
  if (size * op->cost > inline_limit || !size) return nullptr;
  if (!a->storage->ready() || !b->storage->ready() || a->storage->failed() || b->storage->failed()) return nullptr;
  Array* out = dead.array ? dead.taken(found.out, a->layout, true) : nullptr;
  if (out) {
    out->storage->written();
  } else {
    out = make_array(found.out, a->layout.ndim, a->layout.shape);
    if (!out) return nullptr;
  }
  const npy_intp in_step = static_cast<npy_intp>(item), out_step = static_cast<npy_intp>(out->item());
  npy_intp count = size;
  status::clear();
  try {
    if (op->inputs == 2) {
      char* pointers[3] = {a->data(), b->data(), out->data()};
      const npy_intp steps[3] = {in_step, in_step, out_step};
      found.loop(pointers, &count, steps, found.data);
    } else {
      char* pointers[2] = {a->data(), out->data()};
      const npy_intp steps[2] = {in_step, out_step};
      found.loop(pointers, &count, steps, found.data);
    }
  } catch (const std::bad_alloc&) {
    Py_DECREF(as_object(out));
    return PyErr_NoMemory();
  }
  const int flags = status::raised();
  if (flags && !status::report(flags, op->name)) {
    Py_DECREF(as_object(out));
    return nullptr;
  }
  return as_object(out);
}

/// Null without an exception: the host must do it.
PyObject* apply_native(Operator* op, PyObject* const* objects, PyObject* out_object, const Dead& dead) {
  Operand operands[2];
  for (int k = 0; k < op->inputs; ++k)
    if (!read_operand(objects[k], operands[k])) return nullptr;
  Layout shape;
  if (!broadcast(operands, op->inputs, shape) || !shape.ndim) return nullptr;
  const Resolved found = resolved_for(op, operands);
  if (!found.native) return nullptr;
  Array* given = nullptr;
  if (out_object) {
    if (!is_array(out_object)) return nullptr;
    given = as_array(out_object);
    if (given->kind != found.out || !same_shape(given->layout, shape)) return nullptr;
    if (overlaps_itself(given->layout, given->item())) {
      const std::string_view name = op->name;
      const bool adds = name == "add", subtracts = name == "subtract";
      if (!given->adjoint || !(adds || subtracts) || !same_view(given, operands[0])) return nullptr;
      return convert_operand(operands[1], given->kind) && add_each(given, operands[1], subtracts) ? Py_NewRef(out_object)
                                                                                                : nullptr;
    }
    if (!check_writable(given)) return nullptr;
  }
  // A result lies as its operands do, before they are converted.
  Layout layouts[2];
  bool plain = true;
  int arrays = 0;
  for (int k = 0; k < op->inputs && !given; ++k) {
    if (operands[k].scalar) continue;
    plain = plain && c_contiguous(operands[k].layout, th::item_size(operands[k].kind));
    layouts[arrays++] = operands[k].layout;
  }
  // A loop that only compares or adds may be handed other operands' kinds; ours are exact.
  for (int k = 0; k < op->inputs; ++k)
    if (operands[k].kind != found.in[k] && !convert_operand(operands[k], found.in[k])) return nullptr;
  Owned target;
  if (given) {
    bool overlapping = false;
    for (int k = 0; k < op->inputs; ++k) {
      overlapping = overlapping || (may_overlap(given, operands[k]) && !same_view(given, operands[k]));
    }
    if (overlapping) {
      Owned fresh(apply_native(op, objects, nullptr, Dead()));
      if (!fresh || !assign(given, fresh.get())) return nullptr;
      return Py_NewRef(out_object);
    }
    target = Owned::borrow(out_object);
  } else {
    const Index item = th::item_size(found.out);
    if (plain) {
      set_c_strides(shape, item);
    } else {
      const Layout* const lie[2] = {&layouts[0], &layouts[1]};
      set_k_strides(shape, item, lie, arrays);
    }
    const Index size = shape.size();
    if (dead.array) target = Owned(as_object(dead.taken(found.out, shape, size * op->cost <= inline_limit)));
    if (!target) target = Owned(as_object(make_array(found.out, shape, size * item)));
    if (!target) return nullptr;
  }
  Array* const out = as_array(target.get());
  Walk w;
  w.operands = op->inputs + 1;
  w.ndim = shape.ndim;
  for (int d = 0; d < shape.ndim; ++d) {
    w.shape[d] = shape.shape[d];
    w.strides[0][d] = out->layout.strides[d];
  }
  for (int k = 0; k < op->inputs; ++k) broadcast_strides(operands[k].layout, shape, w.strides[k + 1]);
  if (!run_walk(Kernel{found.loop, found.data, op->inputs}, op->name, w, out, operands, op->inputs, op->cost))
    return nullptr;
  return target.release();
}

PyObject* call_ufunc_on_host(Operator* op, PyObject* const* operands, int count, PyObject* out) {
  PyObject* args[4];
  for (int k = 0; k < count; ++k) args[k] = operands[k];
  Owned names;
  if (out) {
    names = Owned(Py_BuildValue("(s)", "out"));
    if (!names) return nullptr;
    args[count] = out;
    Owned result(call_host(reinterpret_cast<PyObject*>(op->ufunc), args, count, names.get()));
    return result ? Py_NewRef(out) : nullptr;
  }
  return call_host(reinterpret_cast<PyObject*>(op->ufunc), args, count, nullptr);
}

PyObject* apply(Operator* op, PyObject* const* operands, int count, PyObject* out, const Dead& dead) {
  if (count == op->inputs) {
    if (!out) {
      PyObject* const quick = apply_small(op, operands, dead);
      if (quick || PyErr_Occurred()) return quick;
    }
    PyObject* const made = apply_native(op, operands, out, dead);
    if (made || PyErr_Occurred()) return made;
  }
  return call_ufunc_on_host(op, operands, count, out);
}

PyObject* call_operator(PyObject* self, PyObject* const* args, std::size_t flags, PyObject* names) {
  auto* const op = reinterpret_cast<Operator*>(self);
  const Py_ssize_t count = PyVectorcall_NARGS(flags);
  if (!names && count == op->inputs) return apply(op, args, op->inputs, nullptr);
  if (names && named_reuse(args, count, names)) {
    const Dead dead(args, count, names);
    WithoutReuse rest;
    if (!rest.read(args, count, names)) return nullptr;
    if (!rest.names && count == op->inputs) return apply(op, args, op->inputs, nullptr, dead);
    return call_operator(self, rest.args, static_cast<std::size_t>(count), rest.names);
  }
  if (count == op->inputs && PyTuple_GET_SIZE(names) == 1 &&
      PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(names, 0), "out") == 0) {
    PyObject* const out = args[count];
    return apply(op, args, op->inputs, out == Py_None ? nullptr : out);
  }
  return call_host(reinterpret_cast<PyObject*>(op->ufunc), args, count, names);
}

PyObject* represent(PyObject* self) {
  return PyUnicode_FromFormat("<operator %s>", reinterpret_cast<Operator*>(self)->name);
}

PyObject* attribute(PyObject* self, PyObject* name) {
  PyObject* const own = PyObject_GenericGetAttr(self, name);
  if (own || !PyErr_ExceptionMatches(PyExc_AttributeError)) return own;
  PyErr_Clear();
  return PyObject_GetAttr(reinterpret_cast<PyObject*>(reinterpret_cast<Operator*>(self)->ufunc), name);
}

PyObject* get_ufunc(PyObject* self, void*) {
  return Py_NewRef(reinterpret_cast<PyObject*>(reinterpret_cast<Operator*>(self)->ufunc));
}
PyObject* get_cost(PyObject* self, void*) { return PyLong_FromLong(reinterpret_cast<Operator*>(self)->cost); }

PyGetSetDef attributes[] = {
    {"ufunc", get_ufunc, nullptr, "NumPy's function of this name.", nullptr},
    {"cost", get_cost, nullptr, "The work on an element, relative to an addition.", nullptr},
    {},
};

PyTypeObject operator_type = {
    .ob_base = PyVarObject_HEAD_INIT(nullptr, 0)
    .tp_name = "myia._runtime.Operator",
    .tp_basicsize = sizeof(Operator),
    .tp_vectorcall_offset = offsetof(Operator, call),
    .tp_repr = represent,
    .tp_call = PyVectorcall_Call,
    .tp_getattro = attribute,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_IMMUTABLETYPE |
                Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_doc = "A NumPy ufunc on Arrays: its own inner loops, run at once or by the workers.",
    .tp_getset = attributes,
};

}  // namespace

Operator* find_operator(const char* name) {
  const auto found = by_name().find(name);
  return found == by_name().end() ? nullptr : found->second;
}

Operator* operator_of(PyObject* ufunc) {
  const auto found = by_ufunc().find(ufunc);
  return found == by_ufunc().end() ? nullptr : found->second;
}

Operator* as_operator(PyObject* object) {
  return Py_TYPE(object) == &operator_type ? reinterpret_cast<Operator*>(object) : nullptr;
}

int inputs_of(const Operator* op) { return op->inputs; }

int cost_of(const Operator* op) { return op->cost; }

const char* operator_name(const Operator* op) { return op->name; }

PyUFuncObject* ufunc_of(const Operator* op) { return op->ufunc; }

bool find_loop(Operator* op, Kind kind, PyUFuncGenericFunction& loop, void*& data) {
  Operand operands[2];
  operands[0].code = operands[1].code = static_cast<signed char>(kind);
  const Resolved& found = resolved_for(op, operands);
  if (!found.native || found.converts || found.out != kind) return false;
  loop = found.loop;
  data = found.data;
  return true;
}

PyObject* apply(Operator* op, PyObject* const* operands, int count, PyObject* out) {
  return apply(op, operands, count, out, Dead());
}

bool make_operators(PyObject* module) {
  if (PyType_Ready(&operator_type) < 0) return false;
  // The module's own names: asking for those that NumPy loads when asked would load them.
  PyObject* const names = PyModule_GetDict(numpy());
  Owned table(PyDict_New());
  if (!names || !table) return false;
  PyObject *name, *value;
  for (Py_ssize_t at = 0; PyDict_Next(names, &at, &name, &value);) {
    Owned found = Owned::borrow(value);
    if (!PyObject_TypeCheck(found.get(), &PyUFunc_Type)) continue;
    auto* const ufunc = reinterpret_cast<PyUFuncObject*>(found.get());
    if (ufunc->nout != 1 || ufunc->nin > 2 || ufunc->core_enabled) continue;
    if (by_ufunc().contains(found.get())) {  // another name of the same
      if (PyDict_SetItem(table.get(), name, reinterpret_cast<PyObject*>(by_ufunc()[found.get()])) < 0) return false;
      continue;
    }
    auto* const op = PyObject_New(Operator, &operator_type);
    if (!op) return false;
    op->call = call_operator;
    op->ufunc = reinterpret_cast<PyUFuncObject*>(found.release());
    op->name = ufunc->name;
    op->inputs = ufunc->nin;
    op->cost = cost_of(ufunc->name);
    op->table = nullptr;
    by_name()[ufunc->name] = op;
    by_ufunc()[reinterpret_cast<PyObject*>(ufunc)] = op;
    // The operator lives as long as the module: the tables above hold it.
    if (PyDict_SetItem(table.get(), name, reinterpret_cast<PyObject*>(op)) < 0) return false;
  }
  return PyModule_AddObjectRef(module, "operators", table.get()) == 0;
}

// -- Python's operators on Arrays ---------------------------------------------------------------------

namespace {

/// Anything that is not a number, an array or a sequence.
bool foreign(PyObject* object) {
  return !(is_array(object) || PyArray_Check(object) || PyFloat_Check(object) || PyLong_Check(object) ||
           PyComplex_Check(object) || PyArray_IsScalar(object, Generic) || PyList_Check(object) ||
           PyTuple_Check(object));
}

/// Whether the reflected method of the second operand must have its turn, as ndarray judges it (NEP 13):
/// it has no use for ufuncs, or knows nothing of them and has a higher __array_priority__.
bool defers(PyObject* self, PyObject* other, bool in_place = false) {
  if (!is_array(self) || !foreign(other)) return false;
  Owned ufunc(PyObject_GetAttrString(reinterpret_cast<PyObject*>(Py_TYPE(other)), "__array_ufunc__"));
  if (ufunc) return ufunc.get() == Py_None && !in_place;
  PyErr_Clear();
  Owned priority(PyObject_GetAttrString(other, "__array_priority__"));
  const double value = priority ? PyFloat_AsDouble(priority.get()) : -1.0;
  PyErr_Clear();
  return value > 0.0;
}

template <class Name>
PyObject* binary(PyObject* a, PyObject* b, Name name) {
  static Operator* const op = find_operator(name());
  if (defers(a, b)) Py_RETURN_NOTIMPLEMENTED;
  PyObject* const operands[2] = {a, b};
  return apply(op, operands, 2, nullptr);
}

template <class Name>
PyObject* in_place(PyObject* a, PyObject* b, Name name) {
  static Operator* const op = find_operator(name());
  if (defers(a, b, true)) Py_RETURN_NOTIMPLEMENTED;
  PyObject* const operands[2] = {a, b};
  return apply(op, operands, 2, a);
}

template <class Name>
PyObject* unary(PyObject* a, Name name) {
  static Operator* const op = find_operator(name());
  return apply(op, &a, 1, nullptr);
}

/// A string literal as a type, so that each operator has its own `static`.
#define MYIA_NAME(text) ([] { return text; })

/// Whether ndarray squares for this exponent. 2.0 it does not, but np.power of float32 and float64 then does.
bool squares(const Array* array, PyObject* exponent) {
  if (PyLong_CheckExact(exponent))
    return (is_float(array->kind) || is_complex(array->kind) || array->kind == Kind::float16) &&
           (PyLong_AsLong(exponent) == 2 || (PyErr_Clear(), false));
  return is_float(array->kind) && PyFloat_CheckExact(exponent) && PyFloat_AS_DOUBLE(exponent) == 2.0;
}

PyObject* power(PyObject* a, PyObject* b, PyObject* modulus) {
  if (modulus != Py_None) Py_RETURN_NOTIMPLEMENTED;
  // NumPy's ndarray.__pow__ takes a few exponents as other ufuncs, with other rounding than np.power.
  if (is_array(a) && squares(as_array(a), b)) return unary(a, MYIA_NAME("square"));
  if (defers(a, b)) Py_RETURN_NOTIMPLEMENTED;
  if (is_array(a) && !is_array(b) && !PyArray_Check(b)) {
    Owned view(to_numpy(as_array(a)));  // 0.5, -1, ...: as NumPy's version does
    Owned made(view ? PyNumber_Power(view.get(), b, Py_None) : nullptr);
    return made ? from_host(made.get()) : nullptr;
  }
  return binary(a, b, MYIA_NAME("power"));
}

PyObject* power_in_place(PyObject* a, PyObject* b, PyObject* modulus) {
  if (modulus != Py_None || defers(a, b, true)) Py_RETURN_NOTIMPLEMENTED;
  if (squares(as_array(a), b)) {
    static Operator* const square = find_operator("square");
    return apply(square, &a, 1, a);
  }
  if (is_array(b) || PyArray_Check(b)) return in_place(a, b, MYIA_NAME("power"));
  Owned view(to_numpy(as_array(a)));
  if (!view) return nullptr;
  Owned made(PyNumber_InPlacePower(view.get(), b, Py_None));
  if (!made) return nullptr;
  as_array(a)->storage->written();
  return Py_NewRef(a);
}

PyObject* divide_with_remainder(PyObject* a, PyObject* b) {
  if (defers(a, b)) Py_RETURN_NOTIMPLEMENTED;
  Owned x(to_host(a)), y(to_host(b));
  Owned made(x && y ? PyNumber_Divmod(x.get(), y.get()) : nullptr);
  return made ? from_host(made.get()) : nullptr;
}

PyObject* positive(PyObject* a) { return unary(a, MYIA_NAME("positive")); }

PyObject* matmul_slot(PyObject* a, PyObject* b) {
  if (defers(a, b)) Py_RETURN_NOTIMPLEMENTED;
  return matmul(a, b);
}

PyObject* matmul_in_place(PyObject* a, PyObject* b) {
  if (defers(a, b, true)) Py_RETURN_NOTIMPLEMENTED;
  Owned view(to_numpy(as_array(a))), other(to_host(b));
  if (!view || !other) return nullptr;
  Owned made(PyNumber_InPlaceMatrixMultiply(view.get(), other.get()));
  if (!made) return nullptr;
  as_array(a)->storage->written();
  return Py_NewRef(a);
}

}  // namespace

PyObject* as_float(PyObject* self);
PyObject* as_int(PyObject* self);
PyObject* as_index(PyObject* self);
int as_bool(PyObject* self);

#define MYIA_BINARY(text) [](PyObject* a, PyObject* b) -> PyObject* { return binary(a, b, MYIA_NAME(text)); }
#define MYIA_IN_PLACE(text) [](PyObject* a, PyObject* b) -> PyObject* { return in_place(a, b, MYIA_NAME(text)); }
#define MYIA_UNARY(text) [](PyObject* a) -> PyObject* { return unary(a, MYIA_NAME(text)); }

PyNumberMethods array_numbers = {
    .nb_add = MYIA_BINARY("add"),
    .nb_subtract = MYIA_BINARY("subtract"),
    .nb_multiply = MYIA_BINARY("multiply"),
    .nb_remainder = MYIA_BINARY("remainder"),
    .nb_divmod = divide_with_remainder,
    .nb_power = power,
    .nb_negative = MYIA_UNARY("negative"),
    .nb_positive = positive,
    .nb_absolute = MYIA_UNARY("absolute"),
    .nb_bool = as_bool,
    .nb_invert = MYIA_UNARY("invert"),
    .nb_lshift = MYIA_BINARY("left_shift"),
    .nb_rshift = MYIA_BINARY("right_shift"),
    .nb_and = MYIA_BINARY("bitwise_and"),
    .nb_xor = MYIA_BINARY("bitwise_xor"),
    .nb_or = MYIA_BINARY("bitwise_or"),
    .nb_int = as_int,
    .nb_float = as_float,
    .nb_inplace_add = MYIA_IN_PLACE("add"),
    .nb_inplace_subtract = MYIA_IN_PLACE("subtract"),
    .nb_inplace_multiply = MYIA_IN_PLACE("multiply"),
    .nb_inplace_remainder = MYIA_IN_PLACE("remainder"),
    .nb_inplace_power = power_in_place,
    .nb_inplace_lshift = MYIA_IN_PLACE("left_shift"),
    .nb_inplace_rshift = MYIA_IN_PLACE("right_shift"),
    .nb_inplace_and = MYIA_IN_PLACE("bitwise_and"),
    .nb_inplace_xor = MYIA_IN_PLACE("bitwise_xor"),
    .nb_inplace_or = MYIA_IN_PLACE("bitwise_or"),
    .nb_floor_divide = MYIA_BINARY("floor_divide"),
    .nb_true_divide = MYIA_BINARY("divide"),
    .nb_inplace_floor_divide = MYIA_IN_PLACE("floor_divide"),
    .nb_inplace_true_divide = MYIA_IN_PLACE("divide"),
    .nb_index = as_index,
    .nb_matrix_multiply = matmul_slot,
    .nb_inplace_matrix_multiply = matmul_in_place,
};

PyObject* compare(PyObject* a, PyObject* b, int how) {
  static Operator* const operators[6] = {
      find_operator("less"),     find_operator("less_equal"), find_operator("equal"),
      find_operator("not_equal"), find_operator("greater"),   find_operator("greater_equal"),
  };
  if (foreign(b)) {
    if (defers(a, b)) Py_RETURN_NOTIMPLEMENTED;
    Owned x(to_host(a));
    Owned made(x ? PyObject_RichCompare(x.get(), b, how) : nullptr);
    return made ? from_host(made.get()) : nullptr;
  }
  PyObject* const operands[2] = {a, b};
  return apply(operators[how], operands, 2, nullptr);
}

}  // namespace myia
