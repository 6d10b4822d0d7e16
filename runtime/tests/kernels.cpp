// Kernels against naive loops over random views, ranges and values. Products need OpenBLAS: the wheel of
// the repository's .venv, or the library that MYIA_OPENBLAS names.
#include "th/floating.hpp"  // first: it sets how what follows is compiled

#include <algorithm>
#include <cmath>
#include <complex>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <limits>
#include <stdexcept>
#include <string>

#include "expect.hpp"
#include "th/blas.hpp"
#include "th/copy.hpp"
#include "th/cumulative.hpp"
#include "th/gather.hpp"
#include "th/half.hpp"
#include "th/kinds.hpp"
#include "th/product.hpp"
#include "th/select.hpp"
#include "thnn/finite.hpp"
#include "thnn/fused.hpp"
#include "views.hpp"

namespace {

using namespace myia;
using th::Index;
using th::Kind;
using views::below;
using views::between;
using views::each;
using views::in_parts;
using views::Shape;
using views::View;

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double nan = std::numeric_limits<double>::quiet_NaN();

template <class T>
T& as(char* p) {
  return *reinterpret_cast<T*>(p);
}

template <class T>
bool same(T x, T y) {
  if constexpr (std::is_floating_point_v<T>) return x == y || (x != x && y != y);
  else return x == y;
}

double normal() { return std::normal_distribution<double>()(views::random); }

// -- copies --------------------------------------------------------------------------------------

void test_copy() {
  for (int round = 0; round < 3000; ++round) {
    const Index items[] = {1, 2, 4, 8, 16};
    const Index item = items[below(5)];
    Shape s = views::shape();
    if (round % 10 == 0) s = {2, {between(1, 100), between(1, 100)}};
    if (round % 10 == 1) s = {3, {between(1, 12), between(1, 70), between(1, 70)}};
    View out(s, item, false), in(s, item, true);
    if (s.ndim >= 2 && round % 10 < 2) {  // one contiguous in the other's order
      Index extent = item;
      for (int d : {s.ndim - 2, s.ndim - 1}) in.strides[d] = extent, extent *= s.length[d];
      if (s.ndim == 3) in.strides[0] = extent;
      if (s.ndim == 3 && below(2)) {  // all axes reversed
        in.strides[0] = item;
        in.strides[1] = item * s.length[0];
        in.strides[2] = item * s.length[0] * s.length[1];
      }
      in.offset = 0;
      in.memory.resize(static_cast<std::size_t>(s.size() * item / 8 + 2), 7);
    }
    View expected = out;
    th::Walk w = walk_of(s, {&out, &in});
    char* const bases[] = {out.data(), in.data()};
    char* const naive[] = {expected.data(), in.data()};
    // Everything in parts, or one part alone, whose elements are those of its linear numbers.
    const bool all = below(2);
    const Index first = all ? 0 : below(w.size() + 1), last = all ? w.size() : between(first, w.size());
    if (below(2)) w.coalesce();
    Index number = 0;
    each(w, naive, [&](char** p) {
      if (first <= number && number < last) std::memcpy(p[0], p[1], static_cast<std::size_t>(item));
      ++number;
    });
    in_parts(last - first, [&](Index begin, Index end) { th::copy(w, bases, item, first + begin, first + end); });
    EXPECT(out.memory == expected.memory);
  }
}

// -- conversions -----------------------------------------------------------------------------------

template <class T>
T number_for(double x) {
  if constexpr (std::is_same_v<T, th::Half>) return th::to_half(x);
  else if constexpr (std::is_same_v<T, th::Boolean>) return th::Boolean(x > 0 ? 1 + below(255) : 0);
  else if constexpr (std::is_arithmetic_v<T>) return T(x);
  else return T(static_cast<typename T::value_type>(x), static_cast<typename T::value_type>(below(2)));
}

template <class T>
std::complex<double> widened(T x) {
  if constexpr (std::is_same_v<T, th::Half>) return th::from_half<double>(x);
  else if constexpr (std::is_same_v<T, th::Boolean>) return double(x != th::Boolean(0));
  else return std::complex<double>(x);
}

template <class To>
To narrowed(std::complex<double> x) {
  if constexpr (std::is_same_v<To, th::Half>) return th::to_half(x.real());
  else if constexpr (std::is_same_v<To, th::Boolean>) return th::Boolean(x != 0.0);
  else if constexpr (std::is_same_v<To, std::complex<float>>) return To(float(x.real()), float(x.imag()));
  else if constexpr (std::is_same_v<To, std::complex<double>>) return x;
  else return static_cast<To>(x.real());
}

template <class From, class To>
void test_cast(Kind from, Kind to) {
  for (int round = 0; round < 40; ++round) {
    const Shape s = views::shape();
    View out(s, sizeof(To), false), in(s, sizeof(From), true);
    th::Walk w = walk_of(s, {&out, &in});
    char* const bases[] = {out.data(), in.data()};
    // Values both kinds hold; what does not fit is up to the machine.
    const bool is_signed = [&] {
      const auto fits = [](Kind kind) { return kind != Kind::boolean && !(kind >= Kind::uint8 && kind <= Kind::uint64); };
      return fits(from) && fits(to);
    }();
    each(w, bases, [&](char** p) {
      const double x = below(4) == 0 ? 0.0 : double(is_signed ? between(-127, 127) : between(0, 127)) + 0.25 * double(below(4));
      as<From>(p[1]) = number_for<From>(x <= 127 && (is_signed || x >= 0) ? x : 1.0);
    });
    View expected = out;
    char* const naive[] = {expected.data(), in.data()};
    each(w, naive, [&](char** p) { as<To>(p[0]) = narrowed<To>(widened(as<From>(p[1]))); });
    if (below(2)) w.coalesce();
    in_parts(w.size(), [&](Index begin, Index end) { th::cast(from, to, w, bases, begin, end); });
    EXPECT(out.memory == expected.memory);
  }
}

void test_casts() {
  for (int from = 0; from < th::kKinds; ++from)
    for (int to = 0; to < th::kKinds; ++to) {
      EXPECT(th::can_cast(Kind(from), Kind(to)));
      th::with_type(Kind(from), [&]<class From>(th::TypeOf<From>) {
        th::with_type(Kind(to), [&]<class To>(th::TypeOf<To>) { test_cast<From, To>(Kind(from), Kind(to)); });
      });
    }
}

void test_half() {
  double last = -1;
  for (std::uint32_t bits = 0; bits < 65536; ++bits) {
    const th::Half h{static_cast<std::uint16_t>(bits)};
    const float f = th::from_half<float>(h);
    const double d = th::from_half<double>(h);
    EXPECT(same<double>(f, d));
    EXPECT(th::to_half(f).bits == bits && th::to_half(d).bits == bits);  // NaNs keep their payload
    if (bits >= 0x7c00) continue;
    EXPECT(d > last);
    if (last >= 0) {  // between two neighbours: the nearer, or the even one
      const double middle = (last + d) / 2;
      const std::uint32_t even = bits % 2 ? bits - 1 : bits;
      EXPECT(th::to_half(middle).bits == even && th::to_half(-float(middle)).bits == (even | 0x8000));
      EXPECT(th::to_half(std::nextafter(middle, infinity)).bits == bits);
      EXPECT(th::to_half(std::nextafter(middle, 0.0)).bits == bits - 1);
      EXPECT(th::to_half(std::nextafter(float(middle), 1e9f)).bits == bits);
    }
    last = d;
  }
  EXPECT(th::to_half(65519.99).bits == 0x7bff && th::to_half(65520.0).bits == 0x7c00);
  EXPECT(th::to_half(1e300).bits == 0x7c00 && th::to_half(-1e-300).bits == 0x8000);
  EXPECT(th::to_half(-infinity).bits == 0xfc00 && (th::to_half(nan).bits & 0x7fff) > 0x7c00);
}

// -- where ---------------------------------------------------------------------------------------------

void test_select() {
  for (int round = 0; round < 2000; ++round) {
    const Index items[] = {1, 2, 4, 8, 16};
    const Index item = items[below(5)];
    const Shape s = views::shape();
    View out(s, item, false), condition(s, 1, true), a(s, item, true), b(s, item, true);
    for (auto& word : condition.memory) word &= views::random() & 0x0101010101010101;
    th::Walk w = walk_of(s, {&out, &condition, &a, &b});
    View expected = out;
    char* const bases[] = {out.data(), condition.data(), a.data(), b.data()};
    char* const naive[] = {expected.data(), condition.data(), a.data(), b.data()};
    each(w, naive, [&](char** p) { std::memcpy(p[0], *p[1] ? p[2] : p[3], static_cast<std::size_t>(item)); });
    if (below(2)) w.coalesce();
    in_parts(w.size(), [&](Index begin, Index end) { th::select(w, bases, item, begin, end); });
    EXPECT(out.memory == expected.memory);
  }
}

// -- rows by their numbers ---------------------------------------------------------------------------

void test_take() {
  for (int round = 0; round < 1000; ++round) {
    const Index rows = between(1, 9), count = below(40), sizes[] = {1, 2, 4, 8, 16, 12, 0, 40};
    const Index row = sizes[below(8)], gap = row + below(3) * 8, step = between(1, 2);
    std::vector<char> source(static_cast<std::size_t>(rows * gap + 8)), out(static_cast<std::size_t>(count * row + 8), 'x');
    for (char& c : source) c = static_cast<char>(views::random());
    std::vector<Index> index(static_cast<std::size_t>(count * step + 1));
    for (Index& i : index) i = between(-rows, rows - 1);
    std::vector<char> expected = out;
    for (Index k = 0; k < count; ++k) {
      const Index i = (index[static_cast<std::size_t>(k * step)] + rows) % rows;
      std::copy_n(source.begin() + i * gap, row, expected.begin() + k * row);
    }
    in_parts(count, [&](Index begin, Index end) {
      th::take(out.data(), source.data(), rows, row, gap, index.data(), step * 8, begin, end);
    });
    EXPECT(out == expected);
  }
}

void test_take_away() {
  for (int round = 0; round < 1000; ++round) {
    const Index rows = between(1, 9), count = below(40), row = between(1, 3) * 4, gap = row + below(3) * 8;
    std::vector<char> source(static_cast<std::size_t>(rows * gap + 8)), out(static_cast<std::size_t>(count * row + 8), 'x');
    for (char& c : source) c = static_cast<char>(views::random());
    std::vector<Index> index(static_cast<std::size_t>(count + 1));
    for (Index& i : index) i = between(-rows, rows - 1);
    std::vector<char> expected = out, left = source;
    for (Index k = 0; k < count; ++k) {
      const Index i = (index[static_cast<std::size_t>(k)] + rows) % rows;
      bool last = true;
      for (Index j = k + 1; j < count; ++j) last = last && (index[static_cast<std::size_t>(j)] + rows) % rows != i;
      std::fill_n(expected.begin() + k * row, row, 0);
      if (last) std::copy_n(source.begin() + i * gap, row, expected.begin() + k * row);
      std::fill_n(left.begin() + i * gap, row, 0);
    }
    th::take_away(out.data(), source.data(), rows, row, gap, index.data(), 8, count);
    EXPECT(out == expected && source == left);
  }
}

/// Windows that share elements: each contribution counts.
template <class T>
void test_add_each(Kind kind) {
  for (int round = 0; round < 200; ++round) {
    const Index n = between(1, 6), width = between(1, 5), step = below(4), size = static_cast<Index>(sizeof(T));
    std::vector<T> out(static_cast<std::size_t>((n - 1) * step + width), T(1)), g(static_cast<std::size_t>(n * width));
    for (T& x : g) x = T(between(-9, 9));
    const bool subtract = below(2);
    std::vector<T> expected = out;
    for (Index i = 0; i < n; ++i)
      for (Index j = 0; j < width; ++j) {
        T& to = expected[static_cast<std::size_t>(i * step + j)];
        to += (subtract ? T(-1) : T(1)) * g[static_cast<std::size_t>(i * width + j)];
      }
    th::Walk w;
    w.operands = w.ndim = 2;
    w.shape[0] = n;
    w.shape[1] = width;
    w.strides[0][0] = step * size;
    w.strides[1][0] = width * size;
    w.strides[0][1] = w.strides[1][1] = size;
    if (below(2)) w.coalesce();
    char* const bases[2] = {reinterpret_cast<char*>(out.data()), reinterpret_cast<char*>(g.data())};
    th::add_each(kind, subtract, w, bases, 0, w.size());
    EXPECT(out == expected);
  }
}

template <class F>
std::string message_of(F&& f) {
  try {
    f();
  } catch (const std::out_of_range& error) {
    return error.what();
  }
  return "";
}

void test_bounds() {
  const double source[5] = {}, g[3] = {1, 1, 1};
  double out[5] = {};
  for (const auto& [bad, words] : {std::pair<Index, std::string>{7, "index 7 is out of bounds for axis 0 with size 5"},
                                   {-6, "index -6 is out of bounds for axis 0 with size 5"}}) {
    const Index index[] = {0, 4, bad};
    char* const to = reinterpret_cast<char*>(out);
    EXPECT(message_of([&] { th::take(to, reinterpret_cast<const char*>(source), 5, 8, 8, index, 8, 0, 3); }) == words);
    EXPECT(message_of([&] {
             th::scatter_add(Kind::float64, to, 5, 1, 8, reinterpret_cast<const char*>(g), 8, index, 8, 0, 3);
           }) == words);
    EXPECT(std::all_of(out, out + 5, [](double x) { return x == 0; }));
  }
}

template <class T>
void test_scatter_add(Kind kind) {
  for (int round = 0; round < 200; ++round) {
    const Index rows = between(1, 9), items = below(6), gap = items + below(3), count = below(40), g_gap = below(3) ? items : 0;
    std::vector<T> out(static_cast<std::size_t>(rows * gap + 1), T(1)), g(static_cast<std::size_t>(count * items + items + 1));
    for (T& x : g) x = T(between(0, 200));
    std::vector<Index> index(static_cast<std::size_t>(count + 1));
    for (Index& i : index) i = between(-rows, rows - 1);
    std::vector<T> expected = out;
    for (Index k = 0; k < count; ++k)
      for (Index i = 0; i < items; ++i) {
        T& to = expected[static_cast<std::size_t>((index[static_cast<std::size_t>(k)] + rows) % rows * gap + i)];
        to = static_cast<T>(to + g[static_cast<std::size_t>(k * g_gap + i)]);
      }
    constexpr Index item = sizeof(T);
    th::scatter_add(kind, reinterpret_cast<char*>(out.data()), rows, items, gap * item,
                    reinterpret_cast<const char*>(g.data()), g_gap * item, index.data(), 8, 0, count);
    EXPECT(out == expected);
  }
}

void test_scatter_adds() {
  for (int kind = 0; kind < th::kKinds; ++kind)
    th::with_type(Kind(kind), [&]<class T>(th::TypeOf<T>) {
      if constexpr (std::is_same_v<T, th::Boolean> || std::is_same_v<T, th::Half>) EXPECT(!th::can_scatter_add(Kind(kind)));
      else test_scatter_add<T>(Kind(kind));
    });
}

// -- running sums ------------------------------------------------------------------------------------

void add_loop(char** p, const std::intptr_t* count, const std::intptr_t* strides, void*) {
  for (std::intptr_t i = 0; i < *count; ++i)
    as<double>(p[2] + i * strides[2]) = as<double>(p[0] + i * strides[0]) + as<double>(p[1] + i * strides[1]);
}

void test_cumulate() {
  for (Index count : {0, 1, 2, 17}) {
    std::vector<double> in(static_cast<std::size_t>(count * 2 + 1)), out(static_cast<std::size_t>(count * 3 + 1), -1.0);
    for (double& x : in) x = normal();
    th::cumulate(add_loop, nullptr, reinterpret_cast<char*>(out.data()), 24, reinterpret_cast<const char*>(in.data()), 16,
                 count, 8);
    double sum = 0;
    for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
      sum = i ? sum + in[2 * i] : in[0];
      EXPECT(out[3 * i] == sum && out[3 * i + 1] == -1.0);
    }
    std::vector<double> same_place = in;
    th::cumulate(add_loop, nullptr, reinterpret_cast<char*>(same_place.data()), 16,
                 reinterpret_cast<const char*>(same_place.data()), 16, count, 8);
    for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) EXPECT(same_place[2 * i] == out[3 * i]);
  }
}

