#include "tests/support/checksum_repair.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>
#include <vector>

#include "backends/crc32c.h"
#include "backends/ext4/crc16.h"
#include "backends/ext4/format.h"
#include "backends/ext4/group.h"
#include "backends/ext4/inode.h"
#include "backends/ext4/volume.h"
#include "backends/xfs/checksum.h"
#include "backends/xfs/directory_format.h"
#include "backends/xfs/format.h"
#include "dax/file_device.h"
#include "iomap/path.h"
#include "iomap/status_macros.h"

namespace iomap::tests {
namespace {

using backends::ExtendCrc32c;
using backends::ExtendCrc32cByZeros;
using backends::Le16;
using backends::Le32;
using backends::Load;
using Bytes = absl::Span<const std::byte>;
using Changed = absl::Span<std::byte>;

void Store(uint32_t value, size_t width, std::byte* at) {
  for (size_t i = 0; i < width; ++i) {
    at[i] = static_cast<std::byte>(value >> (8 * i));
  }
}

// XFS: each piece of a block that holds its own checksum right now gets it again.
class XfsRepair : public ChecksumRepair {
 public:
  Repair For(const MetadataBlock& block, Bytes bytes) const override {
    const size_t piece_bytes = block.record_bytes;
    // A block of unknown kind may be any tree's: where its checksum is, is found by trying.
    constexpr size_t kPlaces[] = {offsetof(xfs::DiskSuperblock, crc),
                                  offsetof(xfs::DiskAgf, crc),
                                  offsetof(xfs::DiskAgi, crc),
                                  offsetof(xfs::DiskShortBtreeHeader, crc),
                                  offsetof(xfs::DiskLongBtreeHeader, crc),
                                  offsetof(xfs::DiskInode, crc),
                                  offsetof(xfs::DiskDirectoryDataHeader, crc),
                                  offsetof(xfs::DiskIndexHeaderV5, crc),
                                  offsetof(xfs::DiskSymlinkHeader, crc)};
    std::vector<std::pair<size_t, size_t>> found;  // where the piece begins, where its checksum
    for (size_t begin = 0; begin + piece_bytes <= bytes.size(); begin += piece_bytes) {
      for (size_t place : kPlaces) {
        if (place + sizeof(Le32) <= piece_bytes &&
            xfs::ChecksumMatches(bytes.subspan(begin, piece_bytes), place)) {
          found.emplace_back(begin, place);
          break;
        }
      }
    }
    return [found, piece_bytes](Changed changed) {
      for (const auto& [begin, place] : found) {
        const Changed piece = changed.subspan(begin, piece_bytes);
        Store(0, sizeof(Le32), piece.data() + place);
        Store(~ExtendCrc32c(~0u, piece), sizeof(Le32), piece.data() + place);
      }
    };
  }
};

class Ext4Repair : public ChecksumRepair {
 public:
  static absl::StatusOr<std::unique_ptr<ChecksumRepair>> Make(const std::string& image_path,
                                                              dax::Filesystem& filesystem) {
    IOMAP_ASSIGN_OR_RETURN(std::unique_ptr<dax::FileDevice> device,
                           dax::FileDevice::OpenReadOnly(image_path, 0));
    dax::DeviceSet devices;
    devices.push_back(std::move(device));
    auto repair = std::make_unique<Ext4Repair>();
    IOMAP_ASSIGN_OR_RETURN(repair->volume_, ext4::Volume::Open(std::move(devices)));
    absl::Status status = repair->AddSeed(filesystem.root());
    IOMAP_RETURN_IF_ERROR(WalkTree(
        filesystem,
        [&](const TreeEntry& entry) {
          status.Update(repair->AddSeed(entry.inode));
          return true;
        },
        [&](absl::string_view, const absl::Status& failed) {
          status.Update(failed);
          return true;
        }));
    IOMAP_RETURN_IF_ERROR(status);
    return repair;
  }

  Repair For(const MetadataBlock& block, Bytes bytes) const override {
    const ext4::Superblock& superblock = volume_->superblock();
    if (block.kind == "group descriptor" && superblock.has_group_checksums()) {
      return
          [this, address = block.address](Changed changed) { RepairDescriptors(address, changed); };
    }
    if (!superblock.has_metadata_checksums()) {
      return [](Changed) {};
    }
    if (block.kind == "superblock") {
      return [address = block.address](Changed changed) {
        const Changed record =
            changed.subspan(ext4::kSuperblockOffset - address, sizeof(ext4::DiskSuperblock));
        constexpr size_t kPlace = offsetof(ext4::DiskSuperblock, checksum);
        Store(ExtendCrc32c(~0u, record.first(kPlace)), sizeof(Le32), record.data() + kPlace);
      };
    }
    if (block.kind == "inode") {
      return RepairOfInodes(block.address, bytes);
    }
    return RepairOfOwnedBlock(bytes);
  }

