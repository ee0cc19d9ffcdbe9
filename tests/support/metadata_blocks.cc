#include "tests/support/metadata_blocks.h"

#include <fcntl.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "backends/endian.h"
#include "backends/ext4/format.h"
#include "backends/ext4/group.h"
#include "backends/ext4/volume.h"
#include "backends/xfs/checksum.h"
#include "backends/xfs/directory_format.h"
#include "backends/xfs/superblock.h"
#include "dax/file_device.h"
#include "iomap/for_each_mapping.h"
#include "iomap/path.h"
#include "iomap/status_macros.h"
#include "tests/support/file_descriptor.h"
#include "tests/support/system_error.h"

namespace iomap::tests {
namespace {

using backends::Be16;
using backends::Be32;
using backends::Le16;
using backends::Le32;
using backends::Load;
using Bytes = absl::Span<const std::byte>;

// Superblock, AGF, AGI and free list of an allocation group of XFS.
constexpr uint32_t kHeaderSectors = 4;

// Which file's contents lie where.
class Owners {
 public:
  absl::Status AddTree(dax::Filesystem& filesystem) {
    IOMAP_RETURN_IF_ERROR(AddFile(filesystem, filesystem.root(), FileType::kDirectory));
    absl::Status status;
    IOMAP_RETURN_IF_ERROR(WalkTree(
        filesystem,
        [&](const TreeEntry& entry) {
          status = AddFile(filesystem, entry.inode, entry.type);
          return status.ok();
        },
        [&](absl::string_view, const absl::Status& failed) {
          status = failed;
          return false;
        }));
    return status;
  }

  absl::Status AddFile(dax::Filesystem& filesystem, InodeNumber inode, FileType type) {
    if (!seen_.insert(inode).second) {
      return absl::OkStatus();
    }
    IOMAP_ASSIGN_OR_RETURN(const std::shared_ptr<dax::File> file, filesystem.OpenFile(inode));
    return ForEachMapping(
        *file, &iomap::File::MapForRead, ByteRange::All(),
        [&](const Mapping& mapping, const ByteRange&) {
          if (mapping.type == MappingType::kMapped || mapping.type == MappingType::kUnwritten) {
            Add(mapping, type);
          }
          return Walk::kContinue;
        });
  }

  struct Piece {
    Mapping mapping;
    FileType type = FileType::kUnknown;
  };

  // The piece of a file that holds the byte at `address`; null when no file has it.
  const Piece* At(uint64_t address) const {
    auto next = pieces_.upper_bound(address);
    if (next == pieces_.begin()) {
      return nullptr;
    }
    const Piece& piece = std::prev(next)->second;
    return address - piece.mapping.address < piece.mapping.length ? &piece : nullptr;
  }

 private:
  // Files may share bytes: only what nobody has yet is added, so that pieces do not overlap.
  void Add(const Mapping& mapping, FileType type) {
    const uint64_t end = mapping.address + mapping.length;
    uint64_t address = mapping.address;
    while (address < end) {
      if (const Piece* known = At(address); known != nullptr) {
        address = known->mapping.address + known->mapping.length;
        continue;
      }
      const auto next = pieces_.upper_bound(address);
      const uint64_t part_end = next == pieces_.end() ? end : std::min(end, next->first);
      const ByteRange part{mapping.offset + (address - mapping.address), part_end - address};
      pieces_[address] = {mapping.Slice(part), type};
      address = part_end;
    }
  }

