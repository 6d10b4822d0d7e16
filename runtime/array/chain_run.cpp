// A chain on Arrays: what its operands are, where its results go, and the pass over memory, at once or by the workers.

#include <atomic>
#include <bit>
#include <cstring>

#include "array/chain.hpp"
#include "array/operators.hpp"
#include "array/reuse.hpp"
#include "array/tasks.hpp"

namespace myia {

namespace {

/// Objects that are let go of at the end, few and without an allocation.
class Kept {
 public:
  Kept() = default;
  Kept(const Kept&) = delete;
  Kept& operator=(const Kept&) = delete;
  ~Kept() {
    for (int k = 0; k < count_; ++k) Py_DECREF(objects_[k]);
  }
  void add(PyObject* owned) noexcept { objects_[count_++] = owned; }

 private:
  PyObject* objects_[2 * th::kMaxSlots];
  int count_ = 0;
};

/// What the slots in memory are, for one call.
struct Slots {
  Array* arrays[th::kMaxSlots];          ///< null for a number
  std::uint64_t numbers[th::kMaxSlots];
  thnn::Binding binding;
  std::vector<thnn::Detour> detours;
};

// -- the pass ------------------------------------------------------------------------------------------------

/// The sum of one node of NumPy's tree, in the bytes of the elements' kind.
using Sum = std::uint64_t;

template <class T>
Sum total_of(const Sum* nodes, int depth) noexcept {
  T sums[1 << 4];
  for (int k = 0; k < 1 << depth; ++k) std::memcpy(&sums[k], &nodes[k], sizeof(T));
  thnn::add_nodes(sums, depth);
  Sum total = 0;
  const T made = static_cast<T>(identity_of_sums()) + sums[0];
  std::memcpy(&total, &made, sizeof made);
  return total;
}
constexpr int kDeepest = 4;

Sum total_of(const Sum* nodes, int depth, Index item) noexcept {
  return item == sizeof(double) ? total_of<double>(nodes, depth) : total_of<float>(nodes, depth);
}

class ChainTask final : public Task {
 public:
  ChainTask(const Recipe& recipe, const Plan& plan, Slots&& slots, Index size, int parts, Array* total, int depth,
            int wanted)
      : Task(recipe.name, parts), chain_(plan.chain), detours_(std::move(slots.detours)), size_(size),
        total_(total ? total->storage : nullptr), depth_(depth), wanted_(wanted) {
    for (const Slot s : chain_->in_memory()) {
      const Array* const array = slots.arrays[s];
      places_.push_back({s, array ? array->storage : nullptr, array ? array->offset : 0, slots.numbers[s],
                         slots.binding.stride[s]});
    }
  }

  void run(int part) override {
    thnn::Binding binding;
    for (Place& place : places_) {
      binding.base[place.slot] =
          place.storage ? place.storage->data() + place.offset : reinterpret_cast<char*>(&place.number);
      binding.stride[place.slot] = place.stride;
    }
    binding.detours = detours_;
    int flags = 0;
    if (total_) {
      const thnn::Node node = thnn::node_at(size_, depth_, part);
      flags = chain_->run(binding, node.begin, node.count, &nodes_[part].sum);
      if (finished_.fetch_add(1) == parts - 1) add_up();
    } else {
      Index begin, end;
      th::part_of(size_, part, parts, begin, end);
      if (begin < end) flags = chain_->run(binding, begin, end);
    }
    if (flags & wanted_) status::note(flags & wanted_, name, wanted_);
  }

 private:
  struct Place {
    Slot slot;
    Storage* storage;  // kept alive by the dispatcher
    Index offset;
    std::uint64_t number;
    std::intptr_t stride;
  };
  struct alignas(64) OfNode {  // apart, so that the workers do not share a cache line
    Sum sum = 0;
  };