 private:
  // A checksum of an extent or directory block: where it lies, and what it counts before and behind
  // a gap of four zeros. Nothing where the block has no room for it.
  struct Place {
    size_t counted_bytes = 0;
    size_t reserved_bytes = 0;  // of an index tail: four bytes in front of the checksum, then zeros
    size_t checksum = 0;
  };

  absl::Status AddSeed(InodeNumber number) {
    IOMAP_ASSIGN_OR_RETURN(const ext4::Inode inode, ext4::ReadInode(*volume_, number));
    seeds_.push_back(inode.checksum_seed);
    return absl::OkStatus();
  }

  static uint32_t Compute(uint32_t seed, const Place& place, Bytes block) {
    uint32_t crc = ExtendCrc32c(seed, block.first(place.counted_bytes));
    if (place.reserved_bytes > 0) {
      crc = ExtendCrc32c(crc, block.subspan(place.checksum - sizeof(Le32), sizeof(Le32)));
      crc = ExtendCrc32cByZeros(crc, sizeof(Le32));
    }
    return crc;
  }

  static Place ExtentPlace(Bytes block) {
    const auto header = backends::CopyOut<ext4::DiskExtentHeader>(block.data());
    const size_t end = sizeof header + header.max.get() * sizeof(ext4::DiskExtent);
    return {end, 0, end};
  }

  static Place LinearPlace(Bytes block) {
    const size_t tail = block.size() - sizeof(ext4::DiskDirectoryTail);
    return {tail, 0, tail + offsetof(ext4::DiskDirectoryTail, checksum)};
  }

  template <size_t entries>
  static Place IndexPlace(Bytes block) {
    const auto counts = backends::CopyOut<ext4::DiskIndexCountLimit>(block.data() + entries);
    const size_t tail = entries + counts.limit.get() * sizeof(ext4::DiskIndexEntry);
    return {entries + counts.count.get() * sizeof(ext4::DiskIndexEntry), sizeof(Le32),
            tail + offsetof(ext4::DiskIndexTail, checksum)};
  }

  static bool Fits(const Place& place, Bytes block) {
    return place.checksum + sizeof(Le32) <= block.size() && place.counted_bytes <= block.size();
  }

  // Whose block it is, and of which form, is found by trying: the checksum that is right now tells.
  Repair RepairOfOwnedBlock(Bytes bytes) const {
    using PlaceOf = Place (*)(Bytes);
    constexpr size_t kRootEntries = ext4::kIndexRootInfoOffset + sizeof(ext4::DiskIndexRootInfo);
    constexpr PlaceOf kForms[] = {&ExtentPlace, &LinearPlace, &IndexPlace<kRootEntries>,
                                  &IndexPlace<sizeof(ext4::DiskDirectoryEntry)>};
    for (PlaceOf place_of : kForms) {
      const Place place = place_of(bytes);
      if (!Fits(place, bytes)) {
        continue;
      }
      const uint32_t stored = Load<Le32>(bytes.data() + place.checksum);
      for (uint32_t seed : seeds_) {
        if (stored == Compute(seed, place, bytes)) {
          return [place_of, seed](Changed changed) {
            if (const Place now = place_of(changed); Fits(now, changed)) {
              Store(Compute(seed, now, changed), sizeof(Le32), changed.data() + now.checksum);
            }
          };
        }
      }
    }
    return [](Changed) {};
  }

