#pragma once

#include "th/layout.hpp"

namespace myia::th {

/// A matrix as a view; strides in bytes, of any sign.
struct Matrix {
  char* data = nullptr;
  Index rows = 0, columns = 0;
  Index row_stride = 0, column_stride = 0;
};

/// Whether there are products of this kind: float32, float64, complex64 or complex128, and BLAS is loaded.
bool can_multiply(Kind kind) noexcept;

/// The part [row_begin, row_end) x [col_begin, col_end) of C = A @ B, or of C += A @ B. C shares no memory
/// with A or B, and no two of its elements are the same.
/// False, with nothing written, if `can_multiply` is false or a dimension exceeds BLAS's 2^31 - 1.
bool multiply(Kind kind, Matrix c, Matrix a, Matrix b, bool accumulate, Index row_begin, Index row_end,
              Index col_begin, Index col_end);

/// The scalar product of two vectors of `k` elements, `c` = or += sum of a[i] * b[i]. False as `multiply`.
bool dot(Kind kind, char* c, const char* a, Index a_stride, const char* b, Index b_stride, Index k, bool accumulate);

/// Parts of a product are multiples of this many rows or columns, as BLAS's inner kernels are.
constexpr Index kProductTile = 16;

/// Floating-point operations of an m x k by k x n product of real numbers (complex ones: four times that).
Index multiply_cost(Index m, Index n, Index k) noexcept;

/// Into how many parts (at most `workers`) an m x n result with inner dimension k is worth splitting.
int parts_for(Index m, Index n, Index k, int workers) noexcept;

/// The block of part `part` of `parts` of an m x n result: split on the larger dimension, in multiples of
/// `kProductTile`. Late parts may be empty (r0 == r1 or c0 == c1). BLAS may sum an element of a small part
/// in another order, so that the last bits depend on the number of parts, though on nothing else.
void part_of_product(Index m, Index n, int part, int parts, Index& r0, Index& r1, Index& c0, Index& c1) noexcept;

}  // namespace myia::th
