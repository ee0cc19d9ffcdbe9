#pragma once

#include <cstdint>

#include "iomap/file.h"

namespace iomap::tests {

// A file that passes every question on to another and counts them. Not for concurrent use.
class CountingFile : public File {
 public:
  // `file` outlives it.
  explicit CountingFile(File& file) : File(file.inode()), file_(file) {}

  // How many times mappings were asked for.
  uint64_t calls() const { return calls_; }

  absl::StatusOr<Attributes> attributes() override { return file_.attributes(); }
  absl::StatusOr<size_t> MapForRead(const ByteRange& range, absl::Span<Mapping> out) override {
    ++calls_;
    return file_.MapForRead(range, out);
  }

 private:
  File& file_;
  uint64_t calls_ = 0;
};

}  // namespace iomap::tests
