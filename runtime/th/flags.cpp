#include "th/flags.hpp"

#include <cfenv>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace myia::th::flags {

// x86 has two sets of flags. Arithmetic raises those of MXCSR; feraiseexcept(), through which NumPy's float16
// loops and its exp of float32 tell of overflow, those of the x87.
#if defined(__x86_64__)
namespace {

unsigned x87_flags() noexcept {
  unsigned short word;
  __asm__ volatile("fnstsw %0" : "=a"(word));
  return word;
}

}  // namespace
#endif

void clear() noexcept {
#if defined(__x86_64__)
  const unsigned state = _mm_getcsr();
  if (state & 0x1d) _mm_setcsr(state & ~0x3fU);
  if (x87_flags() & 0x1d) __asm__ volatile("fnclex");
#else
  std::feclearexcept(FE_ALL_EXCEPT);
#endif
}

void forget_undefined() noexcept {
  constexpr int kUndefined = FE_INVALID | FE_DIVBYZERO;
#if defined(__x86_64__)
  const unsigned state = _mm_getcsr();
  if (state & kUndefined) _mm_setcsr(state & ~static_cast<unsigned>(kUndefined));
  if (x87_flags() & kUndefined) std::feclearexcept(kUndefined);
#else
  std::feclearexcept(kUndefined);
#endif
}

int raised() noexcept {
#if defined(__x86_64__)
  // The bits of MXCSR are those of the x87, which <cfenv> names.
  return static_cast<int>((_mm_getcsr() | x87_flags()) & (FE_DIVBYZERO | FE_OVERFLOW | FE_UNDERFLOW | FE_INVALID));
#else
  return std::fetestexcept(FE_DIVBYZERO | FE_OVERFLOW | FE_UNDERFLOW | FE_INVALID);
#endif
}

}  // namespace myia::th::flags
