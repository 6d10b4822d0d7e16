#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "th/layout.hpp"
#include "thnn/fused.hpp"

/// Several elementwise steps in one pass over memory.
///
/// A chain works on slots: operands in memory, numbers (memory with a stride of 0), and what its steps give. All
/// steps run on one block of elements before any of them runs on the next. So what a step gives is still in the
/// cache for those that read it, and what is no result is never in memory: it is in one of a few registers, pieces
/// of scratch as long as a block.
///
/// Elements have linear numbers, in C order of the axes that the operands share; a block is a range of them. A slot
/// whose elements have one stride is worked on where it lies; of any other, a row that is broadcast or a transposed
/// matrix, the block is copied to a register, so that every step is one call of its loop.
///
/// Loops treat each element alone, so the results do not depend on the blocks. Blocks begin at multiples of 64 all
/// the same: NumPy's fmax of two zeros depends on where in a vector they are.
namespace myia::thnn {

using th::Index;
using th::kMaxSlots;

constexpr int kMaxSteps = 32;
using Slot = std::uint8_t;
using SlotSet = std::uint64_t;
static_assert(kMaxSlots <= 64, "a set of slots is one word");

/// One elementwise loop: of NumPy's, its inputs first; or a row of ours, its output first.
struct Step {
  th::Loop loop = nullptr;
  Row row = nullptr;
  void* data = nullptr;
  int operands = 0;
  std::array<Slot, 4> slots{};  ///< in the order in which the loop or row wants them
  bool clears = false;  ///< the loop clears the floating-point flags, as some of NumPy's do to hide their own

  [[nodiscard]] Slot output() const noexcept { return row ? slots[0] : slots[static_cast<std::size_t>(operands) - 1]; }
};

/// A slot in memory without one stride, which is copied to a register and, if it is written, back.
struct Detour {
  Slot slot;
  bool read, written;
  th::Walk there;  ///< operand 0 is the register, which holds all elements as far as the walk knows; 1 the memory
  th::Walk back;   ///< the same, the memory first
};

/// Where a chain's slots are in memory. Slots that are registers have no entry.
struct Binding {
  char* base[kMaxSlots];            ///< of the element with number 0
  std::intptr_t stride[kMaxSlots];  ///< from each element to the next, unless it is a detour
  std::span<const Detour> detours;
};

/// The sum of a slot over all elements, as NumPy takes it.
struct Total {
  int slot = -1;  ///< none
  th::Loop loop = nullptr;  ///< NumPy's addition
  void* data = nullptr;
};

/// Steps with a plan for their registers. Any thread may run it.
class Chain {
 public:
  /// Every slot that is not in `memory` is given by a step, once, before others read it; it becomes a register.
  Chain(std::vector<Step> steps, SlotSet memory, Index item, Total total = {});

  /// Runs the steps on the elements begin <= k < end; `begin` is a multiple of 64. The floating-point flags that
  /// were raised; those that the adjoints forgive (fused.hpp) are not among them.
  int run(const Binding& binding, Index begin, Index end) const noexcept;

  /// The same, and the sum of the total's slot over `count` elements from `begin` in `sum`, a float or double as
  /// the elements are. The count and the blocks are those of nodes in the tree in which NumPy adds, so the sum has
  /// NumPy's bits.
  int run(const Binding& binding, Index begin, Index count, void* sum) const noexcept;

  [[nodiscard]] const std::vector<Step>& steps() const noexcept { return steps_; }
  /// The slots that a binding has.
  [[nodiscard]] const std::vector<Slot>& in_memory() const noexcept { return in_memory_; }
  [[nodiscard]] bool is_register(Slot slot) const noexcept { return !(memory_ >> slot & 1); }
  [[nodiscard]] int registers() const noexcept { return registers_; }
  /// The elements of a block, with so many detours. Their registers and those of the chain are kMaxSteps at most.
  [[nodiscard]] Index block(std::size_t detours = 0) const noexcept;
  [[nodiscard]] Index item() const noexcept { return item_; }

 private:
  template <std::size_t Bytes>
  friend class Blocks;
  void assign_registers();

  std::vector<Step> steps_;
  SlotSet memory_;
  Index item_;
  Total total_;
  int registers_ = 0;
  std::vector<Slot> in_memory_;
  std::vector<Slot> in_register_;
  std::array<std::uint8_t, kMaxSlots> register_of_{};
};

/// A node of the tree in which NumPy adds `size` elements that are adjacent (umath/loops_utils.h.src): what is
/// longer than 128 is halved, at a multiple of 8.
struct Node {
  Index begin, count;
};
constexpr Index kLeaf = 128;
inline Index left_half(Index count) noexcept { return count / 2 - count / 2 % 8; }
/// Number `number` of the 2^depth nodes at that depth.
Node node_at(Index size, int depth, int number) noexcept;
/// How deep all nodes of a tree can be, up to `most`, without one that is a leaf above.
int depth_of(Index size, int most) noexcept;
/// The sums of 2^depth nodes, added up the tree, into the first.
template <class T>
void add_nodes(T* sums, int depth) noexcept {
  for (int left = 1 << depth; left > 1; left /= 2)
    for (int k = 0; k < left / 2; ++k) sums[k] = sums[2 * k] + sums[2 * k + 1];
}

}  // namespace myia::thnn
