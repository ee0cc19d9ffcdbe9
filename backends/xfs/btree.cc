#include "backends/xfs/btree.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "backends/endian.h"
#include "backends/xfs/checksum.h"
#include "iomap/status_macros.h"

namespace iomap::xfs {
namespace {

using backends::TreeNode;
using backends::TreePlace;

constexpr SelfDescription kShortDescription = {
    .crc = offsetof(DiskShortBtreeHeader, crc),
    .block_number = offsetof(DiskShortBtreeHeader, block_number),
    .uuid = offsetof(DiskShortBtreeHeader, uuid),
    .owner = offsetof(DiskShortBtreeHeader, owner),
    .owner_bytes = sizeof(uint32_t),
};
constexpr SelfDescription kLongDescription = {
    .crc = offsetof(DiskLongBtreeHeader, crc),
    .block_number = offsetof(DiskLongBtreeHeader, block_number),
    .uuid = offsetof(DiskLongBtreeHeader, uuid),
    .owner = offsetof(DiskLongBtreeHeader, owner),
    .owner_bytes = sizeof(uint64_t),
};

uint32_t PointerBytes(const BtreeFormat& format) {
  return format.belongs_to_inode ? sizeof(uint64_t) : sizeof(uint32_t);
}

uint32_t HeaderBytes(const BtreeFormat& format, bool is_v5) {
  if (format.belongs_to_inode) {
    return is_v5 ? sizeof(DiskLongBtreeHeader) : offsetof(DiskLongBtreeHeader, block_number);
  }
  return is_v5 ? sizeof(DiskShortBtreeHeader) : offsetof(DiskShortBtreeHeader, block_number);
}

uint64_t LoadKeyOrPointer(const BtreeFormat& format, const std::byte* bytes) {
  return format.belongs_to_inode ? backends::Load<Be64>(bytes) : backends::Load<Be32>(bytes);
}

// The start that headers of both widths share.
struct BlockStart {
  Be32 magic;
  Be16 level;
  Be16 record_count;
};

class BlockReader {
 public:
  BlockReader(const Volume& volume, const BtreeFormat& format, uint64_t owner, uint64_t fsblock,
              const TreePlace& place)
      : volume_(volume), format_(format), owner_(owner), fsblock_(fsblock), place_(place) {}

  absl::StatusOr<TreeNode> Read(Emptiness emptiness, RecordCheck check_records) const {
    IOMAP_ASSIGN_OR_RETURN(const absl::Span<const std::byte> block,
                           volume_.ViewBlocks(fsblock_, 1));
    const auto start = backends::CopyOut<BlockStart>(block.data());
    IOMAP_RETURN_IF_ERROR(CheckHeader(block, start));
    const uint32_t count = start.record_count.get();
    const uint32_t header_bytes = HeaderBytes(format_, volume_.superblock.is_v5());
    const uint32_t record_bytes =
        place_.level == 0 ? format_.record_bytes : 2 * PointerBytes(format_);
    const uint32_t most = (volume_.superblock.block_size - header_bytes) / record_bytes;
    if (count > most) {
      return Damaged(count, " records, at most ", most);
    }
    if (count == 0 && (emptiness == Emptiness::kRefused || place_.level > 0)) {
      return Damaged("no records");
    }
    const std::byte* const records = block.data() + header_bytes;
    if (place_.level == 0) {
      if (absl::Status status = check_records(records, count, place_); !status.ok()) {
        return Damaged(status.message());
      }
      return TreeNode{.level = 0, .count = count, .records = records};
    }
    absl::StatusOr<TreeNode> node =
        DecodeInnerNode(volume_, format_, owner_, place_, records,
                        records + size_t{most} * PointerBytes(format_), count);
    return node.ok() ? std::move(node) : Damaged(node.status().message());
  }

 private:
  template <typename... What>
  absl::Status Damaged(const What&... what) const {
    return absl::DataLossError(
        absl::StrCat("xfs ", format_.belongs_to_inode ? "inode " : "allocation group ", owner_,
                     ", block ", fsblock_, " of the ", format_.name, " tree: ", what...));
  }

  absl::Status CheckHeader(absl::Span<const std::byte> block, const BlockStart& start) const {
    const Superblock& superblock = volume_.superblock;
    const uint32_t magic = superblock.is_v5() ? format_.magic_v5 : format_.magic_v4;
    if (start.magic.get() != magic) {
      return Damaged("magic number ", absl::Hex(start.magic.get(), absl::kZeroPad8), ", not ",
                     absl::Hex(magic, absl::kZeroPad8));
    }
    if (superblock.is_v5()) {
      absl::Status status = CheckSelfDescription(
          superblock, format_.belongs_to_inode ? kLongDescription : kShortDescription, block,
          superblock.AddressOfBlock(fsblock_), owner_);
      if (!status.ok()) {
        return Damaged(status.message());
      }
    }
    if (start.level.get() != place_.level) {
      return Damaged("level ", start.level.get(), ", in the place of one of level ", place_.level);
    }
    return absl::OkStatus();
  }

  const Volume& volume_;
  const BtreeFormat& format_;
  const uint64_t owner_;
  const uint64_t fsblock_;
  const TreePlace& place_;
};

}  // namespace

absl::StatusOr<TreeNode> ReadBtreeBlock(const Volume& volume, const BtreeFormat& format,
                                        uint64_t owner, uint64_t fsblock, const TreePlace& place,
                                        Emptiness emptiness, RecordCheck check_records) {
  return BlockReader(volume, format, owner, fsblock, place).Read(emptiness, check_records);
}

absl::StatusOr<TreeNode> DecodeInnerNode(const Volume& volume, const BtreeFormat& format,
                                         uint64_t owner, const TreePlace& place,
                                         const std::byte* keys, const std::byte* pointers,
                                         uint32_t count) {
  const Superblock& superblock = volume.superblock;
  const uint32_t width = PointerBytes(format);
  TreeNode node;
  node.level = place.level;
  node.count = count;
  node.keys.reserve(count);
  node.children.reserve(count);
  for (uint32_t i = 0; i < count; ++i) {
    const uint64_t key = LoadKeyOrPointer(format, keys + size_t{i} * width);
    const uint64_t pointer = LoadKeyOrPointer(format, pointers + size_t{i} * width);
    const bool ascends = i == 0 ? key >= place.key_begin : key > node.keys.back();
    if (!ascends || key >= place.key_end) {
      return absl::DataLossError(absl::StrCat("key ", key, " of child ", i, " is out of order"));
    }
    const uint64_t child = format.belongs_to_inode
                               ? pointer
                               : superblock.FsBlock(static_cast<uint32_t>(owner), 0) + pointer;
    const bool exists = superblock.ContainsBlocks(child, 1) &&
                        (format.belongs_to_inode || superblock.AgOfBlock(child) == owner);
    if (!exists) {
      return absl::DataLossError(
          absl::StrCat("child ", i, " is block ", pointer, ", which does not exist"));
    }
    node.keys.push_back(key);
    node.children.push_back(child);
  }
  return node;
}

}  // namespace iomap::xfs
