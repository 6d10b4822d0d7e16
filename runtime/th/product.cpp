#include "th/floating.hpp"  // first: it sets how what follows is compiled

#include "th/product.hpp"

#include <algorithm>
#include <complex>
#include <cstring>
#include <limits>
#include <memory>

#include "th/blas.hpp"
#include "th/copy.hpp"
#include "th/simd.hpp"

namespace myia::th {
namespace {

constexpr Index kLargest = std::numeric_limits<int>::max();

/// Not std::complex's operator, which would look for NaNs to mend.
template <class T>
MYIA_INLINE T times(T x, T y) noexcept {
  return x * y;
}
template <class T>
MYIA_INLINE std::complex<T> times(std::complex<T> x, std::complex<T> y) noexcept {
  return {x.real() * y.real() - x.imag() * y.imag(), x.real() * y.imag() + x.imag() * y.real()};
}

Matrix part(Matrix m, Index r0, Index r1, Index c0, Index c1) noexcept {
  return {m.data + r0 * m.row_stride + c0 * m.column_stride, r1 - r0, c1 - c0, m.row_stride, m.column_stride};
}

Matrix transpose(Matrix m) noexcept { return {m.data, m.columns, m.rows, m.column_stride, m.row_stride}; }

void copy_matrix(Matrix to, Matrix from, Index item) {
  Walk w{2, 2, {to.rows, to.columns}, {{to.row_stride, to.column_stride}, {from.row_stride, from.column_stride}}};
  char* const bases[] = {to.data, from.data};
  copy(w, bases, item, 0, to.rows * to.columns);
}

/// A place for the contiguous copy of an operand that BLAS cannot take as it is.
template <class T>
class Packed {
 public:
  Matrix allocate(Index rows, Index columns) {
    memory_ = std::make_unique_for_overwrite<T[]>(static_cast<std::size_t>(rows * columns));
    constexpr Index item = sizeof(T);
    return {reinterpret_cast<char*>(memory_.get()), rows, columns, columns * item, item};
  }
  Matrix copy_of(Matrix m) {
    const Matrix packed = allocate(m.rows, m.columns);
    copy_matrix(packed, m, sizeof(T));
    return packed;
  }

 private:
  std::unique_ptr<T[]> memory_;
};

/// Whether the elements of a row are adjacent, and the rows so far apart as BLAS can express.
template <class T>
bool has_rows(Matrix m) noexcept {
  constexpr Index item = sizeof(T);
  if (m.column_stride != item && m.columns != 1) return false;
  return m.rows == 1 || (m.row_stride >= m.columns * item && m.row_stride % item == 0 && m.row_stride / item <= kLargest);
}

/// A matrix with adjacent elements in its rows, or else in its columns: a leading dimension and a flag.
template <class T>
struct Operand {
  const T* data;
  BlasTranspose flag;
  int leading;

  static Operand of(Matrix m, Packed<T>& packed) {
    if (!has_rows<T>(m)) {
      if (has_rows<T>(transpose(m)))
        return {reinterpret_cast<const T*>(m.data), transposed, step(m.columns, m.rows, m.column_stride)};
      m = packed.copy_of(m);
    }
    return {reinterpret_cast<const T*>(m.data), as_it_is, step(m.rows, m.columns, m.row_stride)};
  }
  /// The distance of lines; where there is but one, any that BLAS accepts.
  static int step(Index lines, Index length, Index stride) noexcept {
    return static_cast<int>(lines == 1 ? std::max<Index>(length, 1) : stride / static_cast<Index>(sizeof(T)));
  }
};

/// A vector as BLAS wants it: the lowest address, and a step that is not 0.
template <class T>
struct Vector {
  T* data;
  int step;

