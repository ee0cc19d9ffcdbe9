#include <utility>

#include "absl/strings/str_cat.h"
#include "backends/endian.h"
#include "backends/xfs/extent.h"
#include "backends/xfs/inode.h"
#include "backends/xfs/volume.h"
#include "dax/file_device.h"
#include "iomap/status_macros.h"
#include "tests/bench/raw_tree.h"

namespace iomap::tests {
namespace {

using backends::CopyOut;
using backends::Load;
using xfs::Be64;
using xfs::DiskForkBtreeRoot;
using xfs::DiskLongBtreeHeader;
using xfs::Extent;

// The last of `count` ascending keys, key_at(0) on, that is at most `file_block`; the first when
// there is none.
template <typename KeyAt>
uint32_t LastAtOrBefore(uint32_t count, uint64_t file_block, KeyAt key_at) {
  uint32_t low = 0;
  uint32_t high = count;
  while (high - low > 1) {
    const uint32_t middle = (low + high) / 2;
    (key_at(middle) <= file_block ? low : high) = middle;
  }
  return low;
}

uint64_t NumberAt(const std::byte* numbers, uint32_t index) {
  return Load<Be64>(numbers + size_t{index} * sizeof(uint64_t));
}

class RawXfsTree : public RawTree {
 public:
  RawXfsTree(xfs::Volume volume, xfs::Inode inode)
      : volume_(std::move(volume)),
        inode_(std::move(inode)),
        image_(volume_.main_device().bytes().data()),
        most_children_((volume_.superblock.block_size - sizeof(DiskLongBtreeHeader)) /
                       (2 * sizeof(uint64_t))) {}

  uint64_t BlockAt(uint64_t file_block) const override {
    Inner inner = Root();
    while (true) {
      const uint32_t child = LastAtOrBefore(inner.count, file_block,
                                            [&](uint32_t i) { return NumberAt(inner.keys, i); });
      const std::byte* const node = NodeAt(NumberAt(inner.children, child));
      const auto header = CopyOut<DiskLongBtreeHeader>(node);
      if (header.level.get() > 0) {
        inner = InnerAt(node, header.record_count.get());
        continue;
      }
      const std::byte* const records = node + sizeof header;
      const Extent extent = xfs::DecodeExtent(
          records, LastAtOrBefore(header.record_count.get(), file_block,
                                  [&](uint32_t i) { return xfs::DecodeFileBlock(records, i); }));
      const uint64_t distance = file_block - extent.file_block;
      return distance < extent.block_count ? extent.start_block + distance : 0;
    }
  }

  size_t CountExtents() const override {
    uint64_t sum = 0;
    const size_t count = Walk(Root(), &sum);
    return sum == 0 ? 0 : count;  // the sum must not be optimised away
  }

 private:
  struct Inner {
    uint32_t count;
    const std::byte* keys;
    const std::byte* children;
  };

  Inner Root() const {
    const std::byte* const fork = inode_.fork().data();
    const size_t most = (inode_.fork_bytes - sizeof(DiskForkBtreeRoot)) / (2 * sizeof(uint64_t));
    const std::byte* const keys = fork + sizeof(DiskForkBtreeRoot);
    return {CopyOut<DiskForkBtreeRoot>(fork).record_count.get(), keys,
            keys + most * sizeof(uint64_t)};
  }
  Inner InnerAt(const std::byte* node, uint32_t count) const {
    const std::byte* const keys = node + sizeof(DiskLongBtreeHeader);
    return {count, keys, keys + most_children_ * sizeof(uint64_t)};
  }
  const std::byte* NodeAt(uint64_t fsblock) const {
    return image_ + volume_.superblock.AddressOfBlock(fsblock);
  }

  size_t Walk(const Inner& inner, uint64_t* sum) const {
    size_t extents = 0;
    for (uint32_t child = 0; child < inner.count; ++child) {
      const std::byte* const node = NodeAt(NumberAt(inner.children, child));
      const auto header = CopyOut<DiskLongBtreeHeader>(node);
      const uint32_t count = header.record_count.get();
      if (header.level.get() > 0) {
        extents += Walk(InnerAt(node, count), sum);
        continue;
      }
      for (uint32_t i = 0; i < count; ++i) {
        const Extent extent = xfs::DecodeExtent(node + sizeof header, i);
        *sum += extent.file_block + extent.block_count + extent.start_block;
      }
      extents += count;
    }
    return extents;
  }

  const xfs::Volume volume_;
  const xfs::Inode inode_;
  const std::byte* const image_;
  const size_t most_children_;  // that a block below the root has room for
};

}  // namespace

absl::StatusOr<std::unique_ptr<RawTree>> OpenRawXfsTree(const std::string& image, uint64_t inode) {
  dax::DeviceSet devices;
  IOMAP_ASSIGN_OR_RETURN(devices.emplace_back(), dax::FileDevice::OpenReadOnly(image, 0));
  IOMAP_ASSIGN_OR_RETURN(xfs::Superblock superblock, xfs::ParseSuperblock(*devices.front()));
  xfs::Volume volume{std::move(devices), std::move(superblock)};
  IOMAP_ASSIGN_OR_RETURN(xfs::Inode parsed, xfs::ReadInode(volume, inode));
  if (parsed.fork_format != xfs::ForkFormat::kBtree) {
    return absl::FailedPreconditionError(
        absl::StrCat("inode ", inode, ": its extents are in no tree"));
  }
  return std::make_unique<RawXfsTree>(std::move(volume), std::move(parsed));
}

}  // namespace iomap::tests
