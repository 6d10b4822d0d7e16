#include "thnn/chain.hpp"

#include <algorithm>

#include "th/copy.hpp"
#include "th/flags.hpp"

namespace myia::thnn {

namespace flags = th::flags;

namespace {

constexpr Index kLine = 64;
/// What a block of all operands and registers should fit into: the first cache. Of twice as much, chains of eight
/// cheap operations take half as long again; of a block below 512 elements, the calls of the loops begin to show.
constexpr Index kFirstCache = Index{32} << 10;
constexpr Index kShortest = 256, kLongest = 4096;
/// The most that all registers take.
constexpr std::size_t kScratch = static_cast<std::size_t>(kMaxSteps * (kShortest * 8 + 2 * kLine));
static_assert(kScratch >= 2 * kFirstCache);
/// Enough for short arrays. Not the same array: a compiler may touch every page of a frame when it is entered.
constexpr std::size_t kLittle = std::size_t{3} << 10;

/// The bytes of a register that holds `count` elements. A line lies between two: loops of NumPy's take arrays
/// that touch for such as overlap.
constexpr Index register_bytes(Index count, Index item) noexcept { return (count * item + 2 * kLine - 1) / kLine * kLine; }

}  // namespace

/// One thread's way through the blocks, with its scratch.
template <std::size_t Bytes>
class Blocks {
 public:
  Blocks(const Chain& chain, const Binding& binding, Index begin, Index block) noexcept
      : chain_(chain), binding_(binding), begin_(begin), block_(block) {
    for (const Slot s : chain.in_memory_) {
      at_[s] = binding.base[s] + begin * binding.stride[s];
      stride_[s] = binding.stride[s];
      moves_[s] = stride_[s];
    }
    const Index step = register_bytes(block, chain.item_);
    for (const Slot s : chain.in_register_) {
      at_[s] = scratch_ + chain.register_of_[s] * step;
      stride_[s] = chain.item_;
    }
    Index next = chain.registers_;
    for (const Detour& detour : binding.detours) {
      at_[detour.slot] = scratch_ + next++ * step;
      stride_[detour.slot] = chain.item_;
      moves_[detour.slot] = 0;
    }
    flags::clear();
  }

  void all(Index count) noexcept {
    for (Index left = count; left > 0; left -= block_) {
      run(std::min(left, block_));
      advance(std::min(left, block_));
    }
  }

  /// The sum of the total's slot over the next `count` elements.
  template <class T>
  T sum(Index count) noexcept {
    if (count > block_) {
      const T left = sum<T>(left_half(count));
      return left + sum<T>(count - left_half(count));
    }
    run(count);
    loud();
    T made = T(-0.0);  // added to any number it gives that number
    char* const into = reinterpret_cast<char*>(&made);
    char* pointers[3] = {into, at_[chain_.total_.slot], into};
    const std::intptr_t strides[3] = {0, chain_.item_, 0}, n = count;
    chain_.total_.loop(pointers, &n, strides, chain_.total_.data);
    advance(count);
    return made;
  }

  /// All that was raised, once the blocks are done.
  int raised() noexcept {
    loud();
    return kept_ | flags::raised();
  }

 private:
  void advance(Index count) noexcept {
    begin_ += count;
    for (const Slot s : chain_.in_memory_) at_[s] += count * moves_[s];
  }

  void run(Index count) noexcept {
    for (const Detour& detour : binding_.detours) {
      char* const bases[2] = {all_of(detour), binding_.base[detour.slot]};
      if (detour.read) th::copy(detour.there, bases, chain_.item_, begin_, begin_ + count);
    }
    for (const Step& step : chain_.steps_) {
      step.row ? quiet() : loud();
      if (step.clears) kept_ |= flags::raised();
      char* pointers[4];
      std::intptr_t strides[4];
      for (int k = 0; k < step.operands; ++k) {
        const Slot s = step.slots[static_cast<std::size_t>(k)];
        pointers[k] = at_[s];
        strides[k] = stride_[s];
      }
      const std::intptr_t n = count;
      if (step.row) {
        step.row(pointers, n, strides);
      } else {
        step.loop(pointers, &n, strides, step.data);
      }
    }
    for (const Detour& detour : binding_.detours) {
      char* const bases[2] = {binding_.base[detour.slot], all_of(detour)};
      if (detour.written) th::copy(detour.back, bases, chain_.item_, begin_, begin_ + count);
    }
  }

  /// Where element 0 would be if the register, which has this block's, had all.
  char* all_of(const Detour& detour) const noexcept { return at_[detour.slot] - begin_ * chain_.item_; }

