#include "backends/ext4/journal_writer.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "backends/crc32c.h"
#include "backends/ext4/crc32.h"
#include "backends/ext4/jbd2_format.h"
#include "backends/ext4/journal_checksum.h"
#include "backends/ext4/journal_tag.h"
#include "iomap/check.h"
#include "iomap/status_macros.h"

namespace iomap::ext4 {
namespace {

using backends::Buffer;
using backends::BufferImage;
using backends::Credits;
using backends::Sequence;
using Bytes = absl::Span<const std::byte>;

// Of what the medium keeps 32 bits; they wrap around as the kernel's do.
uint32_t Narrow(Sequence sequence) { return static_cast<uint32_t>(sequence); }

uint64_t DivideUp(uint64_t value, uint64_t by) { return (value + by - 1) / by; }

bool BeginsWithMagic(Bytes bytes) { return backends::Load<Be32>(bytes.data()) == kJournalMagic; }

}  // namespace

absl::StatusOr<std::unique_ptr<JournalWriter>> JournalWriter::Open(Volume& volume,
                                                                   Checksums checksums) {
  IOMAP_ASSIGN_OR_RETURN(Journal journal, Journal::Open(volume));
  const JournalSuperblock& superblock = journal.superblock();
  if (superblock.start != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("ext4 journal: not empty, its log starts at block ", superblock.start));
  }
  for (uint32_t index = 0; index < superblock.ring_end; ++index) {
    IOMAP_RETURN_IF_ERROR(journal.Block(index).status());
  }
  IOMAP_ASSIGN_OR_RETURN(const Bytes block, journal.Block(0));
  const Bytes on_medium = block.first(sizeof(DiskJournalSuperblock));
  auto disk = backends::CopyOut<DiskJournalSuperblock>(on_medium.data());
  if (disk.header.block_type.get() != kJournalSuperblockV2) {
    return absl::UnimplementedError("ext4 journal superblock: version 1 has no revoke blocks");
  }
  uint32_t incompat = disk.feature_incompat.get() | kJournalIncompatRevoke;
  if (volume.superblock().block_count > uint64_t{1} << 32) {
    incompat |= kJournalIncompat64Bit;
  }
  if (checksums == Checksums::kDrop) {
    incompat &= ~(kJournalIncompatChecksumV2 | kJournalIncompatChecksumV3);
  }
  disk.feature_incompat.set(incompat);
  std::unique_ptr<JournalWriter> writer(new JournalWriter(volume, std::move(journal)));
  if (checksums == Checksums::kDrop) {
    if (writer->superblock_.has_block_checksums()) {
      writer->superblock_.checksums = JournalChecksums::kNone;
    }
    // By one store, while the log is empty.
    IOMAP_ASSIGN_OR_RETURN(const uint64_t address, writer->AddressOf(0));
    std::byte word[sizeof(Be32)];
    backends::Store<Be32>(word, incompat);
    IOMAP_RETURN_IF_ERROR(
        writer->StoreAndFlush(address + offsetof(DiskJournalSuperblock, feature_incompat), word));
    IOMAP_RETURN_IF_ERROR(volume.device().Drain());
  } else {
    std::vector<std::byte> bytes(sizeof disk);
    std::memcpy(bytes.data(), &disk, sizeof disk);
    IOMAP_RETURN_IF_ERROR(writer->PutSuperblock(bytes));
  }
  writer->superblock_.has_64bit = (incompat & kJournalIncompat64Bit) != 0;
  const MutexLock lock(writer->mutex_);
  IOMAP_RETURN_IF_ERROR(writer->PutTail(Narrow(writer->first_sequence_), writer->head_));
  IOMAP_RETURN_IF_ERROR(volume.device().Drain());
  return writer;
}

JournalWriter::JournalWriter(Volume& volume, Journal journal)
    : volume_(volume),
      journal_(std::move(journal)),
      superblock_(journal_.superblock()),
      // 0 is no transaction, and the number that an empty journal names was never used.
      first_sequence_(std::max(1u, superblock_.sequence)),
      head_(superblock_.ring_begin) {}

