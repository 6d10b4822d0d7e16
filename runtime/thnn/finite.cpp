#include "thnn/finite.hpp"

#include <algorithm>
#include <cstdint>

#include "th/simd.hpp"

namespace myia::thnn {
namespace {

using th::Index;
using th::Kind;

// Infinities and NaNs are the numbers whose exponent has all bits set.
constexpr std::uint16_t kExponent16 = 0x7c00;
constexpr std::uint32_t kExponent32 = 0x7f800000;
constexpr std::uint64_t kExponent64 = 0x7ff0000000000000;

template <class U, U Exponent>
MYIA_SIMD bool adjacent_finite(const U* x, std::intptr_t count) {
  constexpr std::intptr_t block = 4096;  // looks up now and then, to leave early
  for (std::intptr_t begin = 0; begin < count; begin += block) {
    const std::intptr_t end = std::min(begin + block, count);
    U found = 0;
    for (std::intptr_t i = begin; i < end; ++i) found |= static_cast<U>((x[i] & Exponent) == Exponent);
    if (found) return false;
  }
  return true;
}

/// `parts` adjacent numbers make an element: 2 if it is complex.
template <class U, U Exponent>
bool all_finite(const th::Walk& w, char* const* bases, Index begin, Index end, int parts) {
  bool finite = true;
  th::walk(w, bases, begin, end, [&](char** p, std::intptr_t count, const std::intptr_t* strides) {
    if (!finite) return;
    if (strides[0] == parts * static_cast<std::intptr_t>(sizeof(U))) {
      finite = adjacent_finite<U, Exponent>(reinterpret_cast<const U*>(p[0]), count * parts);
      return;
    }
    for (std::intptr_t i = 0; i < count && finite; ++i)
      for (int part = 0; part < parts; ++part)
        finite &= (reinterpret_cast<const U*>(p[0] + i * strides[0])[part] & Exponent) != Exponent;
  });
  return finite;
}

}  // namespace

bool is_finite(Kind kind, const th::Walk& w, char* const* bases, Index begin, Index end) noexcept {
  switch (kind) {
    case Kind::float16: return all_finite<std::uint16_t, kExponent16>(w, bases, begin, end, 1);
    case Kind::float32: return all_finite<std::uint32_t, kExponent32>(w, bases, begin, end, 1);
    case Kind::float64: return all_finite<std::uint64_t, kExponent64>(w, bases, begin, end, 1);
    case Kind::complex64: return all_finite<std::uint32_t, kExponent32>(w, bases, begin, end, 2);
    case Kind::complex128: return all_finite<std::uint64_t, kExponent64>(w, bases, begin, end, 2);
    default: return true;
  }
}

}  // namespace myia::thnn