  static bool fits(Index count, Index stride) noexcept {
    constexpr Index item = sizeof(T);
    return count == 1 || (stride != 0 && stride % item == 0 && std::abs(stride / item) <= kLargest);
  }
  static Vector of(char* data, Index count, Index stride) noexcept {
    if (count == 1) return {reinterpret_cast<T*>(data), 1};
    char* const lowest = stride < 0 ? data + (count - 1) * stride : data;
    return {reinterpret_cast<T*>(lowest), static_cast<int>(stride / static_cast<Index>(sizeof(T)))};
  }
  static Vector packed(char* data, Index count, Index stride, Packed<T>& place) {
    if (fits(count, stride)) return of(data, count, stride);
    const Matrix copied = place.copy_of({data, 1, count, 0, stride});
    return of(copied.data, count, copied.column_stride);
  }
};

template <class T>
void clear(Matrix c) {
  T zero{};
  copy_matrix(c, {reinterpret_cast<char*>(&zero), c.rows, c.columns, 0, 0}, sizeof(T));
}

template <class T>
void add_matrix(Matrix c, Matrix x) {
  for (Index i = 0; i < c.rows; ++i)
    for (Index j = 0; j < c.columns; ++j)
      *reinterpret_cast<T*>(c.data + i * c.row_stride + j * c.column_stride) +=
          *reinterpret_cast<const T*>(x.data + i * x.row_stride + j * x.column_stride);
}

template <class T>
void scalar_product(char* c, const char* a, Index a_stride, const char* b, Index b_stride, Index k, bool accumulate) {
  Packed<T> place_a, place_b;
  T sum{};
  if (k > 0) {
    const Vector<T> x = Vector<T>::packed(const_cast<char*>(a), k, a_stride, place_a);
    const Vector<T> y = Vector<T>::packed(const_cast<char*>(b), k, b_stride, place_b);
    const Blas<T>& routines = blas<T>();
    if (routines.dot) sum = routines.dot(static_cast<int>(k), x.data, x.step, y.data, y.step);
    else routines.dot_into(static_cast<int>(k), x.data, x.step, y.data, y.step, &sum);
  }
  T& result = *reinterpret_cast<T*>(c);
  result = accumulate ? result + sum : sum;
}

/// c (m x 1) = or += A (m x k) @ b (k x 1).
template <class T>
void matrix_vector(Matrix c, Matrix a, Matrix b, bool accumulate) {
  Packed<T> place_a, place_b, place_c;
  const bool direct = Vector<T>::fits(c.rows, c.row_stride);
  const Matrix result = direct ? c : place_c.allocate(c.rows, 1);
  // Zeroed beforehand rather than by beta: whether a NaN that lay there survives differs between BLASes.
  if (!accumulate || !direct) clear<T>(result);
  const Operand<T> matrix = Operand<T>::of(a, place_a);
  const Vector<T> x = Vector<T>::packed(b.data, b.rows, b.row_stride, place_b);
  const Vector<T> y = Vector<T>::of(result.data, result.rows, result.row_stride);
  const bool flipped = matrix.flag == transposed;
  const T one(1);
  blas<T>().gemv(row_major, matrix.flag, static_cast<int>(flipped ? a.columns : a.rows),
                 static_cast<int>(flipped ? a.rows : a.columns), BlasNumber<T>::of(one), matrix.data, matrix.leading,
                 x.data, x.step, BlasNumber<T>::of(one), y.data, y.step);
  if (direct) return;
  if (accumulate) add_matrix<T>(c, result);
  else copy_matrix(c, result, sizeof(T));
}

template <class T, bool Accumulate>
MYIA_SIMD void outer_row(T* c, T factor, const T* b, Index count) {
  MYIA_INDEPENDENT
  for (Index j = 0; j < count; ++j) c[j] = Accumulate ? c[j] + times(factor, b[j]) : times(factor, b[j]);
}

/// C = or += a (m x 1) @ b (1 x n): one pass over C, where BLAS's ger would want it zeroed before.
template <class T>
void outer(Matrix c, Matrix a, Matrix b, bool accumulate) {
  constexpr Index item = sizeof(T);
  if (c.column_stride != item && c.row_stride == item) return outer<T>(transpose(c), transpose(b), transpose(a), accumulate);
  const bool adjacent = c.column_stride == item || c.columns == 1;
  Packed<T> place;
  if (b.column_stride != item && b.columns != 1) b = place.copy_of(b);
  const T* const factors = reinterpret_cast<const T*>(b.data);
  for (Index i = 0; i < c.rows; ++i) {
    char* const row = c.data + i * c.row_stride;
    const T factor = *reinterpret_cast<const T*>(a.data + i * a.row_stride);
    if (adjacent) {
      T* const to = reinterpret_cast<T*>(row);
      if (accumulate) outer_row<T, true>(to, factor, factors, c.columns);
      else outer_row<T, false>(to, factor, factors, c.columns);
      continue;
    }
    for (Index j = 0; j < c.columns; ++j) {
      T& to = *reinterpret_cast<T*>(row + j * c.column_stride);
      to = accumulate ? to + times(factor, factors[j]) : times(factor, factors[j]);
    }
  }
}

template <class T>
void matrix_matrix(Matrix c, Matrix a, Matrix b, bool accumulate) {
  if (!has_rows<T>(c)) {
    if (has_rows<T>(transpose(c))) return matrix_matrix<T>(transpose(c), transpose(b), transpose(a), accumulate);
    Packed<T> place;
    const Matrix result = place.allocate(c.rows, c.columns);
    matrix_matrix<T>(result, a, b, false);
    if (accumulate) add_matrix<T>(c, result);
    else copy_matrix(c, result, sizeof(T));
    return;
  }
  Packed<T> place_a, place_b;
  const Operand<T> left = Operand<T>::of(a, place_a), right = Operand<T>::of(b, place_b);
  const T one(1), beta(accumulate ? 1 : 0);
  blas<T>().gemm(row_major, left.flag, right.flag, static_cast<int>(c.rows), static_cast<int>(c.columns),
                 static_cast<int>(a.columns), BlasNumber<T>::of(one), left.data, left.leading, right.data,
                 right.leading, BlasNumber<T>::of(beta), reinterpret_cast<T*>(c.data),
                 Operand<T>::step(c.rows, c.columns, c.row_stride));
}

template <class T>
void by_shape(Matrix c, Matrix a, Matrix b, bool accumulate) {
  const Index inner = a.columns;
  if (inner == 0) {
    if (!accumulate) clear<T>(c);
  } else if (c.rows == 1 && c.columns == 1) {
    scalar_product<T>(c.data, a.data, a.column_stride, b.data, b.row_stride, inner, accumulate);
  } else if (inner == 1) {
    outer<T>(c, a, b, accumulate);
  } else if (c.columns == 1) {
    matrix_vector<T>(c, a, b, accumulate);
  } else if (c.rows == 1) {
    matrix_vector<T>(transpose(c), transpose(b), transpose(a), accumulate);
  } else {
    matrix_matrix<T>(c, a, b, accumulate);
  }
}

/// Calls f with a number of the kind's type.
template <class F>
bool with_number(Kind kind, F&& f) {
  if (!have_blas()) return false;
  switch (kind) {
    case Kind::float32: f(float()); return true;
    case Kind::float64: f(double()); return true;
    case Kind::complex64: f(std::complex<float>()); return true;
    case Kind::complex128: f(std::complex<double>()); return true;
    default: return false;
  }
}

}  // namespace

bool can_multiply(Kind kind) noexcept {
  return with_number(kind, [](auto) {});
}

bool multiply(Kind kind, Matrix c, Matrix a, Matrix b, bool accumulate, Index row_begin, Index row_end,
              Index col_begin, Index col_end) {
  if (std::max({c.rows, c.columns, a.columns}) > kLargest) return false;
  return with_number(kind, [&]<class T>(T) {
    if (row_begin >= row_end || col_begin >= col_end) return;
    by_shape<T>(part(c, row_begin, row_end, col_begin, col_end), part(a, row_begin, row_end, 0, a.columns),
                part(b, 0, b.rows, col_begin, col_end), accumulate);
  });
}

bool dot(Kind kind, char* c, const char* a, Index a_stride, const char* b, Index b_stride, Index k, bool accumulate) {
  if (k > kLargest) return false;
  return with_number(kind, [&]<class T>(T) { scalar_product<T>(c, a, a_stride, b, b_stride, k, accumulate); });
}

Index multiply_cost(Index m, Index n, Index k) noexcept {
  const double cost = 2.0 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
  return static_cast<Index>(std::min(cost, 9e18));  // the product of three dimensions may not fit
}

int parts_for(Index m, Index n, Index k, int workers) noexcept {
  // To hand a part over costs some microseconds. A vector's product reads its matrix once, and does a
  // tenth of the operations in that time of a matrix's product.
  const Index least = m == 1 || n == 1 || k == 1 ? 200'000 : 2'000'000;
  const Index worth = std::min<Index>(multiply_cost(m, n, k) / least, std::max(m, n) / kProductTile);
  return static_cast<int>(std::clamp<Index>(worth, 1, std::max(workers, 1)));
}

void part_of_product(Index m, Index n, int part, int parts, Index& r0, Index& r1, Index& c0, Index& c1) noexcept {
  const bool by_rows = m >= n;
  const Index length = by_rows ? m : n;
  const Index step = ((length + parts - 1) / parts + kProductTile - 1) / kProductTile * kProductTile;
  const Index begin = std::min(step * part, length), end = std::min(step * (part + 1), length);
  r0 = by_rows ? begin : 0;
  r1 = by_rows ? end : m;
  c0 = by_rows ? 0 : begin;
  c1 = by_rows ? n : end;
}

}  // namespace myia::th
