#pragma once

#include "dax/device.h"
#include "iomap/file.h"

namespace iomap::dax {

// A file whose bytes lie on devices of this process: what a backend with an on-disk format derives
// from. Thread-safety and errors: iomap::File.
class File : public iomap::File {
 public:
  // `devices` outlives the file.
  File(InodeNumber inode, const DeviceSet& devices) : iomap::File(inode), devices_(devices) {}

  // The devices that Mapping::device counts.
  const DeviceSet& devices() const { return devices_; }

 private:
  const DeviceSet& devices_;
};

}  // namespace iomap::dax