  std::set<InodeNumber> seen_;
  std::map<uint64_t, Piece> pieces_;  // by address
};

bool IsZero(Bytes bytes) {
  return std::all_of(bytes.begin(), bytes.end(),
                     [](std::byte byte) { return byte == std::byte{}; });
}

// The ranges of the image file that are not holes.
absl::StatusOr<std::vector<ByteRange>> AllocatedRanges(const std::string& path) {
  const FileDescriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.is_open()) {
    return SystemError(path);
  }
  std::vector<ByteRange> ranges;
  off_t end = 0;
  while (true) {
    const off_t begin = lseek(file.get(), end, SEEK_DATA);
    if (begin < 0) {
      return ranges;
    }
    end = lseek(file.get(), begin, SEEK_HOLE);
    ranges.push_back(ByteRange::Between(begin, end));
  }
}

// How one format is divided.
class Layout {
 public:
  virtual ~Layout() = default;
  // The metadata block at `address`, whose bytes begin `rest`, the rest of the image.
  virtual MetadataBlock BlockAt(uint64_t address, Bytes rest, const Owners::Piece* owner) const = 0;
  // The address of what follows `block`.
  virtual uint64_t Next(const MetadataBlock& block) const { return block.address + block.length; }
};

class Ext4Layout : public Layout {
 public:
  static absl::StatusOr<std::unique_ptr<Layout>> Make(const std::string& image_path,
                                                      dax::Filesystem& filesystem) {
    IOMAP_ASSIGN_OR_RETURN(std::unique_ptr<dax::FileDevice> device,
                           dax::FileDevice::OpenReadOnly(image_path, 0));
    dax::DeviceSet devices;
    devices.push_back(std::move(device));
    IOMAP_ASSIGN_OR_RETURN(const std::unique_ptr<ext4::Volume> volume,
                           ext4::Volume::Open(std::move(devices)));
    auto layout = std::make_unique<Ext4Layout>();
    const ext4::Superblock& superblock = volume->superblock();
    layout->superblock_ = superblock;
    const uint64_t table_blocks =
        uint64_t{superblock.inodes_per_group} * superblock.inode_size >> superblock.block_shift;
    for (uint64_t group = 0; group < superblock.group_count; ++group) {
      layout->descriptor_blocks_.insert(superblock.DescriptorBlock(group));
      IOMAP_ASSIGN_OR_RETURN(const ext4::Group parsed, ext4::ReadGroup(*volume, group));
      layout->tables_[parsed.inode_table_block] = parsed.inode_table_block + table_blocks;
    }
    if (superblock.journal_inode != 0) {
      // The journal is nobody's in the tree, and no regular file: its blocks are metadata.
      IOMAP_RETURN_IF_ERROR(
          layout->journal_.AddFile(filesystem, superblock.journal_inode, FileType::kUnknown));
    }
    return layout;
  }

  MetadataBlock BlockAt(uint64_t address, Bytes rest, const Owners::Piece* owner) const override {
    const uint32_t size = superblock_.block_size;
    MetadataBlock block{.address = address, .length = size, .record_bytes = size};
    block.kind = KindOf(address >> superblock_.block_shift, address, rest.first(size), owner);
    if (block.kind == "inode") {
      block.record_bytes = superblock_.inode_size;
    } else if (block.kind == "group descriptor") {
      block.record_bytes = superblock_.descriptor_size;
    }
    return block;
  }

 private:
  std::string KindOf(uint64_t number, uint64_t address, Bytes bytes,
                     const Owners::Piece* owner) const {
    const uint64_t superblock_block = ext4::kSuperblockOffset >> superblock_.block_shift;
    if (number == superblock_block) {
      return "superblock";
    }
    if (descriptor_blocks_.count(number) > 0) {
      return "group descriptor";
    }
    const auto table = tables_.upper_bound(number);
    if (table != tables_.begin() && number < std::prev(table)->second) {
      return "inode";
    }
    if (journal_.At(address) != nullptr) {
      return "journal";
    }
    if (owner != nullptr && owner->type == FileType::kSymbolicLink) {
      return "symbolic link";
    }
    if (owner != nullptr && owner->type == FileType::kDirectory) {
      const bool is_node = Load<Le32>(bytes.data()) == 0 &&
                           Load<Le16>(bytes.data() + sizeof(Le32)) == superblock_.block_size;
      return (owner->mapping.offset == 0 && owner->mapping.address == address) || is_node
                 ? "directory root or index"
                 : "directory";
    }
    if (Load<Le16>(bytes.data()) == ext4::kExtentMagic) {
      return "extent tree";
    }
    if (Load<Le32>(bytes.data()) == ext4::kXattrMagic) {
      return "extended attributes";
    }
    return HoldsPointers(bytes) ? "pointers" : "other";
  }

  bool HoldsPointers(Bytes bytes) const {
    for (size_t i = 0; i < bytes.size(); i += sizeof(Le32)) {
      if (Load<Le32>(bytes.data() + i) >= superblock_.block_count) {
        return false;
      }
    }
    return true;
  }

  ext4::Superblock superblock_;
  std::set<uint64_t> descriptor_blocks_;
  std::map<uint64_t, uint64_t> tables_;  // first block -> end
  Owners journal_;
};

class XfsLayout : public Layout {
 public:
  static absl::StatusOr<std::unique_ptr<Layout>> Make(const std::string& image_path) {
    IOMAP_ASSIGN_OR_RETURN(const std::unique_ptr<dax::FileDevice> device,
                           dax::FileDevice::OpenReadOnly(image_path, 0));
    auto layout = std::make_unique<XfsLayout>();
    IOMAP_ASSIGN_OR_RETURN(layout->superblock_, xfs::ParseSuperblock(*device));
    return layout;
  }

