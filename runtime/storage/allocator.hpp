#pragma once

#include <cstddef>
#include <cstdint>

namespace myia {

/// Blocks of memory in size classes, kept for reuse when freed.
///
/// Invariants: every block is aligned to 64 bytes; the bytes kept for reuse never exceed the bound.
/// Any thread may allocate and free. A block is freed with the size it was asked for.
namespace allocator {

constexpr std::size_t kAlignment = 64;

struct Stats {
  std::uint64_t live;    ///< bytes in use now, as asked for
  std::uint64_t peak;    ///< the most there were in use since the start, or the last reset
  std::uint64_t pooled;  ///< bytes kept for reuse
  std::uint64_t blocks;  ///< blocks in use now
  std::uint64_t allocated;  ///< bytes that were ever asked for
};

/// Throws std::bad_alloc. A block of 0 bytes is a valid address.
[[nodiscard]] void* allocate(std::size_t bytes);
void free(void* block, std::size_t bytes) noexcept;

[[nodiscard]] Stats stats() noexcept;
void reset_peak() noexcept;

/// A second peak, for measuring a stretch of a program inside another that is measured too. begin_stretch gives
/// the peak so far of the stretch around, which end_stretch takes again; it gives that of the stretch it ends.
[[nodiscard]] std::uint64_t begin_stretch() noexcept;
std::uint64_t end_stretch(std::uint64_t around) noexcept;

/// The most bytes that are kept for reuse; what is above is given back at once.
void set_bound(std::size_t bytes) noexcept;
[[nodiscard]] std::size_t bound() noexcept;
/// Gives everything that is kept for reuse back to the system.
void trim() noexcept;

}  // namespace allocator
}  // namespace myia
