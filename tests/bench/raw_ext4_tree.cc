#include <utility>

#include "absl/strings/str_cat.h"
#include "backends/endian.h"
#include "backends/ext4/inode.h"
#include "backends/ext4/volume.h"
#include "dax/file_device.h"
#include "iomap/status_macros.h"
#include "tests/bench/raw_tree.h"

namespace iomap::tests {
namespace {

using backends::CopyOut;
using ext4::DiskExtent;
using ext4::DiskExtentHeader;
using ext4::DiskExtentIndex;

// Header, index and extent have one size, so records are counted from the header.
template <typename Record>
Record RecordAt(const std::byte* node, uint32_t index) {
  return CopyOut<Record>(node + sizeof(DiskExtentHeader) + size_t{index} * sizeof(Record));
}

// The last of the node's records whose file block is at most `file_block`; the first when there is
// none.
template <typename Record>
uint32_t LastAtOrBefore(const std::byte* node, uint32_t count, uint64_t file_block) {
  uint32_t low = 0;
  uint32_t high = count;
  while (high - low > 1) {
    const uint32_t middle = (low + high) / 2;
    (RecordAt<Record>(node, middle).file_block.get() <= file_block ? low : high) = middle;
  }
  return low;
}

class RawExt4Tree : public RawTree {
 public:
  RawExt4Tree(std::unique_ptr<ext4::Volume> volume, const ext4::Inode& inode)
      : volume_(std::move(volume)),
        image_(volume_->device().bytes().data()),
        block_shift_(volume_->superblock().block_shift),
        root_(image_ + inode.block_address) {}

  uint64_t BlockAt(uint64_t file_block) const override {
    const std::byte* node = root_;
    while (true) {
      const auto header = CopyOut<DiskExtentHeader>(node);
      if (header.depth.get() == 0) {
        const auto extent = RecordAt<DiskExtent>(
            node, LastAtOrBefore<DiskExtent>(node, header.entries.get(), file_block));
        const uint64_t distance = file_block - extent.file_block.get();
        return distance < LengthOf(extent) ? StartOf(extent) + distance : 0;
      }
      node = ChildOf(RecordAt<DiskExtentIndex>(
          node, LastAtOrBefore<DiskExtentIndex>(node, header.entries.get(), file_block)));
    }
  }

  size_t CountExtents() const override {
    uint64_t sum = 0;
    const size_t count = Walk(root_, &sum);
    return sum == 0 ? 0 : count;  // the sum must not be optimised away
  }

 private:
  static uint64_t LengthOf(const DiskExtent& extent) {
    const uint32_t length = extent.length.get();
    return length > ext4::kMostWrittenBlocks ? length - ext4::kMostWrittenBlocks : length;
  }
  static uint64_t StartOf(const DiskExtent& extent) {
    return uint64_t{extent.start_hi.get()} << 32 | extent.start_lo.get();
  }
  const std::byte* ChildOf(const DiskExtentIndex& index) const {
    const uint64_t block = uint64_t{index.child_hi.get()} << 32 | index.child_lo.get();
    return image_ + (block << block_shift_);
  }

  size_t Walk(const std::byte* node, uint64_t* sum) const {
    const auto header = CopyOut<DiskExtentHeader>(node);
    const uint32_t count = header.entries.get();
    if (header.depth.get() == 0) {
      for (uint32_t i = 0; i < count; ++i) {
        const auto extent = RecordAt<DiskExtent>(node, i);
        *sum += extent.file_block.get() + LengthOf(extent) + StartOf(extent);
      }
      return count;
    }
    size_t extents = 0;
    for (uint32_t i = 0; i < count; ++i) {
      extents += Walk(ChildOf(RecordAt<DiskExtentIndex>(node, i)), sum);
    }
    return extents;
  }

  const std::unique_ptr<ext4::Volume> volume_;
  const std::byte* const image_;
  const uint32_t block_shift_;
  const std::byte* const root_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<RawTree>> OpenRawExt4Tree(const std::string& image, uint64_t inode) {
  dax::DeviceSet devices;
  IOMAP_ASSIGN_OR_RETURN(devices.emplace_back(), dax::FileDevice::OpenReadOnly(image, 0));
  IOMAP_ASSIGN_OR_RETURN(std::unique_ptr<ext4::Volume> volume,
                         ext4::Volume::Open(std::move(devices)));
  IOMAP_ASSIGN_OR_RETURN(const ext4::Inode parsed, ext4::ReadInode(*volume, inode));
  return std::make_unique<RawExt4Tree>(std::move(volume), parsed);
}

}  // namespace iomap::tests
