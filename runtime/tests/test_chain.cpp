// Chains against one step after the other over whole arrays: random steps, views, ranges and values; the floating-
// point flags; sums against the tree in which NumPy adds.
#include "th/floating.hpp"  // first: it sets how what follows is compiled

#include <algorithm>
#include <cfenv>
#include <cmath>
#include <cstring>
#include <limits>
#include <thread>

#include "expect.hpp"
#include "th/flags.hpp"
#include "thnn/chain.hpp"
#include "views.hpp"

namespace {

using namespace myia;
using th::Index;
using thnn::Chain;
using thnn::Slot;
using thnn::SlotSet;
using thnn::Step;
using views::below;
using views::between;
using views::Shape;
using views::View;

constexpr double infinity = std::numeric_limits<double>::infinity();

// -- loops as NumPy has them -----------------------------------------------------------------------

struct Add {
  template <class T>
  static T of(T a, T b) { return a + b; }
};
struct Multiply {
  template <class T>
  static T of(T a, T b) { return a * b; }
};
struct Halve {
  template <class T>
  static T of(T a) { return T(0.5) * a; }
};

template <class T, class Rule>
void loop(char** p, const std::intptr_t* count, const std::intptr_t* strides, void*) {
  for (std::intptr_t k = 0; k < *count; ++k) {
    const auto at = [&](int j) -> T& { return *reinterpret_cast<T*>(p[j] + k * strides[j]); };
    if constexpr (std::is_same_v<Rule, Halve>) at(1) = Rule::of(at(0));
    else at(2) = Rule::of(at(0), at(1));
  }
}

/// NumPy's sum of adjacent elements (umath/loops_utils.h.src).
template <class T>
T pairwise(const T* a, Index n) {
  if (n < 8) {
    T sum = T(-0.0);
    for (Index k = 0; k < n; ++k) sum += a[k];
    return sum;
  }
  if (n <= 128) {
    T r[8];
    std::copy_n(a, 8, r);
    Index k = 8;
    for (; k < n - n % 8; k += 8)
      for (int j = 0; j < 8; ++j) r[j] += a[k + j];
    T sum = ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]));
    for (; k < n; ++k) sum += a[k];
    return sum;
  }
  const Index half = n / 2 - n / 2 % 8;
  return pairwise(a, half) + pairwise(a + half, n - half);
}

/// The loop of an addition whose output is its first operand: a sum.
template <class T>
void sum_loop(char** p, const std::intptr_t* count, const std::intptr_t* strides, void*) {
  EXPECT(strides[0] == 0 && strides[2] == 0 && p[0] == p[2] && strides[1] == sizeof(T));
  *reinterpret_cast<T*>(p[0]) += pairwise(reinterpret_cast<const T*>(p[1]), *count);
}

// -- random chains ----------------------------------------------------------------------------------

struct Made {
  std::vector<Step> steps;
  SlotSet memory = 0;
  int operands = 0, slots = 0;
  std::vector<int> results;  ///< slots of values that are kept
  int added_to = -1;         ///< an operand that a step adds to
};

template <class T>
Made make_chain(bool results, bool into) {
  constexpr th::Kind kind = sizeof(T) == 8 ? th::Kind::float64 : th::Kind::float32;
  Made made;
  made.operands = static_cast<int>(between(1, 5));
  made.slots = made.operands;
  const auto count = between(1, 12);
  const auto any = [&] { return static_cast<Slot>(below(made.slots)); };
  for (Index k = 0; k < count; ++k) {
    Step step;
    const auto out = static_cast<Slot>(made.slots);
    switch (below(into ? 6 : 5)) {
      case 0: step.loop = loop<T, Add>, step.operands = 3, step.slots = {any(), any(), out}; break;
      case 1: step.loop = loop<T, Multiply>, step.operands = 3, step.slots = {any(), any(), out}; break;
      case 2: step.loop = loop<T, Halve>, step.operands = 2, step.slots = {any(), out}; break;
      case 3: step.row = thnn::find_row(thnn::Op::times, kind), step.operands = 3, step.slots = {out, any(), any()}; break;
      case 4:
        step.row = thnn::find_row(thnn::Op::maximum_adjoint, kind);
        step.operands = 4;
        step.slots = {out, any(), any(), any()};
        break;
      default:
        if (made.added_to < 0) made.added_to = static_cast<int>(below(made.operands));
        step.row = thnn::find_row(thnn::Op::times_into, kind);
        step.operands = 3;
        step.slots = {static_cast<Slot>(made.added_to), any(), any()};
        made.steps.push_back(step);
        continue;
    }
    if (results && below(3) == 0) made.results.push_back(made.slots);
    ++made.slots;
    made.steps.push_back(step);
  }
  for (int s = 0; s < made.operands; ++s) made.memory |= SlotSet{1} << s;
  for (const int s : made.results) made.memory |= SlotSet{1} << s;
  return made;
}

