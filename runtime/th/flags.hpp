#pragma once

/// The floating-point status flags of this thread: FE_DIVBYZERO, FE_OVERFLOW, FE_UNDERFLOW, FE_INVALID.
namespace myia::th::flags {

void clear() noexcept;
/// Clears those of invalid operations and divisions by zero.
void forget_undefined() noexcept;
/// Those raised since they were cleared.
int raised() noexcept;

}  // namespace myia::th::flags
