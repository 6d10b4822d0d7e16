#pragma once

#include "array/array.hpp"
#include "thnn/fused.hpp"

namespace myia {

/// The operator that an object is, null if it is none.
Operator* as_operator(PyObject* object);
/// The work on an element, relative to an addition.
int cost_of(const Operator* op);
/// The kernel of a function of `_runtime.fused`; false if the object is none (array/backprops.cpp).
bool as_fused(PyObject* object, thnn::Op& op);
/// The operator of a ufunc object, null if it has none.
Operator* operator_of(PyObject* ufunc);
int inputs_of(const Operator* op);
PyUFuncObject* ufunc_of(const Operator* op);
const char* operator_name(const Operator* op);
/// The inner loop that takes only this kind and gives it.
bool find_loop(Operator* op, Kind kind, PyUFuncGenericFunction& loop, void*& data);

/// What NumPy's sums start from.
double identity_of_sums();
/// The sum of all elements, NumPy's scalar, after waiting (array/reduce.cpp).
PyObject* sum_of_all(Array* array);
PyObject* sum_to_shape(Array* g, const Index* shape, int ndim);

}  // namespace myia
