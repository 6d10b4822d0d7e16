#pragma once

#include <cstdint>

namespace myia::th {

using Index = std::int64_t;

constexpr int kMaxDims = 8;      ///< arrays of more dimensions stay with NumPy
constexpr int kMaxOperands = 5;  ///< outputs and inputs of one elementwise kernel
constexpr int kMaxSlots = 64;    ///< operands, numbers and values of a chain of kernels (thnn/chain.hpp)

/// The element types that kernels know. The order is that of `kItemSizes`.
enum class Kind : std::int8_t {
  boolean, int8, int16, int32, int64, uint8, uint16, uint32, uint64,
  float16, float32, float64, complex64, complex128,
};
constexpr int kKinds = 14;
constexpr Index kItemSizes[kKinds] = {1, 1, 2, 4, 8, 1, 2, 4, 8, 2, 4, 8, 8, 16};
constexpr Index item_size(Kind kind) noexcept { return kItemSizes[static_cast<int>(kind)]; }

/// Shape and strides (in bytes) of a view. Strides may be negative or zero.
struct Layout {
  int ndim = 0;
  Index shape[kMaxDims] = {};
  Index strides[kMaxDims] = {};

  [[nodiscard]] Index size() const noexcept {
    Index total = 1;
    for (int k = 0; k < ndim; ++k) total *= shape[k];
    return total;
  }
};

/// NumPy's type of an inner loop (PyUFuncGenericFunction): pointers and byte strides per operand.
using Loop = void (*)(char** pointers, const std::intptr_t* count, const std::intptr_t* strides, void* data);

/// The axes in the order in which NumPy's iterator nests them, innermost first: an axis goes inside another
/// if every operand that steps along both has smaller strides there; in a conflict C order wins
/// (npyiter_find_best_axis_ordering). `stride(k, d)` is that of operand k along axis d, 0 where broadcast.
template <class Stride>
void axis_order(int ndim, int operands, Stride&& stride, int* order) {
  const auto size = [](Index x) { return x < 0 ? -x : x; };
  for (int d = 0; d < ndim; ++d) order[d] = ndim - 1 - d;
  for (int i = 1; i < ndim; ++i) {
    const int axis = order[i];
    int place = i;
    for (int j = i - 1; j >= 0; --j) {
      bool ambiguous = true, swap = false;
      for (int k = 0; k < operands; ++k) {
        const Index outer = size(stride(k, axis)), inner = size(stride(k, order[j]));
        if (!outer || !inner) continue;
        if (inner <= outer) {
          swap = false;
        } else if (ambiguous) {
          swap = true;
        }
        ambiguous = false;
      }
      if (ambiguous) continue;
      if (!swap) break;
      place = j;
    }
    for (int j = i; j > place; --j) order[j] = order[j - 1];
    order[place] = axis;
  }
}

/// Operands of one broadcast shape, walked together. Outputs first or last as the kernel likes.
///
/// coalesce() drops axes of size 1, nests the others as NumPy's iterator does (so that sums are taken in
/// NumPy's order), flips none, and joins neighbours that are contiguous in every operand. It does not
/// change which elements meet. join() does the last of that alone, and keeps the elements' linear numbers.
template <int Most>
struct WalkOf {
  int operands = 0;
  int ndim = 0;
  Index shape[kMaxDims] = {};
  Index strides[Most][kMaxDims] = {};

  [[nodiscard]] Index size() const noexcept {
    Index total = 1;
    for (int k = 0; k < ndim; ++k) total *= shape[k];
    return total;
  }
  void coalesce() noexcept;
  void join() noexcept;
};
using Walk = WalkOf<kMaxOperands>;

/// Calls inner(pointers, count, strides) for every run along the last axis of the elements with linear
/// numbers begin <= k < end, in order. `inner` may change the pointers it is given.
template <class Inner>
void walk(const Walk& w, char* const* bases, Index begin, Index end, Inner&& inner) {
  if (begin >= end) return;
  char* pointers[kMaxOperands];
  std::intptr_t inner_strides[kMaxOperands];
  if (w.ndim <= 1) {
    for (int k = 0; k < w.operands; ++k) {
      inner_strides[k] = w.ndim ? w.strides[k][0] : 0;
      pointers[k] = bases[k] + begin * inner_strides[k];
    }
    inner(pointers, end - begin, inner_strides);
    return;
  }
  const int last = w.ndim - 1;
  Index at[kMaxDims];
  char* starts[kMaxOperands];
  for (int k = 0; k < w.operands; ++k) {
    inner_strides[k] = w.strides[k][last];
    starts[k] = bases[k];
  }
  Index rest = begin;
  for (int d = last; d >= 0; --d) {
    at[d] = rest % w.shape[d];
    rest /= w.shape[d];
  }
  for (int d = 0; d < last; ++d)
    for (int k = 0; k < w.operands; ++k) starts[k] += at[d] * w.strides[k][d];
  Index left = end - begin;
  Index skip = at[last];
  for (;;) {
    const Index count = left < w.shape[last] - skip ? left : w.shape[last] - skip;
    for (int k = 0; k < w.operands; ++k) pointers[k] = starts[k] + skip * inner_strides[k];
    inner(pointers, count, inner_strides);
    left -= count;
    if (!left) return;
    skip = 0;
    for (int d = last - 1;; --d) {
      if (++at[d] < w.shape[d]) {
        for (int k = 0; k < w.operands; ++k) starts[k] += w.strides[k][d];
        break;
      }
      at[d] = 0;
      for (int k = 0; k < w.operands; ++k) starts[k] -= (w.shape[d] - 1) * w.strides[k][d];
    }
  }
}

/// The elements [begin, end) of part `part` of `parts`, in multiples of 64 but for the last.
inline void part_of(Index size, int part, int parts, Index& begin, Index& end) noexcept {
  const Index step = ((size + parts - 1) / parts + 63) / 64 * 64;
  begin = step * part < size ? step * part : size;
  end = step * (part + 1) < size ? step * (part + 1) : size;
}

}  // namespace myia::th
