#include "dax/signal_traps.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <mutex>

#include "absl/strings/str_cat.h"
#include "iomap/status_macros.h"

namespace iomap::dax {
namespace {

// A thread inside the handler; lies on its stack.
struct Waiter {
  uintptr_t address;
  bool is_store;
  std::atomic<uint32_t> let_go = 0;
};

// The mappings that the handler knows, which must not lock or allocate: found by a walk over a
// fixed number of places. `end` is set last and cleared first.
struct Watched {
  std::atomic<uintptr_t> begin = 0;
  std::atomic<uintptr_t> end = 0;
  std::atomic<int> pipe = -1;
};
constexpr size_t kMostWatched = 256;
std::array<Watched, kMostWatched> watched;
std::mutex watched_mutex;            // of who changes it
std::atomic<pid_t> watched_process;  // a child of fork has the handler, and nobody who reads
struct sigaction earlier_action;

void PassOn(int signal, siginfo_t* info, void* context) {
  if ((earlier_action.sa_flags & SA_SIGINFO) != 0) {
    earlier_action.sa_sigaction(signal, info, context);
  } else if (earlier_action.sa_handler == SIG_DFL || earlier_action.sa_handler == SIG_IGN) {
    sigaction(SIGSEGV, &earlier_action, nullptr);  // it happens again, and is no more ours
  } else {
    earlier_action.sa_handler(signal);
  }
}

bool IsStore(const void* context) {
#if defined(__x86_64__)
  constexpr greg_t kWrite = 2;  // of the page-fault error code
  return (static_cast<const ucontext_t*>(context)->uc_mcontext.gregs[REG_ERR] & kWrite) != 0;
#else
  static_cast<void>(context);
  return true;
#endif
}

void Wait(int pipe, uintptr_t address, bool is_store) {
  Waiter waiter{address, is_store};
  const auto told = reinterpret_cast<uintptr_t>(&waiter);
  while (write(pipe, &told, sizeof told) < 0 && errno == EINTR) {
  }
  while (waiter.let_go.load(std::memory_order_acquire) == 0) {
    syscall(SYS_futex, &waiter.let_go, FUTEX_WAIT_PRIVATE, 0, nullptr, nullptr, 0);
  }
}

void HandleSignal(int signal, siginfo_t* info, void* context) {
  const int error = errno;
  const auto address = reinterpret_cast<uintptr_t>(info->si_addr);
  for (const Watched& mapping : watched) {
    const uintptr_t end = mapping.end.load(std::memory_order_acquire);
    if (address < end && address >= mapping.begin.load(std::memory_order_relaxed) &&
        watched_process.load(std::memory_order_relaxed) == getpid()) {
      Wait(mapping.pipe.load(std::memory_order_relaxed), address, IsStore(context));
      errno = error;
      return;
    }
  }
  PassOn(signal, info, context);
  errno = error;
}

absl::Status InstallHandler() {
  static std::once_flag installed;
  static absl::Status status;
  std::call_once(installed, [] {
    struct sigaction action = {};
    action.sa_sigaction = &HandleSignal;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER | SA_RESTART;
    sigemptyset(&action.sa_mask);
    if (sigaction(SIGSEGV, &action, &earlier_action) != 0) {
      status = SystemError("sigaction");
    }
  });
  return status;
}

absl::Status Protect(const MemoryRange& pages, int protection) {
  return mprotect(PointerTo(pages.begin), pages.bytes, protection) == 0 ? absl::OkStatus()
                                                                        : SystemError("mprotect");
}

}  // namespace

absl::StatusOr<std::unique_ptr<PageTraps>> SignalTraps::Make() {
#if !defined(__x86_64__)
  return absl::UnavailableError("SIGSEGV: does not tell a store from a load here");
#endif
  std::array<int, 2> ends = {};
  if (pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0) {
    return SystemError("pipe2");
  }
  // Who writes waits for room.
  fcntl(ends[1], F_SETFL, 0);
  return std::unique_ptr<PageTraps>(new SignalTraps(ends[0], ends[1]));
}

SignalTraps::~SignalTraps() {
  close(read_end_);
  close(write_end_);
}

absl::Status SignalTraps::Begin(const MemoryRange& whole) {
  IOMAP_RETURN_IF_ERROR(InstallHandler());
  const std::lock_guard<std::mutex> lock(watched_mutex);
  if (watched_process != getpid()) {
    for (Watched& mapping : watched) {
      mapping.end = 0;  // of the parent's, which are not here
    }
    watched_process = getpid();
  }
  for (Watched& mapping : watched) {
    if (mapping.end == 0) {
      mapping.begin = whole.begin;
      mapping.pipe = write_end_;
      mapping.end = whole.end();
      return absl::OkStatus();
    }
  }
  return absl::ResourceExhaustedError(absl::StrCat(
      "no more than ", kMostWatched, " mappings of a process can be tracked by signals"));
}

void SignalTraps::End(const MemoryRange& whole) {
  {
    const std::lock_guard<std::mutex> lock(watched_mutex);
    for (Watched& mapping : watched) {
      if (mapping.begin == whole.begin && mapping.end == whole.end()) {
        mapping.end = 0;
      }
    }
  }
  UnmapMemory(whole);
}

absl::StatusOr<MemoryRange> SignalTraps::MakePages(size_t bytes, const Pages& pages) {
  switch (pages.state) {
    case PageState::kUnmapped:
      return MapAnonymous(bytes, PROT_NONE);
    case PageState::kZeroes:
      return MapAnonymous(bytes, PROT_READ);
    case PageState::kReadOnly:
      return MapFile(bytes, PROT_READ, pages.descriptor, pages.offset);
    case PageState::kWritable:
      return MapFile(bytes, PROT_READ | PROT_WRITE, pages.descriptor, pages.offset);
    case PageState::kRefused:
      break;
  }
  return MapNothing(bytes);
}

absl::Status SignalTraps::AllowStores(const MemoryRange& pages) {
  return Protect(pages, PROT_READ | PROT_WRITE);
}

absl::Status SignalTraps::TrapStores(const MemoryRange& pages) { return Protect(pages, PROT_READ); }

std::vector<pollfd> SignalTraps::descriptors() const { return {{read_end_, POLLIN, 0}}; }

std::optional<PageTraps::Fault> SignalTraps::NextFault() {
  uintptr_t told = 0;
  if (read(read_end_, &told, sizeof told) != sizeof told) {
    return std::nullopt;
  }
  auto* const waiter = static_cast<Waiter*>(PointerTo(told));
  return Fault{waiter->address, waiter->is_store, waiter};
}

void SignalTraps::LetGo(const Fault& fault) {
  auto* const waiter = static_cast<Waiter*>(fault.waiter);
  auto* const word = &waiter->let_go;
  waiter->let_go.store(1, std::memory_order_release);
  // The waiter may have gone by now; then nobody waits there, or somebody who looks again.
  syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
}

}  // namespace iomap::dax