  void add_up() {
    Sum sums[1 << kDeepest];
    for (int k = 0; k < parts; ++k) sums[k] = nodes_[k].sum;
    const Sum total = total_of(sums, depth_, chain_->item());
    std::memcpy(total_->data(), &total, static_cast<std::size_t>(chain_->item()));
  }

  std::shared_ptr<const thnn::Chain> chain_;
  std::vector<Place> places_;
  std::vector<thnn::Detour> detours_;
  Index size_;
  Storage* total_;
  int depth_;
  int wanted_;
  OfNode nodes_[1 << kDeepest];
  std::atomic<int> finished_{0};
};

// -- a call -----------------------------------------------------------------------------------------------------

class Call {
 public:
  Call(Recipe& recipe, PyObject* const* args, PyObject* dead) noexcept : recipe_(recipe), args_(args), dead_(dead) {}

  /// Null without an exception: the plain function must do it.
  PyObject* run() {
    if (!read_operands() || !fit()) return nullptr;
    size_ = shape_.size();
    if (!size_) return nullptr;
    sums_ = recipe_.summed >= 0 && dense_ && !recipe_.depends_on_position;
    plan_ = recipe_.plan(kind_, sums_);
    if (!plan_ || !read_numbers() || !may_add() || !(dense_ ? bind_dense() : bind_any())) return nullptr;
    at_once_ = ready() && size_ * recipe_.cost <= inline_limit;
    // An error that is to be raised names its line, and only the function knows that.
    if ((!at_once_ || dead_ || recipe_.added_to) && status::raises()) return nullptr;
    if (!make_results()) return nullptr;
    if (!(at_once_ ? run_here() : submit_task())) return nullptr;
    return returned();
  }

 private:
  bool is_array_slot(int slot) const noexcept { return slots_.arrays[slot] != nullptr; }

  // -- what the operands are --

  /// The Arrays among the parameters, which have one kind.
  bool read_operands() {
    bool found = false;
    for (int k = 0; k < recipe_.parameters; ++k) {
      slots_.arrays[k] = nullptr;
      if (!(recipe_.used & bit(k)) || !is_array(args_[k])) continue;
      Array* const array = slots_.arrays[k] = as_array(args_[k]);
      if (found && array->kind != kind_) return false;
      kind_ = array->kind;
      found = true;
      arrays_ |= bit(k);
    }
    if (!found) return false;
    const SlotSet own = arrays_;
    for (int k = 0; k < recipe_.parameters; ++k) {
      if (!(recipe_.used & bit(k)) || is_array_slot(k) || !PyArray_CheckExact(args_[k])) continue;
      Array* const shared = share(reinterpret_cast<PyArrayObject*>(args_[k]));
      if (!shared) return false;
      kept_.add(as_object(shared));
      slots_.arrays[k] = shared;
      if (shared->kind != kind_) return false;
      arrays_ |= bit(k);
    }
    lends_ = arrays_ != own;
    if (!lends_) return true;
    // A backprop of ndarrays alone is the function's in Python, which rounds otherwise.
    for (const Operation& operation : recipe_.operations)
      if (!operation.op && !(operation.reads & (own | recipe_.values))) return false;
    return !(recipe_.added_to & ~own);
  }

  /// The shape of all results, which is that of every operation.
  bool fit() {
    item_ = th::item_size(kind_);
    const Layout* first = nullptr;
    dense_ = true;
    for (int k = 0; dense_ && k < recipe_.parameters; ++k) {
      if (!is_array_slot(k)) continue;
      const Layout& layout = slots_.arrays[k]->layout;
      if (!first) first = &layout;
      dense_ = c_contiguous(layout, item_) && (first == &layout || same_shape(layout, *first));
    }
    if (!dense_) return broadcast_all() && each_has_shape();
    if (!first->ndim) return false;
    shape_.ndim = first->ndim;
    for (int d = 0; d < first->ndim; ++d) shape_.shape[d] = first->shape[d];
    set_c_strides(shape_, item_);
    SlotSet full = arrays_;
    for (const Operation& operation : recipe_.operations) {
      if (!(operation.reads & full)) return false;
      full |= bit(operation.out);
    }
    return true;
  }

