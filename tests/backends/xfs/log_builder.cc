#include "tests/backends/xfs/log_builder.h"

#include <algorithm>
#include <cstring>

#include "backends/crc32c.h"
#include "backends/xfs/log_format.h"

namespace iomap::tests {
namespace {

constexpr uint32_t kBlock = xfs::kBasicBlockSize;

Region Head(xfs::LogItemType type, size_t region_count) {
  Region region;
  region.Add(static_cast<uint16_t>(type), 2).Add(region_count, 2);
  return region;
}

}  // namespace

Region& Region::Add(uint64_t value, size_t width) {
  for (size_t i = 0; i < width; ++i) {
    bytes_.push_back(static_cast<std::byte>(i < sizeof value ? value >> (8 * i) : 0));
  }
  return *this;
}

Region& Region::AddBigEndian(uint64_t value, size_t width) {
  for (size_t i = width; i > 0; --i) {
    bytes_.push_back(static_cast<std::byte>(value >> (8 * (i - 1))));
  }
  return *this;
}

Item BufferItem(uint64_t address, uint32_t length, uint16_t flags, const std::vector<Run>& runs) {
  uint64_t map = 0;  // as large as the buffers of these tests need
  for (const Run& run : runs) {
    const size_t chunks = run.bytes.bytes().size() / xfs::kLogChunkBytes;
    for (size_t i = 0; i < chunks; ++i) {
      map |= uint64_t{1} << (run.offset / xfs::kLogChunkBytes + i);
    }
  }
  Region head = Head(xfs::LogItemType::kBuffer, 1 + runs.size());
  head.Add(flags, 2).Add(length / kBlock, 2).Add(address / kBlock, 8).Add(2, 4).Add(map, 8);
  Item item = {head};
  for (const Run& run : runs) {
    item.push_back(run.bytes);
  }
  return item;
}

Item CancelItem(uint64_t address, uint32_t length) {
  return BufferItem(address, length, xfs::kLogBufferCancel, {});
}

uint16_t KindFlags(xfs::LogBufferKind kind) {
  return static_cast<uint16_t>(static_cast<uint16_t>(kind) << xfs::kLogBufferKindShift);
}

xfs::DiskLogInode LogCoreOf(const XfsImage& image, InodeNumber inode) {
  const std::byte* const bytes = image.contents().data() + image.superblock().AddressOfInode(inode);
  xfs::DiskInode disk = {};
  std::memcpy(&disk, bytes, std::min<size_t>(sizeof disk, image.superblock().inode_size));
  xfs::DiskLogInode core = {};
  core.magic.set(disk.magic.get());
  core.mode.set(disk.mode.get());
  core.version = disk.version;
  core.format = disk.format;
  core.uid.set(disk.uid.get());
  core.gid.set(disk.gid.get());
  core.link_count.set(disk.link_count.get());
  core.size.set(disk.size.get());
  core.block_count.set(disk.block_count.get());
  core.extent_count.set(disk.extent_count.get());
  core.fork_offset = disk.fork_offset;
  core.attribute_format = disk.attribute_format;
  core.next_unlinked.set(disk.next_unlinked.get());
  if (disk.version == 3) {
    core.flags2.set(disk.flags2.get());
    core.inode_number.set(disk.inode_number.get());
    core.uuid = disk.uuid;
  }
  return core;
}

Item InodeItem(const XfsImage& image, InodeNumber inode, uint32_t fields,
               const xfs::DiskLogInode& core, const std::vector<Region>& forks) {
  const uint64_t address = image.superblock().AddressOfInode(inode);
  const uint64_t offset = address % image.superblock().block_size;
  Region head = Head(xfs::LogItemType::kInode, 2 + forks.size());
  head.Add(fields, 4).Add(0, 4).Add(0, 4).Add(inode, 8).Add(0, 8).Add(0, 8);
  head.Add((address - offset) / kBlock, 8)
      .Add(image.superblock().block_size / kBlock, 4)
      .Add(offset, 4);
  const size_t core_bytes =
      image.superblock().is_v5() ? sizeof core : offsetof(xfs::DiskLogInode, next_unlinked);
  Item item = {head,
               Region(absl::MakeConstSpan(reinterpret_cast<const std::byte*>(&core), core_bytes))};
  item.insert(item.end(), forks.begin(), forks.end());
  return item;
}

Item IntentItem(xfs::LogItemType type, uint64_t id, const Region& extents, uint32_t extent_count) {
  Region head = Head(type, 1);
  head.Add(extent_count, 4).Add(id, 8);
  for (const std::byte byte : extents.bytes()) {
    head.Add(static_cast<uint64_t>(byte), 1);
  }
  return {head};
}

LogBuilder::LogBuilder(XfsImage& image, const Options& options)
    : image_(image),
      options_(options),
      header_blocks_(options.version == 1 ? 1
                                          : (options.buffer_bytes + xfs::kLogBytesPerHeader - 1) /
                                                xfs::kLogBytesPerHeader),
      next_(options.block),
      tail_lsn_(uint64_t{options.cycle} << 32 | options.block) {
  const xfs::Superblock& superblock = image.superblock();
  address_ = superblock.AddressOfBlock(superblock.log_start);
  blocks_ = uint64_t{superblock.log_blocks} * (superblock.block_size / kBlock);
  std::fill_n(image.bytes().begin() + static_cast<ptrdiff_t>(address_), blocks_ * kBlock,
              std::byte{0});
  for (uint64_t block = 0; block < blocks_; ++block) {
    const uint32_t cycle = block < options.block ? options.cycle : options.cycle - 1;
    image.Put(AddressOf(block), cycle, 4);
  }
}

std::vector<LogBuilder::Operation> LogBuilder::OperationsOf(uint32_t transaction,
                                                            const std::vector<Item>& items) {
  Region header;
  header.Add(xfs::kTransactionMagic, 4).Add(40, 4).Add(transaction, 4).Add(items.size(), 4);
  std::vector<Operation> operations = {{transaction, xfs::kLogStartFlag, {}},
                                       {transaction, 0, header.bytes()}};
  for (const Item& item : items) {
    for (const Region& region : item) {
      operations.push_back({transaction, 0, region.bytes()});
    }
  }
  operations.push_back({transaction, xfs::kLogCommitFlag, {}});
  return operations;
}

uint64_t LogBuilder::Commit(const std::vector<Item>& items) {
  return PutRecord(OperationsOf(1, items));
}

uint64_t LogBuilder::PutRecord(const std::vector<Operation>& operations) {
  Region body;
  for (const Operation& operation : operations) {
    body.AddBigEndian(operation.transaction, 4).AddBigEndian(operation.bytes.size(), 4);
    body.Add(xfs::kLogClientTransaction, 1).Add(operation.flags, 1).Add(0, 2);
    for (const std::byte byte : operation.bytes) {
      body.Add(static_cast<uint64_t>(byte), 1);
    }
  }
  std::vector<std::byte> bytes = body.bytes();
  bytes.resize((bytes.size() + kBlock - 1) / kBlock * kBlock);
  const uint32_t body_blocks = static_cast<uint32_t>(bytes.size() / kBlock);
  const auto cycle_at = [&](uint64_t block) { return options_.cycle + block / blocks_; };
  const uint64_t lsn = cycle_at(next_) << 32 | next_ % blocks_;
  xfs::DiskLogRecordHeader header = {};
  header.magic.set(xfs::kLogRecordMagic);
  header.cycle.set(static_cast<uint32_t>(cycle_at(next_)));
  header.version.set(options_.version);
  header.body_bytes.set(static_cast<uint32_t>(bytes.size()));
  header.lsn.set(lsn);
  header.tail_lsn.set(tail_lsn_);
  header.operation_count.set(static_cast<uint32_t>(operations.size()));
  header.format.set(options_.format);
  header.uuid = image_.superblock().uuid;
  header.buffer_bytes.set(options_.version == 1 ? 0 : options_.buffer_bytes);
  std::vector<xfs::DiskLogExtendedHeader> extended(header_blocks_ - 1);
  for (uint32_t i = 0; i < body_blocks; ++i) {
    std::byte* const block = bytes.data() + size_t{i} * kBlock;
    (i < 64 ? header.cycle_data[i] : extended[i / 64 - 1].cycle_data[i % 64])
        .set(backends::Load<backends::Be32>(block));
    backends::Store<backends::Be32>(block,
                                    static_cast<uint32_t>(cycle_at(next_ + header_blocks_ + i)));
  }
  const auto put = [&](uint64_t block, const void* from, size_t size) {
    std::memcpy(image_.bytes().data() + AddressOf(block), from, size);
  };
  put(next_, &header, sizeof header);
  for (uint32_t i = 1; i < header_blocks_; ++i) {
    extended[i - 1].cycle.set(static_cast<uint32_t>(cycle_at(next_ + i)));
    put(next_ + i, &extended[i - 1], sizeof extended[i - 1]);
  }
  for (uint32_t i = 0; i < body_blocks; ++i) {
    put(next_ + header_blocks_ + i, bytes.data() + size_t{i} * kBlock, kBlock);
  }
  if (options_.checksums) {
    image_.Put(AddressOf(next_) + offsetof(xfs::DiskLogRecordHeader, crc),
               __builtin_bswap32(Checksum(next_, static_cast<uint32_t>(bytes.size()))), 4);
  }
  next_ += header_blocks_ + body_blocks;
  return lsn;
}

uint32_t LogBuilder::Checksum(uint64_t block, uint32_t body_bytes) const {
  constexpr size_t kCrc = offsetof(xfs::DiskLogRecordHeader, crc);
  const auto view = [&](uint64_t at, size_t begin, size_t size) {
    return absl::MakeConstSpan(image_.contents()).subspan(AddressOf(at) + begin, size);
  };
  uint32_t crc = backends::ExtendCrc32c(~uint32_t{0}, view(block, 0, kCrc));
  crc = backends::ExtendCrc32cByZeros(crc, 4);
  crc = backends::ExtendCrc32c(crc, view(block, kCrc + 4, 328 - kCrc - 4));
  const uint32_t needed = std::min(
      header_blocks_, (body_bytes + xfs::kLogBytesPerHeader - 1) / xfs::kLogBytesPerHeader);
  for (uint32_t i = 1; i < needed; ++i) {
    crc = backends::ExtendCrc32c(crc, view(block + i, 0, sizeof(xfs::DiskLogExtendedHeader)));
  }
  for (uint32_t i = 0; i < body_bytes / kBlock; ++i) {
    crc = backends::ExtendCrc32c(crc, view(block + header_blocks_ + i, 0, kBlock));
  }
  return ~crc;
}

}  // namespace iomap::tests
