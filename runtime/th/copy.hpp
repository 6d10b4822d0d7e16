#pragma once

#include "th/layout.hpp"

namespace myia::th {

/// Copies operand 1 to operand 0, elements [begin, end), each of `item` bytes (1, 2, 4, 8 or 16).
/// A source of stride 0 fills. Source and destination share no memory, or are the same view.
void copy(const Walk& w, char* const* bases, Index item, Index begin, Index end);

/// Whether `cast` converts between the two: all kinds do.
bool can_cast(Kind from, Kind to) noexcept;

/// Converts operand 1 (of kind `from`) to operand 0 (of kind `to`), as NumPy's astype with unsafe
/// casting: integers wrap, complex numbers lose their imaginary part, != 0 makes a boolean.
/// A float that its integer kind cannot hold gives what this machine gives, as in NumPy: usually the
/// least integer. Operands share no memory, or begin at the same place with equal strides and item sizes.
void cast(Kind from, Kind to, const Walk& w, char* const* bases, Index begin, Index end);

}  // namespace myia::th