  // An adjoint computes what a cotangent of zero meets, 0 * inf or 0 / 0, and leaves it out: the flags of that are
  // dropped, those that other steps raised before are not.
  void quiet() noexcept {
    if (quiet_) return;
    kept_ |= flags::raised();
    quiet_ = true;
  }
  void loud() noexcept {
    if (!quiet_) return;
    flags::forget_undefined();
    quiet_ = false;
  }

  const Chain& chain_;
  const Binding& binding_;
  Index begin_;
  const Index block_;
  int kept_ = 0;
  bool quiet_ = false;
  char* at_[kMaxSlots];
  std::intptr_t stride_[kMaxSlots];
  std::intptr_t moves_[kMaxSlots];  ///< how far the place of the next element is: 0 in a register
  alignas(64) char scratch_[Bytes];
};

Chain::Chain(std::vector<Step> steps, SlotSet memory, Index item, Total total)
    : steps_(std::move(steps)), memory_(memory), item_(item), total_(total) {
  for (Slot s = 0; s < kMaxSlots; ++s)
    if (memory >> s & 1) in_memory_.push_back(s);
  assign_registers();
}

Index Chain::block(std::size_t detours) const noexcept {
  const auto places = static_cast<Index>(in_memory_.size() + detours) + registers_;
  return std::clamp(kFirstCache / (places * item_) / kLine * kLine, kShortest, kLongest);
}

/// A register is free again after the last step that reads it, which may write its own value there: loops take
/// an output that is one of their inputs.
void Chain::assign_registers() {
  std::array<int, kMaxSlots> last{};
  for (int k = 0; k < static_cast<int>(steps_.size()); ++k) {
    const Step& step = steps_[static_cast<std::size_t>(k)];
    for (int j = 0; j < step.operands; ++j) last[step.slots[static_cast<std::size_t>(j)]] = k;
  }
  if (total_.slot >= 0) last[static_cast<std::size_t>(total_.slot)] = static_cast<int>(steps_.size());
  std::vector<std::uint8_t> free;
  for (int k = 0; k < static_cast<int>(steps_.size()); ++k) {
    const Step& step = steps_[static_cast<std::size_t>(k)];
    const Slot output = step.output();
    SlotSet freed = 0;
    for (int j = 0; j < step.operands; ++j) {
      const Slot s = step.slots[static_cast<std::size_t>(j)];
      if (s == output || !is_register(s) || last[s] != k || freed >> s & 1) continue;
      freed |= SlotSet{1} << s;
      free.push_back(register_of_[s]);
    }
    if (!is_register(output)) continue;
    if (free.empty()) free.push_back(static_cast<std::uint8_t>(registers_++));
    in_register_.push_back(output);
    register_of_[output] = free.back();
    free.pop_back();
    if (last[output] == k) free.push_back(register_of_[output]);  // nobody reads it
  }
}

namespace {

/// Apart from its caller, whose frame would be as large.
template <std::size_t Bytes, class Work>
[[gnu::noinline]] int in_blocks(const Chain& chain, const Binding& binding, Index begin, Index block, Work&& work) noexcept {
  Blocks<Bytes> blocks(chain, binding, begin, block);
  work(blocks);
  return blocks.raised();
}

template <class Work>
int with_scratch(const Chain& chain, const Binding& binding, Index begin, Index count, Work&& work) noexcept {
  const Index block = std::min(count, chain.block(binding.detours.size()));
  const Index registers = chain.registers() + static_cast<Index>(binding.detours.size());
  return registers * register_bytes(block, chain.item()) <= static_cast<Index>(kLittle)
             ? in_blocks<kLittle>(chain, binding, begin, block, work)
             : in_blocks<kScratch>(chain, binding, begin, block, work);
}

}  // namespace

int Chain::run(const Binding& binding, Index begin, Index end) const noexcept {
  return with_scratch(*this, binding, begin, end - begin, [&](auto& blocks) { blocks.all(end - begin); });
}

int Chain::run(const Binding& binding, Index begin, Index count, void* sum) const noexcept {
  return with_scratch(*this, binding, begin, count, [&](auto& blocks) {
    if (item_ == sizeof(double)) {
      *static_cast<double*>(sum) = blocks.template sum<double>(count);
    } else {
      *static_cast<float*>(sum) = blocks.template sum<float>(count);
    }
  });
}

Node node_at(Index size, int depth, int number) noexcept {
  Node node{0, size};
  for (int level = depth - 1; level >= 0; --level) {
    const Index half = left_half(node.count);
    if (number >> level & 1) {
      node.begin += half;
      node.count -= half;
    } else {
      node.count = half;
    }
  }
  return node;
}

int depth_of(Index size, int most) noexcept {
  int depth = 0;
  // The left halves are the shorter ones.
  for (Index least = size; depth < most && least > kLeaf; least = left_half(least)) ++depth;
  return depth;
}

}  // namespace myia::thnn
