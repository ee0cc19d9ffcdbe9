#include "tests/host/host_mapping_fixture.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cctype>
#include <utility>

#include "dax/io.h"
#include "dax/pmem_device.h"
#include "gmock/gmock.h"
#include "iomap/for_each_mapping.h"
#include "tests/support/bytes.h"
#include "tests/support/skip.h"
#include "tests/support/status_matchers.h"

namespace iomap::tests {

using dax::kPageBytes;

MirroredRam MakeMirroredRam(const std::string& path, uint64_t bytes) {
  EXPECT_EQ(close(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)), 0);
  EXPECT_EQ(truncate(path.c_str(), static_cast<off_t>(bytes)), 0);
  auto mirror = std::make_unique<MirrorDevice>(*dax::PmemDevice::Open(path, 0));
  MirrorDevice* const device = mirror.get();
  dax::DeviceSet devices;
  devices.push_back(std::move(mirror));
  return {*ram::Filesystem::Make(std::move(devices)), device};
}

void HostMappingFixture::SetUp() {
  MirroredRam made = MakeMirroredRam(directory_ / "device", kDeviceBytes);
  ram_ = std::move(made.filesystem);
  device_ = made.device;
  IOMAP_SKIP_IF(std::string(dax::HostMapping::CanTrack(GetParam(), *device_).message()));
}

std::shared_ptr<dax::File> HostMappingFixture::MakeFile(const std::string& name, uint64_t pages,
                                                        int value) {
  auto file = *ram_->OpenFile(*ram_->Create(ram_->root(), name, S_IFREG | 0644));
  EXPECT_THAT(file->SetSize(pages * kPageBytes), IsOk());
  if (value != 0) {
    EXPECT_THAT(dax::Write(*file, 0, Bytes(pages * kPageBytes, value)), IsOk());
  }
  return file;
}

std::unique_ptr<dax::HostMapping> HostMappingFixture::Mapped(
    const std::shared_ptr<dax::File>& file) {
  auto mapping = dax::HostMapping::Make(file, {.tracking = GetParam()});
  EXPECT_THAT(mapping, IsOk());
  return *std::move(mapping);
}

void HostMappingFixture::PopulateAgain(dax::HostMapping& mapping, uint64_t pages) {
  if (!ResolvesFaults()) {
    EXPECT_THAT(mapping.Populate({0, pages * kPageBytes}), IsOk());
  }
}

uint64_t HostMappingFixture::TakeFlushedBytes() {
  uint64_t bytes = 0;
  for (const ByteRange& flushed : device_->TakeFlushed()) {
    bytes += flushed.length;
  }
  return bytes;
}

uint64_t HostMappingFixture::FlushedForOneStore(dax::File& file) {
  switch (GetParam()) {
    case dax::Tracking::kSignals:  // a cluster
    case dax::Tracking::kNothing:
      return file.attributes()->size;
    default:
      return kPageBytes;
  }
}

std::byte HostMappingFixture::Durable(dax::File& file, uint64_t offset) {
  const auto mapping = FirstMapping(file, &File::MapForRead, ByteRange{offset, 1});
  EXPECT_THAT(mapping, IsOk());
  return mapping->type == MappingType::kMapped ? device_->Durable(mapping->AddressOf(offset), 1)[0]
                                               : std::byte{0};
}

std::byte HostMappingFixture::ByteOf(dax::File& file, uint64_t offset) {
  std::byte byte{0xee};
  EXPECT_EQ(*dax::Read(file, offset, absl::MakeSpan(&byte, 1)), 1u);
  return byte;
}

std::string NameOfTracking(const testing::TestParamInfo<dax::Tracking>& info) {
  std::string name;
  bool upper = true;
  for (const char letter : dax::TrackingName(info.param)) {
    if (letter == '-') {
      upper = true;
      continue;
    }
    name += upper ? static_cast<char>(std::toupper(letter)) : letter;
    upper = false;
  }
  return name;
}

}  // namespace iomap::tests
