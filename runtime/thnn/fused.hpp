#pragma once

#include "th/layout.hpp"

/// Elementwise kernels of backprops, in one pass, for float32 and float64. Each is the namesake of a
/// function of myia/runtime/elementwise.py, or of a statement of emitted code.
namespace myia::thnn {

/// Operand 0 is the output, then come the inputs, in the order named here. `_into` adds to the output
/// what its namesake stores there.
///
/// In all of the adjoints, and in times and quotient, a cotangent `g` of exactly 0 contributes 0,
/// whatever the rest is.
enum class Op : int {
  add_into,                 ///< a         out += a
  subtract_into,            ///< a         out -= a
  multiply_add,             ///< a, b      out += a * b, two roundings
  multiply_subtract,        ///< a, b      out -= a * b
  times, times_into,                            ///< g, f         g * f            exp, with f = y
  quotient, quotient_into,                      ///< g, x         g / x            log
  negative_quotient, negative_quotient_into,    ///< g, y, x      -(g / x * y)     x in y = a / x
  tanh_adjoint, tanh_adjoint_into,              ///< g, y         g * (1 - y * y)
  sqrt_adjoint, sqrt_adjoint_into,              ///< g, y         g / (2 * y)
  square_adjoint, square_adjoint_into,          ///< g, x         g * (2 * x)
  reciprocal_adjoint, reciprocal_adjoint_into,  ///< g, y         -(g * y * y)
  absolute_adjoint, absolute_adjoint_into,      ///< g, x         g * sign(x), NaN at NaN
  maximum_adjoint, maximum_adjoint_into,        ///< g, x, other  to the larger; halves if equal; NaN if either is
  minimum_adjoint, minimum_adjoint_into,        ///< g, x, other  to the smaller
  fmax_adjoint, fmax_adjoint_into,              ///< g, x, other  to the larger; a NaN loses to a number
  fmin_adjoint, fmin_adjoint_into,              ///< g, x, other
};
constexpr int kOps = static_cast<int>(Op::fmin_adjoint_into) + 1;

/// Works on the elements [begin, end). An input shares no memory with the output, or is the same view of it.
/// The result for an element does not depend on how the range was split.
using Fused = void (*)(const th::Walk& w, char* const* bases, th::Index begin, th::Index end);

/// The kernel, or nullptr if there is none for this kind.
Fused find(Op op, th::Kind kind) noexcept;

/// The same for elements that have one stride in each operand; pointers and strides in bytes, the output first.
using Row = void (*)(char* const* pointers, std::intptr_t count, const std::intptr_t* strides);
Row find_row(Op op, th::Kind kind) noexcept;

/// Inputs of a kernel, 1 to 3; its walk has one operand more.
int inputs(Op op) noexcept;

/// Whether the kernel reads its output: for the `_into` kernels, add_into and the like.
bool accumulates(Op op) noexcept;

const char* name(Op op) noexcept;

}  // namespace myia::thnn
