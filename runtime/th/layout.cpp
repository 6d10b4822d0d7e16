#include "th/layout.hpp"

namespace myia::th {

template <int Most>
void WalkOf<Most>::coalesce() noexcept {
  int kept = 0;
  for (int d = 0; d < ndim; ++d) {
    if (shape[d] == 1) continue;
    shape[kept] = shape[d];
    for (int k = 0; k < operands; ++k) strides[k][kept] = strides[k][d];
    ++kept;
  }
  ndim = kept;
  if (ndim > 1) {
    int order[kMaxDims];
    axis_order(ndim, operands, [this](int k, int d) { return strides[k][d]; }, order);
    const WalkOf before = *this;
    for (int d = 0; d < ndim; ++d) {
      const int from = order[ndim - 1 - d];
      shape[d] = before.shape[from];
      for (int k = 0; k < operands; ++k) strides[k][d] = before.strides[k][from];
    }
  }
  join();
}

template <int Most>
void WalkOf<Most>::join() noexcept {
  int kept = 0;
  for (int d = 1; d < ndim; ++d) {
    bool joined = true;
    for (int k = 0; k < operands; ++k) joined = joined && strides[k][kept] == strides[k][d] * shape[d];
    if (joined) {
      shape[kept] *= shape[d];
      for (int k = 0; k < operands; ++k) strides[k][kept] = strides[k][d];
    } else {
      ++kept;
      shape[kept] = shape[d];
      for (int k = 0; k < operands; ++k) strides[k][kept] = strides[k][d];
    }
  }
  if (ndim) ndim = kept + 1;
}

template struct WalkOf<kMaxOperands>;
template struct WalkOf<kMaxSlots>;

}  // namespace myia::th
