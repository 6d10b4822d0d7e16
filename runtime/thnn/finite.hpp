#pragma once

#include "th/layout.hpp"

namespace myia::thnn {

/// Whether the elements [begin, end) of operand 0 hold neither infinities nor NaNs. Only floating and
/// complex kinds can; of float16 too.
bool is_finite(th::Kind kind, const th::Walk& w, char* const* bases, th::Index begin, th::Index end) noexcept;

}  // namespace myia::thnn