// ---- how much fits ----

uint64_t JournalWriter::size() const {
  return superblock_.ring_size() - 1;  // a full ring would look empty
}

size_t JournalWriter::SpaceOfBlock() const {
  return journal_.block_size() - (superblock_.has_block_checksums() ? sizeof(DiskJournalTail) : 0);
}

size_t JournalWriter::TagsPerDescriptor() const {
  return (SpaceOfBlock() - sizeof(DiskJournalHeader) - kTagUuidBytes) /
         JournalTagBytes(superblock_);
}

size_t JournalWriter::RevokesPerBlock() const {
  return (SpaceOfBlock() - sizeof(DiskJournalRevoke)) /
         (superblock_.has_64bit ? sizeof(Be64) : sizeof(Be32));
}

uint64_t JournalWriter::SpaceFor(const Credits& credits) const {
  return DivideUp(credits.cancelled, RevokesPerBlock()) +
         DivideUp(credits.buffers, TagsPerDescriptor()) + credits.buffers + /*commit=*/1;
}

uint32_t JournalWriter::Advance() {
  const MutexLock lock(mutex_);
  const uint32_t block = head_;
  head_ = head_ + 1 == superblock_.ring_end ? superblock_.ring_begin : head_ + 1;
  return block;
}

// ---- bodies ----

std::vector<std::byte> JournalWriter::NewBlock(uint32_t type, Sequence sequence) const {
  std::vector<std::byte> block(journal_.block_size());
  DiskJournalHeader header{};
  header.magic.set(kJournalMagic);
  header.block_type.set(type);
  header.sequence.set(Narrow(sequence));
  std::memcpy(block.data(), &header, sizeof header);
  return block;
}

absl::StatusOr<uint64_t> JournalWriter::AddressOf(uint32_t index) const {
  IOMAP_ASSIGN_OR_RETURN(const uint64_t place, journal_.PlaceOf(index));
  return place << volume_.superblock().block_shift;
}

absl::Status JournalWriter::StoreAndFlush(uint64_t address, Bytes bytes) {
  IOMAP_RETURN_IF_ERROR(volume_.device().Write(address, bytes));
  volume_.device().Flush({address, bytes.size()});
  return absl::OkStatus();
}

absl::Status JournalWriter::WriteBlock(uint32_t index, Bytes bytes) {
  IOMAP_ASSIGN_OR_RETURN(const uint64_t address, AddressOf(index));
  return volume_.device().WriteThrough(address, bytes);
}

absl::Status JournalWriter::WriteControlBlock(uint32_t index, std::vector<std::byte>& block) {
  if (superblock_.has_block_checksums()) {
    const size_t field = SpaceOfBlock();
    backends::Store<Be32>(block.data() + field, JournalBlockChecksum(superblock_, block, field));
  }
  if (first_line_address_ != 0) {
    return WriteBlock(index, block);
  }
  IOMAP_ASSIGN_OR_RETURN(first_line_address_, AddressOf(index));
  first_line_.assign(block.begin(), block.begin() + dax::kLineBytes);
  return volume_.device().WriteThrough(first_line_address_ + dax::kLineBytes,
                                       absl::MakeConstSpan(block).subspan(dax::kLineBytes));
}

absl::Status JournalWriter::WriteBody(Sequence sequence, absl::Span<const BufferImage> images,
                                      absl::Span<const Buffer> cancelled) {
  {
    const MutexLock lock(mutex_);
    starts_.push_back({sequence, head_});
  }
  transaction_checksum_ = ~0u;
  first_line_address_ = 0;
  IOMAP_RETURN_IF_ERROR(WriteRevokes(sequence, cancelled));
  IOMAP_RETURN_IF_ERROR(WriteCopies(sequence, images));
  commit_block_ = Advance();
  return WriteBlock(commit_block_, std::vector<std::byte>(journal_.block_size()));
}

