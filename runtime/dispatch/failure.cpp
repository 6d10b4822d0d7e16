#include "dispatch/failure.hpp"

#include <new>

namespace myia {
namespace {

// Made in advance, as there may be no memory for it when it is needed. Never destroyed: workers may
// still fail while the process ends.
const FailurePtr& no_memory_at_all() {
  static const FailurePtr& made = *std::make_unique<const FailurePtr>(std::make_shared<const Failure>(
                                       Failure{"MemoryError", "no memory left", "", 0})).release();
  return made;
}
[[maybe_unused]] const FailurePtr& made_early = no_memory_at_all();

}  // namespace

FailurePtr make_failure(const char* kind, const char* message, const Task& task) noexcept {
  try {
    return std::make_shared<const Failure>(Failure{kind, message, task.name, task.place});
  } catch (const std::bad_alloc&) {
    return no_memory_at_all();
  }
}

FailurePtr current_failure(const Task& task) noexcept {
  try {
    throw;
  } catch (const KernelError& error) {
    return make_failure(error.kind().c_str(), error.message().c_str(), task);
  } catch (const std::bad_alloc&) {
    return make_failure("MemoryError", "no memory left", task);
  } catch (const std::exception& error) {
    return make_failure("RuntimeError", error.what(), task);
  } catch (...) {
    return make_failure("RuntimeError", "an exception of unknown type", task);
  }
}

}  // namespace myia
