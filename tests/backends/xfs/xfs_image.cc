#include "tests/backends/xfs/xfs_image.h"

#include <cstdlib>
#include <fstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "backends/crc32c.h"
#include "backends/xfs/filesystem.h"
#include "backends/xfs/format.h"
#include "dax/memory_device.h"
#include "iomap/status_macros.h"
#include "tests/support/temporary_directory.h"

namespace iomap::tests {
namespace {

constexpr uint64_t kImageBytes = uint64_t{32} << 20;

// mkfs.xfs makes file systems below 300 MB only where it believes that xfstests ask for them.
void AllowSmallFilesystems() {
  for (const char* variable : {"TEST_DIR", "TEST_DEV", "QA_CHECK_FS"}) {
    setenv(variable, "1", /*overwrite=*/0);
  }
}

absl::StatusOr<std::vector<std::byte>> BytesOf(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::vector<std::byte> bytes(kImageBytes);
  if (!file.read(reinterpret_cast<char*>(bytes.data()),
                 static_cast<std::streamsize>(bytes.size()))) {
    return absl::UnavailableError(absl::StrCat(path, " cannot be read"));
  }
  return bytes;
}

}  // namespace

absl::StatusOr<XfsImage> XfsImage::Make(const Arguments& options, absl::string_view tree) {
  AllowSmallFilesystems();
  IOMAP_ASSIGN_OR_RETURN(const TemporaryDirectory folder, TemporaryDirectory::Make());
  const std::string path = folder / "image";
  std::ofstream(folder / "proto") << "/boot\n0 0\nd--755 0 0\n" << tree << "$\n";
  Arguments command = {"mkfs.xfs", "-q", "-f", "-d",
                       absl::StrCat("file,name=", path, ",size=", kImageBytes)};
  command.insert(command.end(), {"-p", folder / "proto"});
  command.insert(command.end(), options.begin(), options.end());
  IOMAP_RETURN_IF_ERROR(OutputOf(command).status());
  IOMAP_ASSIGN_OR_RETURN(std::vector<std::byte> bytes, BytesOf(path));
  IOMAP_ASSIGN_OR_RETURN(xfs::Superblock superblock,
                         xfs::ParseSuperblock(dax::MemoryDevice(bytes)));
  return XfsImage(std::move(bytes), std::move(superblock));
}

void XfsImage::Put(uint64_t address, uint64_t value, size_t width) {
  for (size_t i = 0; i < width; ++i) {
    bytes_[address + i] = static_cast<std::byte>(value >> (8 * (width - 1 - i)));
  }
}

uint64_t XfsImage::Get(uint64_t address, size_t width) const {
  uint64_t value = 0;
  for (size_t i = 0; i < width; ++i) {
    value = value << 8 | static_cast<uint64_t>(bytes_[address + i]);
  }
  return value;
}

void XfsImage::FixChecksum(uint64_t address, uint64_t size, size_t crc_offset) {
  const absl::Span<const std::byte> block = absl::MakeConstSpan(bytes_).subspan(address, size);
  uint32_t crc = backends::ExtendCrc32c(~uint32_t{0}, block.first(crc_offset));
  crc = backends::ExtendCrc32cByZeros(crc, sizeof crc);
  crc = ~backends::ExtendCrc32c(crc, block.subspan(crc_offset + sizeof crc));
  Put(address + crc_offset, __builtin_bswap32(crc), sizeof crc);
}

void XfsImage::FixSuperblock() {
  FixChecksum(0, superblock_.sector_size, offsetof(xfs::DiskSuperblock, crc));
}

void XfsImage::FixInode(InodeNumber inode) {
  if (superblock_.is_v5()) {
    FixChecksum(superblock_.AddressOfInode(inode), superblock_.inode_size,
                offsetof(xfs::DiskInode, crc));
  }
}

uint64_t XfsImage::ForkOf(InodeNumber inode) const {
  return superblock_.AddressOfInode(inode) +
         (superblock_.is_v5() ? sizeof(xfs::DiskInode) : offsetof(xfs::DiskInode, crc));
}

void XfsImage::PutExtent(uint64_t address, const xfs::Extent& extent) {
  Put(address, uint64_t{extent.unwritten} << 63 | extent.file_block << 9 | extent.start_block >> 43,
      8);
  Put(address + 8, extent.start_block << 21 | extent.block_count, 8);
}

void XfsImage::SetExtents(InodeNumber inode, absl::Span<const xfs::Extent> extents) {
  const uint64_t address = superblock_.AddressOfInode(inode);
  Put(address + offsetof(xfs::DiskInode, format), static_cast<uint64_t>(xfs::ForkFormat::kExtents),
      1);
  Put(address + offsetof(xfs::DiskInode, extent_count), extents.size(), 4);
  for (size_t i = 0; i < extents.size(); ++i) {
    PutExtent(ForkOf(inode) + i * sizeof(xfs::DiskExtent), extents[i]);
  }
  FixInode(inode);
}

absl::StatusOr<std::unique_ptr<dax::Filesystem>> XfsImage::Open(
    const backends::OpenOptions& options, size_t realtime_bytes) const {
  dax::DeviceSet devices;
  devices.push_back(std::make_unique<dax::MemoryDevice>(bytes_));
  if (realtime_bytes > 0) {
    devices.push_back(std::make_unique<dax::MemoryDevice>(std::vector<std::byte>(realtime_bytes)));
  }
  return xfs::OpenFilesystem(std::move(devices), options);
}

std::string ProtoDirectory(absl::string_view name, int count, absl::string_view prefix) {
  std::string lines = absl::StrCat(name, " d--755 0 0\n");
  for (int i = 0; i < count; ++i) {
    absl::StrAppend(&lines, prefix, "-", i, " ---644 0 0 /dev/null\n");
  }
  return absl::StrCat(lines, "$\n");
}

}  // namespace iomap::tests