absl::Status JournalWriter::WriteRevokes(Sequence sequence, absl::Span<const Buffer> buffers) {
  const size_t width = superblock_.has_64bit ? sizeof(Be64) : sizeof(Be32);
  for (size_t done = 0; done < buffers.size();) {
    const absl::Span<const Buffer> some = buffers.subspan(done, RevokesPerBlock());
    std::vector<std::byte> block = NewBlock(kJournalRevoke, sequence);
    std::byte* place = block.data() + sizeof(DiskJournalRevoke);
    for (const Buffer& buffer : some) {
      const uint64_t number = buffer.address >> volume_.superblock().block_shift;
      if (superblock_.has_64bit) {
        backends::Store<Be64>(place, number);
      } else {
        backends::Store<Be32>(place, static_cast<uint32_t>(number));
      }
      place += width;
    }
    backends::Store<Be32>(block.data() + offsetof(DiskJournalRevoke, byte_count),
                          static_cast<uint32_t>(place - block.data()));
    IOMAP_RETURN_IF_ERROR(WriteControlBlock(Advance(), block));
    done += some.size();
  }
  return absl::OkStatus();
}

absl::Status JournalWriter::WriteCopies(Sequence sequence, absl::Span<const BufferImage> images) {
  const bool has_v1 = superblock_.checksums == JournalChecksums::kV1;
  for (size_t done = 0; done < images.size();) {
    const absl::Span<const BufferImage> some = images.subspan(done, TagsPerDescriptor());
    const uint32_t descriptor_block = Advance();
    std::vector<std::byte> descriptor = NewBlock(kJournalDescriptor, sequence);
    std::byte* place = descriptor.data() + sizeof(DiskJournalHeader);
    std::vector<std::vector<std::byte>> escaped(some.size());
    for (size_t i = 0; i < some.size(); ++i) {
      Bytes copy = some[i].bytes;
      IOMAP_CHECK(copy.size() == journal_.block_size());
      JournalTag tag{.block = some[i].buffer.address >> volume_.superblock().block_shift};
      tag.flags = (i == 0 ? 0 : kTagSameUuid) | (i + 1 == some.size() ? kTagLast : 0);
      if (BeginsWithMagic(copy)) {
        tag.flags |= kTagEscaped;
        escaped[i].assign(copy.begin(), copy.end());
        std::memset(escaped[i].data(), 0, sizeof(Be32));
        copy = escaped[i];
      }
      if (superblock_.has_block_checksums()) {
        tag.checksum = LoggedBlockChecksum(superblock_, Narrow(sequence), copy);
      }
      WriteJournalTag(superblock_, tag, place);
      place += JournalTagBytes(superblock_) + (i == 0 ? kTagUuidBytes : 0);
      IOMAP_RETURN_IF_ERROR(WriteBlock(Advance(), copy));
    }
    IOMAP_RETURN_IF_ERROR(WriteControlBlock(descriptor_block, descriptor));
    if (has_v1) {
      transaction_checksum_ = ExtendCrc32(transaction_checksum_, descriptor);
      for (size_t i = 0; i < some.size(); ++i) {
        transaction_checksum_ =
            ExtendCrc32(transaction_checksum_, escaped[i].empty() ? some[i].bytes : escaped[i]);
      }
    }
    done += some.size();
  }
  return absl::OkStatus();
}

