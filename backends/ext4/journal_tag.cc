#include "backends/ext4/journal_tag.h"

#include <algorithm>
#include <cstring>

#include "backends/endian.h"
#include "backends/ext4/jbd2_format.h"

namespace iomap::ext4 {

size_t JournalTagBytes(const JournalSuperblock& journal) {
  if (journal.checksums == JournalChecksums::kV3) {
    return sizeof(DiskJournalTag3);
  }
  return sizeof(DiskJournalTag) - (journal.has_64bit ? 0 : sizeof(Be32)) +
         (journal.checksums == JournalChecksums::kV2 ? sizeof(Be16) : 0);
}

JournalTag ParseJournalTag(const JournalSuperblock& journal, const std::byte* bytes) {
  if (journal.checksums == JournalChecksums::kV3) {
    const auto disk = backends::CopyOut<DiskJournalTag3>(bytes);
    return JournalTag{
        disk.block_lo.get() | (journal.has_64bit ? uint64_t{disk.block_hi.get()} << 32 : 0),
        disk.checksum.get(), disk.flags.get()};
  }
  DiskJournalTag disk{};
  std::memcpy(&disk, bytes, std::min(sizeof disk, JournalTagBytes(journal)));
  return JournalTag{
      disk.block_lo.get() | (journal.has_64bit ? uint64_t{disk.block_hi.get()} << 32 : 0),
      disk.checksum.get(), disk.flags.get()};
}

void WriteJournalTag(const JournalSuperblock& journal, const JournalTag& tag, std::byte* bytes) {
  std::memset(bytes, 0, JournalTagBytes(journal));
  if (journal.checksums == JournalChecksums::kV3) {
    DiskJournalTag3 disk{};
    disk.block_lo.set(static_cast<uint32_t>(tag.block));
    disk.block_hi.set(static_cast<uint32_t>(tag.block >> 32));
    disk.flags.set(tag.flags);
    disk.checksum.set(tag.checksum);
    std::memcpy(bytes, &disk, sizeof disk);
    return;
  }
  DiskJournalTag disk{};
  disk.block_lo.set(static_cast<uint32_t>(tag.block));
  disk.block_hi.set(static_cast<uint32_t>(tag.block >> 32));
  disk.flags.set(static_cast<uint16_t>(tag.flags));
  if (journal.checksums == JournalChecksums::kV2) {
    disk.checksum.set(static_cast<uint16_t>(tag.checksum));
  }
  std::memcpy(bytes, &disk, std::min(sizeof disk, JournalTagBytes(journal)));
}

}  // namespace iomap::ext4
