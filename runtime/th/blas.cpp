#include "th/blas.hpp"

#if __has_include(<dlfcn.h>)
#include <dlfcn.h>
#define MYIA_HAS_DLOPEN 1
#else
#define MYIA_HAS_DLOPEN 0
#endif

#include <atomic>
#include <cstdlib>
#include <string>

namespace myia::th {
namespace {

template <class T>
Blas<T> table;

std::atomic<bool> loaded = false;

#if MYIA_HAS_DLOPEN
/// Looks names up in one library, and remembers whether all were there.
class Symbols {
 public:
  explicit Symbols(void* library) : library_(library) {}

  template <class F>
  void find(F*& function, const std::string& name) {
    function = reinterpret_cast<F*>(dlsym(library_, ("scipy_" + name).c_str()));
    complete_ &= function != nullptr;
  }
  template <class T>
  void find_common(Blas<T>& routines, const std::string& letter) {
    find(routines.gemm, "cblas_" + letter + "gemm");
    find(routines.gemv, "cblas_" + letter + "gemv");
    find(routines.axpy, "cblas_" + letter + "axpy");
  }
  template <class T>
  void find_real(Blas<T>& routines, const std::string& letter) {
    find_common(routines, letter);
    find(routines.ger, "cblas_" + letter + "ger");
    find(routines.dot, "cblas_" + letter + "dot");
  }
  template <class T>
  void find_complex(Blas<T>& routines, const std::string& letter) {
    find_common(routines, letter);
    find(routines.ger, "cblas_" + letter + "geru");
    find(routines.dot_into, "cblas_" + letter + "dotu_sub");
  }
  [[nodiscard]] bool complete() const noexcept { return complete_; }

 private:
  void* library_;
  bool complete_ = true;
};
#endif

#if MYIA_HAS_DLOPEN
/// OpenBLAS starts its threads while it is loaded, as many as this variable says; they would spin in vain.
void* open_with_one_thread(const char* path) {
  constexpr const char* kVariable = "OPENBLAS_NUM_THREADS";
  const char* const given = std::getenv(kVariable);
  const std::string before = given ? given : "";
  setenv(kVariable, "1", 1);
  void* const library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (given) {
    setenv(kVariable, before.c_str(), 1);
  } else {
    unsetenv(kVariable);
  }
  return library;
}
#endif

}  // namespace

bool load_blas([[maybe_unused]] const char* library_path) {
  if (loaded) return true;
#if MYIA_HAS_DLOPEN
  // Local: NumPy's own OpenBLAS, and its number of threads, stay as they are. Never closed, as its
  // routines may be running to the end of the process.
  void* const library = open_with_one_thread(library_path);
  if (!library) return false;
  Symbols symbols(library);
  void (*set_num_threads)(int) = nullptr;
  symbols.find(set_num_threads, "openblas_set_num_threads");
  symbols.find_real(table<float>, "s");
  symbols.find_real(table<double>, "d");
  symbols.find_complex(table<std::complex<float>>, "c");
  symbols.find_complex(table<std::complex<double>>, "z");
  if (!symbols.complete()) return false;
  set_num_threads(1);
  loaded = true;
#endif
  return loaded;
}

bool have_blas() noexcept { return loaded; }

template <class T>
const Blas<T>& blas() noexcept {
  return table<T>;
}
template const Blas<float>& blas<float>() noexcept;
template const Blas<double>& blas<double>() noexcept;
template const Blas<std::complex<float>>& blas<std::complex<float>>() noexcept;
template const Blas<std::complex<double>>& blas<std::complex<double>>() noexcept;

}  // namespace myia::th