// -- products --------------------------------------------------------------------------------------------

std::string openblas() {
  if (const char* path = std::getenv("MYIA_OPENBLAS")) return path;
  namespace fs = std::filesystem;
  const fs::path lib = fs::path(__FILE__).parent_path().parent_path().parent_path() / ".venv" / "lib";
  if (fs::is_directory(lib))
    for (const auto& python : fs::directory_iterator(lib)) {
      const fs::path path = python.path() / "site-packages/scipy_openblas32/lib/libscipy_openblas.so";
      if (fs::exists(path)) return path.string();
    }
  return "";
}

template <class T>
T random_number() {
  if constexpr (std::is_floating_point_v<T>) return static_cast<T>(normal());
  else return T(static_cast<typename T::value_type>(normal()), static_cast<typename T::value_type>(normal()));
}

/// A matrix in memory of its own, that starts anywhere and has any strides.
template <class T>
struct OwnMatrix {
  View view;
  th::Matrix matrix;

  OwnMatrix(Index rows, Index columns, bool repeats, T value_elsewhere)
      : view(Shape{2, {rows, columns}}, sizeof(T), repeats),
        matrix{view.data(), rows, columns, view.strides[0], view.strides[1]} {
    const Index count = view.bytes() / static_cast<Index>(sizeof(T));
    for (Index i = 0; i < count; ++i) reinterpret_cast<T*>(view.memory.data())[i] = value_elsewhere;
    for (Index i = 0; i < rows; ++i)
      for (Index j = 0; j < columns; ++j) at(i, j) = random_number<T>();
  }
  T& at(Index i, Index j) { return as<T>(matrix.data + i * matrix.row_stride + j * matrix.column_stride); }
};