/// All steps on whole arrays, one after the other; `values` is by slot.
template <class T>
void one_by_one(const Made& made, std::vector<std::vector<T>>& values, Index size) {
  for (const Step& step : made.steps) {
    char* pointers[4];
    const std::intptr_t strides[4] = {sizeof(T), sizeof(T), sizeof(T), sizeof(T)}, count = size;
    for (int k = 0; k < step.operands; ++k)
      pointers[k] = reinterpret_cast<char*>(values[step.slots[static_cast<std::size_t>(k)]].data());
    if (step.row) step.row(pointers, count, strides);
    else step.loop(pointers, &count, strides, step.data);
  }
}

template <class T>
bool same(const T& a, const T& b) {
  return std::memcmp(&a, &b, sizeof(T)) == 0 || (a != a && b != b);
}

template <class T>
T number() {
  switch (below(12)) {
    case 0: return T(0);
    case 1: return T(-0.0);
    case 2: return T(infinity);
    case 3: return std::numeric_limits<T>::quiet_NaN();
    default: return static_cast<T>(std::normal_distribution<double>()(views::random));
  }
}

/// Operands and results as views of every kind.
template <class T>
void test_views() {
  for (int round = 0; round < 1500; ++round) {
    const Made made = make_chain<T>(true, below(2));
    Shape s = views::shape();
    if (round % 5 == 0) s = {1, {between(1, 9000)}};
    if (round % 5 == 1) s = {2, {between(1, 90), between(1, 90)}};
    const Index size = s.size();
    std::vector<View> operands;
    for (int k = 0; k < made.slots; ++k) {
      const bool given = k < made.operands && k != made.added_to;
      operands.emplace_back(s, sizeof(T), given);
    }
    th::WalkOf<th::kMaxSlots> whole;
    whole.operands = made.slots;
    whole.ndim = s.ndim;
    for (int d = 0; d < s.ndim; ++d) {
      whole.shape[d] = s.length[d];
      for (int k = 0; k < made.slots; ++k) whole.strides[k][d] = operands[static_cast<std::size_t>(k)].strides[d];
    }
    const auto each_of = [&](int slot, auto&& use) {  // elements in linear order
      for (Index n = 0; n < size; ++n) {
        char* at = operands[static_cast<std::size_t>(slot)].data();
        Index rest = n;
        for (int d = s.ndim - 1; d >= 0; --d) {
          at += rest % s.length[d] * whole.strides[slot][d];
          rest /= s.length[d];
        }
        use(n, *reinterpret_cast<T*>(at));
      }
    };
    std::vector<std::vector<T>> values(static_cast<std::size_t>(made.slots), std::vector<T>(static_cast<std::size_t>(size)));
    for (int k = 0; k < made.operands; ++k) {
      each_of(k, [&](Index, T& x) { x = number<T>(); });
      each_of(k, [&](Index n, T& x) { values[static_cast<std::size_t>(k)][static_cast<std::size_t>(n)] = x; });
    }
    one_by_one(made, values, size);

    const Chain chain(made.steps, made.memory, sizeof(T));
    thnn::Binding binding;
    std::vector<thnn::Detour> detours;
    SlotSet written = 0;
    for (const Step& step : made.steps) written |= SlotSet{1} << step.output();
    for (int k = 0; k < made.slots; ++k) {
      if (chain.is_register(static_cast<Slot>(k))) continue;
      binding.base[k] = operands[static_cast<std::size_t>(k)].data();
      binding.stride[k] = s.ndim ? whole.strides[k][s.ndim - 1] : 0;
      thnn::Detour detour{static_cast<Slot>(k), false, false, {}, {}};
      detour.there.operands = detour.back.operands = 2;
      detour.there.ndim = detour.back.ndim = s.ndim;
      Index dense = sizeof(T);
      bool straight = true;
      for (int d = s.ndim - 1; d >= 0; --d) {
        detour.there.shape[d] = detour.back.shape[d] = s.length[d];
        detour.there.strides[0][d] = detour.back.strides[1][d] = dense;
        detour.there.strides[1][d] = detour.back.strides[0][d] = whole.strides[k][d];
        straight = straight && (d == s.ndim - 1 || whole.strides[k][d] == whole.strides[k][d + 1] * s.length[d + 1]);
        dense *= s.length[d];
      }
      // What has one stride may go that way too.
      if (straight && below(4)) continue;
      detour.read = k < made.operands;
      detour.written = written >> k & 1;
      detours.push_back(detour);
    }
    if (chain.registers() + static_cast<int>(detours.size()) > thnn::kMaxSteps) continue;
    binding.detours = detours;
    // In parts, in any order; only those of whole lines may differ in nothing.
    std::vector<std::pair<Index, Index>> parts;
    for (Index at = 0; at < size;) {
      const Index next = below(2) ? size : std::min(size, at + 64 * between(1, 40));
      parts.emplace_back(at, next);
      at = next;
    }
    std::shuffle(parts.begin(), parts.end(), views::random);
    for (const auto& [begin, end] : parts) chain.run(binding, begin, end);
    bool right = true;
    const auto compare = [&](int slot) {
      each_of(slot, [&](Index n, T& x) {
        right = right && same(x, values[static_cast<std::size_t>(slot)][static_cast<std::size_t>(n)]);
      });
    };
    for (const int slot : made.results) compare(slot);
    for (int k = 0; k < made.operands; ++k)
      if (size) compare(k);
    EXPECT(right);
  }
}

