#pragma once

#include "array/array.hpp"

namespace myia {

/// The operator of a ufunc object, null if it has none.
Operator* operator_of(PyObject* ufunc);
int inputs_of(const Operator* op);
PyUFuncObject* ufunc_of(const Operator* op);
const char* operator_name(const Operator* op);
/// The inner loop that takes only this kind and gives it.
bool find_loop(Operator* op, Kind kind, PyUFuncGenericFunction& loop, void*& data);

PyObject* sum_to_shape(Array* g, const Index* shape, int ndim);

}  // namespace myia