  bool broadcast_all() {
    for (int k = 0; k < recipe_.parameters; ++k)
      if (is_array_slot(k)) shape_.ndim = std::max(shape_.ndim, slots_.arrays[k]->layout.ndim);
    for (int d = 0; d < shape_.ndim; ++d) shape_.shape[d] = 1;
    for (int k = 0; k < recipe_.parameters; ++k)
      if (is_array_slot(k) && !widen(shape_, slots_.arrays[k]->layout)) return false;
    return shape_.ndim > 0;
  }

  static bool widen(Layout& shape, const Layout& by) {
    for (int d = 0; d < by.ndim; ++d) {
      Index& size = shape.shape[shape.ndim - by.ndim + d];
      if (by.shape[d] == size || by.shape[d] == 1) continue;
      if (size != 1) return false;
      size = by.shape[d];
    }
    return true;
  }

  bool each_has_shape() const {
    SlotSet full = 0;
    for (int k = 0; k < recipe_.parameters; ++k)
      if (is_array_slot(k) && same_shape(slots_.arrays[k]->layout, shape_)) full |= bit(k);
    for (const Operation& operation : recipe_.operations) {
      if (!(operation.reads & full)) {
        Layout own;
        own.ndim = shape_.ndim;
        for (int d = 0; d < own.ndim; ++d) own.shape[d] = 1;
        for (int k = 0; k < operation.inputs; ++k) {
          const Slot s = operation.in[k];
          if (s < recipe_.parameters && is_array_slot(s)) widen(own, slots_.arrays[s]->layout);
        }
        if (!same_shape(own, shape_)) return false;
      }
      full |= bit(operation.out);
    }
    return true;
  }

  bool read_numbers() {
    for (int k = 0; k < recipe_.parameters; ++k) {
      if (!(recipe_.used & bit(k)) || is_array_slot(k)) continue;
      if (!read_number(args_[k], kind_, slots_.numbers[k])) return false;
    }
    for (std::size_t k = 0; k < plan_->constants.size(); ++k) {
      slots_.arrays[static_cast<std::size_t>(recipe_.parameters) + k] = nullptr;
      slots_.numbers[static_cast<std::size_t>(recipe_.parameters) + k] = plan_->constants[k];
    }
    // With one number as its exponent NumPy's power squares for 2.0, with several it does not; an array of one
    // element is the one or the other.
    for (const Operation& operation : recipe_.operations)
      if (operation.op && operation.op == power() && has_steps_of_zero(operation.in[1])) return false;
    return true;
  }

  static Operator* power() {
    static Operator* const found = find_operator("power");
    return found;
  }

  /// Whether an array has the same element twice or has only one.
  bool has_steps_of_zero(Slot slot) const {
    if (slot >= recipe_.parameters) return slot >= recipe_.first_value() && size_ == 1;
    if (!is_array_slot(slot)) return false;
    const Layout& layout = slots_.arrays[slot]->layout;
    if (size_ == 1 || !same_shape(layout, shape_)) return true;
    for (int d = 0; d < layout.ndim; ++d)
      if (layout.shape[d] != 1 && !layout.strides[d]) return true;
    return false;
  }

  /// Whether what is added to may be, without a copy: all of it once, and nothing else that is read or written meets
  /// it but the very same elements.
  bool may_add() {
    for (int k = 0; recipe_.added_to >> k; ++k) {
      if (!(recipe_.added_to & bit(k))) continue;
      const Array* const to = slots_.arrays[k];
      if (!to || !to->writable || (enforce_marks && to->storage->marks() > 0)) return false;
      if (!same_shape(to->layout, shape_) || overlaps_itself(to->layout, item_)) return false;
      for (int j = 0; j < recipe_.parameters; ++j) {
        Operand other;
        if (j == k || !is_array_slot(j) || slots_.arrays[j] == to) continue;
        read_operand(as_object(slots_.arrays[j]), other);
        if (may_overlap(to, other) && !same_view(to, other)) return false;
      }
    }
    return true;
  }

