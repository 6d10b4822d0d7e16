#pragma once

#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <optional>

namespace myia {

/// The number in an environment variable; nothing if it is not there or is not a number.
inline std::optional<std::uint64_t> number_in_environment(const char* name) noexcept {
  const char* const text = std::getenv(name);
  if (!text || *text < '0' || *text > '9') return std::nullopt;
  char* end = nullptr;
  errno = 0;
  const unsigned long long value = std::strtoull(text, &end, 10);
  if (errno || *end) return std::nullopt;
  return value;
}

inline std::uint64_t bytes_of_memory() noexcept {
  const long pages = sysconf(_SC_PHYS_PAGES);
  const long page = sysconf(_SC_PAGESIZE);
  return pages > 0 && page > 0 ? static_cast<std::uint64_t>(pages) * static_cast<std::uint64_t>(page)
                               : std::uint64_t{1} << 32;
}

}  // namespace myia
