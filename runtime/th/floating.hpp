#pragma once

/// How floating-point arithmetic is compiled in the files that include this before anything else.
///
/// No contraction: a * b + c has two roundings in a vector body, in its scalar tail and on every machine.
/// No traps: nobody reads the flags of these operations, and a compiler that had to keep them would not
/// compute both sides of `g != 0 ? g / x : 0` for a whole vector.
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#elif defined(__GNUC__)
#pragma GCC optimize("no-trapping-math", "fp-contract=off")
#elif defined(_MSC_VER)
#pragma fp_contract(off)
#endif
