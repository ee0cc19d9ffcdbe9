#include "backends/ext4/pointer_truncation.h"

#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "backends/endian.h"
#include "backends/ext4/format.h"
#include "iomap/status_macros.h"

namespace iomap::ext4 {
namespace {

constexpr uint64_t kDirectPointers = 12;
constexpr int kTrees = 3;

class Truncation {
 public:
  Truncation(Volume& volume, uint32_t inode, uint64_t first_block)
      : volume_(volume), inode_(inode), first_block_(first_block) {}

  // Cuts what hangs below the pointer at `place`, which has pointer blocks of `height` levels below
  // it and begins at `file_block`. True when the pointer is 0 afterwards.
  absl::StatusOr<bool> Cut(std::byte* place, int height, uint64_t file_block) {
    const uint64_t block = backends::Load<Le32>(place);
    if (block == 0) {
      return true;
    }
    bool is_empty = height == 0 && file_block >= first_block_;
    if (height > 0) {
      IOMAP_ASSIGN_OR_RETURN(is_empty, CutPointerBlock(block, height, file_block));
    }
    if (is_empty) {
      backends::Store<Le32>(place, 0);
      ++freed_blocks_;
    }
    return is_empty;
  }

  uint64_t freed_blocks() const { return freed_blocks_; }

  // File blocks below one pointer of `height`.
  uint64_t CoveredBy(int height) const {
    uint64_t covered = 1;
    for (int level = 0; level < height; ++level) {
      covered *= pointers_per_block();
    }
    return covered;
  }

 private:
  uint64_t pointers_per_block() const { return volume_.superblock().block_size / sizeof(Le32); }

  // True when no pointer of the block is left.
  absl::StatusOr<bool> CutPointerBlock(uint64_t block, int height, uint64_t file_block) {
    if (file_block + CoveredBy(height) <= first_block_) {
      return false;  // all of it stays
    }
    if (!volume_.HasBlocks(block, 1) || !visited_.insert(block).second) {
      return absl::DataLossError(absl::StrCat("ext4 inode ", inode_, ": pointer block ", block,
                                              " is outside the file system or reached twice"));
    }
    IOMAP_ASSIGN_OR_RETURN(const absl::Span<const std::byte> lying, volume_.Block(block));
    std::vector<std::byte> bytes(lying.begin(), lying.end());
    bool is_empty = true;
    for (uint64_t i = 0; i < pointers_per_block(); ++i) {
      IOMAP_ASSIGN_OR_RETURN(const bool is_zero, Cut(bytes.data() + i * sizeof(Le32), height - 1,
                                                     file_block + i * CoveredBy(height - 1)));
      is_empty = is_empty && is_zero;
    }
    IOMAP_RETURN_IF_ERROR(volume_.device().Write(block << volume_.superblock().block_shift, bytes));
    return is_empty;
  }

  Volume& volume_;
  const uint32_t inode_;
  const uint64_t first_block_;
  uint64_t freed_blocks_ = 0;
  absl::flat_hash_set<uint64_t> visited_;
};

}  // namespace

absl::StatusOr<uint64_t> TruncatePointers(Volume& volume, InodeRecord& record,
                                          uint64_t first_block) {
  DiskInode fields = record.fields();
  Truncation truncation(volume, record.number(), first_block);
  uint64_t file_block = 0;
  for (uint64_t i = 0; i < kDirectPointers + kTrees; ++i) {
    const int height = i < kDirectPointers ? 0 : static_cast<int>(i - kDirectPointers) + 1;
    IOMAP_RETURN_IF_ERROR(
        truncation.Cut(fields.block + i * sizeof(Le32), height, file_block).status());
    file_block += truncation.CoveredBy(height);
  }
  record.set_fields(fields);
  return truncation.freed_blocks();
}

}  // namespace iomap::ext4
