#include "array/array.hpp"

namespace myia {

namespace {

constexpr int kTypeNumbers[th::kKinds] = {
    NPY_BOOL, NPY_INT8, NPY_INT16, NPY_INT32, NPY_INT64, NPY_UINT8, NPY_UINT16, NPY_UINT32, NPY_UINT64,
    NPY_HALF, NPY_FLOAT32, NPY_FLOAT64, NPY_COMPLEX64, NPY_COMPLEX128,
};

PyArray_Descr* descriptors[th::kKinds];
signed char kinds[NPY_NTYPES_LEGACY];  // -1: kernels do not know it

}  // namespace

bool import_dtypes() {
  for (auto& kind : kinds) kind = -1;
  for (int k = 0; k < th::kKinds; ++k) {
    descriptors[k] = PyArray_DescrFromType(kTypeNumbers[k]);
    if (!descriptors[k]) return false;
    kinds[kTypeNumbers[k]] = static_cast<signed char>(k);
  }
  // C has two names for 64 bits; NumPy keeps both, and they compare equal.
  const auto same = [](int alias, int signed_bits) {
    if (kinds[alias] < 0) kinds[alias] = kinds[signed_bits];
  };
  static_assert(sizeof(long long) == 8);
  same(NPY_LONGLONG, NPY_INT64);
  same(NPY_ULONGLONG, NPY_UINT64);
  if (sizeof(long) == 8) {
    same(NPY_LONG, NPY_INT64);
    same(NPY_ULONG, NPY_UINT64);
  } else {
    same(NPY_LONG, NPY_INT32);
    same(NPY_ULONG, NPY_UINT32);
  }
  return true;
}

bool kind_of(int type_number, Kind& kind) noexcept {
  if (type_number < 0 || type_number >= NPY_NTYPES_LEGACY || kinds[type_number] < 0) return false;
  kind = static_cast<Kind>(kinds[type_number]);
  return true;
}

int type_number(Kind kind) noexcept { return kTypeNumbers[static_cast<int>(kind)]; }

PyArray_Descr* descriptor(Kind kind) noexcept { return descriptors[static_cast<int>(kind)]; }

PyObject* numpy() {
  static PyObject* const module = PyImport_ImportModule("numpy");
  return module;
}

}  // namespace myia