  void RepairDescriptors(uint64_t address, Changed changed) const {
    const ext4::Superblock& superblock = volume_->superblock();
    const uint64_t block = address >> superblock.block_shift;
    const uint32_t size = superblock.descriptor_size;
    constexpr size_t kPlace = offsetof(ext4::DiskGroupDescriptor, checksum);
    size_t index = 0;
    for (uint64_t group = 0; group < superblock.group_count; ++group) {
      if (superblock.DescriptorBlock(group) != block) {
        continue;
      }
      const Changed record = changed.subspan(index++ * size, size);
      std::array<std::byte, 4> number;
      Store(static_cast<uint32_t>(group), number.size(), number.data());
      uint32_t crc = 0;
      if (superblock.has_metadata_checksums()) {
        crc = ExtendCrc32c(superblock.checksum_seed, number);
        crc = ExtendCrc32c(crc, record.first(kPlace));
        crc = ExtendCrc32cByZeros(crc, sizeof(Le16));
        crc = ExtendCrc32c(crc, record.subspan(kPlace + sizeof(Le16)));
      } else {
        const Bytes uuid = absl::MakeConstSpan(
            reinterpret_cast<const std::byte*>(superblock.uuid.data()), superblock.uuid.size());
        uint16_t crc16 = ext4::ExtendCrc16(0xFFFF, uuid);
        crc16 = ext4::ExtendCrc16(crc16, number);
        crc16 = ext4::ExtendCrc16(crc16, record.first(kPlace));
        crc = ext4::ExtendCrc16(crc16, record.subspan(kPlace + sizeof(Le16)));
      }
      Store(crc, sizeof(Le16), record.data() + kPlace);
    }
  }

  // Those whose checksums are right: of an inode that was never used there is none.
  Repair RepairOfInodes(uint64_t address, Bytes bytes) const {
    const size_t size = volume_->superblock().inode_size;
    std::vector<std::pair<size_t, uint32_t>> found;  // where the record begins, which inode it is
    for (size_t begin = 0; begin < bytes.size(); begin += size) {
      const Bytes record = bytes.subspan(begin, size);
      std::vector<std::byte> repaired(record.begin(), record.end());
      const uint32_t number = NumberAt(address + begin);
      RepairInode(number, absl::MakeSpan(repaired));
      if (std::equal(record.begin(), record.end(), repaired.begin())) {
        found.emplace_back(begin, number);
      }
    }
    return [this, found, size](Changed changed) {
      for (const auto& [begin, number] : found) {
        RepairInode(number, changed.subspan(begin, size));
      }
    };
  }

  uint32_t NumberAt(uint64_t address) const {
    const ext4::Superblock& superblock = volume_->superblock();
    const uint64_t table_bytes = uint64_t{superblock.inodes_per_group} * superblock.inode_size;
    for (uint64_t number = 0; number < superblock.group_count; ++number) {
      const auto group = ext4::ReadGroup(*volume_, number);
      if (!group.ok()) {
        continue;
      }
      const uint64_t table = group->inode_table_block << superblock.block_shift;
      if (address >= table && address - table < table_bytes) {
        return static_cast<uint32_t>(number * superblock.inodes_per_group +
                                     (address - table) / superblock.inode_size + 1);
      }
    }
    return 0;
  }

  void RepairInode(uint32_t number, Changed record) const {
    constexpr size_t kLo = offsetof(ext4::DiskInode, checksum_lo);
    constexpr size_t kHi = offsetof(ext4::DiskInode, checksum_hi);
    std::array<std::byte, 4> number_bytes;
    Store(number, number_bytes.size(), number_bytes.data());
    const uint16_t extra_bytes =
        record.size() > ext4::kSmallInodeBytes
            ? Load<Le16>(record.data() + offsetof(ext4::DiskInode, extra_isize))
            : 0;
    const bool has_hi = extra_bytes >= kHi + sizeof(Le16) - ext4::kSmallInodeBytes;
    Store(0, sizeof(Le16), record.data() + kLo);
    if (has_hi) {
      Store(0, sizeof(Le16), record.data() + kHi);
    }
    uint32_t crc = ExtendCrc32c(volume_->superblock().checksum_seed, number_bytes);
    crc = ExtendCrc32c(crc, Bytes(record).subspan(offsetof(ext4::DiskInode, generation), 4));
    crc = ExtendCrc32c(crc, record);
    Store(crc, sizeof(Le16), record.data() + kLo);
    if (has_hi) {
      Store(crc >> 16, sizeof(Le16), record.data() + kHi);
    }
  }

  std::unique_ptr<ext4::Volume> volume_;
  std::vector<uint32_t> seeds_;  // of the inodes in use
};

}  // namespace

absl::StatusOr<std::unique_ptr<ChecksumRepair>> ChecksumRepair::Make(const std::string& image_path,
                                                                     dax::Filesystem& filesystem) {
  IOMAP_ASSIGN_OR_RETURN(const FilesystemInfo info, filesystem.info());
  if (info.backend == "xfs") {
    return std::make_unique<XfsRepair>();
  }
  return Ext4Repair::Make(image_path, filesystem);
}

}  // namespace iomap::tests
