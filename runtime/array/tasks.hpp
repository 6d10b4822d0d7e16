#pragma once

// Running a kernel over operands: at once in the caller if it is small and everything is ready,
// otherwise submitted, in parts if it is large.

#include <cstring>
#include <new>

#include "array/array.hpp"

namespace myia {

/// A kernel over the elements of a Walk. Operand 0 is the output. `Kernel` is copied: it is called as
/// kernel(walk, bases, begin, end), on workers without the GIL.
template <class Kernel>
class WalkTask final : public Task {
 public:
  WalkTask(const char* name, int parts, const Kernel& kernel, const Walk& walk, const Array* out,
           const Operand* operands, int count, int wanted)
      : Task(name, parts), kernel_(kernel), walk_(walk), wanted_(wanted) {
    storages_[0] = out->storage;
    offsets_[0] = out->offset;
    for (int k = 0; k < count; ++k) {
      storages_[k + 1] = operands[k].storage;
      offsets_[k + 1] = operands[k].offset;
      std::memcpy(scalars_[k + 1], operands[k].value, sizeof operands[k].value);
    }
  }
  void run(int part) override {
    char* bases[th::kMaxOperands];
    for (int k = 0; k < walk_.operands; ++k)
      bases[k] = storages_[k] ? storages_[k]->data() + offsets_[k] : scalars_[k];
    Index begin, end;
    th::part_of(walk_.size(), part, parts, begin, end);
    status::clear();
    kernel_(walk_, bases, begin, end);
    if (const int flags = status::raised() & wanted_) status::note(flags, name, wanted_);
  }

 private:
  Kernel kernel_;
  Walk walk_;
  int wanted_;
  Storage* storages_[th::kMaxOperands] = {};  // kept alive by the dispatcher
  Index offsets_[th::kMaxOperands] = {};
  alignas(16) char scalars_[th::kMaxOperands][16] = {};
};

/// Runs `kernel` over `w` (whose strides are set, operand 0 first) from `operands` into `out`.
/// `cost` is the work per element relative to an addition. False with an exception.
template <class Kernel>
bool run_walk(const Kernel& kernel, const char* name, Walk& w, Array* out, Operand* operands, int count, int cost,
              bool reads_out = false) {
  const Index size = w.size();
  if (!size) return true;
  bool ready = out->storage->idle() && !out->storage->failed();
  for (int k = 0; k < count; ++k) ready = ready && operands[k].ready();
  w.coalesce();
  if (ready && size * cost <= inline_limit) {
    char* bases[th::kMaxOperands];
    try {
      bases[0] = out->data();
      for (int k = 0; k < count; ++k) bases[k + 1] = operands[k].data();
    } catch (const std::bad_alloc&) {
      PyErr_NoMemory();
      return false;
    }
    status::clear();
    kernel(w, bases, 0, size);
    out->storage->written();
    const int flags = status::raised();
    return !flags || status::report(flags, name);
  }
  Storage* reads[th::kMaxOperands];
  int reading = 0;
  bool at_once = false;
  for (int k = 0; k < count; ++k) {
    Operand& operand = operands[k];
    if (operand.direct) {
      // The user may write into a NumPy array as soon as this returns: so the work is done by then.
      operand.holder = Owned(as_object(share(operand.direct)));
      if (!operand.holder) return false;
      operand.storage = as_array(operand.holder.get())->storage;
      operand.offset = as_array(operand.holder.get())->offset;
      at_once = true;
    }
    at_once = at_once || operand.exported;
    if (operand.storage) reads[reading++] = operand.storage;
  }
  // A kernel that adds to its output, or covers a part of it, depends on what was there.
  if (reads_out || size * out->item() < static_cast<Index>(out->storage->bytes())) reads[reading++] = out->storage;
  const int wanted = status::wanted();
  auto task = std::make_unique<WalkTask<Kernel>>(name, parts_for(size, cost), kernel, w, out, operands, count, wanted);
  Storage* const writes[1] = {out->storage};
  if (!submit(std::move(task), std::span<Storage* const>(reads, static_cast<std::size_t>(reading)), writes))
    return false;
  return !(at_once || status::raises()) || wait_ready(out->storage);
}

}  // namespace myia
