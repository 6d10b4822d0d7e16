#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "th/layout.hpp"

/// Random views for the tests of kernels.
namespace myia::views {

using th::Index;

inline std::mt19937_64 random(20240521);

inline Index below(Index n) { return static_cast<Index>(random() % static_cast<std::uint64_t>(n)); }
inline Index between(Index low, Index high) { return low + below(high - low + 1); }

struct Shape {
  int ndim = 0;
  Index length[4] = {};

  [[nodiscard]] Index size() const {
    Index total = 1;
    for (int d = 0; d < ndim; ++d) total *= length[d];
    return total;
  }
};

/// Up to 4 axes; sizes 0 and 1 and long last axes included.
inline Shape shape() {
  Shape s;
  s.ndim = static_cast<int>(below(5));
  for (int d = 0; d < s.ndim; ++d) s.length[d] = below(12) == 0 ? 0 : below(5) == 0 ? 1 : between(2, 6);
  if (s.ndim && below(2)) s.length[below(s.ndim)] *= between(1, 40);
  return s;
}

/// Memory of its own and a view of it, starting anywhere.
struct View {
  std::vector<std::uint64_t> memory;
  Index offset = 0;
  Index strides[4] = {};

  char* data() { return reinterpret_cast<char*>(memory.data()) + offset; }
  [[nodiscard]] Index bytes() const { return static_cast<Index>(memory.size() * 8); }

  /// Axes in random order, gaps, negative and (if `repeats`) zero strides.
  View(const Shape& s, Index item, bool repeats) {
    int axes[4] = {0, 1, 2, 3};
    if (below(2))
      for (int d = s.ndim - 1; d > 0; --d) std::swap(axes[d], axes[below(d + 1)]);
    const bool plain = below(2);
    Index extent = 1, lowest = 0;
    for (int d = s.ndim - 1; d >= 0; --d) {
      const int axis = axes[d];
      if (!plain && below(3) == 0) extent *= between(1, 3);
      Index step = extent;
      extent *= std::max<Index>(s.length[axis], 1);
      if (!plain && below(4) == 0) {
        lowest += step * std::max<Index>(s.length[axis] - 1, 0);
        step = -step;
      }
      if (repeats && below(4) == 0) {
        if (step < 0) lowest += step * std::max<Index>(s.length[axis] - 1, 0);
        step = 0;
      }
      strides[axis] = step * item;
    }
    const Index lead = below(4);
    offset = (lead + lowest) * item;
    memory.resize(static_cast<std::size_t>((lead + extent + 3) * item / 8 + 2));
    for (auto& word : memory) word = random();
  }
};

template <std::size_t N>
th::Walk walk_of(const Shape& s, View* const (&operands)[N]) {
  th::Walk w;
  w.operands = static_cast<int>(N);
  w.ndim = s.ndim;
  for (int d = 0; d < s.ndim; ++d) {
    w.shape[d] = s.length[d];
    for (std::size_t k = 0; k < N; ++k) w.strides[k][d] = operands[k]->strides[d];
  }
  return w;
}

/// Calls f with the address in each operand of every element, in order.
template <class F>
void each(const th::Walk& w, char* const* bases, F&& f) {
  const Index size = w.size();
  for (Index k = 0; k < size; ++k) {
    char* at[th::kMaxOperands];
    Index rest = k;
    for (int o = 0; o < w.operands; ++o) at[o] = bases[o];
    for (int d = w.ndim - 1; d >= 0; --d) {
      for (int o = 0; o < w.operands; ++o) at[o] += rest % w.shape[d] * w.strides[o][d];
      rest /= w.shape[d];
    }
    f(at);
  }
}

/// Calls f(begin, end) for consecutive ranges that cover [0, size).
template <class F>
void in_parts(Index size, F&& f) {
  Index at = 0;
  while (at < size) {
    const Index next = below(3) == 0 ? size : std::min(size, at + between(1, size));
    f(at, next);
    at = next;
  }
}

}  // namespace myia::views
