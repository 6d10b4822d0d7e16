#pragma once

#include "th/layout.hpp"

namespace myia::th {

/// np.where: operand 0 takes operand 2 where operand 1 (one byte each) is not 0, and operand 3 elsewhere.
/// The output may be operand 2 or 3, or operand 1 if `item` is 1, element for element.
void select(const Walk& w, char* const* bases, Index item, Index begin, Index end);

}  // namespace myia::th
