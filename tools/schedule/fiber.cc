#include "tools/schedule/fiber.h"

#include <sys/mman.h>

#include <cstdint>
#include <utility>

#include "iomap/check.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif
#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#endif

namespace iomap::schedule {
namespace {

constexpr size_t kStackBytes = size_t{256} << 10;
constexpr size_t kGuardBytes = 4096;

}  // namespace

FiberStack::FiberStack()
    : mapping_(mmap(nullptr, kGuardBytes + kStackBytes, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0)) {
  IOMAP_CHECK(mapping_ != MAP_FAILED);
  IOMAP_CHECK(mprotect(mapping_, kGuardBytes, PROT_NONE) == 0);
}

FiberStack::~FiberStack() { munmap(mapping_, kGuardBytes + kStackBytes); }

void* FiberStack::base() const { return static_cast<char*>(mapping_) + kGuardBytes; }

size_t FiberStack::size() const { return kStackBytes; }

Fiber::Fiber(FiberStack& stack, std::function<void()> function)
    : stack_(stack), function_(std::move(function)) {
  IOMAP_CHECK(getcontext(&own_) == 0);
  own_.uc_stack.ss_sp = stack.base();
  own_.uc_stack.ss_size = stack.size();
  own_.uc_link = nullptr;
  // makecontext passes ints: a pointer goes in two halves.
  const auto self = reinterpret_cast<uintptr_t>(this);
  makecontext(&own_, reinterpret_cast<void (*)()>(&Fiber::Enter), 2,
              static_cast<unsigned int>(self >> 32), static_cast<unsigned int>(self));
#if defined(__SANITIZE_THREAD__)
  sanitizer_.fiber = __tsan_create_fiber(0);
#endif
}

Fiber::~Fiber() {
#if defined(__SANITIZE_THREAD__)
  __tsan_destroy_fiber(sanitizer_.fiber);
#endif
}

void Fiber::Enter(unsigned int high, unsigned int low) {
  const uintptr_t self = static_cast<uintptr_t>(high) << 32 | low;
  reinterpret_cast<Fiber*>(self)->Run();  // NOLINT(performance-no-int-to-ptr): see makecontext
}

// After each switch to the fiber's stack.
void Fiber::Arrived() {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(sanitizer_.own_fake_stack, &sanitizer_.resumer_stack,
                                  &sanitizer_.resumer_stack_size);
#endif
}

void Fiber::Run() {
  Arrived();
  function_();
  has_ended_ = true;
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(nullptr, sanitizer_.resumer_stack, sanitizer_.resumer_stack_size);
#endif
#if defined(__SANITIZE_THREAD__)
  __tsan_switch_to_fiber(sanitizer_.resumer, 0);
#endif
  setcontext(&resumer_);
}

void Fiber::Resume() {
  IOMAP_CHECK(!has_ended_);
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(&sanitizer_.resumer_fake_stack, stack_.base(), stack_.size());
#endif
#if defined(__SANITIZE_THREAD__)
  sanitizer_.resumer = __tsan_get_current_fiber();
  __tsan_switch_to_fiber(sanitizer_.fiber, 0);
#endif
  swapcontext(&resumer_, &own_);
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(sanitizer_.resumer_fake_stack, nullptr, nullptr);
#endif
}

void Fiber::Suspend() {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(&sanitizer_.own_fake_stack, sanitizer_.resumer_stack,
                                 sanitizer_.resumer_stack_size);
#endif
#if defined(__SANITIZE_THREAD__)
  __tsan_switch_to_fiber(sanitizer_.resumer, 0);
#endif
  swapcontext(&own_, &resumer_);
  Arrived();
}

}  // namespace iomap::schedule
