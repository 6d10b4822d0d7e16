#include "dispatch/graph.hpp"

#include <algorithm>
#include <utility>

#include "dispatch/failure.hpp"
#include "dispatch/trace.hpp"

namespace myia {
namespace {

// The counters change only under the dispatcher's lock, so that a load and a store do for an addition.
// Release: whoever sees that a storage is ready sees its contents.
void add_to(std::atomic<std::int32_t>& counter, std::int32_t change) noexcept {
  counter.store(counter.load(std::memory_order_relaxed) + change, std::memory_order_release);
}

bool is_failed(const Storage& storage) noexcept { return storage.failed_.load(std::memory_order_relaxed); }

bool all_allocated(const Node& node) noexcept {
  return std::all_of(node.uses.begin(), node.uses.end(),
                     [](const Use& use) { return !use.writes || use.storage->allocated(); });
}

/// The first failure among what it reads, in the order in which it names them.
const FailurePtr* failure_of_inputs(const Node& node) noexcept {
  for (const Use& use : node.uses)
    if (use.reads && is_failed(*use.storage)) return &use.storage->failure_;
  return nullptr;
}

/// Contents that nobody ever wrote: the memory comes before the task is ready, as two readers must not
/// both ask for it. Of zeros they may.
FailurePtr allocate_inputs(const Node& node) noexcept {
  try {
    for (const Use& use : node.uses)
      if (!use.writes && !use.storage->zeros()) static_cast<void>(use.storage->data());
    return nullptr;
  } catch (const std::bad_alloc&) {
    return current_failure(*node.task);
  }
}

}  // namespace

void NodeList::remove(Node& node) noexcept {
  Node* before = nullptr;
  for (Node* at = first_; at != &node; at = at->next) before = at;
  (before ? before->next : first_) = node.next;
  if (last_ == &node) last_ = before;
}

void NodeList::append(NodeList& other) noexcept {
  if (other.empty()) return;
  (first_ ? last_->next : first_) = other.first_;
  last_ = other.last_;
  other = NodeList();
}

// -- submission ------------------------------------------------------------------------------------

Node& Graph::add(std::unique_ptr<Task>& task, std::span<Storage* const> reads,
                 std::span<Storage* const> writes, bool by_submitter, std::uint64_t time) {
  // All that may throw comes first.
  Node& node = free_node();
  node.uses.clear();
  node.uses.reserve(reads.size() + writes.size());
  reserve_dependences(reads.size() + writes.size());
  free_nodes_.pop_front();

  node.number = ++counts_.submitted;
  node.task = std::move(task);
  node.waiting = 0;
  node.parts = std::max(node.task->parts, 1);
  node.claimed = 0;
  node.left = by_submitter ? 1 : node.parts;  // which runs all parts in turn
  node.failure = nullptr;
  node.bytes = 0;
  node.submitted = time;
  node.ready = 0;
  node.by_submitter = by_submitter;
  node.granted = node.settled = false;
  ++in_use_;

  // A storage that is named twice is used once: the number of the task marks it.
  for (Storage* const storage : writes) {
    if (std::exchange(storage->last_task_, node.number) == node.number) continue;
    // While nobody writes it, nobody allocates it either; else the bytes are in flight already.
    if (storage->ready() && !storage->allocated()) node.bytes += storage->bytes();
    node.uses.push_back({&node, storage, nullptr, true, false});
  }
  const std::size_t written = node.uses.size();
  for (Storage* const storage : reads) {
    if (std::exchange(storage->last_task_, node.number) != node.number) {
      node.uses.push_back({&node, storage, nullptr, false, true});
      continue;
    }
    for (std::size_t k = 0; k < written; ++k)
      if (node.uses[k].storage == storage) node.uses[k].reads = true;
  }
  // One that writes in place holds its operands all the same: under a bound of one byte nothing runs beside it.
  node.bytes = std::max(node.bytes, std::uint64_t{1});
  bytes_ += node.bytes;
  for (Use& use : node.uses) {
    use.storage->retain();
    take_place(use);
  }
  if (!node.waiting) became_ready(node);
  settle_all();
  return node;
}

Node& Graph::free_node() {
  if (free_nodes_.empty()) free_nodes_.push_back(nodes_.emplace_back());
  return *free_nodes_.first();
}

void Graph::reserve_dependences(std::size_t count) {
  while (count_free_dependences_ < count) {
    Dependences& made = dependences_.emplace_back();
    made.next_free = std::exchange(free_dependences_, &made);
    ++count_free_dependences_;
  }
}

void Graph::take_place(Use& use) {
  Storage& storage = *use.storage;
  const int writers = storage.writers_.load(std::memory_order_relaxed);
  const int readers = storage.readers_.load(std::memory_order_relaxed);
  add_to(use.writes ? storage.writers_ : storage.readers_, 1);

  Dependences* d = storage.dependences_;
  const bool has_turn = !d && writers == 0 && (!use.writes || readers == 0);
  if (has_turn) return;
  if (!d) {
    d = storage.dependences_ = std::exchange(free_dependences_, free_dependences_->next_free);
    --count_free_dependences_;
    d->first = d->last = nullptr;
    d->active = writers + readers;
  }
  (d->first ? d->last->next : d->first) = &use;
  d->last = &use;
  ++use.node->waiting;
}

void Graph::became_ready(Node& node) {
  if (const FailurePtr* const failure = failure_of_inputs(node)) node.failure = *failure;
  else if (dropping_) node.failure = make_failure("RuntimeError", "dropped: the runtime was shut down", *node.task);
  else node.failure = allocate_inputs(node);
  if (node.failure) {
    ++(dropping_ ? counts_.dropped : counts_.failed);
    return settling_.push_back(node);
  }
  if (node.submitted) node.ready = trace::now();
  if (node.by_submitter) {
    node.granted = true;
    return;
  }
  if (order_ == Order::fifo) ready_.push_back(node);
  else ready_.push_front(node);
  ++available_;
}

// -- work ------------------------------------------------------------------------------------------

Job Graph::take() {
  if (open_.empty()) {
    if (ready_.empty()) return {};
    Node& node = ready_.pop_front();
    --available_;
    if (node.parts == 1) {
      node.claimed = 1;
      return {&node, 0};
    }
    if (!all_allocated(node)) return {&node, Job::kPrepare};
    prepared(node);
  }
  Node& node = *open_.first();
  const int part = node.claimed++;
  --available_;
  if (node.claimed == node.parts) open_.pop_front();
  return {&node, part};
}

void Graph::prepared(Node& node) {
  open_.push_back(node);
  available_ += node.parts;
}

void Graph::ended(Node& node, int part, FailurePtr failure) {
  if (part == Job::kPrepare) {
    node.left = 1;
  } else if (failure && node.claimed < node.parts && !node.by_submitter) {
    // The parts that nobody has claimed are not worth the work.
    const int unclaimed = node.parts - std::exchange(node.claimed, node.parts);
    open_.remove(node);
    node.left -= unclaimed;
    available_ -= unclaimed;
  }
  // Of several, that of the first part. It does not depend on chance: parts are claimed in order.
  if (failure && (!node.failure || part < node.failed_part)) {
    node.failure = std::move(failure);
    node.failed_part = part;
  }
  if (--node.left) return;
  if (node.failure) ++counts_.failed;
  settling_.push_back(node);
  settle_all();
}

void Graph::drop(bool dropping) {
  dropping_ = dropping;
  if (!dropping) return;
  NodeList dropped = std::exchange(ready_, NodeList());
  while (!dropped.empty()) {
    --available_;
    became_ready(dropped.pop_front());
  }
  settle_all();
}

// -- the end of a task -----------------------------------------------------------------------------

// A list and not a recursion: a failure may run down a chain of thousands of tasks.
void Graph::settle_all() {
  while (!settling_.empty()) {
    Node& node = settling_.pop_front();
    ++counts_.finished;
    for (const Use& use : node.uses) finish_use(use, node.failure);
    node.settled = true;
    retired_.push_back(node);
  }
}

void Graph::finish_use(const Use& use, const FailurePtr& failure) {
  Storage& storage = *use.storage;
  if (use.writes) {
    if (failure) {
      storage.failure_ = failure;
      storage.failed_.store(true, std::memory_order_release);
    } else if (is_failed(storage)) {
      storage.failed_.store(false, std::memory_order_release);
      storage.failure_ = nullptr;
    }
    storage.written();
  }
  // Last: a waiting thread goes on as soon as it sees this.
  add_to(use.writes ? storage.writers_ : storage.readers_, -1);
  give_turns(storage);
}

void Graph::give_turns(Storage& storage) {
  Dependences* const d = storage.dependences_;
  if (!d || --d->active) return;
  const bool writer = d->first->writes;
  do {
    Use& use = *d->first;
    d->first = use.next;
    ++d->active;
    if (!--use.node->waiting) became_ready(*use.node);
  } while (!writer && d->first && !d->first->writes);
  if (d->first) return;
  storage.dependences_ = nullptr;
  d->next_free = std::exchange(free_dependences_, d);
  ++count_free_dependences_;
}

NodeList Graph::take_retired() noexcept { return std::exchange(retired_, NodeList()); }

void Graph::give_back(NodeList& cleaned) noexcept {
  // Last used, first used again: its memory is in the cache.
  while (!cleaned.empty()) {
    Node& node = cleaned.pop_front();
    // Not before: until it is cleaned, its operands take memory too.
    bytes_ -= node.bytes;
    free_nodes_.push_front(node);
    --in_use_;
  }
}

}  // namespace myia
