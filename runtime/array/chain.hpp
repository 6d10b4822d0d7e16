#pragma once

// Chains of elementwise operations as functions of Arrays (thnn/chain.hpp runs them on raw memory).
//
// A chain comes from a plain Python function, which says what it computes and does it wherever the operands are not
// what the native way takes: the results are the same to the last bit.

#include <memory>
#include <vector>

#include "array/array.hpp"
#include "thnn/chain.hpp"
#include "thnn/fused.hpp"

namespace myia {

using thnn::Slot;
using thnn::SlotSet;

constexpr SlotSet bit(int slot) noexcept { return SlotSet{1} << slot; }

/// One statement of the function: an operation on slots.
struct Operation {
  Operator* op = nullptr;                ///< a ufunc, or
  thnn::Op fused = thnn::Op::add_into;   ///< a fused kernel
  int inputs = 0;
  Slot in[3] = {};
  Slot out = 0;                          ///< a parameter, if it adds to that
  SlotSet reads = 0;                     ///< `in` as a set
};

/// How a chain runs on operands of one kind.
struct Plan {
  std::shared_ptr<const thnn::Chain> chain;
  std::vector<std::uint64_t> constants;  ///< as float or double
};

/// What a function computes. Slots are numbered: parameters, constants, the values of the operations in order.
struct Recipe {
  int parameters = 0;
  std::vector<Owned> constants;  ///< Python's floats and integers
  std::vector<Operation> operations;
  std::vector<Slot> results;     ///< in the order in which they are returned
  bool returns_tuple = false;
  int summed = -1;               ///< the slot of which the sum is a result
  Slot sum = 0;                  ///< the slot of that sum
  SlotSet used = 0;              ///< of parameters and constants
  SlotSet values = 0;            ///< what operations give
  SlotSet kept = 0;              ///< values that are results
  SlotSet added_to = 0;          ///< parameters
  int last_use[th::kMaxSlots];   ///< of parameters: the last operation that uses it, -1 if none does
  int cost = 0;                  ///< of an element, relative to an addition
  bool depends_on_position = false;  ///< has an operation whose bits depend on where an element is in a vector
  const char* name = "";         ///< lasts as long as the process

  [[nodiscard]] int first_value() const noexcept { return parameters + static_cast<int>(constants.size()); }

  /// `sums`: the sum is taken in the same pass, and what is summed need not be in memory. Null without an exception if
  /// an operation does not give floats of this kind for such.
  const Plan* plan(Kind kind, bool sums) noexcept;

 private:
  bool make_plan(Kind kind, bool sums, Plan& plan) const;
  struct {
    bool known = false;
    std::unique_ptr<Plan> plan;
  } plans_[2][2];
};

/// Reads what Python tells of a function: the number of its parameters, constants, ((operation, slot, ...), ...) in
/// which None stands for the sum, and the slots of the results. False with an exception.
bool read_recipe(PyObject* parameters, PyObject* constants, PyObject* operations, PyObject* results, Recipe& recipe);

/// A Python number as an element of this kind, where NumPy takes it for one. False without an exception if it is no
/// such number.
bool read_number(PyObject* object, Kind kind, std::uint64_t& bits);

/// The results for these arguments; `dead` is null, or what `reuse=` names. Null without an exception: the plain
/// function must do it.
PyObject* run_chain(Recipe& recipe, PyObject* const* args, PyObject* dead);

bool make_chains(PyObject* module);

}  // namespace myia
