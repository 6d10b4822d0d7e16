#pragma once

#include <algorithm>

#include "array/array.hpp"

namespace myia {

/// c = a @ b for a stack of matrices: m x k by k x n, strides in bytes (rows, columns).
struct Product {
  Index m = 0, k = 0, n = 0;
  Index a[2] = {}, b[2] = {}, c[2] = {};
  int batch_ndim = 0;
  Index batch_shape[th::kMaxDims] = {};
  Index batch_strides[3][th::kMaxDims] = {};  ///< of a, b and c

  [[nodiscard]] Index batch() const noexcept {
    Index total = 1;
    for (int d = 0; d < batch_ndim; ++d) total *= batch_shape[d];
    return total;
  }
};

/// use(c, a, b) for the matrices with numbers first <= k < last of the stack.
template <class Use>
void walk_batch(const Product& p, char* c, char* a, char* b, Index first, Index last, Use&& use) {
  for (Index number = first; number < last; ++number) {
    char *pc = c, *pa = a, *pb = b;
    Index rest = number;
    for (int d = p.batch_ndim - 1; d >= 0; --d) {
      const Index at = rest % p.batch_shape[d];
      rest /= p.batch_shape[d];
      pa += at * p.batch_strides[0][d];
      pb += at * p.batch_strides[1][d];
      pc += at * p.batch_strides[2][d];
    }
    use(pc, pa, pb);
  }
}

/// Sizes and strides of a and b, and the result's shape; false if they do not fit.
bool plan_product(const Layout& a, const Layout& b, Product& p, Layout& result);
/// The strides of the result.
void set_result(Product& p, const Layout& result, bool row, bool column);
void run_product(Kind kind, const Product& p, char* out, char* a, char* b, bool accumulate, int part, int parts);
bool submit_product(const Product& p, Array* out, Array* a, Array* b, bool accumulate);
Array* array_operand(PyObject* object, Owned& holder, bool& direct);
/// np.dot of two operands.
PyObject* dot(PyObject* a, PyObject* b);

}  // namespace myia