/// The memory of a result is that of an operand which no later step reads.
void test_over_an_operand() {
  for (int round = 0; round < 300; ++round) {
    const Index size = between(1, 10000);
    std::vector<double> x(static_cast<std::size_t>(size)), y(x.size()), expected(x.size());
    for (auto& v : x) v = number<double>();
    for (auto& v : y) v = number<double>();
    for (std::size_t k = 0; k < x.size(); ++k) expected[k] = 0.5 * (x[k] + y[k]) * y[k];
    const std::vector<Step> steps = {{loop<double, Add>, nullptr, nullptr, 3, {0, 1, 2}},
                                     {loop<double, Halve>, nullptr, nullptr, 2, {2, 3}},
                                     {loop<double, Multiply>, nullptr, nullptr, 3, {3, 1, 4}}};
    const Chain chain(steps, 0b10011, 8);
    EXPECT(chain.registers() == 1);
    thnn::Binding binding;
    binding.base[0] = binding.base[4] = reinterpret_cast<char*>(x.data());
    binding.base[1] = reinterpret_cast<char*>(y.data());
    binding.stride[0] = binding.stride[1] = binding.stride[4] = 8;
    chain.run(binding, 0, size);
    for (std::size_t k = 0; k < x.size(); ++k) EXPECT(same(x[k], expected[k]));
  }
}

// -- registers ----------------------------------------------------------------------------------------