template <class T>
void test_products_of(Kind kind) {
  using Real = decltype(std::abs(T()));
  const T undefined(std::numeric_limits<Real>::quiet_NaN());
  const auto length = [] { return below(8) == 0 ? 0 : below(3) == 0 ? 1 : below(6) == 0 ? between(20, 90) : between(2, 9); };
  for (int round = 0; round < 2500; ++round) {
    const Index m = length(), n = length(), k = length();
    const bool accumulate = below(2);
    OwnMatrix<T> a(m, k, true, undefined), b(k, n, true, undefined), c(m, n, false, T(3));
    if (!accumulate)
      for (Index i = 0; i < m; ++i)
        for (Index j = 0; j < n; ++j) c.at(i, j) = undefined;  // what lies there must not matter
    OwnMatrix<T> before = c;
    before.matrix.data = before.view.data();
    c.matrix.data = c.view.data();
    if (below(2)) {
      const int parts = static_cast<int>(between(1, 3));
      for (int part = 0; part < parts; ++part) {
        Index r0, r1, c0, c1;
        th::part_of_product(m, n, part, parts, r0, r1, c0, c1);
        EXPECT(th::multiply(kind, c.matrix, a.matrix, b.matrix, accumulate, r0, r1, c0, c1));
      }
    } else {
      EXPECT(th::multiply(kind, c.matrix, a.matrix, b.matrix, accumulate, 0, m, 0, n));
    }
    for (Index i = 0; i < m; ++i)
      for (Index j = 0; j < n; ++j) {
        T sum = accumulate ? before.at(i, j) : T(0);
        Real size = std::abs(sum);
        for (Index l = 0; l < k; ++l) {
          sum += a.at(i, l) * b.at(l, j);
          size += std::abs(a.at(i, l)) * std::abs(b.at(l, j));
        }
        EXPECT(std::abs(sum - c.at(i, j)) <= Real(100) * std::numeric_limits<Real>::epsilon() * size);
        c.at(i, j) = before.at(i, j);
      }
    // Nothing beside C was written.
    EXPECT(std::memcmp(c.view.memory.data(), before.view.memory.data(), c.view.memory.size() * 8) == 0);

    T dotted = accumulate ? T(2) : undefined, expected = accumulate ? T(2) : T(0);
    OwnMatrix<T> x(1, k, true, undefined), y(1, k, true, undefined);
    EXPECT(th::dot(kind, reinterpret_cast<char*>(&dotted), x.matrix.data, x.matrix.column_stride, y.matrix.data,
                   y.matrix.column_stride, k, accumulate));
    for (Index l = 0; l < k; ++l) expected += x.at(0, l) * y.at(0, l);
    EXPECT(std::abs(dotted - expected) <= Real(200) * std::numeric_limits<Real>::epsilon() * Real(k + 2));
  }
}

