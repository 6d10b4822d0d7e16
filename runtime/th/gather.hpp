#pragma once

#include "th/layout.hpp"

namespace myia::th {

/// out[k] = source[index[k]] for begin <= k < end, by rows of `row_bytes` contiguous bytes. The rows of
/// `out` are contiguous, those of `source` lie `row_stride_bytes` apart. `out` and `source` share no memory.
///
/// A negative index counts from the end. One out of range throws std::out_of_range with NumPy's words,
/// before any row of this range is written.
void take(char* out, const char* source, Index rows, Index row_bytes, Index row_stride_bytes,
          const Index* index, Index index_stride_bytes, Index begin, Index end);

/// The same, and zeros where it was taken from. Of an index that is repeated the last takes what is there, and the
/// others zeros: so does an assignment with that index deal out what it stores. Do not split it over threads.
void take_away(char* out, char* source, Index rows, Index row_bytes, Index row_stride_bytes, const Index* index,
               Index index_stride_bytes, Index count);

/// out[index[k]] += g[k] for begin <= k < end in order, by rows of `row_items` contiguous elements; `rows`
/// counts those of `out`. Indices are treated as in `take`. Rows may meet more than once: do not split one
/// scatter over threads, nor let `g` and `out` share memory. Booleans and float16 are not added: see
/// `can_scatter_add`.
void scatter_add(Kind kind, char* out, Index rows, Index row_items, Index row_stride_bytes, const char* g,
                 Index g_row_stride_bytes, const Index* index, Index index_stride_bytes, Index begin, Index end);

bool can_scatter_add(Kind kind) noexcept;

/// Operand 0 plus operand 1 into operand 0, or minus, for floats: one element after the other, so that those of
/// operand 0 may share memory. Do not split it over threads, nor let the operands share memory.
void add_each(Kind kind, bool subtract, const Walk& w, char* const* bases, Index begin, Index end);

}  // namespace myia::th
