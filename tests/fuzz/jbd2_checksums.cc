#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "absl/types/span.h"
#include "backends/crc32c.h"
#include "backends/endian.h"
#include "backends/ext4/format.h"
#include "iomap/for_each_mapping.h"
#include "iomap/status_macros.h"
#include "tests/fuzz/base_image.h"
#include "tests/fuzz/journal_checksums.h"

namespace iomap::tests {
namespace {

using backends::Be16;
using backends::Be32;
using backends::ExtendCrc32c;
using backends::Le16;
using backends::Load;
using Bytes = absl::Span<const std::byte>;
using Block = std::vector<std::byte>;

// The superblock of a journal, the heads and tags of its blocks. Big-endian.
constexpr uint32_t kMagic = 0xc03b3998;
constexpr size_t kHeadType = 4, kHeadSequence = 8, kHeadBytes = 12;
constexpr uint32_t kDescriptor = 1, kCommit = 2, kRevoke = 5;
constexpr size_t kBlocks = 0x10, kFirst = 0x14, kIncompat = 0x28, kUuid = 0x30;
constexpr size_t kFastCommitBlocks = 0x54, kSuperblockChecksum = 0xfc, kSuperblockBytes = 1024;
constexpr uint32_t k64Bit = 2, kChecksums2 = 8, kChecksums3 = 0x10, kFastCommits = 0x20;
constexpr uint32_t kUsualFastCommitBlocks = 256;
constexpr size_t kCommitChecksum = 0x10;
constexpr uint32_t kSameUuid = 2, kLastTag = 8;
// A tag and its length, little-endian, begin each piece of a fast commit.
constexpr size_t kPieceHeadBytes = 4;
constexpr uint16_t kTailPiece = 8;

void StoreBig(uint32_t value, size_t width, std::byte* at) {
  for (size_t i = 0; i < width; ++i) {
    at[i] = static_cast<std::byte>(value >> (8 * (width - 1 - i)));
  }
}

// Where a descriptor tells of a block that it has logged.
struct Tag {
  uint64_t descriptor = 0;  // block of the journal
  size_t place = 0;         // of the tag, in the descriptor
  uint64_t home = 0;        // where the block belongs
};

class Jbd2Checksums : public JournalChecksums {
 public:
  Jbd2Checksums(const dax::Device& device, const BaseImage& base, std::vector<uint64_t> addresses)
      : base_(base), block_size_(base.block_size()), addresses_(std::move(addresses)) {
    if (addresses_.empty()) {
      return;
    }
    const Bytes superblock = At(device, 0);
    const auto field = [&](size_t place) { return Load<Be32>(superblock.data() + place); };
    incompat_ = field(kIncompat);
    seed_ = ExtendCrc32c(~0u, superblock.subspan(kUuid, 16));
    const uint64_t blocks = std::min<uint64_t>(field(kBlocks), addresses_.size());
    const uint32_t told = field(kFastCommitBlocks);
    const uint64_t fast = (incompat_ & kFastCommits) == 0 ? 0
                          : told == 0                     ? kUsualFastCommitBlocks
                                                          : told;
    log_begin_ = field(kFirst);
    log_end_ = blocks - std::min(fast, blocks);
    blocks_ = blocks;
    for (uint64_t block = log_begin_; block < log_end_; ++block) {
      if (TypeOf(At(device, block)) == kDescriptor) {
        AddTags(block, At(device, block));
      }
    }
  }

  absl::Status Repair(const ByteRange& changed, dax::Device& device) const override {
    std::set<uint64_t> blocks;
    for (uint64_t block = 0; block < addresses_.size(); ++block) {
      if (ByteRange{addresses_[block], block_size_}.Overlaps(changed)) {
        blocks.insert(block);
      }
    }
    bool has_fast_commit = false;
    for (uint64_t block : blocks) {
      if (const auto tag = tags_.find(block); tag != tags_.end()) {
        IOMAP_RETURN_IF_ERROR(RepairLogged(block, tag->second, device));
      } else {
        IOMAP_RETURN_IF_ERROR(RepairOwn(block, device));
      }
      has_fast_commit = has_fast_commit || (block >= log_end_ && block < blocks_);
    }
    return has_fast_commit ? RepairFastCommits(device) : absl::OkStatus();
  }

 private:
  Bytes At(const dax::Device& device, uint64_t block) const {
    return device.bytes().subspan(addresses_[block], block_size_);
  }

  bool has_checksums() const { return (incompat_ & (kChecksums2 | kChecksums3)) != 0; }

  // 0 when it is no block of the journal itself.
  static uint32_t TypeOf(Bytes block) {
    return Load<Be32>(block.data()) == kMagic ? Load<Be32>(block.data() + kHeadType) : 0;
  }

  void AddTags(uint64_t descriptor, Bytes block) {
    const bool is_long = (incompat_ & kChecksums3) != 0;
    const size_t tag_bytes = is_long ? 16
                                     : 8 + ((incompat_ & kChecksums2) != 0 ? 2 : 0) +
                                           ((incompat_ & k64Bit) != 0 ? 4 : 0);
    uint64_t logged = descriptor;
    for (size_t place = kHeadBytes; place + tag_bytes <= block.size();) {
      const std::byte* tag = block.data() + place;
      const uint32_t flags = is_long ? Load<Be32>(tag + 4) : Load<Be16>(tag + 6);
      logged = logged + 1 == log_end_ ? log_begin_ : logged + 1;
      tags_[logged] = {descriptor, place, Load<Be32>(tag)};
      place += tag_bytes + ((flags & kSameUuid) != 0 ? 0 : 16);
      if ((flags & kLastTag) != 0) {
        return;
      }
    }
  }