/// Windows that slide over one vector: rows overlap, which BLAS cannot express.
void test_sliding_windows() {
  double vector[20], c[6] = {}, b[8];
  for (double& x : vector) x = normal();
  for (double& x : b) x = normal();
  char* const data = reinterpret_cast<char*>(vector);
  EXPECT(th::multiply(Kind::float64, {reinterpret_cast<char*>(c), 3, 2, 16, 8}, {data, 3, 4, 8, 8},
                      {reinterpret_cast<char*>(b), 4, 2, 16, 8}, false, 0, 3, 0, 2));
  for (int i = 0; i < 3; ++i)
    for (int j = 0; j < 2; ++j) {
      double sum = 0;
      for (int l = 0; l < 4; ++l) sum += vector[i + l] * b[2 * l + j];
      EXPECT(std::abs(sum - c[2 * i + j]) < 1e-14);
    }
}

/// Complex numbers one and a half items apart, as a field of records may be.
void test_odd_strides() {
  using Complex = std::complex<double>;
  constexpr Index apart = 24;
  for (const bool accumulate : {false, true})
    for (const Index m : {1, 5})
      for (const Index n : {1, 4})
        for (const Index k : {1, 3}) {
          std::vector<double> a(60, nan), b(60, nan), c(100, nan);
          const auto at = [](std::vector<double>& memory, Index position) -> Complex& {
            return as<Complex>(reinterpret_cast<char*>(memory.data()) + position * apart);
          };
          for (Index i = 0; i < m * k; ++i) at(a, i) = random_number<Complex>();
          for (Index i = 0; i < k * n; ++i) at(b, i) = random_number<Complex>();
          if (accumulate)
            for (Index i = 0; i < m * n; ++i) at(c, i) = 3.0;
          const auto matrix = [](std::vector<double>& memory, Index rows, Index columns) {
            return th::Matrix{reinterpret_cast<char*>(memory.data()), rows, columns, columns * apart, apart};
          };
          EXPECT(th::multiply(Kind::complex128, matrix(c, m, n), matrix(a, m, k), matrix(b, k, n), accumulate, 0, m, 0, n));
          for (Index i = 0; i < m; ++i)
            for (Index j = 0; j < n; ++j) {
              Complex sum = accumulate ? 3.0 : 0.0;
              for (Index l = 0; l < k; ++l) sum += at(a, i * k + l) * at(b, l * n + j);
              EXPECT(std::abs(sum - at(c, i * n + j)) < 1e-13);
              EXPECT(std::isnan(c[static_cast<std::size_t>(3 * (i * n + j) + 2)]));
            }
        }
}

