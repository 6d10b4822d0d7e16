#include "th/floating.hpp"  // first: it sets how what follows is compiled

#include "thnn/fused.hpp"

#include <array>

#include "th/simd.hpp"
#include "thnn/rules.hpp"

namespace myia::thnn {
namespace {

using th::Index;
using th::Kind;
using th::Walk;

template <class Rule, class T>
MYIA_INLINE T apply(T a, [[maybe_unused]] T b, [[maybe_unused]] T c) noexcept {
  if constexpr (Rule::inputs == 1) return Rule::of(a);
  else if constexpr (Rule::inputs == 2) return Rule::of(a, b);
  else return Rule::of(a, b, c);
}

/// A row of adjacent elements. The inputs in the bit set `Held` are one number for the whole row.
/// Inputs a rule does not have are held, and point to something readable.
template <class T, class Rule, bool Accumulate, unsigned Held>
MYIA_SIMD void contiguous(T* out, const T* a, const T* b, const T* c, std::intptr_t count) {
  const T a0 = *a, b0 = *b, c0 = *c;
  MYIA_INDEPENDENT
  for (std::intptr_t i = 0; i < count; ++i) {
    const T value = apply<Rule, T>(Held & 1 ? a0 : a[i], Held & 2 ? b0 : b[i], Held & 4 ? c0 : c[i]);
    out[i] = Accumulate ? out[i] + value : value;
  }
}

template <class T, class Rule, bool Accumulate>
void strided(char* const* p, std::intptr_t count, const std::intptr_t* strides) {
  const auto at = [&](int k, std::intptr_t i) -> T& {
    return *reinterpret_cast<T*>(p[k <= Rule::inputs ? k : 0] + i * strides[k <= Rule::inputs ? k : 0]);
  };
  for (std::intptr_t i = 0; i < count; ++i) {
    T& out = at(0, i);
    const T value = apply<Rule, T>(at(1, i), at(2, i), at(3, i));
    out = Accumulate ? out + value : value;
  }
}

template <class T, class Rule, bool Accumulate>
void row(char* const* p, std::intptr_t count, const std::intptr_t* strides) {
  if (!count) return;  // there may be no memory to read a held number from
  constexpr std::intptr_t item = sizeof(T);
  constexpr unsigned absent = 7u & ~((1u << Rule::inputs) - 1u);
  unsigned held = absent;
  bool adjacent = strides[0] == item;
  for (int k = 0; k < Rule::inputs; ++k) {
    if (strides[k + 1] == 0) held |= 1u << k;
    else adjacent &= strides[k + 1] == item;
  }
  if (adjacent) {
    T* const out = reinterpret_cast<T*>(p[0]);
    const auto input = [&](int k) { return reinterpret_cast<const T*>(p[k < Rule::inputs ? k + 1 : 0]); };
    const T *const a = input(0), *const b = input(1), *const c = input(2);
    // None or one number among the inputs; more are rare, and not worth the code.
    switch (held) {
      case absent: return contiguous<T, Rule, Accumulate, absent>(out, a, b, c, count);
      case absent | 1u: return contiguous<T, Rule, Accumulate, absent | 1u>(out, a, b, c, count);
      default: break;
    }
    if constexpr (Rule::inputs >= 2)
      if (held == (absent | 2u)) return contiguous<T, Rule, Accumulate, absent | 2u>(out, a, b, c, count);
    if constexpr (Rule::inputs == 3)
      if (held == (absent | 4u)) return contiguous<T, Rule, Accumulate, absent | 4u>(out, a, b, c, count);
  }
  strided<T, Rule, Accumulate>(p, count, strides);
}

template <class T, class Rule, bool Accumulate>
void kernel(const Walk& w, char* const* bases, Index begin, Index end) {
  th::walk(w, bases, begin, end, row<T, Rule, Accumulate>);
}

struct Entry {
  Op op;
  const char* name;
  int inputs;
  bool accumulates;
  Fused float32;
  Fused float64;
  Row row32;
  Row row64;
};

template <class Rule, bool Accumulate>
constexpr Entry entry(Op op, const char* name) {
  return {op, name, Rule::inputs, Accumulate, kernel<float, Rule, Accumulate>, kernel<double, Rule, Accumulate>,
          row<float, Rule, Accumulate>, row<double, Rule, Accumulate>};
}

constexpr bool stored = false, added = true;

constexpr std::array<Entry, kOps> kTable = {
    entry<Identity, added>(Op::add_into, "add_into"),
    entry<Negative, added>(Op::subtract_into, "subtract_into"),
    entry<Product, added>(Op::multiply_add, "multiply_add"),
    entry<NegativeProduct, added>(Op::multiply_subtract, "multiply_subtract"),
    entry<Times, stored>(Op::times, "times"),
    entry<Times, added>(Op::times_into, "times_into"),
    entry<Quotient, stored>(Op::quotient, "quotient"),
    entry<Quotient, added>(Op::quotient_into, "quotient_into"),
    entry<NegativeQuotient, stored>(Op::negative_quotient, "negative_quotient"),
    entry<NegativeQuotient, added>(Op::negative_quotient_into, "negative_quotient_into"),
    entry<TanhAdjoint, stored>(Op::tanh_adjoint, "tanh_adjoint"),
    entry<TanhAdjoint, added>(Op::tanh_adjoint_into, "tanh_adjoint_into"),
    entry<SqrtAdjoint, stored>(Op::sqrt_adjoint, "sqrt_adjoint"),
    entry<SqrtAdjoint, added>(Op::sqrt_adjoint_into, "sqrt_adjoint_into"),
    entry<SquareAdjoint, stored>(Op::square_adjoint, "square_adjoint"),
    entry<SquareAdjoint, added>(Op::square_adjoint_into, "square_adjoint_into"),
    entry<ReciprocalAdjoint, stored>(Op::reciprocal_adjoint, "reciprocal_adjoint"),
    entry<ReciprocalAdjoint, added>(Op::reciprocal_adjoint_into, "reciprocal_adjoint_into"),
    entry<AbsoluteAdjoint, stored>(Op::absolute_adjoint, "absolute_adjoint"),
    entry<AbsoluteAdjoint, added>(Op::absolute_adjoint_into, "absolute_adjoint_into"),
    entry<MaximumAdjoint, stored>(Op::maximum_adjoint, "maximum_adjoint"),
    entry<MaximumAdjoint, added>(Op::maximum_adjoint_into, "maximum_adjoint_into"),
    entry<MinimumAdjoint, stored>(Op::minimum_adjoint, "minimum_adjoint"),
    entry<MinimumAdjoint, added>(Op::minimum_adjoint_into, "minimum_adjoint_into"),
    entry<FmaxAdjoint, stored>(Op::fmax_adjoint, "fmax_adjoint"),
    entry<FmaxAdjoint, added>(Op::fmax_adjoint_into, "fmax_adjoint_into"),
    entry<FminAdjoint, stored>(Op::fmin_adjoint, "fmin_adjoint"),
    entry<FminAdjoint, added>(Op::fmin_adjoint_into, "fmin_adjoint_into"),
};

constexpr bool in_order() {
  for (int k = 0; k < kOps; ++k)
    if (static_cast<int>(kTable[static_cast<std::size_t>(k)].op) != k) return false;
  return true;
}
static_assert(in_order(), "the table is in the order of Op");

const Entry& of(Op op) noexcept { return kTable[static_cast<std::size_t>(op)]; }

}  // namespace

Fused find(Op op, Kind kind) noexcept {
  switch (kind) {
    case Kind::float32: return of(op).float32;
    case Kind::float64: return of(op).float64;
    default: return nullptr;
  }
}

Row find_row(Op op, Kind kind) noexcept {
  switch (kind) {
    case Kind::float32: return of(op).row32;
    case Kind::float64: return of(op).row64;
    default: return nullptr;
  }
}

int inputs(Op op) noexcept { return of(op).inputs; }
bool accumulates(Op op) noexcept { return of(op).accumulates; }
const char* name(Op op) noexcept { return of(op).name; }

}  // namespace myia::thnn