  // -- the way through memory --

  bool bind_dense() noexcept {
    for (const Slot s : plan_->chain->in_memory())
      slots_.binding.stride[s] = s >= recipe_.first_value() || is_array_slot(s) ? item_ : 0;
    return true;
  }

  /// All axes in one order, and what has no one stride along them in registers. False if that cannot be.
  bool bind_any() {
    lay_out();
    th::WalkOf<th::kMaxSlots> whole;
    whole.operands = th::kMaxSlots;
    whole.ndim = shape_.ndim;
    for (int d = 0; d < shape_.ndim; ++d) whole.shape[d] = shape_.shape[d];
    const std::vector<Slot>& in_memory = plan_->chain->in_memory();
    for (const Slot s : in_memory) {
      if (s >= recipe_.first_value()) {
        for (int d = 0; d < shape_.ndim; ++d) whole.strides[s][d] = layouts_[of_value(s)].strides[d];
      } else if (is_array_slot(s)) {
        broadcast_strides(slots_.arrays[s]->layout, shape_, whole.strides[s]);
      }
    }
    whole.coalesce();
    for (const Slot s : in_memory) {
      slots_.binding.stride[s] = whole.ndim ? whole.strides[s][whole.ndim - 1] : 0;
      bool straight = true;
      for (int d = 1; d < whole.ndim; ++d)
        straight = straight && whole.strides[s][d - 1] == whole.strides[s][d] * whole.shape[d];
      if (!straight) add_detour(s, whole);
    }
    if (slots_.detours.empty()) return true;
    // In a copy, elements stand elsewhere than in a row; and of the same view twice, one could change.
    return !recipe_.depends_on_position && !adds_to_operand() &&
           plan_->chain->registers() + static_cast<int>(slots_.detours.size()) <= thnn::kMaxSteps;
  }

  void add_detour(Slot slot, const th::WalkOf<th::kMaxSlots>& whole) {
    thnn::Detour& detour = slots_.detours.emplace_back();
    detour.slot = slot;
    detour.read = slot < recipe_.first_value();
    detour.written = !detour.read || recipe_.added_to & bit(slot);
    th::Walk &there = detour.there, &back = detour.back;
    there.operands = 2;
    there.ndim = whole.ndim;
    Index dense = item_;
    for (int d = whole.ndim - 1; d >= 0; --d) {
      there.shape[d] = whole.shape[d];
      there.strides[0][d] = dense;
      there.strides[1][d] = whole.strides[slot][d];
      dense *= whole.shape[d];
    }
    there.join();
    back = there;
    std::swap(back.strides[0], back.strides[1]);
  }

  /// Whether an array that is added to is an operand under another name, too.
  bool adds_to_operand() const {
    for (int k = 0; recipe_.added_to >> k; ++k)
      for (int j = 0; recipe_.added_to & bit(k) && j < recipe_.parameters; ++j)
        if (j != k && is_array_slot(j) && slots_.arrays[j]->storage == slots_.arrays[k]->storage) return true;
    return false;
  }

  std::size_t of_value(int slot) const noexcept { return static_cast<std::size_t>(slot - recipe_.first_value()); }

  /// Each value lies as its operands do, as if the operations ran one by one.
  void lay_out() {
    layouts_.resize(recipe_.operations.size());
    for (const Operation& operation : recipe_.operations) {
      if (operation.out < recipe_.first_value()) continue;
      const Layout* operands[3];
      int count = 0;
      for (int k = 0; k < operation.inputs; ++k) {
        const Slot s = operation.in[k];
        if (s >= recipe_.first_value()) operands[count++] = &layouts_[of_value(s)];
        else if (s < recipe_.parameters && is_array_slot(s)) operands[count++] = &slots_.arrays[s]->layout;
      }
      Layout& own = layouts_[of_value(operation.out)];
      own = shape_;
      set_k_strides(own, item_, operands, count);
    }
  }

