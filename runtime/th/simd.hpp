#pragma once

/// MYIA_SIMD before a function lets the loader choose between a version for AVX2 and one for any x86-64.
///
/// Results must not depend on the machine, nor on how a range was split between a vector body and its
/// scalar tail. Contracting a * b + c to one rounding would break both, so no clone may have FMA
/// instructions: "avx2" alone has none, while "avx512f" and "arch=haswell" bring them. The kernels marked
/// are bound by memory, and lose nothing by that; those that are not (matrix products) are in BLAS.
///
/// The choice needs the loader's indirect functions, hence glibc; elsewhere the plain version serves.
/// Sanitizers instrument the resolver, which runs before they are initialised, so they get it too.
#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && defined(__GLIBC__) && !defined(MYIA_SANITIZED)
#define MYIA_SIMD __attribute__((target_clones("avx2", "default")))
#else
#define MYIA_SIMD
#endif

/// Before a loop whose iterations are independent although its pointers may be equal: an output may be
/// an input, element for element, which is no dependence from one iteration to another.
#if defined(__clang__)
#define MYIA_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#elif defined(__GNUC__)
#define MYIA_INDEPENDENT _Pragma("GCC ivdep")
#elif defined(_MSC_VER)
#define MYIA_INDEPENDENT __pragma(loop(ivdep))
#else
#define MYIA_INDEPENDENT
#endif

/// A row written with a constant that is known only after a test must be copied into each branch.
#if defined(__GNUC__)
#define MYIA_INLINE inline __attribute__((always_inline))
#elif defined(_MSC_VER)
#define MYIA_INLINE __forceinline
#else
#define MYIA_INLINE inline
#endif

/// Asks for the line of the cache that holds `address`, which should be one that may be read.
#if defined(__GNUC__)
#define MYIA_PREFETCH(address) __builtin_prefetch(address)
#else
#define MYIA_PREFETCH(address) static_cast<void>(address)
#endif
