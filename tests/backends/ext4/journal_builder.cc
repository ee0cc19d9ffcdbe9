#include "tests/backends/ext4/journal_builder.h"

#include <algorithm>
#include <memory>

#include "backends/crc32c.h"
#include "backends/ext4/crc32.h"
#include "backends/ext4/format.h"
#include "backends/ext4/jbd2_format.h"
#include "iomap/for_each_mapping.h"
#include "iomap/status_macros.h"

namespace iomap::tests {
namespace {

using ext4::JournalChecksums;

constexpr uint32_t kJournalInode = 8;

std::vector<std::byte> BigEndian(uint64_t value, size_t width) {
  std::vector<std::byte> bytes(width);
  for (size_t i = 0; i < width; ++i) {
    bytes[i] = static_cast<std::byte>(value >> (8 * (width - 1 - i)));
  }
  return bytes;
}

void Append(std::vector<std::byte>& out, uint64_t value, size_t width) {
  const std::vector<std::byte> bytes = BigEndian(value, width);
  out.insert(out.end(), bytes.begin(), bytes.end());
}

}  // namespace

absl::StatusOr<JournalBuilder> JournalBuilder::Make(Ext4Image& image, const JournalLayout& layout) {
  JournalBuilder builder(image, layout);
  IOMAP_ASSIGN_OR_RETURN(const std::unique_ptr<dax::Filesystem> filesystem, image.Open());
  IOMAP_ASSIGN_OR_RETURN(const FilesystemInfo info, filesystem->info());
  builder.block_size_ = info.block_size;
  IOMAP_ASSIGN_OR_RETURN(const std::shared_ptr<dax::File> file,
                         filesystem->OpenFile(kJournalInode));
  IOMAP_ASSIGN_OR_RETURN(const Attributes attributes, file->attributes());
  for (uint64_t offset = 0; offset < attributes.size; offset += info.block_size) {
    IOMAP_ASSIGN_OR_RETURN(const Mapping mapping,
                           MappingAt(*file, &iomap::File::MapForRead, offset));
    builder.addresses_.push_back(mapping.AddressOf(offset));
  }
  constexpr uint64_t kIncompat =
      ext4::kSuperblockOffset + offsetof(ext4::DiskSuperblock, feature_incompat);
  image.Put(kIncompat, image.Get(kIncompat, 4) | ext4::kIncompatRecover, 4);
  image.FixSuperblock();

  const uint64_t superblock = builder.addresses_[0];
  constexpr uint32_t kFastCommitBlocks = 64;
  builder.ring_end_ = builder.block_count() - (layout.has_fast_commits ? kFastCommitBlocks : 0);
  using Disk = ext4::DiskJournalSuperblock;
  const bool v2 = layout.checksums == JournalChecksums::kV2;
  const bool v3 = layout.checksums == JournalChecksums::kV3;
  builder.PutBig(superblock + offsetof(Disk, feature_compat),
                 layout.checksums == JournalChecksums::kV1 ? ext4::kJournalCompatChecksum : 0, 4);
  builder.PutBig(superblock + offsetof(Disk, feature_incompat),
                 ext4::kJournalIncompatRevoke | (v2 ? ext4::kJournalIncompatChecksumV2 : 0) |
                     (v3 ? ext4::kJournalIncompatChecksumV3 : 0) |
                     (layout.has_64bit ? ext4::kJournalIncompat64Bit : 0) |
                     (layout.commits_asynchronously ? ext4::kJournalIncompatAsyncCommit : 0) |
                     (layout.has_fast_commits ? ext4::kJournalIncompatFastCommit : 0),
                 4);
  builder.PutBig(superblock + offsetof(Disk, fast_commit_blocks),
                 layout.has_fast_commits ? kFastCommitBlocks : 0, 4);
  image.Put(superblock + offsetof(Disk, checksum_type), v2 || v3 ? 4 : 0, 1);
  builder.PutBig(superblock + offsetof(Disk, sequence), layout.sequence, 4);
  builder.seed_ = backends::ExtendCrc32c(
      ~0u, image.bytes().subspan(superblock + offsetof(Disk, uuid), sizeof(Disk::uuid)));
  builder.PutSuperblock(offsetof(Disk, start), layout.start);
  return builder;
}

bool JournalBuilder::HasBlockChecksums() const {
  return layout_.checksums == JournalChecksums::kV2 || layout_.checksums == JournalChecksums::kV3;
}

absl::Span<std::byte> JournalBuilder::BlockAt(uint32_t index) {
  return image_.bytes().subspan(addresses_[index], block_size_);
}

void JournalBuilder::PutBig(uint64_t address, uint64_t value, size_t width) {
  const std::vector<std::byte> bytes = BigEndian(value, width);
  std::copy(bytes.begin(), bytes.end(), image_.bytes().begin() + static_cast<ptrdiff_t>(address));
}

void JournalBuilder::PutSuperblock(size_t offset, uint32_t value) {
  PutBig(addresses_[0] + offset, value, 4);
  constexpr size_t kChecksum = offsetof(ext4::DiskJournalSuperblock, checksum);
  PutBig(addresses_[0] + kChecksum, 0, 4);
  if (HasBlockChecksums()) {
    const uint32_t checksum = backends::ExtendCrc32c(
        ~0u, image_.bytes().subspan(addresses_[0], sizeof(ext4::DiskJournalSuperblock)));
    PutBig(addresses_[0] + kChecksum, checksum, 4);
  }
}

uint32_t JournalBuilder::Advance() {
  const uint32_t index = position_;
  position_ = position_ + 1 == ring_end_ ? 1 : position_ + 1;
  const absl::Span<std::byte> block = BlockAt(index);
  std::fill(block.begin(), block.end(), std::byte{0});
  return index;
}

void JournalBuilder::PutHeader(uint32_t index, uint32_t type) {
  PutBig(addresses_[index], ext4::kJournalMagic, 4);
  PutBig(addresses_[index] + 4, type, 4);
  PutBig(addresses_[index] + 8, sequence_, 4);
}

void JournalBuilder::PutTag(std::vector<std::byte>& tags, const BlockChange& change, bool is_first,
                            bool is_last, uint32_t checksum) const {
  const uint32_t flags = (change.first_word == ext4::kJournalMagic ? ext4::kTagEscaped : 0) |
                         (is_first ? 0 : ext4::kTagSameUuid) | (is_last ? ext4::kTagLast : 0);
  const uint64_t high = layout_.has_64bit ? change.block >> 32 : 0;
  Append(tags, change.block, 4);
  if (layout_.checksums == JournalChecksums::kV3) {
    Append(tags, flags, 4);
    Append(tags, high, 4);
    Append(tags, checksum, 4);
  } else {
    Append(tags, layout_.checksums == JournalChecksums::kV2 ? checksum & 0xFFFF : 0, 2);
    Append(tags, flags, 2);
    if (layout_.has_64bit) {
      Append(tags, high, 4);
    }
    if (layout_.checksums == JournalChecksums::kV2) {
      Append(tags, 0, 2);
    }
  }
  if (is_first) {
    tags.insert(tags.end(), ext4::kTagUuidBytes, std::byte{0});
  }
}

uint32_t JournalBuilder::BlockChecksum(absl::Span<const std::byte> block) const {
  return backends::ExtendCrc32c(backends::ExtendCrc32c(seed_, BigEndian(sequence_, 4)), block);
}

void JournalBuilder::Write(const std::vector<BlockChange>& changes) {
  const uint32_t descriptor = Advance();
  PutHeader(descriptor, ext4::kJournalDescriptor);
  std::vector<std::byte> tags;
  std::vector<uint32_t> copies;
  for (const BlockChange& change : changes) {
    copies.push_back(Advance());
    const absl::Span<std::byte> copy = BlockAt(copies.back());
    std::fill(copy.begin(), copy.end(), static_cast<std::byte>(change.fill));
    const bool is_escaped = change.first_word == ext4::kJournalMagic;
    PutBig(addresses_[copies.back()], is_escaped ? 0 : change.first_word, 4);
    PutTag(tags, change, &change == &changes.front(), &change == &changes.back(),
           BlockChecksum(copy));
  }
  std::copy(tags.begin(), tags.end(),
            BlockAt(descriptor).begin() + sizeof(ext4::DiskJournalHeader));
  FixTail(descriptor);
  transaction_checksum_ = ext4::ExtendCrc32(transaction_checksum_, BlockAt(descriptor));
  for (const uint32_t copy : copies) {
    transaction_checksum_ = ext4::ExtendCrc32(transaction_checksum_, BlockAt(copy));
  }
}

void JournalBuilder::Revoke(const std::vector<uint64_t>& blocks) {
  const uint32_t index = Advance();
  PutHeader(index, ext4::kJournalRevoke);
  const size_t width = layout_.has_64bit ? 8 : 4;
  uint64_t place = addresses_[index] + sizeof(ext4::DiskJournalRevoke);
  PutBig(place - 4, sizeof(ext4::DiskJournalRevoke) + blocks.size() * width, 4);
  for (const uint64_t block : blocks) {
    PutBig(place, block, width);
    place += width;
  }
  FixTail(index);
}

void JournalBuilder::Commit(uint64_t seconds) {
  const uint32_t index = Advance();
  PutHeader(index, ext4::kJournalCommit);
  using Disk = ext4::DiskJournalCommit;
  PutBig(addresses_[index] + offsetof(Disk, commit_seconds), seconds, 8);
  if (layout_.checksums == JournalChecksums::kV1) {
    image_.Put(addresses_[index] + offsetof(Disk, checksum_type), ext4::kCommitChecksumCrc32, 1);
    image_.Put(addresses_[index] + offsetof(Disk, checksum_size), ext4::kCommitChecksumBytes, 1);
    PutBig(addresses_[index] + offsetof(Disk, checksum), transaction_checksum_, 4);
  }
  FixCommit(index);
  ++sequence_;
  transaction_checksum_ = ~0u;
}

void JournalBuilder::FixTail(uint32_t index) {
  if (HasBlockChecksums()) {
    const uint64_t place = addresses_[index] + block_size_ - 4;
    PutBig(place, 0, 4);
    PutBig(place, backends::ExtendCrc32c(seed_, BlockAt(index)), 4);
  }
}

void JournalBuilder::FixCopies(uint32_t index) {
  uint64_t tag = addresses_[index] + sizeof(ext4::DiskJournalHeader);
  bool is_last = false;
  for (uint32_t copy = index + 1; !is_last; ++copy) {
    PutBig(tag + offsetof(ext4::DiskJournalTag3, checksum), BlockChecksum(BlockAt(copy)), 4);
    const uint64_t flags = image_.Get(tag + 7, 1);  // the lowest byte
    is_last = (flags & ext4::kTagLast) != 0;
    tag += sizeof(ext4::DiskJournalTag3) +
           ((flags & ext4::kTagSameUuid) != 0 ? 0 : ext4::kTagUuidBytes);
  }
  FixTail(index);
}

void JournalBuilder::FixCommit(uint32_t index) {
  if (HasBlockChecksums()) {
    const uint64_t place = addresses_[index] + offsetof(ext4::DiskJournalCommit, checksum);
    PutBig(place, 0, 4);
    PutBig(place, backends::ExtendCrc32c(seed_, BlockAt(index)), 4);
  }
}

void JournalBuilder::PutFastCommitBlock(uint32_t index, absl::Span<const std::byte> records) {
  const absl::Span<std::byte> block = BlockAt(ring_end_ + 1 + index);
  std::fill(block.begin(), block.end(), std::byte{0});
  std::copy(records.begin(), records.end(), block.begin());
}

}  // namespace iomap::tests
