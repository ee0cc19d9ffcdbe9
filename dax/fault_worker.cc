#include "dax/fault_worker.h"

#include <pthread.h>
#include <signal.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>

namespace iomap::dax {
namespace {

// Ends the process when its scope is left early.
class MustReturn {
 public:
  MustReturn() = default;
  ~MustReturn() {
    if (!returned) {
      std::fputs(
          "iomap: a thread that resolves page faults has ended; the threads that wait for it "
          "would wait for ever\n",
          stderr);
      std::abort();
    }
  }
  MustReturn(const MustReturn&) = delete;
  MustReturn& operator=(const MustReturn&) = delete;

  bool returned = false;
};

}  // namespace

std::thread StartFaultThread(absl::string_view name, std::function<void()> body) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);  // the new thread inherits it
  std::thread thread([body = std::move(body)] {
    MustReturn must_return;
    body();
    must_return.returned = true;
  });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_setname_np(thread.native_handle(), std::string(name).c_str());
  return thread;
}

FaultWorker::FaultWorker(absl::string_view name,
                         std::function<void(const HostPageTable::Fault&)> resolve)
    : resolve_(std::move(resolve)), thread_(StartFaultThread(name, [this] { Work(); })) {}

FaultWorker::~FaultWorker() {
  {
    const MutexLock lock(mutex_);
    ends_ = true;
    queued_.NotifyAll();
  }
  thread_.join();
}

void FaultWorker::Add(const HostPageTable::Fault& fault) {
  const MutexLock lock(mutex_);
  queue_.push_back(fault);
  queued_.NotifyOne();
}

void FaultWorker::Work() {
  while (true) {
    HostPageTable::Fault fault = {};
    {
      const MutexLock lock(mutex_);
      while (queue_.empty() && !ends_) {
        queued_.Wait(mutex_);
      }
      if (queue_.empty()) {
        return;
      }
      fault = queue_.front();
      queue_.pop_front();
    }
    resolve_(fault);
  }
}

}  // namespace iomap::dax