void test_products() {
  float f[1] = {5};
  th::Matrix one{reinterpret_cast<char*>(f), 1, 1, 4, 4};
  EXPECT(!th::can_multiply(Kind::float64) && !th::multiply(Kind::float32, one, one, one, false, 0, 1, 0, 1) && f[0] == 5);
  EXPECT(!th::load_blas("/nowhere/libopenblas.so") && !th::have_blas());
  const std::string path = openblas();
  if (path.empty()) {
    std::puts("no OpenBLAS: products not tested");
    return;
  }
  EXPECT(th::load_blas(path.c_str()) && th::have_blas() && th::load_blas(path.c_str()));
  EXPECT(th::can_multiply(Kind::complex64) && !th::can_multiply(Kind::int64));
  const Index huge = Index(1) << 31;
  EXPECT(!th::multiply(Kind::float32, {nullptr, huge, 1, 0, 0}, {nullptr, huge, 1, 0, 0}, one, false, 0, 1, 0, 1));
  test_products_of<float>(Kind::float32);
  test_products_of<double>(Kind::float64);
  test_products_of<std::complex<float>>(Kind::complex64);
  test_products_of<std::complex<double>>(Kind::complex128);
  test_sliding_windows();
  test_odd_strides();
}

void test_parts_of_products() {
  for (int round = 0; round < 2000; ++round) {
    const Index m = below(300), n = below(300);
    const int parts = static_cast<int>(between(1, 5));
    Index covered = 0;
    for (int part = 0; part < parts; ++part) {
      Index r0, r1, c0, c1;
      th::part_of_product(m, n, part, parts, r0, r1, c0, c1);
      EXPECT(0 <= r0 && r0 <= r1 && r1 <= m && 0 <= c0 && c0 <= c1 && c1 <= n);
      covered += (r1 - r0) * (c1 - c0);
    }
    EXPECT(covered == m * n);
    EXPECT(th::parts_for(m, n, 100, 4) >= 1 && th::parts_for(m, n, 100, 4) <= 4);
  }
  EXPECT(th::parts_for(8, 8, 8, 2) == 1 && th::parts_for(512, 512, 512, 2) == 2);
  EXPECT(th::multiply_cost(Index(1) << 31, Index(1) << 31, Index(1) << 31) > 0);
}