  absl::Status Put(uint64_t block, const Block& bytes, dax::Device& device) const {
    return device.Write(addresses_[block], bytes);
  }

  // A copy of metadata: its own checksum, then the tag's.
  absl::Status RepairLogged(uint64_t block, const Tag& tag, dax::Device& device) const {
    const Bytes now = At(device, block);
    Block bytes(now.begin(), now.end());
    base_.RepairOfCopy(tag.home * block_size_, addresses_[block])(absl::MakeSpan(bytes));
    IOMAP_RETURN_IF_ERROR(Put(block, bytes, device));
    if (!has_checksums()) {
      return absl::OkStatus();
    }
    const Bytes told = At(device, tag.descriptor);
    Block descriptor(told.begin(), told.end());
    uint32_t crc = ExtendCrc32c(seed_, told.subspan(kHeadSequence, sizeof(Be32)));
    crc = ExtendCrc32c(crc, bytes);
    const bool is_long = (incompat_ & kChecksums3) != 0;
    StoreBig(crc, is_long ? sizeof(Be32) : sizeof(Be16),
             descriptor.data() + tag.place + (is_long ? 12 : 4));
    IOMAP_RETURN_IF_ERROR(Put(tag.descriptor, descriptor, device));
    return RepairOwn(tag.descriptor, device);
  }

  // Where a block of the journal itself holds its checksum; nothing when it has none.
  std::optional<size_t> ChecksumPlace(uint64_t block, Bytes bytes) const {
    const uint32_t type = TypeOf(bytes);
    if (!has_checksums() || type == 0) {
      return std::nullopt;
    }
    if (block == 0) {
      return kSuperblockChecksum;
    }
    if (type == kCommit) {
      return kCommitChecksum;
    }
    const bool has_tail = type == kDescriptor || type == kRevoke;
    return has_tail ? std::make_optional(bytes.size() - sizeof(Be32)) : std::nullopt;
  }

  // A block of the journal itself.
  absl::Status RepairOwn(uint64_t block, dax::Device& device) const {
    const Bytes now = At(device, block);
    const std::optional<size_t> place = ChecksumPlace(block, now);
    if (!place.has_value()) {
      return absl::OkStatus();
    }
    Block bytes(now.begin(), now.end());
    StoreBig(0, sizeof(Be32), bytes.data() + *place);
    const uint32_t crc = block == 0 ? ExtendCrc32c(~0u, Bytes(bytes).first(kSuperblockBytes))
                                    : ExtendCrc32c(seed_, bytes);
    StoreBig(crc, sizeof(Be32), bytes.data() + *place);
    return Put(block, bytes, device);
  }

  // Each tail holds the checksum of the pieces since the one before.
  absl::Status RepairFastCommits(dax::Device& device) const {
    uint32_t crc = 0;
    for (uint64_t block = log_end_; block < blocks_; ++block) {
      const Bytes now = At(device, block);
      Block bytes(now.begin(), now.end());
      for (size_t place = 0; place + kPieceHeadBytes < bytes.size();) {
        const uint16_t tag = Load<Le16>(bytes.data() + place);
        const size_t length = kPieceHeadBytes + Load<Le16>(bytes.data() + place + 2);
        if (tag == 0 || length > bytes.size() - place) {
          return Put(block, bytes, device);
        }
        if (tag == kTailPiece && length >= kPieceHeadBytes + 8) {
          crc = ExtendCrc32c(crc, Bytes(bytes).subspan(place, kPieceHeadBytes + 4));
          StoreBig(__builtin_bswap32(crc), 4, bytes.data() + place + kPieceHeadBytes + 4);
          crc = 0;
        } else {
          crc = ExtendCrc32c(crc, Bytes(bytes).subspan(place, length));
        }
        place += length;
      }
      IOMAP_RETURN_IF_ERROR(Put(block, bytes, device));
    }
    return absl::OkStatus();
  }

  const BaseImage& base_;
  const uint32_t block_size_;
  const std::vector<uint64_t> addresses_;  // of the journal's blocks; empty: there is no journal
  uint32_t incompat_ = 0;
  uint32_t seed_ = 0;
  uint64_t log_begin_ = 0;
  uint64_t log_end_ = 0;  // fast commits begin
  uint64_t blocks_ = 0;
  std::map<uint64_t, Tag> tags_;  // by the journal's block that they tell of
};

}  // namespace

absl::StatusOr<std::unique_ptr<JournalChecksums>> JournalChecksums::ForExt4(
    const dax::Device& device, dax::Filesystem& filesystem, const BaseImage& base) {
  const auto superblock =
      backends::CopyOut<ext4::DiskSuperblock>(device.bytes().data() + ext4::kSuperblockOffset);
  std::vector<uint64_t> addresses;
  if ((superblock.feature_compat.get() & ext4::kCompatHasJournal) != 0) {
    IOMAP_ASSIGN_OR_RETURN(const std::shared_ptr<dax::File> journal,
                           filesystem.OpenFile(superblock.journal_inode.get()));
    IOMAP_RETURN_IF_ERROR(ForEachMapping(*journal, &iomap::File::MapForRead, ByteRange::All(),
                                         [&](const Mapping& mapping, const ByteRange&) {
                                           for (uint64_t at = 0;
                                                mapping.has_address() && at < mapping.length;
                                                at += base.block_size()) {
                                             addresses.push_back(mapping.address + at);
                                           }
                                           return Walk::kContinue;
                                         }));
  }
  return std::make_unique<Jbd2Checksums>(device, base, std::move(addresses));
}

}  // namespace iomap::tests
