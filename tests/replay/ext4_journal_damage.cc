#include "tests/replay/ext4_journal_damage.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "absl/strings/str_cat.h"
#include "backends/crc32c.h"
#include "backends/endian.h"
#include "backends/ext4/fast_commit_format.h"
#include "backends/ext4/jbd2_format.h"
#include "backends/ext4/journal_checksum.h"

namespace iomap::tests {
namespace {

using ext4::Be16;
using ext4::Be32;
using ext4::JournalChecksums;
using Random = std::mt19937_64;

class JournalDamage {
 public:
  JournalDamage(ext4::Volume& volume, const ext4::Journal& journal, uint64_t seed)
      : volume_(volume), journal_(journal), superblock_(journal.superblock()), random_(seed) {}

  std::string Run() {
    const int count = 1 + static_cast<int>(Below(4));
    for (int i = 0; i < count; ++i) {
      DamageOne();
    }
    if (Below(10) != 0) {
      RepairLog();
      RepairFastCommits();
      RepairSuperblock();
      absl::StrAppend(&done_, ", checksums repaired");
    }
    return done_;
  }

 private:
  uint64_t Below(uint64_t end) {
    return std::uniform_int_distribution<uint64_t>(0, end - 1)(random_);
  }

  std::vector<std::byte> Read(uint32_t index) const {
    const auto bytes = journal_.Block(index);
    return bytes.ok() ? std::vector<std::byte>(bytes->begin(), bytes->end())
                      : std::vector<std::byte>();
  }
  void Write(uint32_t index, const std::vector<std::byte>& bytes) {
    const auto lying = journal_.Block(index);
    if (lying.ok()) {
      const uint64_t address =
          static_cast<uint64_t>(lying->data() - volume_.device().bytes().data());
      volume_.device().Write(address, bytes).IgnoreError();
    }
  }

  uint32_t NextInRing(uint32_t index) const {
    return index + 1 >= superblock_.ring_end ? superblock_.ring_begin : index + 1;
  }

  // Mostly blocks near the start of the log, which are in use.
  uint32_t AnyBlock() {
    const uint64_t fast_commit_blocks = superblock_.block_count - superblock_.fast_commit_begin;
    switch (Below(8)) {
      case 0:
        return 0;
      case 1:
      case 2:
      case 3:
        if (fast_commit_blocks > 0) {
          return superblock_.fast_commit_begin +
                 static_cast<uint32_t>(Below(std::min<uint64_t>(fast_commit_blocks, 12)));
        }
        break;
      default:
        break;
    }
    const uint64_t distance = Below(std::min<uint64_t>(superblock_.ring_size(), 600));
    const uint64_t place = superblock_.start - superblock_.ring_begin + distance;
    return superblock_.ring_begin + static_cast<uint32_t>(place % superblock_.ring_size());
  }

  // Where to: the heads of blocks have what is worth damaging.
  size_t AnyOffset(uint32_t index, size_t size) {
    if (index == 0) {
      return Below(Below(2) == 0 ? 0x60 : sizeof(ext4::DiskJournalSuperblock));
    }
    return Below(Below(3) == 0 ? size : std::min<size_t>(size, 300));
  }

  void DamageOne() {
    const uint32_t index = AnyBlock();
    std::vector<std::byte> bytes = Read(index);
    if (bytes.empty()) {
      return;
    }
    const size_t offset = AnyOffset(index, bytes.size() - 8);
    const uint64_t how = Below(5);
    absl::StrAppend(&done_, done_.empty() ? "" : ", ", "block ", index, " byte ", offset, " by ",
                    how);
    switch (how) {
      case 0:
        bytes[offset] ^= static_cast<std::byte>(1u << Below(8));
        break;
      case 1:
        bytes[offset] = static_cast<std::byte>(random_());
        break;
      case 2: {
        constexpr uint32_t kValues[] = {0, 1, 2, 5, 6, 8, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF};
        backends::Store<Be32>(bytes.data() + (offset & ~size_t{3}),
                              kValues[Below(std::size(kValues))]);
        break;
      }
      case 3: {
        const size_t from = Below(bytes.size() - 64);
        const size_t to = Below(bytes.size() - 64);
        std::memmove(bytes.data() + to, bytes.data() + from, 1 + Below(64));
        break;
      }
      default:
        if (index != 0) {
          bytes = Read(AnyBlock());
        }
    }
    Write(index, bytes);
  }

  size_t TagBytes() const {
    return superblock_.checksums == JournalChecksums::kV3
               ? sizeof(ext4::DiskJournalTag3)
               : (superblock_.has_64bit ? 12u : 8u) +
                     (superblock_.checksums == JournalChecksums::kV2 ? 2u : 0u);
  }

