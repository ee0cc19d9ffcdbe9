#pragma once

#include <cstdint>

namespace iomap::dax {

// The mistakes that DAX implementations have made, or could make: the seam through which tests show
// that they would notice. BasicAddressSpace asks a policy, given as a template parameter, at each
// place where one of them would be made; what the library is built with makes none, and the
// questions vanish when it is compiled.
enum class Mistake : uint8_t {
  kFlushBeforeMkclean,       // a store between the two is not flushed, and the page is clean
  kDirtyClearedEarly,        // before the flush: a second fsync finds nothing, and returns
  kAliasNotCleaned,          // one page table alone is write-protected
  kHugeEntryNotCleaned,      // 2 MiB mappings stay writable
  kEntryDroppedWhileDirty,   // eviction of clean entries takes dirty ones too
  kMappingBeforeEntryLock,   // what the fault has looked up may have changed
  kWakeOneOnErase,           // the others wait for an entry that is gone
  kEntryRemovedOnWriteBack,  // the page stays mapped and is not tracked
  kFollowerSkipsDrain,       // somebody else's drain is not for our flush
  kErrorSwallowed,           // a failed drain counts as one that worked
  kStaleAddress,             // the entry is not looked at again once its lock is there
  kDirtyInsteadOfToWrite,    // no snapshot: what becomes dirty meanwhile is flushed too, for ever
};

// The policy of the library.
struct NoMistakes {
  static constexpr bool Makes(Mistake /*mistake*/) { return false; }
};

}  // namespace iomap::dax
