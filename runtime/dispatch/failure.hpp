#pragma once

#include "dispatch/dispatcher.hpp"

namespace myia {

/// Never fails: without memory for it, the failure says so.
[[nodiscard]] FailurePtr make_failure(const char* kind, const char* message, const Task& task) noexcept;

/// The exception that is being handled, as a failure of the task.
[[nodiscard]] FailurePtr current_failure(const Task& task) noexcept;

}  // namespace myia