  bool ready() const noexcept {
    for (SlotSet left = arrays_; left; left &= left - 1) {
      const int k = std::countr_zero(left);
      const Storage* const storage = slots_.arrays[k]->storage;
      if (!storage->ready() || storage->failed() || (recipe_.added_to & bit(k) && !storage->idle())) return false;
    }
    return true;
  }

  // -- results --

  bool make_results() {
    if (dead_) read_dead();
    for (const Slot s : recipe_.results)
      if (!(recipe_.summed >= 0 && s == recipe_.sum) && !make_result(s)) return false;
    // What is summed is in memory for that, if the sum is not taken on the way.
    if (recipe_.summed >= 0 && !sums_ && !(recipe_.kept & bit(recipe_.summed))) return make_result(recipe_.summed);
    return true;
  }

  bool make_result(int slot) {
    const Layout& layout = dense_ ? shape_ : layouts_[of_value(slot)];
    Array* made = dead_ ? over_a_dead_operand(slot, layout) : nullptr;
    if (!made) made = make_array(kind_, layout, size_ * item_);
    if (!made) return false;
    kept_.add(as_object(made));
    slots_.arrays[slot] = made;
    results_ |= bit(slot);
    return true;
  }

  /// The arrays that `reuse=` names. Its tuple counts as arguments if nothing else holds it.
  void read_dead() {
    PyObject* const* items = &dead_;
    Py_ssize_t count = 1;
    if (PyTuple_CheckExact(dead_)) {
      if (Py_REFCNT(dead_) != 1) return;
      items = &PyTuple_GET_ITEM(dead_, 0);
      count = PyTuple_GET_SIZE(dead_);
    }
    for (Py_ssize_t k = 0; k < count && count_dead_ < th::kMaxSlots; ++k) {
      if (!is_array(items[k]) || times_passed(items[k], items, k)) continue;
      dead_arrays_[count_dead_] = as_array(items[k]);
      dead_passed_[count_dead_++] =
          times_passed(items[k], args_, recipe_.parameters) + times_passed(items[k], items, count);
    }
  }

  /// The first that fits, in the order of `reuse=`; results choose in the order in which they are returned. No
  /// operation reads it after the one that writes the result, and none adds to it.
  Array* over_a_dead_operand(int slot, const Layout& layout) {
    const auto number = static_cast<int>(of_value(slot));
    for (int k = 0; k < count_dead_; ++k) {
      Array*& array = dead_arrays_[k];
      if (!array || needed_after(number, array)) continue;
      if (Array* const taken = Dead{array, dead_passed_[k]}.taken(kind_, layout, at_once_)) {
        overwrites_ = true;
        array = nullptr;
        return taken;
      }
    }
    return nullptr;
  }

  bool needed_after(int number, const Array* array) const noexcept {
    for (int k = 0; k < recipe_.parameters; ++k)
      if (slots_.arrays[k] == array && (recipe_.last_use[k] > number || recipe_.added_to & bit(k))) return true;
    return false;
  }

  // -- the work --

  bool run_here() {
    try {
      for (const Slot s : plan_->chain->in_memory())
        slots_.binding.base[s] =
            slots_.arrays[s] ? slots_.arrays[s]->data() : reinterpret_cast<char*>(&slots_.numbers[s]);
    } catch (const std::bad_alloc&) {
      PyErr_NoMemory();
      return false;
    }
    slots_.binding.detours = slots_.detours;
    Sum sum = 0;
    const int flags = sums_ ? plan_->chain->run(slots_.binding, 0, size_, &sum)
                            : plan_->chain->run(slots_.binding, 0, size_);
    if (sums_) total_ = total_of(&sum, 0, item_);
    for (SlotSet left = results_ | recipe_.added_to; left; left &= left - 1)
      slots_.arrays[std::countr_zero(left)]->storage->written();
    if (!flags) return true;
    // If it is to be raised, the function does all again, as nothing has been overwritten, and names the line.
    const bool spoils = overwrites_ || recipe_.added_to;
    if (!spoils && status::raises()) return false;
    return status::report(flags, recipe_.name);
  }

