// A dirty log, damaged at random behind checksums that are right: an answer or an error, never a
// crash, never work without end.
//
// Environment:
//   IOMAP_REPLAY_DAMAGES=N   damages, from --gtest_random_seed on, one seed each

#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <iostream>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "backends/xfs/filesystem.h"
#include "backends/xfs/log.h"
#include "backends/xfs/log_transaction.h"
#include "dax/file_device.h"
#include "gtest/gtest.h"
#include "iomap/for_each_mapping.h"
#include "iomap/path.h"
#include "iomap/status_macros.h"
#include "tests/replay/xfs_load.h"
#include "tests/support/dirty_image.h"
#include "tests/support/environment.h"
#include "tests/support/file_descriptor.h"
#include "tests/support/recipe_image.h"
#include "tests/support/rerun.h"
#include "tests/support/skip.h"
#include "tests/support/status_matchers.h"
#include "tests/support/system_error.h"
#include "tests/support/tree_load.h"

namespace iomap::tests {
namespace {

using std::chrono::steady_clock;

constexpr uint64_t kDamages = 300;
constexpr auto kLongestAnswer = std::chrono::seconds(2);
constexpr uint64_t kMostMappings = 100'000;  // more than the image has

uint64_t DamageCount() { return NumberFromEnvironment("IOMAP_REPLAY_DAMAGES", kDamages); }

// Bytes that were changed in the image, and what was there.
struct Change {
  uint64_t address = 0;
  std::vector<std::byte> before;
};

// The image file and the records of its log that a recovery reads.
class LoggedImage {
 public:
  static absl::StatusOr<LoggedImage> Open(const std::string& path) {
    LoggedImage image;
    image.path_ = path;
    image.file_ = FileDescriptor(open(path.c_str(), O_RDWR | O_CLOEXEC));
    image.volume_ = std::make_unique<xfs::Volume>();
    IOMAP_ASSIGN_OR_RETURN(std::unique_ptr<dax::Device> device,
                           dax::FileDevice::OpenReadOnly(path, /*image_offset=*/0));
    IOMAP_ASSIGN_OR_RETURN(image.volume_->superblock, xfs::ParseSuperblock(*device));
    image.volume_->devices.push_back(std::move(device));
    IOMAP_ASSIGN_OR_RETURN(const xfs::Log log, xfs::Log::Open(*image.volume_));
    IOMAP_ASSIGN_OR_RETURN(const xfs::Log::State state, log.FindState());
    IOMAP_RETURN_IF_ERROR(log.ForEachRecord(state, [&](const xfs::LogRecord& record) {
      image.records_.push_back(record);
      return absl::OkStatus();
    }));
    return image;
  }

  const std::string& path() const { return path_; }

  // Changes one to three numbers of one record, and makes its checksum right.
  absl::Status Damage(std::mt19937_64& random) {
    const auto below = [&](uint64_t end) { return random() % end; };
    const xfs::LogRecord& record = records_[below(records_.size())];
    const std::vector<uint32_t> places = PlacesIn(record);
    for (uint64_t i = 0, count = 1 + below(3); i < count; ++i) {
      constexpr uint64_t kValues[] = {0, 1, 2, 8, 0x1F, 0x7F, 0xFF, 0x8000, 0xFFFF, 1u << 31};
      uint64_t value = kValues[below(std::size(kValues))];
      value = below(3) == 0 ? random() : below(4) == 0 ? ~value : value;
      const size_t width = size_t{1} << below(4);
      if (below(20) == 0) {  // in the record's header
        IOMAP_RETURN_IF_ERROR(Put(AddressOf(record.block) + 4 + below(40), &value, width));
      } else {
        const uint32_t place = places[below(places.size())] + static_cast<uint32_t>(below(72));
        for (size_t byte = 0; byte < width; ++byte) {
          IOMAP_RETURN_IF_ERROR(PutInBody(record, place + static_cast<uint32_t>(byte),
                                          static_cast<uint8_t>(value >> (8 * byte))));
        }
      }
    }
    return FixChecksum(record);
  }

  absl::Status Restore() {
    for (; !changes_.empty(); changes_.pop_back()) {
      const Change& change = changes_.back();
      if (pwrite(file_.get(), change.before.data(), change.before.size(),
                 static_cast<off_t>(change.address)) < 0) {
        return SystemError(path_);
      }
    }
    return absl::OkStatus();
  }

 private:
  uint64_t AddressOf(uint64_t block) const {
    const xfs::Superblock& superblock = volume_->superblock;
    const uint64_t blocks =
        uint64_t{superblock.log_blocks} * (superblock.block_size / xfs::kBasicBlockSize);
    return superblock.AddressOfBlock(superblock.log_start) + block % blocks * xfs::kBasicBlockSize;
  }

  // Where the operations of a record begin in its body.
  std::vector<uint32_t> PlacesIn(const xfs::LogRecord& record) const {
    const xfs::LogRing ring = xfs::LogRing::Open(*volume_).value();
    const std::vector<std::byte> body = ring.BodyOf(record);
    std::vector<uint32_t> places = {0};
    for (size_t place = 0; place + sizeof(xfs::DiskLogOperation) <= body.size();) {
      places.push_back(static_cast<uint32_t>(place));
      place += sizeof(xfs::DiskLogOperation) +
               backends::CopyOut<xfs::DiskLogOperation>(body.data() + place).bytes.get();
    }
    return places;
  }

