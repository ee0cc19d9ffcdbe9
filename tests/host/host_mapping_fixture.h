#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "backends/ram/filesystem.h"
#include "dax/host_mapping.h"
#include "gtest/gtest.h"
#include "tests/support/mirror_device.h"
#include "tests/support/temporary_directory.h"

namespace iomap::tests {

// A file system in memory on a device that processes can map, for each way of tracking; skips what
// this machine does not have.
class HostMappingFixture : public testing::TestWithParam<dax::Tracking> {
 protected:
  static constexpr uint64_t kDeviceBytes = uint64_t{8} << 20;

  void SetUp() override;

  // With blocks that hold `value`; without blocks, for 0.
  std::shared_ptr<dax::File> MakeFile(const std::string& name, uint64_t pages, int value);
  static std::unique_ptr<dax::HostMapping> Mapped(const std::shared_ptr<dax::File>& file);

  // Whether pages that a change of extents has unmapped come back when they are touched.
  static bool ResolvesFaults() { return GetParam() != dax::Tracking::kNothing; }
  // Where they do not.
  static void PopulateAgain(dax::HostMapping& mapping, uint64_t pages);

  // How many bytes were flushed since this was asked last, once device_ lists them.
  uint64_t TakeFlushedBytes();
  // How many bytes one fsync flushes when one page of a small file was stored to.
  static uint64_t FlushedForOneStore(dax::File& file);

  // What the medium would hold of the file's byte.
  std::byte Durable(dax::File& file, uint64_t offset);
  static std::byte ByteOf(dax::File& file, uint64_t offset);

  const TemporaryDirectory directory_ = *TemporaryDirectory::Make();
  MirrorDevice* device_ = nullptr;
  std::unique_ptr<ram::Filesystem> ram_;
};

// For INSTANTIATE_TEST_SUITE_P: "AsyncUser".
std::string NameOfTracking(const testing::TestParamInfo<dax::Tracking>& info);

// A file system in memory on a new file `path`.
struct MirroredRam {
  std::unique_ptr<ram::Filesystem> filesystem;
  MirrorDevice* device;
};
MirroredRam MakeMirroredRam(const std::string& path, uint64_t bytes);

}  // namespace iomap::tests
