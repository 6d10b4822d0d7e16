#include "th/copy.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <cstdlib>

#include "th/simd.hpp"

namespace myia::th {
namespace {

struct Pair {
  std::uint64_t low, high;
};

template <class T>
MYIA_INLINE void move_one(char* out, const char* in) noexcept {
  std::memcpy(out, in, sizeof(T));  // a plain load and store, aligned or not
}

template <class T>
MYIA_SIMD void fill(char* out, const char* in, std::intptr_t count) {
  T value;
  std::memcpy(&value, in, sizeof(T));
  for (std::intptr_t i = 0; i < count; ++i) std::memcpy(out + i * static_cast<std::intptr_t>(sizeof(T)), &value, sizeof(T));
}

template <class T>
void row(char* const* p, std::intptr_t count, const std::intptr_t* strides) {
  constexpr std::intptr_t item = sizeof(T);
  if (strides[0] == item && strides[1] == item) {
    if (p[0] != p[1]) std::memcpy(p[0], p[1], static_cast<std::size_t>(count * item));
    return;
  }
  if (strides[0] == item && strides[1] == 0) return fill<T>(p[0], p[1], count);
  for (std::intptr_t i = 0; i < count; ++i) move_one<T>(p[0] + i * strides[0], p[1] + i * strides[1]);
}

/// Rows [begin, end) of the two last axes, whose source is contiguous the other way: in blocks, so that
/// the lines of the cache it touches are still there when their next elements are wanted.
template <class T>
void transposed(char* out, const char* in, Index begin, Index end, Index columns, const Index* out_strides,
                const Index* in_strides) {
  constexpr Index block = sizeof(T) >= 8 ? 16 : 32;
  for (Index i0 = begin; i0 < end; i0 += block) {
    const Index i1 = std::min(i0 + block, end);
    for (Index j0 = 0; j0 < columns; j0 += block) {
      const Index j1 = std::min(j0 + block, columns);
      for (Index i = i0; i < i1; ++i) {
        char* to = out + i * out_strides[0] + j0 * out_strides[1];
        const char* from = in + i * in_strides[0] + j0 * in_strides[1];
        for (Index j = j0; j < j1; ++j, to += out_strides[1], from += in_strides[1]) move_one<T>(to, from);
      }
    }
  }
}

/// Whether the source prefers the axis before the last, and both are long enough for blocks to pay.
bool crosses(const Walk& w, Index item) noexcept {
  if (w.ndim < 2) return false;
  const int last = w.ndim - 1;
  const Index *out = w.strides[0], *in = w.strides[1];
  return out[last] == item && in[last] != item && in[last] != 0 && w.shape[last] >= 8 && w.shape[last - 1] >= 8 &&
         in[last - 1] != 0 && std::abs(in[last - 1]) < std::abs(in[last]);
}

template <class T>
void copy_as(const Walk& w, char* const* bases, Index begin, Index end) {
  if (!crosses(w, sizeof(T))) return walk(w, bases, begin, end, row<T>);
  const int last = w.ndim - 1;
  const Index columns = w.shape[last], rows = w.shape[last - 1];
  // Whole rows go by blocks, a plane at a time; what is left of a row at either end goes as it is.
  const Index first = std::min((begin + columns - 1) / columns * columns, end);
  walk(w, bases, begin, first, row<T>);
  Index at = first;
  while (end - at >= columns) {
    const Index r0 = at / columns % rows;
    const Index r1 = std::min(rows, r0 + (end - at) / columns);
    char *out = bases[0], *in = bases[1];
    Index plane = at / columns / rows;
    for (int d = last - 2; d >= 0; --d) {
      out += plane % w.shape[d] * w.strides[0][d];
      in += plane % w.shape[d] * w.strides[1][d];
      plane /= w.shape[d];
    }
    transposed<T>(out, in, r0, r1, columns, w.strides[0] + last - 1, w.strides[1] + last - 1);
    at += (r1 - r0) * columns;
  }
  walk(w, bases, at, end, row<T>);
}

}  // namespace

void copy(const Walk& w, char* const* bases, Index item, Index begin, Index end) {
  if (begin >= end) return;
  switch (item) {
    case 1: return copy_as<std::uint8_t>(w, bases, begin, end);
    case 2: return copy_as<std::uint16_t>(w, bases, begin, end);
    case 4: return copy_as<std::uint32_t>(w, bases, begin, end);
    case 8: return copy_as<std::uint64_t>(w, bases, begin, end);
    case 16: return copy_as<Pair>(w, bases, begin, end);
    default: std::abort();  // no kind has another size
  }
}

}  // namespace myia::th
