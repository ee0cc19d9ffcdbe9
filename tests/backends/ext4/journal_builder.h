#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "backends/ext4/journal_superblock.h"
#include "tests/backends/ext4/ext4_image.h"

namespace iomap::tests {

// What a journal is made with.
struct JournalLayout {
  ext4::JournalChecksums checksums = ext4::JournalChecksums::kV3;
  bool has_64bit = true;
  bool commits_asynchronously = false;
  bool has_fast_commits = false;
  uint32_t start = 1;      // block of the journal where the log begins
  uint32_t sequence = 17;  // of its first transaction
};

// A block of the file system and what a transaction makes of it: bytes of one value, behind four
// bytes that are given.
struct BlockChange {
  uint64_t block = 0;
  unsigned char fill = 0;
  uint32_t first_word = 0;  // big-endian, at the start of the block
};

// Writes transactions, right to the last checksum, into the journal of an image that mke2fs made,
// and single wrong things on demand. Everything goes to the image at once.
class JournalBuilder {
 public:
  // The image needs a journal; it is marked as in need of recovery.
  static absl::StatusOr<JournalBuilder> Make(Ext4Image& image, const JournalLayout& layout);

  uint32_t block_size() const { return block_size_; }
  uint32_t block_count() const { return static_cast<uint32_t>(addresses_.size()); }
  uint32_t ring_end() const { return ring_end_; }
  // Where block `index` of the journal lies in the image, in bytes.
  uint64_t AddressOf(uint32_t index) const { return addresses_[index]; }
  // The block of the journal that is written next.
  uint32_t position() const { return position_; }
  uint32_t sequence() const { return sequence_; }

  // A descriptor block and the copies; one transaction may have many.
  void Write(const std::vector<BlockChange>& changes);
  void Revoke(const std::vector<uint64_t>& blocks);
  void Commit(uint64_t seconds = 1000);

  // Sets a field of the journal's superblock, big-endian, and its checksum.
  void PutSuperblock(size_t offset, uint32_t value);
  // Makes the checksum at the end of a descriptor or revoke block, or of a commit block, right.
  void FixTail(uint32_t index);
  void FixCommit(uint32_t index);
  // Makes the checksums in the tags of a descriptor with checksum version 3 those of its copies,
  // and its own right.
  void FixCopies(uint32_t index);

  // Puts `records` into the fast-commit area, from its block `index` on.
  void PutFastCommitBlock(uint32_t index, absl::Span<const std::byte> records);

 private:
  JournalBuilder(Ext4Image& image, const JournalLayout& layout)
      : image_(image), layout_(layout), position_(layout.start), sequence_(layout.sequence) {}

  bool HasBlockChecksums() const;
  absl::Span<std::byte> BlockAt(uint32_t index);
  uint32_t Advance();
  void PutBig(uint64_t address, uint64_t value, size_t width);
  void PutHeader(uint32_t index, uint32_t type);
  void PutTag(std::vector<std::byte>& tags, const BlockChange& change, bool is_first, bool is_last,
              uint32_t checksum) const;
  uint32_t BlockChecksum(absl::Span<const std::byte> block) const;

  Ext4Image& image_;
  JournalLayout layout_;
  uint32_t block_size_ = 0;
  uint32_t ring_end_ = 0;
  uint32_t seed_ = 0;
  uint32_t position_;
  uint32_t sequence_;
  uint32_t transaction_checksum_ = ~0u;
  std::vector<uint64_t> addresses_;
};

}  // namespace iomap::tests
