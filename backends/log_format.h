#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "backends/buffer.h"

namespace iomap::backends {

// How a log looks on the medium: what the transaction engine knows of a format. Called by one
// thread at a time for the first two writes, and by one at a time for MoveTail. Flushes what it
// stores; drains are the engine's.
class LogFormat {
 public:
  virtual ~LogFormat() = default;

  // What the log can hold, and what a transaction takes of it at most, in the format's own unit.
  virtual uint64_t size() const = 0;
  virtual uint64_t SpaceFor(const Credits& credits) const = 0;

  // Writes all of a transaction but what makes it count. `images` are sealed and ascend by address;
  // older images of `cancelled` are not to be put in place by a recovery.
  virtual absl::Status WriteBody(Sequence sequence, absl::Span<const BufferImage> images,
                                 absl::Span<const Buffer> cancelled) = 0;

  // Once the body is durable.
  virtual absl::Status WriteCommitRecord(Sequence sequence) = 0;

  // Recovery is to begin with transaction `oldest`, which may be one that does not exist yet: those
  // before it are in place.
  virtual absl::Status MoveTail(Sequence oldest) = 0;
};

}  // namespace iomap::backends
