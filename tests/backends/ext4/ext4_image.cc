#include "tests/backends/ext4/ext4_image.h"

#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "backends/crc32c.h"
#include "backends/ext4/filesystem.h"
#include "backends/ext4/format.h"
#include "dax/memory_device.h"
#include "iomap/status_macros.h"
#include "tests/support/temporary_directory.h"

namespace iomap::tests {

absl::StatusOr<Ext4Image> Ext4Image::Make(const Arguments& options,
                                          const std::vector<std::string>& commands) {
  IOMAP_ASSIGN_OR_RETURN(const TemporaryDirectory directory, TemporaryDirectory::Make());
  const std::string path = directory / "image";
  Arguments mkfs = {"mkfs.ext4", "-q", "-F"};
  mkfs.insert(mkfs.end(), options.begin(), options.end());
  mkfs.insert(mkfs.end(), {path, "8M"});
  IOMAP_RETURN_IF_ERROR(OutputOf(mkfs).status());
  if (!commands.empty()) {
    IOMAP_RETURN_IF_ERROR(OutputOf({"debugfs", "-w", "-f", "-", path},
                                   absl::StrCat(absl::StrJoin(commands, "\n"), "\n"))
                              .status());
  }
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  std::vector<std::byte> bytes(static_cast<size_t>(file.tellg()));
  file.seekg(0);
  file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  if (!file) {
    return absl::UnavailableError(absl::StrCat(path, ": cannot be read"));
  }
  return Ext4Image(std::move(bytes));
}

void Ext4Image::Put(uint64_t address, uint64_t value, size_t width) {
  for (size_t i = 0; i < width; ++i) {
    bytes_[address + i] = static_cast<std::byte>(value >> (8 * i));
  }
}

uint64_t Ext4Image::Get(uint64_t address, size_t width) const {
  uint64_t value = 0;
  for (size_t i = width; i > 0; --i) {
    value = value << 8 | static_cast<uint64_t>(bytes_[address + i - 1]);
  }
  return value;
}

void Ext4Image::FixSuperblock() {
  constexpr size_t kCovered = offsetof(ext4::DiskSuperblock, checksum);
  const uint32_t checksum = backends::ExtendCrc32c(
      ~0u, absl::MakeConstSpan(bytes_).subspan(ext4::kSuperblockOffset, kCovered));
  Put(ext4::kSuperblockOffset + kCovered, checksum, sizeof checksum);
}

dax::DeviceSet Ext4Image::Devices() const {
  dax::DeviceSet devices;
  devices.push_back(std::make_unique<dax::MemoryDevice>(bytes_));
  return devices;
}

absl::StatusOr<std::unique_ptr<ext4::Volume>> Ext4Image::Volume() const {
  return ext4::Volume::Open(Devices());
}

absl::StatusOr<std::unique_ptr<dax::Filesystem>> Ext4Image::Open(
    const backends::OpenOptions& options) const {
  return ext4::OpenFilesystem(Devices(), options);
}

}  // namespace iomap::tests
