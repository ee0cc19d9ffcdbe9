#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "iomap/attributes.h"
#include "iomap/file.h"
#include "iomap/mapping_writer.h"

namespace iomap::tests {

// A file whose mappings are a list: what the operations of iomap/ are tried on. What the list does
// not hold is a hole. Not thread-safe.
class ListedFile : public File {
 public:
  ListedFile(uint64_t size, std::vector<Mapping> mappings)
      : File(/*inode=*/12), size_(size), mappings_(std::move(mappings)) {}

  // From now on each answer has at most so many mappings.
  void AnswerAtMost(size_t mappings) { most_ = mappings; }

  // How many times a mapping method was called.
  size_t calls() const { return calls_; }

  absl::StatusOr<Attributes> attributes() override {
    return Attributes{.inode = inode(), .type = FileType::kRegular, .size = size_};
  }

  absl::StatusOr<size_t> MapForRead(const ByteRange& range, absl::Span<Mapping> out) override {
    ++calls_;
    MappingWriter writer(range, out.first(std::min(out.size(), most_)));
    for (const Mapping& mapping : mappings_) {
      if (!writer.Append(mapping)) {
        break;
      }
    }
    writer.AppendHoleUntil(range.end());
    return writer.count();
  }

 private:
  const uint64_t size_;
  const std::vector<Mapping> mappings_;
  size_t most_ = std::numeric_limits<size_t>::max();
  size_t calls_ = 0;
};

}  // namespace iomap::tests
