// The question of the mail thread that began all this: which of the ways to write persistent memory
// rely on what REQ_FLUSH does? Every state that a crash may leave is looked at.

#include <sys/stat.h>

#include <algorithm>
#include <functional>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "backends/ram/filesystem.h"
#include "dax/io.h"
#include "dax/memory_device.h"
#include "dax/pmem_namespace.h"
#include "dax/recording_device.h"
#include "dax/soft_mapping.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "iomap/for_each_mapping.h"
#include "tests/support/bytes.h"
#include "tests/support/status_matchers.h"

namespace iomap::ram {
namespace {

using ::iomap::tests::Bytes;
using ::iomap::tests::IsOk;
using FlushMode = dax::PmemNamespace::FlushMode;
using RequestDrain = dax::PmemNamespace::RequestDrain;

// Four lines of two pages; two words of each are written, so that a state can have one of them.
constexpr uint64_t kOffsets[] = {0, dax::kLineBytes, dax::kPageBytes, dax::kPageBytes + 1024};
constexpr uint64_t kWritten = 16;  // bytes

// A file whose blocks are the file's already, on a device that is a namespace too.
class World {
 public:
  World(FlushMode mode, RequestDrain drain) {
    auto device = std::make_unique<dax::RecordingDevice>(
        std::make_unique<dax::MemoryDevice>(std::vector<std::byte>(16 * dax::kPageBytes)));
    device_ = device.get();
    pmem_ = std::make_unique<dax::PmemNamespace>(*device_, mode, drain);
    dax::DeviceSet devices;
    devices.push_back(std::move(device));
    ram_ = *Filesystem::Make(std::move(devices));
    file_ = *ram_->OpenFile(*ram_->Create(ram_->root(), "f", S_IFREG | 0644));
    EXPECT_THAT(dax::Write(*file_, 0, Bytes(2 * dax::kPageBytes, 1)), IsOk());
  }

  dax::PmemNamespace& pmem() { return *pmem_; }
  const std::shared_ptr<dax::File>& file() { return file_; }

  uint64_t AddressOf(uint64_t offset) {
    return MappingAt(*file_, &iomap::File::MapForRead, offset)->AddressOf(offset);
  }

  struct States {
    uint64_t tried = 0;
    uint64_t lossy = 0;  // in which some byte is not what was written
  };

  // Looks at all states that a crash now may leave.
  States TryAll(const std::vector<std::byte>& written) {
    std::vector<std::vector<bool>> lines;  // for each content that the line may have: is it right?
    for (const uint64_t offset : kOffsets) {
      std::vector<bool>& contents = lines.emplace_back();
      for (const dax::Line& line : device_->now().PossibleLines(AddressOf(offset))) {
        contents.push_back(std::equal(written.begin(), written.end(), line.begin()));
      }
      EXPECT_FALSE(contents.empty());
    }
    States states;
    std::vector<size_t> choice(lines.size());
    while (true) {
      bool right = true;
      for (size_t i = 0; i < lines.size(); ++i) {
        right &= lines[i][choice[i]];
      }
      ++states.tried;
      states.lossy += right ? 0 : 1;
      size_t i = 0;
      while (i < lines.size() && ++choice[i] == lines[i].size()) {
        choice[i++] = 0;
      }
      if (i == lines.size()) {
        return states;
      }
    }
  }

 private:
  dax::RecordingDevice* device_;
  std::unique_ptr<dax::PmemNamespace> pmem_;
  std::unique_ptr<Filesystem> ram_;
  std::shared_ptr<dax::File> file_;
};

// A way to write, up to the moment when its caller counts on the bytes.
struct Way {
  std::string name;
  RequestDrain drain;
  std::function<absl::Status(World&, uint64_t offset, const std::vector<std::byte>&)> write;
  std::function<absl::Status(World&)> sync;
  bool loses[3];  // with a trailing drain, the big hammer, nothing
};

absl::Status WriteByRequest(World& world, uint64_t offset, const std::vector<std::byte>& bytes) {
  return world.pmem().MakeRequest(world.AddressOf(offset), bytes);
}
absl::Status WriteByDax(World& world, uint64_t offset, const std::vector<std::byte>& bytes) {
  return dax::Write(*world.file(), offset, bytes);
}
absl::Status SendFlush(World& world) { return world.pmem().Flush(); }

std::vector<Way> Ways() {
  // One mapping a world would do; one a store shows that the pages stay dirty without it.
  const auto store = [](World& world, uint64_t offset, const std::vector<std::byte>& bytes) {
    return dax::SoftMapping(world.file()).Store(offset, bytes);
  };
  const auto fsync = [](World& world) {
    return world.file()->Fsync(ByteRange::All(), SyncKind::kFile);
  };
  return {
      {"through the device",
       RequestDrain::kEach,
       &WriteByRequest,
       &SendFlush,
       {false, false, true}},
      {"through the device, drained by REQ_FLUSH",
       RequestDrain::kFuaOnly,
       &WriteByRequest,
       &SendFlush,
       {false, false, true}},
      {"DAX write", RequestDrain::kEach, &WriteByDax, &SendFlush, {false, false, false}},
      {"mapped store, then REQ_FLUSH alone",
       RequestDrain::kEach,
       store,
       &SendFlush,
       {true, false, true}},
      {"mapped store, then fsync", RequestDrain::kEach, store, fsync, {false, false, false}},
  };
}

TEST(WaysToWrite, OnlyMappedStoresNeedMoreThanADrain) {
  const std::vector<std::byte> written = Bytes(kWritten, 2);
  const std::pair<FlushMode, const char*> modes[] = {{FlushMode::kTrailingDrain, "trailing drain"},
                                                     {FlushMode::kBigHammer, "big hammer"},
                                                     {FlushMode::kNothing, "nothing"}};
  for (const Way& way : Ways()) {
    for (size_t i = 0; i < std::size(modes); ++i) {
      World world(modes[i].first, way.drain);
      for (const uint64_t offset : kOffsets) {
        ASSERT_THAT(way.write(world, offset, written), IsOk());
      }
      ASSERT_THAT(way.sync(world), IsOk());
      const World::States states = world.TryAll(written);
      std::cout << way.name << ", " << modes[i].second << ": " << states.tried << " states, "
                << states.lossy << " lose data\n";
      EXPECT_EQ(states.lossy > 0, way.loses[i]) << way.name << ", " << modes[i].second;
    }
  }
}

}  // namespace
}  // namespace iomap::ram