void test_registers() {
  std::vector<Step> steps;
  for (Slot k = 0; k < 20; ++k) steps.push_back({loop<double, Halve>, nullptr, nullptr, 2, {k, static_cast<Slot>(k + 1)}});
  EXPECT(Chain(steps, 1 | SlotSet{1} << 20, 8).registers() == 1);
  EXPECT(Chain(steps, 1, 8).registers() == 1);
  // All that is summed up in the end is kept until then.
  std::vector<Step> wide;
  for (Slot k = 1; k < 17; ++k) wide.push_back({loop<double, Halve>, nullptr, nullptr, 2, {0, k}});
  for (Slot k = 2; k < 17; ++k)
    wide.push_back({loop<double, Add>, nullptr, nullptr, 3, {static_cast<Slot>(k == 2 ? 1 : k + 14), k, static_cast<Slot>(k + 15)}});
  const Chain chain(wide, 1 | SlotSet{1} << 31, 8);
  EXPECT(chain.registers() == 16);
  EXPECT(chain.block() % 64 == 0 && chain.block() >= 128);
  std::vector<double> x(5000), sum(5000);
  for (auto& v : x) v = static_cast<double>(between(-1000, 1000));  // so that sums are exact
  thnn::Binding binding;
  binding.base[0] = reinterpret_cast<char*>(x.data());
  binding.base[31] = reinterpret_cast<char*>(sum.data());
  binding.stride[0] = binding.stride[31] = 8;
  chain.run(binding, 0, 5000);
  for (std::size_t k = 0; k < x.size(); ++k) EXPECT(same(sum[k], 8 * x[k]));
}

// -- flags --------------------------------------------------------------------------------------------

template <class T, int Flags>
void raising(char** p, const std::intptr_t* count, const std::intptr_t* strides, void*) {
  for (std::intptr_t k = 0; k < *count; ++k)
    *reinterpret_cast<T*>(p[1] + k * strides[1]) = *reinterpret_cast<T*>(p[0] + k * strides[0]);
  std::feraiseexcept(Flags);
}

void clearing_loop(char** p, const std::intptr_t* count, const std::intptr_t* strides, void* data) {
  raising<double, 0>(p, count, strides, data);
  std::feclearexcept(FE_ALL_EXCEPT);
}

void test_flags() {
  // 0 * inf is left out of a product with a cotangent, and so is its flag; that of another step is not.
  double x[40], y[40], out[40];
  std::fill_n(x, 40, 0.0);
  std::fill_n(y, 40, infinity);
  const thnn::Row times = thnn::find_row(thnn::Op::times, th::Kind::float64);
  const Step quiet{nullptr, times, nullptr, 3, {2, 0, 1}}, again{nullptr, times, nullptr, 3, {3, 0, 1}};
  const auto flags_of = [&](const std::vector<Step>& steps) {
    thnn::Binding binding;
    char* const bases[] = {reinterpret_cast<char*>(x), reinterpret_cast<char*>(y)};
    for (int k = 0; k < 2; ++k) binding.base[k] = bases[k], binding.stride[k] = 8;
    const Slot last = steps.back().output();
    binding.base[last] = reinterpret_cast<char*>(out);
    binding.stride[last] = 8;
    std::feraiseexcept(FE_ALL_EXCEPT);  // what was there before does not count
    return Chain(steps, 3 | SlotSet{1} << last, 8).run(binding, 0, 40);
  };
  EXPECT(flags_of({quiet}) == 0);
  EXPECT(out[0] == 0.0);
  const auto with = [](auto loop, Slot from, Slot to) { return Step{loop, nullptr, nullptr, 2, {from, to}}; };
  EXPECT(flags_of({with(raising<double, FE_INVALID>, 0, 2)}) == FE_INVALID);
  EXPECT(flags_of({quiet, with(raising<double, FE_INVALID>, 2, 3)}) == FE_INVALID);
  EXPECT(flags_of({with(raising<double, FE_DIVBYZERO>, 0, 2), again}) == FE_DIVBYZERO);
  EXPECT(flags_of({quiet, with(raising<double, FE_OVERFLOW>, 2, 3), {nullptr, times, nullptr, 3, {4, 0, 3}}}) == FE_OVERFLOW);
  Step clearing = with(clearing_loop, 2, 3);
  clearing.clears = true;
  EXPECT(flags_of({with(raising<double, FE_INVALID>, 0, 2), clearing}) == FE_INVALID);
  EXPECT(flags_of({with(raising<double, FE_INVALID | FE_OVERFLOW>, 0, 2), again,
                   with(raising<double, FE_DIVBYZERO>, 3, 4)}) == (FE_INVALID | FE_OVERFLOW | FE_DIVBYZERO));
}

