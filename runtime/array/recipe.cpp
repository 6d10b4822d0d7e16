// What a chain computes, read from what Python tells of its function, and how it runs on a kind of float.

#include <cfenv>
#include <cmath>
#include <cstring>
#include <string_view>

#include "array/chain.hpp"
#include "array/operators.hpp"

namespace myia {

namespace {

/// Of two zeros of which one is negative NumPy's fmax and fmin give the one or the other: in the body of a vector
/// loop the first that an instruction gives, in its tail the first operand.
bool depends_on_position(const char* name) {
  return std::string_view(name) == "fmax" || std::string_view(name) == "fmin";
}

bool malformed(const char* what) {
  PyErr_Format(PyExc_ValueError, "a chain has %s", what);
  return false;
}

/// The slot of an operand, or of a value that an operation before gives; false with an exception.
bool read_slot(PyObject* object, const Recipe& recipe, Slot& slot) {
  const long value = PyLong_Check(object) ? PyLong_AsLong(object) : -1;
  const bool filled = value >= 0 && value < th::kMaxSlots &&
                      (value < recipe.first_value() || recipe.values & bit(static_cast<int>(value)));
  if (!filled) {
    PyErr_Clear();
    return malformed("a slot that nothing has filled");
  }
  slot = static_cast<Slot>(value);
  return true;
}

/// The operation `row` = (operation, slot, ...), whose value has the slot `value`.
bool read_operation(PyObject* row, int value, Recipe& recipe) {
  if (!PyTuple_CheckExact(row) || PyTuple_GET_SIZE(row) < 2) return malformed("an operation without operands");
  PyObject* const what = PyTuple_GET_ITEM(row, 0);
  const auto given = static_cast<int>(PyTuple_GET_SIZE(row)) - 1;
  const auto slot = [&](int k, Slot& to) { return read_slot(PyTuple_GET_ITEM(row, k + 1), recipe, to); };
  if (what == Py_None) {
    Slot of = 0;
    if (given != 1) return malformed("a sum of several values");
    if (!slot(0, of)) return false;
    if (of < recipe.first_value()) return malformed("a sum of an operand");
    recipe.summed = of;
    recipe.sum = static_cast<Slot>(value);
    return true;
  }
  Operation made;
  made.out = static_cast<Slot>(value);
  bool adds = false;
  if (Operator* const op = as_operator(what)) {
    made.op = op;
    made.inputs = inputs_of(op);
    recipe.cost += cost_of(op);
    recipe.depends_on_position = recipe.depends_on_position || depends_on_position(operator_name(op));
  } else if (as_fused(what, made.fused)) {
    made.inputs = thnn::inputs(made.fused);
    adds = thnn::accumulates(made.fused);
    recipe.cost += kCheap;
  } else {
    PyErr_Format(PyExc_TypeError, "%R is no elementwise operation of the runtime", what);
    return false;
  }
  if (given != made.inputs + adds) return malformed("an operation with other operands than it takes");
  if (adds) {
    if (!slot(0, made.out)) return false;
    if (made.out >= recipe.parameters) return malformed("an addition to what is no parameter");
    recipe.added_to |= bit(made.out);
  }
  for (int k = 0; k < made.inputs; ++k) {
    if (!slot(k + adds, made.in[k])) return false;
    made.reads |= bit(made.in[k]);
  }
  if (!adds) recipe.values |= bit(value);
  const SlotSet touched = made.reads | (adds ? bit(made.out) : 0);
  for (int k = 0; k < recipe.parameters; ++k)
    if (touched & bit(k)) recipe.last_use[k] = static_cast<int>(recipe.operations.size());
  recipe.used |= touched & (bit(recipe.first_value()) - 1);
  recipe.operations.push_back(made);
  return true;
}

bool read_result(PyObject* object, Recipe& recipe) {
  Slot slot = recipe.sum;
  const bool is_sum = recipe.summed >= 0 && PyLong_Check(object) && PyLong_AsLong(object) == recipe.sum;
  if (!is_sum && !read_slot(object, recipe, slot)) return false;
  if (slot < recipe.first_value()) return malformed("a result that is an operand");
  for (const Slot before : recipe.results)
    if (before == slot) return malformed("a result twice");
  recipe.results.push_back(slot);
  if (!is_sum) recipe.kept |= bit(slot);
  return true;
}

/// Whether a loop leaves the floating-point flags of those before it alone. Which ones clear them is a matter of
/// NumPy's version and of the processor, so they are tried.
bool keeps_flags(const thnn::Step& step, Kind kind) {
  constexpr int kAll = FE_DIVBYZERO | FE_OVERFLOW | FE_UNDERFLOW | FE_INVALID;
  constexpr Index kMost = 67;
  alignas(64) char memory[4][kMost * sizeof(double)];
  for (auto& operand : memory) {
    for (Index k = 0; k < kMost; ++k) {
      if (kind == Kind::float64) reinterpret_cast<double*>(operand)[k] = 1.0;
      else reinterpret_cast<float*>(operand)[k] = 1.0F;
    }
  }
  bool kept = true;
  for (const std::intptr_t count : {Index{1}, Index{5}, Index{8}, kMost}) {
    for (const bool adjacent : {true, false}) {
      char* pointers[4];
      std::intptr_t strides[4];
      for (int k = 0; k < step.operands; ++k) {
        pointers[k] = memory[k];
        strides[k] = adjacent || k == step.operands - 1 ? th::item_size(kind) : 0;
      }
      std::feraiseexcept(kAll);
      step.loop(pointers, &count, strides, step.data);
      kept = kept && (th::flags::raised() & kAll) == kAll;
    }
  }
  th::flags::clear();
  return kept;
}

}  // namespace

bool read_number(PyObject* object, Kind kind, std::uint64_t& bits) {
  double value;
  if (PyFloat_CheckExact(object)) {
    value = PyFloat_AS_DOUBLE(object);
    // What overflows the arrays' kind is an affair of NumPy's error state.
    if (kind == Kind::float32 && std::isfinite(value) && std::abs(value) > 3.4e38) return false;
  } else {
    Operand operand;
    if (!read_operand(object, operand) || !operand.scalar) return false;
    if (operand.code != kWeakInt && operand.code != static_cast<signed char>(kind)) return false;
    if (!convert_operand(operand, kind)) return false;
    std::memcpy(&bits, operand.value, sizeof bits);
    return true;
  }
  if (kind == Kind::float64) {
    std::memcpy(&bits, &value, sizeof value);
  } else {
    const auto narrow = static_cast<float>(value);
    std::memcpy(&bits, &narrow, sizeof narrow);
  }
  return true;
}

bool read_recipe(PyObject* parameters, PyObject* constants, PyObject* operations, PyObject* results, Recipe& recipe) {
  const long count = PyLong_Check(parameters) ? PyLong_AsLong(parameters) : -1;
  if (count < 0 || !PyTuple_CheckExact(constants) || !PyTuple_CheckExact(operations)) {
    PyErr_Clear();
    return malformed("a number of parameters, a tuple of constants, and one of operations");
  }
  const Py_ssize_t steps = PyTuple_GET_SIZE(operations);
  if (steps > thnn::kMaxSteps || count + PyTuple_GET_SIZE(constants) + steps > th::kMaxSlots - 1)
    return malformed("too many operations or operands");
  recipe.parameters = static_cast<int>(count);
  for (int& use : recipe.last_use) use = -1;
  for (Py_ssize_t k = 0; k < PyTuple_GET_SIZE(constants); ++k) {
    PyObject* const constant = PyTuple_GET_ITEM(constants, k);
    if (!PyFloat_CheckExact(constant) && !PyLong_CheckExact(constant)) return malformed("a constant that is no number");
    recipe.constants.push_back(Owned::borrow(constant));
  }
  for (Py_ssize_t k = 0; k < steps; ++k) {
    if (recipe.summed >= 0) return malformed("a sum before its end");
    if (!read_operation(PyTuple_GET_ITEM(operations, k), recipe.first_value() + static_cast<int>(k), recipe)) return false;
  }
  if (recipe.operations.empty()) return malformed("no operation");
  if (results == Py_None) return true;
  recipe.returns_tuple = PyTuple_CheckExact(results);
  if (!recipe.returns_tuple) return read_result(results, recipe);
  for (Py_ssize_t k = 0; k < PyTuple_GET_SIZE(results); ++k)
    if (!read_result(PyTuple_GET_ITEM(results, k), recipe)) return false;
  return true;
}

bool Recipe::make_plan(Kind kind, bool sums, Plan& plan) const {
  for (const Owned& constant : constants) {
    std::uint64_t bits = 0;
    if (!read_number(constant.get(), kind, bits)) return false;
    plan.constants.push_back(bits);
  }
  const auto loop_of = [kind](Operator* op, th::Loop& loop, void*& data) {
    PyUFuncGenericFunction found;
    if (!find_loop(op, kind, found, data)) return false;
    loop = reinterpret_cast<th::Loop>(found);
    return true;
  };
  std::vector<thnn::Step> steps;
  for (const Operation& operation : operations) {
    thnn::Step step;
    step.operands = operation.inputs + 1;
    if (operation.op) {
      if (!loop_of(operation.op, step.loop, step.data)) return false;
      for (int k = 0; k < operation.inputs; ++k) step.slots[static_cast<std::size_t>(k)] = operation.in[k];
      step.slots[static_cast<std::size_t>(operation.inputs)] = operation.out;
      step.clears = !keeps_flags(step, kind);
    } else {
      step.row = thnn::find_row(operation.fused, kind);
      if (!step.row) return false;
      step.slots[0] = operation.out;
      for (int k = 0; k < operation.inputs; ++k) step.slots[static_cast<std::size_t>(k) + 1] = operation.in[k];
    }
    steps.push_back(step);
  }
  thnn::Total total;
  SlotSet memory = used | kept;
  if (summed >= 0 && sums) {
    total.slot = summed;
    if (!loop_of(find_operator("add"), total.loop, total.data)) return false;
  } else if (summed >= 0) {
    memory |= bit(summed);
  }
  plan.chain = std::make_shared<const thnn::Chain>(std::move(steps), memory, th::item_size(kind), total);
  return true;
}

const Plan* Recipe::plan(Kind kind, bool sums) noexcept {
  if (!is_float(kind)) return nullptr;
  auto& place = plans_[kind == Kind::float64][sums];
  if (!place.known) {
    place.known = true;
    auto made = std::make_unique<Plan>();
    if (make_plan(kind, sums, *made)) place.plan = std::move(made);
    PyErr_Clear();
  }
  return place.plan.get();
}

}  // namespace myia
