#pragma once

#include <deque>
#include <functional>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "dax/host_page_table.h"
#include "iomap/mutex.h"

namespace iomap::dax {

// Starts a thread on which no signal handler of the program runs. When it ends before `body` has
// returned (a backend that ends its thread, a cancellation), the process aborts and says so: those
// whose faults nobody resolves would wait for ever.
std::thread StartFaultThread(absl::string_view name, std::function<void()> body);

// A thread that resolves page faults, one after the other.
class FaultWorker {
 public:
  FaultWorker(absl::string_view name, std::function<void(const HostPageTable::Fault&)> resolve);
  // Resolves what has come until then.
  ~FaultWorker();
  FaultWorker(const FaultWorker&) = delete;
  FaultWorker& operator=(const FaultWorker&) = delete;

  void Add(const HostPageTable::Fault& fault);

 private:
  void Work();

  const std::function<void(const HostPageTable::Fault&)> resolve_;
  Mutex mutex_{LockRank::kLeaf};
  CondVar queued_;
  std::deque<HostPageTable::Fault> queue_ ABSL_GUARDED_BY(mutex_);
  bool ends_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace iomap::dax
