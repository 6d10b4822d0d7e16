#include "th/gather.hpp"

#include <cstring>
#include <stdexcept>
#include <string>

#include "th/kinds.hpp"
#include "th/simd.hpp"

namespace myia::th {
namespace {

struct Pair {
  std::uint64_t low, high;
};

/// The indices of a range, checked.
class Rows {
 public:
  Rows(const Index* index, Index stride, Index rows, Index begin, Index end)
      : index_(reinterpret_cast<const char*>(index)), stride_(stride), rows_(rows) {
    for (Index k = begin; k < end; ++k) {
      const Index row = given(k);
      if (row < -rows || row >= rows)
        throw std::out_of_range("index " + std::to_string(row) + " is out of bounds for axis 0 with size " +
                                std::to_string(rows));
    }
  }
  [[nodiscard]] Index operator[](Index k) const noexcept {
    const Index row = given(k);
    return row < 0 ? row + rows_ : row;
  }

 private:
  [[nodiscard]] Index given(Index k) const noexcept { return *reinterpret_cast<const Index*>(index_ + k * stride_); }

  const char* index_;
  Index stride_;
  Index rows_;
};

template <class T>
void take_items(char* out, const char* source, Index stride, const Rows& rows, Index begin, Index end) {
  for (Index k = begin; k < end; ++k)
    std::memcpy(out + k * static_cast<Index>(sizeof(T)), source + rows[k] * stride, sizeof(T));
}

template <class T>
MYIA_INLINE void add(T& to, const T& x) noexcept {
  // Without the sign, since integers wrap as NumPy's.
  if constexpr (std::is_integral_v<T>) to = static_cast<T>(std::uint64_t(to) + std::uint64_t(x));
  else to += x;
}

template <class T>
void add_rows(char* out, Index items, Index stride, const char* g, Index g_stride, const Rows& rows, Index begin,
              Index end) {
  for (Index k = begin; k < end; ++k) {
    T* const to = reinterpret_cast<T*>(out + rows[k] * stride);
    const T* const from = reinterpret_cast<const T*>(g + k * g_stride);
    MYIA_INDEPENDENT
    for (Index i = 0; i < items; ++i) add(to[i], from[i]);
  }
}

template <class T>
void add_each_of(T sign, const Walk& w, char* const* bases, Index begin, Index end) {
  walk(w, bases, begin, end, [sign](char** pointers, Index count, const std::intptr_t* strides) {
    char *to = pointers[0], *from = pointers[1];
    for (Index k = 0; k < count; ++k, to += strides[0], from += strides[1])
      *reinterpret_cast<T*>(to) += sign * *reinterpret_cast<const T*>(from);
  });
}

void add_each_half(float sign, const Walk& w, char* const* bases, Index begin, Index end) {
  walk(w, bases, begin, end, [sign](char** pointers, Index count, const std::intptr_t* strides) {
    char *to = pointers[0], *from = pointers[1];
    for (Index k = 0; k < count; ++k, to += strides[0], from += strides[1]) {
      Half& sum = *reinterpret_cast<Half*>(to);
      sum = to_half(from_half<float>(sum) + sign * from_half<float>(*reinterpret_cast<const Half*>(from)));
    }
  });
}

}  // namespace

void add_each(Kind kind, bool subtract, const Walk& w, char* const* bases, Index begin, Index end) {
  if (w.operands != 2) throw std::invalid_argument("add_each has two operands");
  switch (kind) {
    case Kind::float16: return add_each_half(subtract ? -1.0f : 1.0f, w, bases, begin, end);
    case Kind::float32: return add_each_of(subtract ? -1.0f : 1.0f, w, bases, begin, end);
    case Kind::float64: return add_each_of(subtract ? -1.0 : 1.0, w, bases, begin, end);
    default: throw std::invalid_argument("add_each adds floats");
  }
}

void take(char* out, const char* source, Index rows, Index row_bytes, Index row_stride_bytes, const Index* index,
          Index index_stride_bytes, Index begin, Index end) {
  const Rows chosen(index, index_stride_bytes, rows, begin, end);
  switch (row_bytes) {
    case 0: return;
    case 1: return take_items<std::uint8_t>(out, source, row_stride_bytes, chosen, begin, end);
    case 2: return take_items<std::uint16_t>(out, source, row_stride_bytes, chosen, begin, end);
    case 4: return take_items<std::uint32_t>(out, source, row_stride_bytes, chosen, begin, end);
    case 8: return take_items<std::uint64_t>(out, source, row_stride_bytes, chosen, begin, end);
    case 16: return take_items<Pair>(out, source, row_stride_bytes, chosen, begin, end);
    default:
      for (Index k = begin; k < end; ++k)
        std::memcpy(out + k * row_bytes, source + chosen[k] * row_stride_bytes, static_cast<std::size_t>(row_bytes));
  }
}

void take_away(char* out, char* source, Index rows, Index row_bytes, Index row_stride_bytes, const Index* index,
               Index index_stride_bytes, Index count) {
  const Rows chosen(index, index_stride_bytes, rows, 0, count);
  const auto bytes = static_cast<std::size_t>(row_bytes);
  for (Index k = count - 1; k >= 0; --k) {
    char* const row = source + chosen[k] * row_stride_bytes;
    std::memcpy(out + k * row_bytes, row, bytes);
    std::memset(row, 0, bytes);
  }
}

bool can_scatter_add(Kind kind) noexcept { return kind != Kind::boolean && kind != Kind::float16; }

void scatter_add(Kind kind, char* out, Index rows, Index row_items, Index row_stride_bytes, const char* g,
                 Index g_row_stride_bytes, const Index* index, Index index_stride_bytes, Index begin, Index end) {
  if (!can_scatter_add(kind)) throw std::invalid_argument("scatter_add adds neither booleans nor float16");
  const Rows chosen(index, index_stride_bytes, rows, begin, end);
  with_type(kind, [&]<class T>(TypeOf<T>) {
    if constexpr (!std::is_same_v<T, Boolean> && !std::is_same_v<T, Half>)
      add_rows<T>(out, row_items, row_stride_bytes, g, g_row_stride_bytes, chosen, begin, end);
  });
}

}  // namespace myia::th
