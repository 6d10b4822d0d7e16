#pragma once

/// The mathematics of the fused kernels, one element at a time.
namespace myia::thnn {

/// `value`, but 0 for a cotangent of exactly 0: what does not depend on x has no slope, infinite or not.
template <class T>
constexpr T unless_zero(T g, T value) noexcept {
  return g != T(0) ? value : T(0);
}

struct Identity {
  static constexpr int inputs = 1;
  template <class T>
  static constexpr T of(T a) noexcept { return a; }
};

struct Negative {
  static constexpr int inputs = 1;
  template <class T>
  static constexpr T of(T a) noexcept { return -a; }
};

struct Product {
  static constexpr int inputs = 2;
  template <class T>
  static constexpr T of(T a, T b) noexcept { return a * b; }
};

struct NegativeProduct {
  static constexpr int inputs = 2;
  template <class T>
  static constexpr T of(T a, T b) noexcept { return -(a * b); }
};

struct Times {
  static constexpr int inputs = 2;
  template <class T>
  static constexpr T of(T g, T f) noexcept { return unless_zero(g, g * f); }
};

struct Quotient {
  static constexpr int inputs = 2;
  template <class T>
  static constexpr T of(T g, T x) noexcept { return unless_zero(g, g / x); }
};

/// In the order of the rule of `divide`, times(quotient(g, x), y), where g * y could overflow before the
/// division brings it back.
struct NegativeQuotient {
  static constexpr int inputs = 3;
  template <class T>
  static constexpr T of(T g, T y, T x) noexcept { return -Times::of(Quotient::of(g, x), y); }
};

struct TanhAdjoint {
  static constexpr int inputs = 2;
  template <class T>
  static constexpr T of(T g, T y) noexcept { return Times::of(g, T(1) - y * y); }
};

struct SqrtAdjoint {
  static constexpr int inputs = 2;
  template <class T>
  static constexpr T of(T g, T y) noexcept { return Quotient::of(g, y + y); }
};

struct SquareAdjoint {
  static constexpr int inputs = 2;
  template <class T>
  static constexpr T of(T g, T x) noexcept { return Times::of(g, x + x); }
};

struct ReciprocalAdjoint {
  static constexpr int inputs = 2;
  template <class T>
  static constexpr T of(T g, T y) noexcept { return unless_zero(g, -(g * y * y)); }
};

struct AbsoluteAdjoint {
  static constexpr int inputs = 2;
  template <class T>
  static constexpr T of(T g, T x) noexcept {
    const T sign = x > T(0) ? T(1) : x < T(0) ? T(-1) : x;  // x is 0 or NaN
    return Times::of(g, sign);
  }
};

/// Where x wins all of g, where it ties a half, NaN where either is.
template <class T>
constexpr T share(T g, bool wins, T x, T other) noexcept {
  const T decided = x == other ? T(0.5) * g : wins ? g : T(0);
  const bool undefined = ((x != x) | (other != other)) & (g != T(0));
  return undefined ? x + other : decided;  // the sum is the NaN of one of them
}

/// The same where a NaN loses to a number, and ties with a NaN.
template <class T>
constexpr T share_of_numbers(T g, bool wins, T x, T other) noexcept {
  const bool unopposed = (other != other) & (x == x);
  const bool tied = (x == other) | ((x != x) & (other != other));
  return tied ? T(0.5) * g : wins | unopposed ? g : T(0);
}

struct MaximumAdjoint {
  static constexpr int inputs = 3;
  template <class T>
  static constexpr T of(T g, T x, T other) noexcept { return share(g, x > other, x, other); }
};

struct MinimumAdjoint {
  static constexpr int inputs = 3;
  template <class T>
  static constexpr T of(T g, T x, T other) noexcept { return share(g, x < other, x, other); }
};

struct FmaxAdjoint {
  static constexpr int inputs = 3;
  template <class T>
  static constexpr T of(T g, T x, T other) noexcept { return share_of_numbers(g, x > other, x, other); }
};

struct FminAdjoint {
  static constexpr int inputs = 3;
  template <class T>
  static constexpr T of(T g, T x, T other) noexcept { return share_of_numbers(g, x < other, x, other); }
};

}  // namespace myia::thnn