// -- fused adjoints ------------------------------------------------------------------------------------

/// The rules again, with branches, as the functions of myia/runtime/elementwise.py say them.
template <class T>
T winner(T g, T x, T other, bool wins, bool loses) {
  if (wins) return g;
  if (loses) return 0;
  if (x == other) return T(0.5) * g;
  return g == 0 ? T(0) : T(nan);
}

template <class T>
T winner_of_numbers(T g, T x, T other, bool wins) {
  if (std::isnan(x) && std::isnan(other)) return T(0.5) * g;
  if (std::isnan(x)) return 0;
  if (std::isnan(other) || wins) return g;
  return x == other ? T(0.5) * g : T(0);
}

template <class T>
T value_of(thnn::Op op, T a, T b, T c) {
  using enum thnn::Op;
  switch (op) {
    case add_into: return a;
    case subtract_into: return -a;
    case multiply_add: return a * b;
    case multiply_subtract: return -(a * b);
    case times: case times_into: return a == 0 ? a : a * b;
    case quotient: case quotient_into: return a == 0 ? a : a / b;
    case negative_quotient: case negative_quotient_into: return a == 0 || a / c == 0 ? T(0) : -(a / c * b);
    case tanh_adjoint: case tanh_adjoint_into: return a == 0 ? a : a * (1 - b * b);
    case sqrt_adjoint: case sqrt_adjoint_into: return a == 0 ? a : a / (2 * b);
    case square_adjoint: case square_adjoint_into: return a == 0 ? a : a * (2 * b);
    case reciprocal_adjoint: case reciprocal_adjoint_into: return a == 0 ? a : -(a * b * b);
    case absolute_adjoint: case absolute_adjoint_into:
      return a == 0 ? a : a * (std::isnan(b) ? b : b > 0 ? T(1) : b < 0 ? T(-1) : T(0));
    case maximum_adjoint: case maximum_adjoint_into: return winner(a, b, c, b > c, b < c);
    case minimum_adjoint: case minimum_adjoint_into: return winner(a, b, c, b < c, b > c);
    case fmax_adjoint: case fmax_adjoint_into: return winner_of_numbers(a, b, c, b > c);
    case fmin_adjoint: case fmin_adjoint_into: return winner_of_numbers(a, b, c, b < c);
  }
  return 0;
}

