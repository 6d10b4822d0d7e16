#pragma once

#include <cstdio>

/// A failed expectation is printed with its place; the test goes on, and main returns how it went.
namespace myia::expect {

inline int failures = 0;

inline bool that(bool condition, const char* text, const char* file, int line) {
  if (!condition && ++failures <= 20) std::printf("%s:%d: expected %s\n", file, line, text);
  return condition;
}

inline int result() {
  if (failures) std::printf("%d expectations failed\n", failures);
  return failures != 0;
}

}  // namespace myia::expect

#define EXPECT(...) ::myia::expect::that(static_cast<bool>(__VA_ARGS__), #__VA_ARGS__, __FILE__, __LINE__)
