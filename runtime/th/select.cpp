#include "th/select.hpp"

#include <cstdint>
#include <cstdlib>

#include "th/simd.hpp"

namespace myia::th {
namespace {

struct Pair {
  std::uint64_t low, high;
};

MYIA_INLINE Pair either(bool condition, Pair yes, Pair no) noexcept {
  return {condition ? yes.low : no.low, condition ? yes.high : no.high};
}
template <class T>
MYIA_INLINE T either(bool condition, T yes, T no) noexcept {
  return condition ? yes : no;
}

/// Adjacent elements; both sides are read, so that a vector at a time can be chosen.
template <class T, bool HeldA, bool HeldB>
MYIA_SIMD void adjacent(T* out, const std::uint8_t* condition, const T* a, const T* b, std::intptr_t count) {
  const T a0 = *a, b0 = *b;
  MYIA_INDEPENDENT
  for (std::intptr_t i = 0; i < count; ++i) {
    const T yes = HeldA ? a0 : a[i];
    const T no = HeldB ? b0 : b[i];
    out[i] = either(condition[i] != 0, yes, no);
  }
}

template <class T>
void row(char* const* p, std::intptr_t count, const std::intptr_t* s) {
  constexpr std::intptr_t item = sizeof(T);
  T* const out = reinterpret_cast<T*>(p[0]);
  const auto* const condition = reinterpret_cast<const std::uint8_t*>(p[1]);
  const T *const a = reinterpret_cast<const T*>(p[2]), *const b = reinterpret_cast<const T*>(p[3]);
  if (s[0] == item && s[1] == 1 && (s[2] == item || s[2] == 0) && (s[3] == item || s[3] == 0)) {
    if (s[2] && s[3]) return adjacent<T, false, false>(out, condition, a, b, count);
    if (s[2]) return adjacent<T, false, true>(out, condition, a, b, count);
    if (s[3]) return adjacent<T, true, false>(out, condition, a, b, count);
    return adjacent<T, true, true>(out, condition, a, b, count);
  }
  for (std::intptr_t i = 0; i < count; ++i) {
    const char* const chosen = p[1][i * s[1]] ? p[2] + i * s[2] : p[3] + i * s[3];
    *reinterpret_cast<T*>(p[0] + i * s[0]) = *reinterpret_cast<const T*>(chosen);
  }
}

}  // namespace

void select(const Walk& w, char* const* bases, Index item, Index begin, Index end) {
  switch (item) {
    case 1: return walk(w, bases, begin, end, row<std::uint8_t>);
    case 2: return walk(w, bases, begin, end, row<std::uint16_t>);
    case 4: return walk(w, bases, begin, end, row<std::uint32_t>);
    case 8: return walk(w, bases, begin, end, row<std::uint64_t>);
    case 16: return walk(w, bases, begin, end, row<Pair>);
    default: std::abort();  // no kind has another size
  }
}

}  // namespace myia::th