  bool submit_task() {
    Storage* reads[th::kMaxSlots];
    Storage* writes[th::kMaxSlots + 1];
    std::size_t reading = 0, writing = 0;
    for (SlotSet left = arrays_; left; left &= left - 1)
      reads[reading++] = slots_.arrays[std::countr_zero(left)]->storage;
    for (SlotSet left = results_ | recipe_.added_to; left; left &= left - 1)
      writes[writing++] = slots_.arrays[std::countr_zero(left)]->storage;
    int parts = parts_for(size_, recipe_.cost), depth = 0;
    Array* total = nullptr;
    if (sums_) {
      total = make_array(kind_, 0, nullptr);
      if (!total) return false;
      kept_.add(as_object(total));
      writes[writing++] = total->storage;
      depth = thnn::depth_of(size_, std::min(static_cast<int>(std::bit_width(static_cast<unsigned>(parts))) - 1, kDeepest));
      parts = 1 << depth;
    }
    auto task = std::make_unique<ChainTask>(recipe_, *plan_, std::move(slots_), size_, parts, total, depth,
                                            status::wanted());
    Storage* const last = writes[writing - 1];
    if (!submit(std::move(task), std::span<Storage* const>(reads, reading), std::span<Storage* const>(writes, writing)))
      return false;
    // The user may write into a NumPy array as soon as this returns: so it has been read by then.
    if ((lends_ || total) && !wait_ready(last)) return false;
    if (total) std::memcpy(&total_, total->data(), static_cast<std::size_t>(item_));
    return true;
  }

  PyObject* returned() {
    if (recipe_.results.empty() && !recipe_.returns_tuple) return Py_NewRef(Py_None);
    if (!recipe_.returns_tuple) return result(recipe_.results[0]);
    Owned made(PyTuple_New(static_cast<Py_ssize_t>(recipe_.results.size())));
    for (std::size_t k = 0; made && k < recipe_.results.size(); ++k) {
      PyObject* const one = result(recipe_.results[k]);
      if (!one) return nullptr;
      PyTuple_SET_ITEM(made.get(), static_cast<Py_ssize_t>(k), one);
    }
    return made.release();
  }

  PyObject* result(Slot slot) {
    if (recipe_.summed < 0 || slot != recipe_.sum) return Py_NewRef(as_object(slots_.arrays[slot]));
    if (sums_) return scalar_at(reinterpret_cast<const char*>(&total_), kind_);
    return sum_of_all(slots_.arrays[recipe_.summed]);
  }

  Recipe& recipe_;
  PyObject* const* args_;
  PyObject* dead_;
  const Plan* plan_ = nullptr;
  Kind kind_ = Kind::float64;
  Index item_ = 0;
  Index size_ = 0;
  SlotSet arrays_ = 0;    ///< parameters that are arrays
  SlotSet results_ = 0;   ///< values that are written to memory
  bool dense_ = false;    ///< all arrays have one shape and are contiguous
  bool sums_ = false;     ///< the sum is taken on the way
  bool lends_ = false;    ///< an ndarray is among the operands
  bool at_once_ = false;
  bool overwrites_ = false;
  int count_dead_ = 0;
  Sum total_ = 0;
  Layout shape_;
  std::vector<Layout> layouts_;  ///< of the values, if they are not all dense
  Kept kept_;
  Slots slots_;
  Array* dead_arrays_[th::kMaxSlots];       ///< null once taken
  Py_ssize_t dead_passed_[th::kMaxSlots];
};

}  // namespace

PyObject* run_chain(Recipe& recipe, PyObject* const* args, PyObject* dead) { return Call(recipe, args, dead).run(); }

}  // namespace myia
