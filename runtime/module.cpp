// The module myia._runtime. The Array type and what is called at every operation are plain C API: a call
// through nanobind costs as much as a small kernel. nanobind binds the rest.

#define MYIA_IMPORTS_NUMPY
#include "array/array.hpp"

#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <cstdlib>

#include "array/chain.hpp"
#include "array/reuse.hpp"
#include "dispatch/trace.hpp"
#include "storage/allocator.hpp"

namespace nb = nanobind;

namespace myia {

Index inline_limit = Index{1} << 17;
Index split_size = Index{1} << 17;
#ifdef MYIA_DEBUG
bool enforce_marks = true;
#else
bool enforce_marks = false;
#endif

int parts_for(Index size, int cost) noexcept {
  const int workers = dispatcher::workers();
  if (workers < 2 || size * cost < 2 * split_size) return 1;
  // Two parts a worker, so that one who is late leaves less to wait for.
  const Index most = size * cost / split_size;
  return static_cast<int>(std::min<Index>(2 * workers, most));
}

bool import_numpy() {
  import_array1(false);
  import_umath1(false);
  return true;
}

}  // namespace myia

namespace {

void check(bool done) {
  if (!done) throw nb::python_error();
}

nb::dict memory_stats() {
  const auto now = myia::allocator::stats();
  nb::dict made;
  made["live"] = now.live;
  made["peak"] = now.peak;
  made["pooled"] = now.pooled;
  made["blocks"] = now.blocks;
  made["allocated"] = now.allocated;
  made["in_flight"] = myia::dispatcher::bytes_in_flight();
  return made;
}

nb::list stop_trace() {
  nb::list made;
  for (const myia::trace::Event& e : myia::trace::stop()) {
    nb::object place = nb::steal(myia::place_of(e.place));
    made.append(nb::make_tuple(std::string(e.name), place, e.worker, e.part, e.parts, e.task, e.submitted, e.ready,
                               e.begin, e.end));
  }
  return made;
}

nb::dict counts() {
  const auto now = myia::dispatcher::counts();
  nb::dict made;
  made["submitted"] = now.submitted;
  made["finished"] = now.finished;
  made["failed"] = now.failed;
  made["dropped"] = now.dropped;
  return made;
}

void set_workers(int count) {
  if (count < 0) throw nb::value_error("the number of workers is 0 or more");
  check(myia::wait_all());
  nb::gil_scoped_release released;
  myia::dispatcher::set_workers(count);
}

void set_order(const std::string& order) {
  if (order != "fifo" && order != "lifo") throw nb::value_error("the order is 'fifo' or 'lifo'");
  myia::dispatcher::set_order(order == "lifo" ? myia::Order::lifo : myia::Order::fifo);
}

void shutdown() {
  {
    nb::gil_scoped_release released;
    myia::dispatcher::shutdown();
  }
  myia::release_deferred();
}

}  // namespace

NB_MODULE(_runtime, m) {
  m.doc() = "The native runtime: storages, kernels, the dispatcher. Use it through myia and myia.runtime.";
  check(myia::import_numpy() && myia::import_dtypes() && myia::make_reuse());
  myia::Storage::set_owner_release(myia::defer_release);
  myia::status::wanted();  // finds where NumPy keeps its error state, while no other thread can ask
  check(myia::make_operators(m.ptr()) && myia::make_shaping(m.ptr()) && PyType_Ready(&myia::ArrayType) == 0 &&
        PyModule_AddObjectRef(m.ptr(), "Array", reinterpret_cast<PyObject*>(&myia::ArrayType)) == 0 &&
        myia::make_host(m.ptr()) && myia::make_products(m.ptr()) && myia::make_reductions(m.ptr()) &&
        myia::make_backprops(m.ptr()) && myia::make_interchange(m.ptr()) &&
        myia::make_index(m.ptr()) && myia::make_gather(m.ptr()) && myia::make_cumulative(m.ptr()) && myia::make_shadows(m.ptr()) &&
        myia::make_chains(m.ptr()));

  m.def("memory_stats", memory_stats,
        "Bytes of the runtime's storages: live now, peak since reset_peak(), pooled for reuse, and in_flight, to be\n"
        "written by work that has been submitted (a byte at least for each task); the number of blocks;\n"
        "and all bytes allocated since the start.");
  m.def("reset_peak", myia::allocator::reset_peak, "Begin the peak of memory_stats() anew.");
  m.def("begin_stretch", myia::allocator::begin_stretch,
        "Begin to measure the peak of a stretch of a program; gives that of the stretch around, for end_stretch().");
  m.def("end_stretch", myia::allocator::end_stretch, nb::arg("around"),
        "End the stretch begun last; gives its peak, in bytes that were live.");
  m.def("trim", myia::allocator::trim, "Give the memory kept for reuse back to the system.");
  m.def("set_pool_bound", myia::allocator::set_bound, nb::arg("bytes"), "The most bytes kept for reuse.");
  m.def("pool_bound", myia::allocator::bound);
  m.def("set_workers", set_workers, nb::arg("count"),
        "Work on `count` threads from now on, after what is pending; 0 works in the calling thread.");
  m.def("workers", myia::dispatcher::workers, "The number of worker threads.");
  m.def("set_order", set_order, nb::arg("order"), "Which ready task comes first: 'fifo', the oldest, or 'lifo'.");
  m.def("set_in_flight_bound", myia::dispatcher::set_bytes_in_flight_bound, nb::arg("bytes"),
        "How many bytes submitted work may be about to write before submitting waits.");
  m.def("in_flight_bound", myia::dispatcher::bytes_in_flight_bound);
  m.def("wait_all", [] { check(myia::wait_all()); }, "Wait until no work is pending.");
  m.def("counts", counts, "Tasks submitted, finished, failed and dropped since the start.");
  m.def("end_process", myia::end_process, "shutdown(), called when Python exits: threads that wait go on waiting.");
  m.def("shutdown", shutdown, "Drop work that has not begun and end the workers.");
  m.def("clock", [] { return static_cast<double>(myia::trace::now()) * 1e-9; }, "Seconds of the trace's clock.");
  m.def("start_trace", myia::trace::start);
  m.def("stop_trace", stop_trace);
  m.def("inline_limit", [] { return myia::inline_limit; }, "Work (elements times cost) up to which the caller does it himself.");
  m.def("set_inline_limit", [](myia::Index size) { myia::inline_limit = size; }, nb::arg("elements"));
  m.def("set_split_size", [](myia::Index size) { myia::split_size = std::max<myia::Index>(size, 1); },
        nb::arg("elements"), "Work (elements times cost) that one part of a split kernel has at least.");
  if (const char* const asked = std::getenv("MYIA_DEBUG_MARKS")) myia::enforce_marks = *asked && *asked != '0';
  m.def("set_enforce_marks", [](bool on) { myia::enforce_marks = on; }, nb::arg("on"),
        "Whether writing to an array that a pending backprop reads raises.");
  m.def("enforces_marks", [] { return myia::enforce_marks; });
}