  MetadataBlock BlockAt(uint64_t address, Bytes rest, const Owners::Piece* owner) const override {
    const xfs::Superblock& superblock = superblock_;
    const uint64_t group_bytes = uint64_t{superblock.ag_blocks} << superblock.block_log;
    MetadataBlock block{.address = address, .length = superblock.block_size};
    if (address % group_bytes < kHeaderSectors * superblock.sector_size) {
      block.length = superblock.sector_size;
    }
    block.kind = KindOf(address, rest, owner);
    if (block.kind.rfind("directory", 0) == 0) {
      block.length = superblock.directory_block_size();
    }
    block.length = static_cast<uint32_t>(std::min<uint64_t>(block.length, rest.size()));
    block.record_bytes = block.kind == "inode" ? superblock.inode_size : block.length;
    return block;
  }

  // Behind the headers' sectors, the rest of their last block is nobody's.
  uint64_t Next(const MetadataBlock& block) const override {
    const uint64_t next = block.address + block.length;
    const uint64_t group_bytes = uint64_t{superblock_.ag_blocks} << superblock_.block_log;
    const uint64_t mask = superblock_.block_size - 1;
    return next % group_bytes < kHeaderSectors * superblock_.sector_size ? next
                                                                         : (next + mask) & ~mask;
  }

 private:
  std::string KindOf(uint64_t address, Bytes bytes, const Owners::Piece* owner) const {
    const uint64_t log_begin = superblock_.AddressOfBlock(superblock_.log_start);
    const uint64_t log_bytes = uint64_t{superblock_.log_blocks} << superblock_.block_log;
    if (address >= log_begin && address - log_begin < log_bytes) {
      return "journal";
    }
    if (owner != nullptr && owner->type == FileType::kSymbolicLink) {
      return "symbolic link";
    }
    if (owner != nullptr && owner->type == FileType::kDirectory) {
      const uint16_t magic = Load<Be16>(bytes.data() + offsetof(xfs::DiskIndexHeaderV4, magic));
      const bool is_index = magic == xfs::kSingleLeafMagicV4 || magic == xfs::kSingleLeafMagicV5 ||
                            magic == xfs::kLeafMagicV4 || magic == xfs::kLeafMagicV5 ||
                            magic == xfs::kNodeMagicV4 || magic == xfs::kNodeMagicV5;
      return is_index ? "directory index" : "directory";
    }
    const std::pair<uint32_t, const char*> kinds[] = {
        {xfs::kSuperblockMagic, address == 0 ? "superblock" : "superblock copy"},
        {xfs::kAgfMagic, "AGF"},
        {xfs::kAgiMagic, "AGI"},
        {xfs::kInodeBtreeMagicV4, "inode tree"},
        {xfs::kInodeBtreeMagicV5, "inode tree"},
        {xfs::kRefcountBtreeMagic, "reference-count tree"},
        {xfs::kExtentBtreeMagicV4, "extent tree"},
        {xfs::kExtentBtreeMagicV5, "extent tree"}};
    const uint32_t magic = Load<Be32>(bytes.data());
    for (const auto& [known, kind] : kinds) {
      if (magic == known) {
        return kind;
      }
    }
    return magic >> 16 == xfs::kInodeMagic ? "inode" : "other";
  }

  xfs::Superblock superblock_;
};

}  // namespace

absl::StatusOr<std::vector<MetadataBlock>> FindMetadataBlocks(const std::string& image_path,
                                                              dax::Filesystem& filesystem) {
  Owners owners;
  IOMAP_RETURN_IF_ERROR(owners.AddTree(filesystem));
  IOMAP_ASSIGN_OR_RETURN(const FilesystemInfo info, filesystem.info());
  std::unique_ptr<Layout> layout;
  if (info.backend == "xfs") {
    IOMAP_ASSIGN_OR_RETURN(layout, XfsLayout::Make(image_path));
  } else {
    IOMAP_ASSIGN_OR_RETURN(layout, Ext4Layout::Make(image_path, filesystem));
  }
  IOMAP_ASSIGN_OR_RETURN(const std::unique_ptr<dax::FileDevice> device,
                         dax::FileDevice::OpenReadOnly(image_path, 0));
  IOMAP_ASSIGN_OR_RETURN(const std::vector<ByteRange> ranges, AllocatedRanges(image_path));
  std::vector<MetadataBlock> blocks;
  uint64_t next = 0;
  for (const ByteRange& range : ranges) {
    next = std::max(next, range.offset);
    while (next < range.end() && device->size() - next >= info.block_size) {
      const Owners::Piece* owner = owners.At(next);
      MetadataBlock block = layout->BlockAt(next, device->bytes().subspan(next), owner);
      const bool is_data = owner != nullptr && owner->type == FileType::kRegular;
      next = layout->Next(block);
      if (!is_data && !IsZero(device->bytes().subspan(block.address, block.length))) {
        blocks.push_back(std::move(block));
      }
    }
  }
  return blocks;
}

}  // namespace iomap::tests