  absl::Status Put(uint64_t address, const void* bytes, size_t size) {
    Change change{address, std::vector<std::byte>(size)};
    if (pread(file_.get(), change.before.data(), size, static_cast<off_t>(address)) !=
            static_cast<ssize_t>(size) ||
        pwrite(file_.get(), bytes, size, static_cast<off_t>(address)) !=
            static_cast<ssize_t>(size)) {
      return SystemError(path_);
    }
    changes_.push_back(std::move(change));
    return absl::OkStatus();
  }

  // The first four bytes of each basic block of the body lie in the header.
  absl::Status PutInBody(const xfs::LogRecord& record, uint32_t offset, uint8_t value) {
    const uint32_t block = offset / xfs::kBasicBlockSize;
    const uint32_t byte = offset % xfs::kBasicBlockSize;
    if (block >= record.body_blocks) {
      return absl::OkStatus();
    }
    if (byte >= 4) {
      return Put(AddressOf(uint64_t{record.block} + record.header_blocks + block) + byte, &value,
                 1);
    }
    const uint64_t cycles = block < 64 ? offsetof(xfs::DiskLogRecordHeader, cycle_data)
                                       : offsetof(xfs::DiskLogExtendedHeader, cycle_data);
    return Put(AddressOf(uint64_t{record.block} + block / 64) + cycles + block % 64 * 4 + byte,
               &value, 1);
  }

  absl::Status FixChecksum(const xfs::LogRecord& record) {
    IOMAP_ASSIGN_OR_RETURN(const xfs::LogRing ring, xfs::LogRing::Open(*volume_));
    const absl::StatusOr<xfs::LogRecord> changed = ring.ParseRecord(record.block);
    if (!changed.ok()) {
      return absl::OkStatus();
    }
    const uint32_t checksum = ring.ComputeChecksum(*changed);
    return Put(AddressOf(record.block) + offsetof(xfs::DiskLogRecordHeader, crc), &checksum,
               sizeof checksum);
  }

  std::string path_;
  FileDescriptor file_;
  std::unique_ptr<xfs::Volume> volume_;
  std::vector<xfs::LogRecord> records_;
  std::vector<Change> changes_;
};

// Opens the image and asks for everything. True when it could be opened.
bool AskEverything(const std::string& path) {
  const auto filesystem = OpenImage(path);
  if (!filesystem.ok()) {
    EXPECT_THAT(std::string(filesystem.status().message()), testing::HasSubstr("xfs"));
    return false;
  }
  uint64_t mappings = 0;
  const auto map = [&](const TreeEntry& entry) {
    const auto file = (*filesystem)->OpenFile(entry.inode);
    if (file.ok()) {
      ForEachMapping(**file, &iomap::File::MapForReport, ByteRange::All(),
                     [&](const Mapping&, const ByteRange&) {
                       return ++mappings < kMostMappings ? Walk::kContinue : Walk::kStop;
                     })
          .IgnoreError();
    }
    return mappings < kMostMappings;
  };
  WalkTree(**filesystem, map, [](absl::string_view, const absl::Status&) {
    return true;
  }).IgnoreError();
  EXPECT_LT(mappings, kMostMappings);
  return true;
}

TEST(XfsLogDamage, IsAnAnswerOrAnError) {
  IOMAP_SKIP_IF(WhyNoMount());
  const absl::StatusOr<Workshop> workshop = Workshop::Make();
  ASSERT_THAT(workshop, IsOk());
  Recipe empty;
  empty.type = "xfs";
  empty.image_bytes = uint64_t{320} << 20;
  empty.mkfs = {"mkfs.xfs", "-q", "-f", "-m", "reflink=1,rmapbt=1"};
  ASSERT_THAT(MakeEmptyImage(empty, *workshop), IsOk());
  DirtyImage dirty;
  dirty.type = "xfs";
  dirty.image_path = workshop->image_path();
  dirty.mount_path = workshop->mount_path();
  dirty.load = [](const std::string& path) -> absl::Status {
    IOMAP_RETURN_IF_ERROR(ShareBlocks(path, Seed()));
    return RunLoad(path, {.seed = Seed(), .operations = 150});
  };
  ASSERT_THAT(MakeDirty(dirty), IsOk());
  absl::StatusOr<LoggedImage> image = LoggedImage::Open(workshop->image_path());
  ASSERT_THAT(image, IsOk());
  ASSERT_TRUE(AskEverything(image->path()));
  uint64_t opened = 0;
  for (uint64_t seed = Seed(); seed < Seed() + DamageCount(); ++seed) {
    SCOPED_TRACE(absl::StrCat("damage of seed ", seed));
    std::mt19937_64 random(seed);
    ASSERT_THAT(image->Damage(random), IsOk());
    const auto start = steady_clock::now();
    opened += AskEverything(image->path()) ? 1 : 0;
    EXPECT_LT(steady_clock::now() - start, kLongestAnswer);
    ASSERT_THAT(image->Restore(), IsOk());
  }
  ASSERT_TRUE(AskEverything(image->path()));
  std::cout << DamageCount() << " damages, " << opened << " images could be opened" << std::endl;
}

}  // namespace
}  // namespace iomap::tests
