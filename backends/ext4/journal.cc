#include "backends/ext4/journal.h"

#include <algorithm>
#include <array>
#include <memory>

#include "absl/strings/str_cat.h"
#include "backends/ext4/file.h"
#include "backends/ext4/jbd2_format.h"
#include "dax/io.h"
#include "iomap/for_each_mapping.h"
#include "iomap/status_macros.h"

namespace iomap::ext4 {
namespace {

// The last of `mappings`, which ascend by `key`, at or before `position`; null when there is none.
const Mapping* LastAtOrBefore(const std::vector<Mapping>& mappings, uint64_t Mapping::*key,
                              uint64_t position) {
  const auto next = std::upper_bound(
      mappings.begin(), mappings.end(), position,
      [key](uint64_t value, const Mapping& mapping) { return value < mapping.*key; });
  return next == mappings.begin() ? nullptr : &*std::prev(next);
}

}  // namespace

absl::StatusOr<Journal> Journal::Open(const Volume& volume) {
  const uint32_t number = volume.superblock().journal_inode;
  absl::StatusOr<std::shared_ptr<File>> file = File::Open(volume, number);
  if (!file.ok()) {
    return absl::DataLossError(absl::StrCat("ext4 journal: ", file.status().message()));
  }
  const Attributes& attributes = (*file)->parsed().attributes;
  if (attributes.type != FileType::kRegular) {
    return absl::DataLossError(absl::StrCat("ext4 journal, inode ", number, ": a ",
                                            FileTypeName(attributes.type), ", not a file"));
  }
  std::array<std::byte, sizeof(DiskJournalSuperblock)> bytes;
  IOMAP_ASSIGN_OR_RETURN(const size_t count, dax::Read(**file, 0, absl::MakeSpan(bytes)));
  if (count < bytes.size()) {
    return absl::DataLossError(
        absl::StrCat("ext4 journal, inode ", number, ": size ", count, ", not even a superblock"));
  }
  const uint32_t shift = volume.superblock().block_shift;
  IOMAP_ASSIGN_OR_RETURN(
      const JournalSuperblock superblock,
      ParseJournalSuperblock(bytes, volume.superblock().block_size, attributes.size >> shift));
  Journal journal(volume, superblock);
  const ByteRange whole{0, uint64_t{superblock.block_count} << shift};
  IOMAP_RETURN_IF_ERROR(ForEachMapping(**file, &iomap::File::MapForRead, whole,
                                       [&](const Mapping& mapping, const ByteRange& part) {
                                         if (mapping.type == MappingType::kMapped) {
                                           journal.by_offset_.push_back(mapping.Slice(part));
                                         }
                                         return Walk::kContinue;
                                       }));
  journal.by_address_ = journal.by_offset_;
  std::sort(journal.by_address_.begin(), journal.by_address_.end(),
            [](const Mapping& a, const Mapping& b) { return a.address < b.address; });
  return journal;
}

absl::StatusOr<uint64_t> Journal::PlaceOf(uint32_t index) const {
  const uint64_t offset = uint64_t{index} << volume_.superblock().block_shift;
  const Mapping* mapping = LastAtOrBefore(by_offset_, &Mapping::offset, offset);
  if (mapping == nullptr || !mapping->range().Contains(offset)) {
    return absl::DataLossError(absl::StrCat("ext4 journal block ", index, ": a hole in inode ",
                                            volume_.superblock().journal_inode));
  }
  return mapping->AddressOf(offset) >> volume_.superblock().block_shift;
}

absl::StatusOr<absl::Span<const std::byte>> Journal::Block(uint32_t index) const {
  IOMAP_ASSIGN_OR_RETURN(const uint64_t block, PlaceOf(index));
  return volume_.Block(block);
}

bool Journal::Owns(uint64_t block) const {
  const uint64_t address = block << volume_.superblock().block_shift;
  const Mapping* mapping = LastAtOrBefore(by_address_, &Mapping::address, address);
  return mapping != nullptr && address - mapping->address < mapping->length;
}

}  // namespace iomap::ext4
