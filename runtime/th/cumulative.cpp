#include "th/cumulative.hpp"

#include <cstring>

namespace myia::th {

void cumulate(Loop loop, void* data, char* out, Index out_stride, const char* in, Index in_stride, Index count,
              Index item) {
  if (count <= 0) return;
  if (out != in) std::memcpy(out, in, static_cast<std::size_t>(item));
  if (count == 1) return;
  // The loop sees that its first input and its output overlap, and goes element by element.
  char* pointers[3] = {out, const_cast<char*>(in) + in_stride, out + out_stride};
  const std::intptr_t rest = count - 1;
  const std::intptr_t strides[3] = {out_stride, in_stride, out_stride};
  loop(pointers, &rest, strides, data);
}

}  // namespace myia::th
