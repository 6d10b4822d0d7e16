#pragma once

#include <complex>
#include <cstdint>
#include <cstdlib>
#include <type_traits>
#include <utility>

#include "th/half.hpp"
#include "th/layout.hpp"

namespace myia::th {

/// NumPy's boolean: a byte, so that any byte may be read.
enum class Boolean : std::uint8_t {};

template <class T>
struct TypeOf {
  using type = T;
};

/// Calls f(TypeOf<T>{}) with the C++ type T of the kind.
template <class F>
decltype(auto) with_type(Kind kind, F&& f) {
  switch (kind) {
    case Kind::boolean: return f(TypeOf<Boolean>{});
    case Kind::int8: return f(TypeOf<std::int8_t>{});
    case Kind::int16: return f(TypeOf<std::int16_t>{});
    case Kind::int32: return f(TypeOf<std::int32_t>{});
    case Kind::int64: return f(TypeOf<std::int64_t>{});
    case Kind::uint8: return f(TypeOf<std::uint8_t>{});
    case Kind::uint16: return f(TypeOf<std::uint16_t>{});
    case Kind::uint32: return f(TypeOf<std::uint32_t>{});
    case Kind::uint64: return f(TypeOf<std::uint64_t>{});
    case Kind::float16: return f(TypeOf<Half>{});
    case Kind::float32: return f(TypeOf<float>{});
    case Kind::float64: return f(TypeOf<double>{});
    case Kind::complex64: return f(TypeOf<std::complex<float>>{});
    case Kind::complex128: return f(TypeOf<std::complex<double>>{});
  }
  std::abort();
}

}  // namespace myia::th
