#include "tests/host/mirror_device.h"

#include "dax/racing_copy.h"

namespace iomap::tests {

void MirrorDevice::Keep(const ByteRange& range) {
  const std::lock_guard<std::mutex> lock(mutex_);
  dax::CopyRacing(durable_.data() + range.offset, bytes().data() + range.offset, range.length);
}

}  // namespace iomap::tests
