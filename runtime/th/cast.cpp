#include "th/floating.hpp"  // first: it sets how what follows is compiled

#include <cstdint>

#include "th/copy.hpp"
#include "th/kinds.hpp"
#include "th/simd.hpp"

namespace myia::th {
namespace {

template <class T>
inline constexpr bool is_complex = false;
template <class T>
inline constexpr bool is_complex<std::complex<T>> = true;

/// The signed integer a float is cut to on its way to the integer To. For unsigned and short integers the
/// way through a wider one is what processors do for one element, and what NumPy gives for -1.0; a vector
/// body might do otherwise, and the result depend on where a range was split.
template <class To>
using Cut = std::conditional_t<(sizeof(To) < 4), std::int32_t,
                               std::conditional_t<std::is_same_v<To, std::uint32_t>, std::int64_t, To>>;

template <class To, class From>
MYIA_INLINE To convert(From x) noexcept {
  if constexpr (std::is_same_v<To, Boolean>) {
    if constexpr (is_complex<From>) return Boolean((x.real() != 0) | (x.imag() != 0));
    else if constexpr (std::is_same_v<From, Half>) return Boolean((x.bits & 0x7fff) != 0);
    else return Boolean(x != From(0));
  } else if constexpr (std::is_same_v<From, Boolean>) {
    if constexpr (std::is_arithmetic_v<To>) return x != Boolean(0) ? To(1) : To(0);
    else return convert<To>(static_cast<std::uint8_t>(x != Boolean(0)));
  } else if constexpr (is_complex<From>) {
    if constexpr (is_complex<To>) {
      using Real = typename To::value_type;
      return To(convert<Real>(x.real()), convert<Real>(x.imag()));
    } else {
      return convert<To>(x.real());
    }
  } else if constexpr (is_complex<To>) {
    return To(convert<typename To::value_type>(x), 0);
  } else if constexpr (std::is_same_v<From, Half> && std::is_same_v<To, Half>) {
    return x;
  } else if constexpr (std::is_same_v<From, Half>) {
    if constexpr (std::is_floating_point_v<To>) return from_half<To>(x);
    else return convert<To>(from_half<float>(x));
  } else if constexpr (std::is_same_v<To, Half>) {
    // Integers go through float, as in NumPy.
    if constexpr (std::is_same_v<From, double>) return to_half(x);
    else return to_half(static_cast<float>(x));
  } else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    return static_cast<To>(static_cast<Cut<To>>(x));
  } else {
    return static_cast<To>(x);
  }
}

/// Adjacent elements. No alias analysis helps where `in` and `out` begin at one place, hence the pragma.
template <class From, class To>
MYIA_SIMD void adjacent(const From* in, To* out, std::intptr_t count) {
  MYIA_INDEPENDENT
  for (std::intptr_t i = 0; i < count; ++i) out[i] = convert<To>(in[i]);
}

template <class From, class To>
void row(char* const* p, std::intptr_t count, const std::intptr_t* strides) {
  if (strides[0] == sizeof(To) && strides[1] == sizeof(From))
    return adjacent(reinterpret_cast<const From*>(p[1]), reinterpret_cast<To*>(p[0]), count);
  for (std::intptr_t i = 0; i < count; ++i)
    *reinterpret_cast<To*>(p[0] + i * strides[0]) = convert<To>(*reinterpret_cast<const From*>(p[1] + i * strides[1]));
}

}  // namespace

bool can_cast(Kind, Kind) noexcept { return true; }

void cast(Kind from, Kind to, const Walk& w, char* const* bases, Index begin, Index end) {
  if (from == to && from != Kind::boolean) return copy(w, bases, item_size(from), begin, end);
  using Row = void (*)(char* const*, std::intptr_t, const std::intptr_t*);
  const Row inner = with_type(from, [&]<class From>(TypeOf<From>) {
    return with_type(to, [&]<class To>(TypeOf<To>) -> Row { return row<From, To>; });
  });
  walk(w, bases, begin, end, inner);
}

}  // namespace myia::th
