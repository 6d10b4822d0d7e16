#include "storage/storage.hpp"

#include <cassert>
#include <cstring>
#include <mutex>
#include <new>

#include "storage/allocator.hpp"

namespace myia {
namespace {

// Data up to here share a block with their header: one visit to the allocator and not two.
constexpr std::size_t kTogether = 1024;
constexpr std::size_t kHeader =
    (sizeof(Storage) + allocator::kAlignment - 1) / allocator::kAlignment * allocator::kAlignment;

std::atomic<void (*)(void*)> owner_release{nullptr};

/// Held while memory is filled with zeros, which several may ask for.
std::mutex filling;

// data() never returns null, as that means "not yet": borrowed nothing is here.
alignas(allocator::kAlignment) char nothing[allocator::kAlignment];

}  // namespace

void Storage::set_owner_release(void (*release)(void*)) noexcept {
  owner_release.store(release, std::memory_order_release);
}

Ref<Storage> Storage::make(std::size_t bytes) {
  const bool together = bytes <= kTogether;
  void* const place = allocator::allocate(together ? kHeader + bytes : kHeader);
  auto* const made = ::new (place) Storage;
  made->bytes_ = bytes;
  made->memory_ = together ? Memory::with_header : Memory::own;
  return Ref<Storage>::adopt(made);
}

Ref<Storage> Storage::make_zeros(std::size_t bytes) {
  Ref<Storage> made = make(bytes);
  made->zeros_ = true;
  if (made->memory_ == Memory::with_header) made->allocate();
  return made;
}

Ref<Storage> Storage::borrow(void* data, std::size_t bytes, void* owner, bool writable) {
  auto* const made = ::new (allocator::allocate(kHeader)) Storage;
  made->data_ = data ? static_cast<char*>(data) : nothing;
  made->bytes_ = bytes;
  made->owner_ = owner;
  made->writable_ = writable;
  made->memory_ = Memory::foreign;
  return Ref<Storage>::adopt(made);
}

char* Storage::allocate() {
  const std::unique_lock guard = zeros_ ? std::unique_lock(filling) : std::unique_lock<std::mutex>();
  if (char* const there = data_.load(std::memory_order_relaxed)) return there;
  char* const made = memory_ == Memory::with_header ? reinterpret_cast<char*>(this) + kHeader
                                                    : static_cast<char*>(allocator::allocate(bytes_));
  if (zeros_) std::memset(made, 0, bytes_);
  data_.store(made, std::memory_order_release);
  return made;
}

void Storage::free_data() noexcept {
  char* const there = data_.exchange(nullptr, std::memory_order_relaxed);
  if (memory_ == Memory::own && there) allocator::free(there, bytes_);
  if (void* const owner = std::exchange(owner_, nullptr)) {
    if (const auto release = owner_release.load(std::memory_order_acquire)) release(owner);
  }
}

void Storage::destroy() noexcept {
  assert(!dependences_ && idle());
  free_data();
  const std::size_t size = memory_ == Memory::with_header ? kHeader + bytes_ : kHeader;
  this->~Storage();
  allocator::free(this, size);
}

}  // namespace myia