template <class T>
void randomize(View& view) {
  const double special[] = {0.0, -0.0, 1.0, -1.0, 2.0, infinity, -infinity, nan, 1e30, -1e-30};
  const bool tame = below(2);
  for (Index i = 0; i < view.bytes() / static_cast<Index>(sizeof(T)); ++i)
    reinterpret_cast<T*>(view.memory.data())[i] = T(!tame && below(2) ? special[below(10)] : normal());
}

template <class T>
void test_fused(thnn::Op op, Kind kind) {
  const thnn::Fused kernel = thnn::find(op, kind);
  const int inputs = thnn::inputs(op);
  if (!EXPECT(kernel)) return;
  for (int round = 0; round < 400; ++round) {
    const Shape s = views::shape();
    View out(s, sizeof(T), false), a(s, sizeof(T), true), b(s, sizeof(T), true), c(s, sizeof(T), true);
    View* views[] = {&out, &a, &b, &c};
    for (View* view : views) randomize<T>(*view);
    // An input may be the output.
    const int alias = below(3) == 0 ? static_cast<int>(between(1, inputs)) : 0;
    if (alias) views[alias] = &out;
    th::Walk w = walk_of(s, {views[0], views[1], views[2], views[3]});
    char* const bases[] = {views[0]->data(), views[1]->data(), views[2]->data(), views[3]->data()};
    w.operands = inputs + 1;

    View expected = out;
    char* naive[] = {expected.data(), bases[1], bases[2], bases[3]};
    if (alias) naive[alias] = expected.data();
    each(w, naive, [&](char** p) {
      const T value = value_of(op, as<T>(p[1]), inputs > 1 ? as<T>(p[2]) : T(0), inputs > 2 ? as<T>(p[3]) : T(0));
      as<T>(p[0]) = thnn::accumulates(op) ? as<T>(p[0]) + value : value;
    });
    if (below(2)) w.coalesce();
    in_parts(w.size(), [&](Index begin, Index end) { kernel(w, bases, begin, end); });
    // Elements to the last bit, but for the payload of NaNs and the sign of 0; all else untouched.
    bool equal = true;
    for (Index i = 0; i < out.bytes() / static_cast<Index>(sizeof(T)); ++i)
      equal &= same(reinterpret_cast<T*>(out.memory.data())[i], reinterpret_cast<T*>(expected.memory.data())[i]);
    if (!EXPECT(equal)) std::printf("  in %s\n", thnn::name(op));
  }
}

