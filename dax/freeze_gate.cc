#include "dax/freeze_gate.h"

namespace iomap::dax {

FreezeGate::Passage::Passage(FreezeGate* gate, Level level,
                             IfClosed if_closed) ABSL_NO_THREAD_SAFETY_ANALYSIS : gate_(gate),
                                                                                  level_(level) {
  if (gate_ == nullptr) {
    return;
  }
  Door& door = gate_->DoorOf(level_);
  door.lock.LockShared();
  while (door.closed) {
    door.lock.UnlockShared();
    if (if_closed == IfClosed::kStayOutside) {
      inside_ = false;
      return;
    }
    gate_->WaitUntilOpen();
    door.lock.LockShared();
  }
}

FreezeGate::Passage::~Passage() ABSL_NO_THREAD_SAFETY_ANALYSIS {
  if (gate_ != nullptr && inside_) {
    gate_->DoorOf(level_).lock.UnlockShared();
  }
}

void FreezeGate::WaitUntilOpen() {
  const MutexLock lock(mutex_);
  while (closed_) {
    opened_.Wait(mutex_);
  }
}

void FreezeGate::CloseDoor(Door& door) {
  const WriterLock lock(door.lock);  // nobody is inside
  door.closed = true;
}

void FreezeGate::Close() {
  {
    const MutexLock lock(mutex_);
    while (closed_) {
      opened_.Wait(mutex_);
    }
    closed_ = true;
  }
  CloseDoor(write_door_);
  CloseDoor(fault_door_);
}

void FreezeGate::Open() {
  for (Door* door : {&write_door_, &fault_door_}) {
    const WriterLock lock(door->lock);
    door->closed = false;
  }
  const MutexLock lock(mutex_);
  closed_ = false;
  opened_.NotifyAll();
}

}  // namespace iomap::dax
