#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <vector>

#include "dispatch/dispatcher.hpp"

namespace myia {

struct Node;

/// One task's use of one storage.
struct Use {
  Node* node;
  Storage* storage;
  Use* next;    ///< the next one that waits for this storage
  bool writes;
  bool reads;
};

/// The uses of a storage that wait for their turn, in order of submission. A storage has one only
/// while somebody waits; without one, all its unfinished uses (`writers_` and `readers_`) have their turn.
struct Dependences {
  Use* first = nullptr;
  Use* last = nullptr;
  int active = 0;  ///< unfinished uses that have their turn: one writer, or readers
  Dependences* next_free = nullptr;
};

/// A submitted task.
struct Node {
  std::unique_ptr<Task> task;
  std::vector<Use> uses;
  int waiting = 0;      ///< uses that wait for their turn
  int parts = 1;
  int claimed = 0;      ///< parts that have been given to a worker
  int left = 0;         ///< parts that have not ended
  int failed_part = 0;
  FailurePtr failure;
  std::uint64_t bytes = 0;   ///< in flight because of it
  std::uint64_t number = 0;  ///< 1, 2, ... in order of submission
  std::uint64_t submitted = 0, ready = 0;  ///< times, 0 when not traced
  bool by_submitter = false;  ///< the thread that submits it runs it
  bool granted = false;       ///< (by_submitter) may run now
  bool settled = false;       ///< ended, one way or another
  Node* next = nullptr;       ///< in the one list that it is in
};

/// Nodes in order.
class NodeList {
 public:
  [[nodiscard]] bool empty() const noexcept { return !first_; }
  [[nodiscard]] Node* first() const noexcept { return first_; }
  void push_back(Node& node) noexcept {
    node.next = nullptr;
    (first_ ? last_->next : first_) = &node;
    last_ = &node;
  }
  void push_front(Node& node) noexcept {
    node.next = first_;
    if (!first_) last_ = &node;
    first_ = &node;
  }
  Node& pop_front() noexcept {
    Node& node = *first_;
    first_ = node.next;
    return node;
  }
  void remove(Node& node) noexcept;
  void append(NodeList& other) noexcept;

 private:
  Node* first_ = nullptr;
  Node* last_ = nullptr;
};

/// What a worker is to do next.
struct Job {
  Node* node = nullptr;  ///< null: there is nothing
  int part = 0;          ///< kPrepare: allocate what it writes, then call Graph::prepared
  static constexpr int kPrepare = -1;
};

/// The unfinished tasks and what they wait for. It has no threads and no lock: one at a time.
///
/// Invariants:
/// - each storage is a queue: one writer, or any number of readers next to each other, have their
///   turn, the others wait behind them in order of submission. This is read-after-write,
///   write-after-read and write-after-write together, at a cost that does not depend on how many
///   tasks use the storage;
/// - a task is ready when all its uses have their turn, and only then is looked at for failures of
///   what it reads: by then they are what they would be if tasks ran one after the other;
/// - a node is in use from add() until give_back(). In between, `take_retired` hands over nodes
///   whose task is over; the caller destroys the task and releases the storages without the lock.
class Graph {
 public:
  /// Nothing has happened if it throws (std::bad_alloc).
  Node& add(std::unique_ptr<Task>& task, std::span<Storage* const> reads, std::span<Storage* const> writes,
            bool by_submitter, std::uint64_t time);

  Job take();
  /// How many workers could find something to do now.
  [[nodiscard]] int available() const noexcept { return available_; }
  /// The memory is there: its parts may be claimed.
  void prepared(Node& node);
  /// A part has ended (or kPrepare has failed).
  void ended(Node& node, int part, FailurePtr failure);
  /// From now on, or no longer, tasks that get ready are dropped, and those that are ready now.
  void drop(bool dropping);

  [[nodiscard]] NodeList take_retired() noexcept;
  void give_back(NodeList& cleaned) noexcept;

  [[nodiscard]] std::size_t unfinished() const noexcept { return counts_.submitted - counts_.finished; }
  [[nodiscard]] std::size_t in_use() const noexcept { return in_use_; }
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }
  [[nodiscard]] const dispatcher::Counts& counts() const noexcept { return counts_; }
  void set_order(Order order) noexcept { order_ = order; }

 private:
  Node& free_node();
  void reserve_dependences(std::size_t count);
  void take_place(Use& use);
  void became_ready(Node& node);
  void settle_all();
  void finish_use(const Use& use, const FailurePtr& failure);
  void give_turns(Storage& storage);

  Order order_ = Order::fifo;
  bool dropping_ = false;
  NodeList ready_;    // nobody works on them yet
  NodeList open_;     // with parts to be claimed: they go first
  NodeList settling_; // cannot run, to be settled
  NodeList retired_;
  int available_ = 0;
  std::size_t in_use_ = 0;
  std::uint64_t bytes_ = 0;
  dispatcher::Counts counts_{};

  // Kept for ever, as there are no more than there were tasks at a time.
  std::deque<Node> nodes_;
  NodeList free_nodes_;
  std::deque<Dependences> dependences_;
  Dependences* free_dependences_ = nullptr;
  std::size_t count_free_dependences_ = 0;
};

}  // namespace myia