absl::Status JournalWriter::WriteCommitRecord(Sequence sequence) {
  std::vector<std::byte> block = NewBlock(kJournalCommit, sequence);
  auto commit = backends::CopyOut<DiskJournalCommit>(block.data());
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now);
  // A time before the one of the transaction in front of it would say that this one is left over.
  last_commit_seconds_ =
      std::max(last_commit_seconds_, static_cast<uint64_t>(std::max<int64_t>(0, seconds.count())));
  commit.commit_seconds.set(last_commit_seconds_);
  commit.commit_nanoseconds.set(static_cast<uint32_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(now - seconds).count()));
  if (superblock_.checksums == JournalChecksums::kV1) {
    commit.checksum_type = kCommitChecksumCrc32;
    commit.checksum_size = kCommitChecksumBytes;
    commit.checksum[0].set(transaction_checksum_);
  }
  std::memcpy(block.data(), &commit, sizeof commit);
  if (superblock_.has_block_checksums()) {
    constexpr size_t kField = offsetof(DiskJournalCommit, checksum);
    backends::Store<Be32>(block.data() + kField, JournalBlockChecksum(superblock_, block, kField));
  }
  static_assert(sizeof commit <= dax::kLineBytes);
  if (first_line_address_ != 0) {
    IOMAP_RETURN_IF_ERROR(StoreLine(first_line_address_, first_line_));
  }
  IOMAP_ASSIGN_OR_RETURN(const uint64_t address, AddressOf(commit_block_));
  return StoreLine(address, absl::MakeConstSpan(block).first(dax::kLineBytes));
}

absl::Status JournalWriter::StoreLine(uint64_t address, Bytes line) {
  constexpr size_t kWord = 8;
  // The sequence and then magic and type only over what belongs to them.
  for (const auto& [begin, end] :
       {std::pair<size_t, size_t>{2 * kWord, line.size()}, {kWord, 2 * kWord}, {0, kWord}}) {
    IOMAP_RETURN_IF_ERROR(
        volume_.device().Write(address + begin, line.subspan(begin, end - begin)));
  }
  volume_.device().Flush({address, line.size()});
  return absl::OkStatus();
}

// ---- the tail ----

absl::Status JournalWriter::MoveTail(Sequence oldest) {
  const MutexLock lock(mutex_);
  while (!starts_.empty() && starts_.front().sequence < oldest) {
    starts_.pop_front();
  }
  // One that does not exist yet will begin at the head.
  return PutTail(Narrow(oldest), starts_.empty() ? head_ : starts_.front().block);
}

absl::Status JournalWriter::MarkEmpty(Sequence next) {
  const MutexLock lock(mutex_);
  starts_.clear();
  IOMAP_RETURN_IF_ERROR(PutTail(Narrow(next), 0));
  return volume_.device().Drain();
}

absl::Status JournalWriter::PutTail(uint32_t sequence, uint32_t start) {
  IOMAP_ASSIGN_OR_RETURN(const Bytes block, journal_.Block(0));
  const Bytes on_medium = block.first(sizeof(DiskJournalSuperblock));
  std::vector<std::byte> bytes(on_medium.begin(), on_medium.end());
  constexpr size_t kField = offsetof(DiskJournalSuperblock, sequence);
  static_assert(kField % 8 == 0 && offsetof(DiskJournalSuperblock, start) == kField + 4);
  backends::Store<Be32>(bytes.data() + kField, sequence);
  backends::Store<Be32>(bytes.data() + kField + sizeof(Be32), start);
  if (superblock_.has_block_checksums()) {
    return PutSuperblock(bytes);
  }
  IOMAP_ASSIGN_OR_RETURN(const uint64_t address, AddressOf(0));
  return StoreAndFlush(address + kField, absl::MakeConstSpan(bytes).subspan(kField, 8));
}

// The whole of it, with its checksum.
absl::Status JournalWriter::PutSuperblock(Bytes bytes) {
  std::vector<std::byte> block(bytes.begin(), bytes.end());
  if (superblock_.has_block_checksums()) {
    constexpr size_t kField = offsetof(DiskJournalSuperblock, checksum);
    backends::Store<Be32>(block.data() + kField, JournalSuperblockChecksum(block));
  }
  IOMAP_ASSIGN_OR_RETURN(const uint64_t address, AddressOf(0));
  return StoreAndFlush(address, block);
}

}  // namespace iomap::ext4
