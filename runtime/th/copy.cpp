#include "th/copy.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <utility>

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

/// Rows [begin, end) of the two last axes, whose source is contiguous the other way: in tiles as wide as a
/// line of the cache, so that a line is read once for all its elements, be it that rows lie a power of two
/// apart and evict each other. Nothing foresees the next lines, so they are asked for some tiles ahead.
template <class T>
void transposed(char* out, const char* in, Index begin, Index end, Index columns, const Index* out_strides,
                const Index* in_strides) {
  constexpr Index side = 64 / static_cast<Index>(sizeof(T)), ahead = 8 * side;
  const Index o0 = out_strides[0], o1 = sizeof(T), i0 = in_strides[0], i1 = in_strides[1];
  // The first tiles end where a line does, or all the others would have two lines a row.
  const auto past_line = static_cast<Index>(reinterpret_cast<std::uintptr_t>(in + begin * i0) % 64 / sizeof(T));
  for (Index i = begin, next; i < end; i = next) {
    next = std::min(end, i == begin ? i + side - past_line : i + side);
    for (Index j = 0; j < columns; j += side) {
      char* const to = out + i * o0 + j * o1;
      const char* const from = in + i * i0 + j * i1;
      const Index rows = next - i, width = std::min(side, columns - j);
      for (Index b = ahead; b < std::min(ahead + side, columns - j); ++b) MYIA_PREFETCH(from + b * i1);
      if (width == side) {
        for (Index a = 0; a < rows; ++a)
          for (Index b = 0; b < side; ++b) move_one<T>(to + a * o0 + b * o1, from + a * i0 + b * i1);
      } else {
        for (Index a = 0; a < rows; ++a)
          for (Index b = 0; b < width; ++b) move_one<T>(to + a * o0 + b * o1, from + a * i0 + b * i1);
      }
    }
  }
}

/// The axis other than the last that the source prefers to the last, or -1.
int preferred_axis(const Walk& w, Index item) noexcept {
  const int last = w.ndim - 1;
  const Index* const in = w.strides[1];
  if (last < 1 || w.strides[0][last] != item || in[last] == item || in[last] == 0 || w.shape[last] < 8) return -1;
  int best = -1;
  for (int d = 0; d < last; ++d)
    if (in[d] != 0 && w.shape[d] >= 8 && std::abs(in[d]) < std::abs(in[best < 0 ? last : best])) best = d;
  return best;
}

/// The walk with axis d moved to the place before the last.
Walk with_axis_before_last(Walk w, int d) noexcept {
  for (; d < w.ndim - 2; ++d) {
    std::swap(w.shape[d], w.shape[d + 1]);
    for (int k = 0; k < w.operands; ++k) std::swap(w.strides[k][d], w.strides[k][d + 1]);
  }
  return w;
}

template <class T>
void copy_planes(const Walk& w, char* const* bases, Index begin, Index end) {
  const int last = w.ndim - 1;
  const Index columns = w.shape[last], rows = w.shape[last - 1];
  // Whole rows go by tiles, a plane at a time; what is left of a row at either end goes as it is.
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

template <class T>
void copy_as(const Walk& w, char* const* bases, Index begin, Index end) {
  const int axis = preferred_axis(w, sizeof(T));
  if (axis < 0) return walk(w, bases, begin, end, row<T>);
  if (axis == w.ndim - 2) return copy_planes<T>(w, bases, begin, end);
  // Another order of axes has other linear numbers, and is open to a copy of everything.
  if (begin == 0 && end == w.size()) return copy_planes<T>(with_axis_before_last(w, axis), bases, begin, end);
  walk(w, bases, begin, end, row<T>);
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
