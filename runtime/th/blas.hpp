#pragma once

#include <complex>

#include "th/layout.hpp"

namespace myia::th {

/// CBLAS's enumerations, of which only these are used.
enum BlasOrder : int { row_major = 101 };
enum BlasTranspose : int { as_it_is = 111, transposed = 112 };

/// How CBLAS takes numbers: by value if real, by address if complex.
template <class T>
struct BlasNumber {
  using type = T;
  static T of(const T& x) noexcept { return x; }
};
template <class T>
struct BlasNumber<std::complex<T>> {
  using type = const void*;
  static const void* of(const std::complex<T>& x) noexcept { return &x; }
};

/// The routines for one element type T. Nothing is conjugated: dot is dotu, ger is geru.
template <class T>
struct Blas {
  using Number = typename BlasNumber<T>::type;
  void (*gemm)(BlasOrder, BlasTranspose, BlasTranspose, int m, int n, int k, Number alpha, const T* a, int lda,
               const T* b, int ldb, Number beta, T* c, int ldc) = nullptr;
  void (*gemv)(BlasOrder, BlasTranspose, int m, int n, Number alpha, const T* a, int lda, const T* x, int incx,
               Number beta, T* y, int incy) = nullptr;
  void (*ger)(BlasOrder, int m, int n, Number alpha, const T* x, int incx, const T* y, int incy, T* a,
              int lda) = nullptr;
  void (*axpy)(int n, Number alpha, const T* x, int incx, T* y, int incy) = nullptr;
  /// BLAS returns real results, and stores complex ones.
  T (*dot)(int n, const T* x, int incx, const T* y, int incy) = nullptr;
  void (*dot_into)(int n, const T* x, int incx, const T* y, int incy, T* result) = nullptr;
};

/// Opens scipy-openblas32's library as a copy of our own, private to us, and keeps it to one thread per
/// call: the dispatcher is who splits. False if it is missing or lacks a routine; then `have_blas` stays
/// false and products are refused. A second call changes nothing. Not to be called by two threads at once,
/// nor beside a product.
bool load_blas(const char* library_path);
bool have_blas() noexcept;

/// The routines for float, double and their complex numbers; null pointers until loaded.
template <class T>
const Blas<T>& blas() noexcept;

}  // namespace myia::th
