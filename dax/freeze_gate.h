#pragma once

#include <array>
#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "iomap/mutex.h"

namespace iomap::dax {

// What a file system is frozen with (FIFREEZE): whoever changes it goes through the gate, in one of
// two levels, and waits there while it is closed. A write may fault on its buffer, so faults are
// let through until all writes are out. Safe for concurrent use.
class FreezeGate {
 public:
  enum class Level : uint8_t { kWrite, kFault };

  // A passage, which ends with its scope. Without a gate there is nothing to pass.
  enum class IfClosed : uint8_t { kWait, kStayOutside };
  class Passage {
   public:
    Passage(FreezeGate* gate, Level level, IfClosed if_closed = IfClosed::kWait);
    ~Passage();
    Passage(const Passage&) = delete;
    Passage& operator=(const Passage&) = delete;

    bool inside() const { return inside_; }

   private:
    FreezeGate* const gate_;
    const Level level_;
    bool inside_ = true;
  };

  // Closes the gate, and returns when nobody is inside. The file system is to be synced then. A
  // gate that is closed already is waited for.
  void Close();
  void Open();

 private:
  struct Door {
    explicit Door(LockRank rank) : lock(rank) {}

    SharedMutex lock;  // shared by who is inside
    bool closed ABSL_GUARDED_BY(lock) = false;
  };

  Door& DoorOf(Level level) { return level == Level::kWrite ? write_door_ : fault_door_; }
  void CloseDoor(Door& door);
  void WaitUntilOpen();

  Door write_door_{LockRank::kFreezeWrite};
  Door fault_door_{LockRank::kFreezeFault};
  Mutex mutex_{LockRank::kLeaf};
  CondVar opened_;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace iomap::dax
