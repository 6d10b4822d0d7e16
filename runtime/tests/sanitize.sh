#!/bin/sh
# Builds the native tests with the sanitizers and runs them: data races first, then memory and undefined
# behaviour. CMAKE chooses a cmake; JOBS how many compilers run at a time; MYIA_SOAK goes on longer.
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
jobs=${JOBS:-2}

# The first that runs: a version manager's shim may be there and not run.
for candidate in "${CMAKE:-}" "$root/.venv/bin/cmake" cmake; do
  if [ -n "$candidate" ] && "$candidate" --version >/dev/null 2>&1; then
    cmake=$candidate
    break
  fi
done
: "${cmake:?no cmake: put one into PATH, or name it in CMAKE}"

# Thread Sanitizer has fixed places for its shadow memory, and a kernel that spreads addresses widely may
# be in their way.
fixed_addresses=
if setarch -R true 2>/dev/null; then fixed_addresses="setarch -R"; fi

export TSAN_OPTIONS="halt_on_error=1 second_deadlock_stack=1 ${TSAN_OPTIONS:-}"
# Some tests ask for more memory than there is.
export ASAN_OPTIONS="detect_leaks=1 detect_stack_use_after_return=1 allocator_may_return_null=1 ${ASAN_OPTIONS:-}"
export UBSAN_OPTIONS="halt_on_error=1 print_stacktrace=1 ${UBSAN_OPTIONS:-}"

for sanitizer in thread address,undefined; do
  build=$root/build/sanitize-$(echo $sanitizer | tr , -)
  echo "== -fsanitize=$sanitizer, in $build"
  "$cmake" -S "$root/runtime" -B "$build" -DMYIA_MODULE=OFF -DMYIA_NATIVE_TESTS=ON \
    -DCMAKE_BUILD_TYPE=RelWithDebInfo "-DCMAKE_CXX_FLAGS_RELWITHDEBINFO=-O1 -g1" "-DMYIA_SANITIZE=$sanitizer" >/dev/null
  "$cmake" --build "$build" --parallel "$jobs"
  for test in "$build"/*; do
    name=$(basename "$test")
    if [ -f "$test" ] && [ -x "$test" ] && [ "${name#bench_}" = "$name" ]; then
      echo "-- $name"
      if [ $sanitizer = thread ]; then $fixed_addresses "$test"; else "$test"; fi
    fi
  done
done
echo "== clean"