  void RepairLog() {
    if (!superblock_.has_block_checksums()) {
      return;
    }
    uint32_t index = superblock_.start;
    for (uint32_t walked = 0; walked < superblock_.ring_size(); ++walked) {
      std::vector<std::byte> bytes = Read(index);
      if (bytes.empty() || backends::Load<Be32>(bytes.data()) != ext4::kJournalMagic) {
        return;
      }
      const uint32_t here = index;
      index = NextInRing(index);
      switch (backends::Load<Be32>(bytes.data() + 4)) {
        case ext4::kJournalDescriptor:
          index = RepairTags(bytes, index);
          [[fallthrough]];
        case ext4::kJournalRevoke:
          PutChecksum(bytes, bytes.size() - 4);
          break;
        case ext4::kJournalCommit:
          PutChecksum(bytes, offsetof(ext4::DiskJournalCommit, checksum));
          break;
        default:
          return;
      }
      Write(here, bytes);
    }
  }

  void PutChecksum(std::vector<std::byte>& bytes, size_t field) const {
    backends::Store<Be32>(bytes.data() + field,
                          ext4::JournalBlockChecksum(superblock_, bytes, field));
  }

  // Makes the tags' checksums those of the copies that follow; returns the block behind them.
  uint32_t RepairTags(std::vector<std::byte>& bytes, uint32_t index) {
    const uint32_t sequence = backends::Load<Be32>(bytes.data() + 8);
    const size_t tag_bytes = TagBytes();
    for (size_t offset = sizeof(ext4::DiskJournalHeader); offset + tag_bytes + 4 <= bytes.size();) {
      const std::vector<std::byte> copy = Read(index);
      if (copy.empty()) {
        return index;
      }
      const uint32_t checksum = ext4::LoggedBlockChecksum(superblock_, sequence, copy);
      if (superblock_.checksums == JournalChecksums::kV3) {
        backends::Store<Be32>(bytes.data() + offset + 12, checksum);
      } else {
        backends::Store<Be16>(bytes.data() + offset + 4, static_cast<uint16_t>(checksum));
      }
      index = NextInRing(index);
      const uint16_t flags = backends::Load<Be16>(bytes.data() + offset + 6);
      if ((flags & ext4::kTagLast) != 0) {
        break;
      }
      offset += tag_bytes + ((flags & ext4::kTagSameUuid) != 0 ? 0 : ext4::kTagUuidBytes);
    }
    return index;
  }

  void RepairFastCommits() {
    uint32_t checksum = 0;
    for (uint32_t index = superblock_.fast_commit_begin; index < superblock_.block_count; ++index) {
      std::vector<std::byte> bytes = Read(index);
      size_t offset = 0;
      while (offset + 4 <= bytes.size()) {
        const size_t length = backends::Load<ext4::Le16>(bytes.data() + offset + 2);
        if (offset + 4 + length > bytes.size()) {
          return;
        }
        const bool is_tail =
            backends::Load<ext4::Le16>(bytes.data() + offset) == ext4::kFastCommitTail &&
            length >= sizeof(ext4::DiskFastCommitTail);
        const absl::Span<const std::byte> record =
            absl::MakeConstSpan(bytes).subspan(offset, is_tail ? 8 : 4 + length);
        checksum = backends::ExtendCrc32c(checksum, record);
        if (is_tail) {
          backends::Store<ext4::Le32>(bytes.data() + offset + 8, checksum);
          checksum = 0;
        }
        offset += 4 + length;
      }
      Write(index, bytes);
    }
  }

  void RepairSuperblock() {
    std::vector<std::byte> bytes = Read(0);
    constexpr size_t kField = offsetof(ext4::DiskJournalSuperblock, checksum);
    backends::Store<Be32>(bytes.data() + kField, 0u);
    backends::Store<Be32>(bytes.data() + kField,
                          backends::ExtendCrc32c(~0u, absl::MakeConstSpan(bytes).first(
                                                          sizeof(ext4::DiskJournalSuperblock))));
    Write(0, bytes);
  }

  ext4::Volume& volume_;
  const ext4::Journal& journal_;
  const ext4::JournalSuperblock superblock_;
  Random random_;
  std::string done_;
};

}  // namespace

std::string DamageJournal(ext4::Volume& volume, const ext4::Journal& journal, uint64_t seed) {
  return JournalDamage(volume, journal, seed).Run();
}

}  // namespace iomap::tests
