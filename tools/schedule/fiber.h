#pragma once

#include <ucontext.h>

#include <cstddef>
#include <functional>

namespace iomap::schedule {

// A stack for fibers, with a page below it that nobody may touch. Can be used again by another
// fiber when the one before has ended, or is never to go on.
class FiberStack {
 public:
  FiberStack();
  ~FiberStack();
  FiberStack(const FiberStack&) = delete;
  FiberStack& operator=(const FiberStack&) = delete;

  void* base() const;
  size_t size() const;  // bytes

 private:
  void* mapping_;
};

// A function that runs on a stack of its own, in turns with whoever resumes it, all on one thread
// of the operating system. The sanitizers are told of each switch. One that is destroyed before its
// function has returned never goes on: what lives on its stack is not destroyed.
class Fiber {
 public:
  Fiber(FiberStack& stack, std::function<void()> function);
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  // Runs it until it suspends itself or returns. Not from inside it.
  void Resume();
  // From inside: goes back to who has resumed it.
  void Suspend();

  bool has_ended() const { return has_ended_; }

 private:
  static void Enter(unsigned int high, unsigned int low);
  void Run();
  void Arrived();

  [[maybe_unused]] FiberStack& stack_;
  std::function<void()> function_;
  ucontext_t own_;
  ucontext_t resumer_;
  bool has_ended_ = false;

  // What the sanitizers keep of each side.
  struct SanitizerState {
    void* own_fake_stack = nullptr;
    void* resumer_fake_stack = nullptr;
    const void* resumer_stack = nullptr;
    size_t resumer_stack_size = 0;
    void* fiber = nullptr;
    void* resumer = nullptr;
  };
  [[maybe_unused]] SanitizerState sanitizer_;
};

}  // namespace iomap::schedule
