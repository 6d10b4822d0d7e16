#pragma once

#include "th/layout.hpp"

namespace myia::th {

/// One lane of NumPy's accumulate: out[0] = in[0], out[i + 1] = loop(out[i], in[i + 1]). Strides in
/// bytes; `item` is the size of an element of both. `out` may be `in`, with the same stride.
void cumulate(Loop loop, void* data, char* out, Index out_stride, const char* in, Index in_stride, Index count,
              Index item);

}  // namespace myia::th
