#pragma once

#include <bit>
#include <cstdint>

/// float16 as bits, and its conversions, with rounding to the nearest, ties to even, as NumPy's.
namespace myia::th {

struct Half {
  std::uint16_t bits;
};

/// The layout of a wider binary format: U holds its bits, of which `Mantissa` are the fraction's.
template <class T>
struct Binary;
template <>
struct Binary<float> {
  using Bits = std::uint32_t;
  static constexpr int mantissa = 23, bias = 127, top = 255;
};
template <>
struct Binary<double> {
  using Bits = std::uint64_t;
  static constexpr int mantissa = 52, bias = 1023, top = 2047;
};

/// From T directly: to go from double through float would round twice.
template <class T>
constexpr Half to_half(T x) noexcept {
  using Format = Binary<T>;
  using U = typename Format::Bits;
  constexpr int m = Format::mantissa, surplus = m - 10;
  const U bits = std::bit_cast<U>(x);
  const auto sign = static_cast<std::uint16_t>(bits >> (8 * sizeof(U) - 16) & 0x8000);
  const int exponent = static_cast<int>(bits >> m & Format::top);
  const U fraction = bits & ((U{1} << m) - 1);
  const auto signed_half = [sign](U magnitude) { return Half{static_cast<std::uint16_t>(sign | magnitude)}; };

  if (exponent == Format::top) {
    // A NaN whose payload lies in the lost bits stays a NaN.
    const U payload = fraction >> surplus;
    return signed_half(0x7c00 + (fraction != 0 && payload == 0 ? 1 : payload));
  }
  const int e = exponent - Format::bias;
  if (e > 15) return signed_half(0x7c00);
  if (e < -25) return signed_half(0);  // less than half of the least number
  const auto rounded = [](U value, int shift) {
    return (value + (U{1} << (shift - 1)) - 1 + (value >> shift & 1)) >> shift;
  };
  if (e < -14) return signed_half(rounded(fraction | U{1} << m, surplus - 14 - e));
  // The carry of a fraction that rounds to 2 goes into the exponent, up to infinity.
  return signed_half(rounded(static_cast<U>(e + 15) << m | fraction, surplus));
}

template <class T>
constexpr T from_half(Half h) noexcept {
  using Format = Binary<T>;
  using U = typename Format::Bits;
  constexpr int m = Format::mantissa, surplus = m - 10;
  const U sign = static_cast<U>(h.bits & 0x8000) << (8 * sizeof(U) - 16);
  const int exponent = h.bits >> 10 & 31;
  const U fraction = h.bits & 0x3ff;
  if (exponent == 31) return std::bit_cast<T>(sign | U{Format::top} << m | fraction << surplus);
  if (exponent != 0)
    return std::bit_cast<T>(sign | static_cast<U>(exponent - 15 + Format::bias) << m | fraction << surplus);
  const T least = T(1) / T(1 << 24);  // 2**-24; the product is exact
  return std::bit_cast<T>(sign | std::bit_cast<U>(static_cast<T>(fraction) * least));
}

}  // namespace myia::th
