#pragma once

#include <cstdio>
#include <cstdlib>

/// Ends the test and says where, in every build type (unlike assert).
#define CHECK(condition)                                                               \
  do {                                                                                 \
    if (!(condition)) {                                                                \
      std::fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);     \
      std::abort();                                                                    \
    }                                                                                  \
  } while (false)

#define CHECK_EQUAL(left, right)                                                       \
  do {                                                                                 \
    const auto left_value = (left);                                                    \
    const auto right_value = (right);                                                  \
    if (!(left_value == right_value)) {                                                \
      std::fprintf(stderr, "%s:%d: %s is %lld and not %s, %lld\n", __FILE__, __LINE__, \
                   #left, static_cast<long long>(left_value), #right,                  \
                   static_cast<long long>(right_value));                               \
      std::abort();                                                                    \
    }                                                                                  \
  } while (false)