void test_fused_kernels() {
  for (int k = 0; k < thnn::kOps; ++k) {
    test_fused<float>(thnn::Op(k), Kind::float32);
    test_fused<double>(thnn::Op(k), Kind::float64);
    EXPECT(!thnn::find(thnn::Op(k), Kind::int64) && !thnn::find(thnn::Op(k), Kind::float16));
    const std::string name = thnn::name(thnn::Op(k));
    const bool into = name.ends_with("_into") || name == "multiply_add" || name == "multiply_subtract";
    EXPECT(thnn::accumulates(thnn::Op(k)) == into);
  }
}

template <class T>
void test_finite_of(Kind kind) {
  for (int round = 0; round < 300; ++round) {
    const Shape s = round % 20 ? views::shape() : Shape{1, {9000}};
    View x(s, sizeof(T), true);
    std::memset(x.memory.data(), 0x11, x.memory.size() * 8);
    th::Walk w = walk_of(s, {&x});
    char* const bases[] = {x.data()};
    if (below(2)) w.coalesce();
    const Index begin = below(w.size() + 1), end = between(begin, w.size());
    EXPECT(thnn::is_finite(kind, w, bases, begin, end));
    if (begin == end) continue;
    Index chosen = between(begin, end - 1), at = 0;
    each(w, bases, [&](char** p) {
      if (at++ != chosen) return;
      const double bad = below(2) ? nan : -infinity;
      if constexpr (std::is_same_v<T, th::Half>) as<T>(p[0]) = th::to_half(bad);
      else if constexpr (std::is_floating_point_v<T>) as<T>(p[0]) = T(bad);
      else as<T>(p[0]) = T(0, static_cast<typename T::value_type>(bad));
    });
    EXPECT(!thnn::is_finite(kind, w, bases, begin, end));
  }
}

void test_finite() {
  test_finite_of<th::Half>(Kind::float16);
  test_finite_of<float>(Kind::float32);
  test_finite_of<double>(Kind::float64);
  test_finite_of<std::complex<float>>(Kind::complex64);
  test_finite_of<std::complex<double>>(Kind::complex128);
  EXPECT(thnn::is_finite(Kind::int64, th::Walk{}, nullptr, 0, 0));
}

}  // namespace

int main() {
  test_copy();
  test_casts();
  test_half();
  test_select();
  test_take();
  test_take_away();
  test_add_each<float>(Kind::float32);
  test_add_each<double>(Kind::float64);
  test_bounds();
  test_scatter_adds();
  test_cumulate();
  test_parts_of_products();
  test_products();
  test_fused_kernels();
  test_finite();
  return myia::expect::result();
}