// -- sums ---------------------------------------------------------------------------------------------

template <class T>
void test_sums() {
  const auto one = [](Index size, bool keeps) {
    std::vector<T> x(static_cast<std::size_t>(size)), y(x.size()), z(x.size());
    for (auto& v : x) v = static_cast<T>(std::normal_distribution<double>(0, 100)(views::random));
    for (auto& v : y) v = static_cast<T>(std::normal_distribution<double>()(views::random));
    std::vector<T> expected(x.size());
    for (std::size_t k = 0; k < x.size(); ++k) expected[k] = T(0.5) * x[k] * y[k];
    const std::vector<Step> steps = {{loop<T, Halve>, nullptr, nullptr, 2, {0, 2}},
                                     {loop<T, Multiply>, nullptr, nullptr, 3, {2, 1, 3}}};
    const Chain chain(steps, SlotSet{keeps ? 0b1011U : 0b11U}, sizeof(T), {3, sum_loop<T>, nullptr});
    thnn::Binding binding;
    T* const bases[] = {x.data(), y.data(), nullptr, z.data()};
    for (const int k : {0, 1, 3}) binding.base[k] = reinterpret_cast<char*>(bases[k]), binding.stride[k] = sizeof(T);
    T sums[8];
    const int depth = thnn::depth_of(size, static_cast<int>(below(4)));
    for (int number = (1 << depth) - 1; number >= 0; --number) {
      const thnn::Node node = thnn::node_at(size, depth, number);
      chain.run(binding, node.begin, node.count, &sums[number]);
    }
    thnn::add_nodes(sums, depth);
    EXPECT(same(sums[0], pairwise(expected.data(), size)));
    if (keeps) EXPECT(std::memcmp(z.data(), expected.data(), z.size() * sizeof(T)) == 0);
  };
  for (Index size = 1; size <= 2100; ++size) one(size, size % 3 == 0);
  for (int round = 0; round < 60; ++round) one(between(2000, 100000), below(2));
}

// -- threads --------------------------------------------------------------------------------------------

void test_threads() {
  const Index size = 50'000;
  std::vector<double> x(size), y(size), out(size);
  for (auto& v : x) v = number<double>();
  for (auto& v : y) v = number<double>();
  const thnn::Row times = thnn::find_row(thnn::Op::times, th::Kind::float64);
  const std::vector<Step> steps = {{loop<double, Add>, nullptr, nullptr, 3, {0, 1, 2}},
                                   {nullptr, times, nullptr, 3, {3, 2, 0}},
                                   {loop<double, Halve>, nullptr, nullptr, 2, {3, 4}}};
  const Chain chain(steps, 0b10011, 8);
  thnn::Binding binding;
  double* const bases[] = {x.data(), y.data(), nullptr, nullptr, out.data()};
  for (const int k : {0, 1, 4}) binding.base[k] = reinterpret_cast<char*>(bases[k]), binding.stride[k] = 8;
  constexpr int parts = 4;
  std::vector<std::thread> threads;
  for (int part = 0; part < parts; ++part)
    threads.emplace_back([&, part] {
      Index begin, end;
      th::part_of(size, part, parts, begin, end);
      chain.run(binding, begin, end);
    });
  for (auto& thread : threads) thread.join();
  for (std::size_t k = 0; k < x.size(); ++k) {
    const double g = x[k] + y[k];
    EXPECT(same(out[k], 0.5 * (g != 0 ? g * x[k] : 0.0)));
  }
}

}  // namespace

int main() {
  test_views<double>();
  test_views<float>();
  test_over_an_operand();
  test_registers();
  test_flags();
  test_sums<double>();
  test_sums<float>();
  test_threads();
  return expect::result();
}
