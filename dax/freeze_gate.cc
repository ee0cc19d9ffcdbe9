#include "dax/freeze_gate.h"

namespace iomap::dax {

FreezeGate::Passage::Passage(FreezeGate* gate, Level level) : gate_(gate), level_(level) {
  if (gate_ == nullptr) {
    return;
  }
  const auto number = static_cast<size_t>(level_);
  const MutexLock lock(gate_->mutex_);
  while (gate_->closed_[number]) {
    gate_->changed_.Wait(gate_->mutex_);
  }
  ++gate_->inside_[number];
}

FreezeGate::Passage::~Passage() {
  if (gate_ == nullptr) {
    return;
  }
  const MutexLock lock(gate_->mutex_);
  if (--gate_->inside_[static_cast<size_t>(level_)] == 0) {
    gate_->changed_.NotifyAll();
  }
}

void FreezeGate::Close() {
  const MutexLock lock(mutex_);
  while (closed_[0]) {
    changed_.Wait(mutex_);  // one freeze at a time
  }
  for (size_t level = 0; level < closed_.size(); ++level) {
    closed_[level] = true;
    while (inside_[level] > 0) {
      changed_.Wait(mutex_);
    }
  }
}

void FreezeGate::Open() {
  const MutexLock lock(mutex_);
  closed_ = {};
  changed_.NotifyAll();
}

}  // namespace iomap::dax
