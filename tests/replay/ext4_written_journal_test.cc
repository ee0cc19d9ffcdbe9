#include <algorithm>
#include <fstream>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "backends/endian.h"
#include "backends/ext4/jbd2_format.h"
#include "backends/ext4/journal_recovery.h"
#include "backends/ext4/journal_writer.h"
#include "backends/ext4/superblock_change.h"
#include "backends/transaction_engine.h"
#include "dax/file_device.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "iomap/status_macros.h"
#include "tests/replay/ext4_journal_facts.h"
#include "tests/support/command.h"
#include "tests/support/dirty_image.h"
#include "tests/support/recipe_image.h"
#include "tests/support/rerun.h"
#include "tests/support/skip.h"
#include "tests/support/status_matchers.h"

namespace iomap::tests {
namespace {

using backends::Buffer;
using backends::Credits;
using backends::Handle;
using backends::TransactionEngine;
using ext4::JournalWriter;
using ext4::Volume;

constexpr uint64_t kBlocks = 100;

// A journal as it is when the writer opens it, and what becomes of its checksums.
struct WrittenJournal {
  std::string name;
  uint32_t block_size;
  std::string features;
  std::string open;  // debugfs's command that sets the journal's features; "": as mke2fs made it
  bool has_v1 = false;
  JournalWriter::Checksums checksums = JournalWriter::Checksums::kKeep;
  std::string fact;
};

// Journals that the writer leaves full, against the replays of e2fsck and of the kernel.
class Ext4WrittenJournal : public testing::TestWithParam<WrittenJournal> {
 protected:
  // Blocks that belong to nobody, at the end of the image.
  static Buffer At(uint64_t index) {
    const uint64_t end = (uint64_t{32} << 20) / GetParam().block_size;
    return Buffer{(end - kBlocks + index) * GetParam().block_size, GetParam().block_size, 0};
  }

  static absl::StatusOr<std::unique_ptr<Volume>> OpenVolume(const std::string& image_path) {
    dax::DeviceSet devices;
    IOMAP_ASSIGN_OR_RETURN(auto device, dax::FileDevice::OpenReadWrite(image_path, 0));
    devices.push_back(std::move(device));
    return Volume::Open(std::move(devices));
  }

  static absl::Status SwitchV1On(Volume& volume) {
    IOMAP_ASSIGN_OR_RETURN(const ext4::Journal journal, ext4::Journal::Open(volume));
    IOMAP_ASSIGN_OR_RETURN(const uint64_t place, journal.PlaceOf(0));
    std::byte compat[4];
    backends::Store<backends::Be32>(compat, ext4::kJournalCompatChecksum);
    return volume.device().Write(
        place * GetParam().block_size + offsetof(ext4::DiskJournalSuperblock, feature_compat),
        compat);
  }

  // Changes and frees blocks in transactions, more than the ring holds at a time, and ends with
  // some that are committed and not in place. What the blocks are to hold afterwards.
  static absl::StatusOr<std::string> Write(const std::string& image_path) {
    IOMAP_ASSIGN_OR_RETURN(const std::unique_ptr<Volume> volume, OpenVolume(image_path));
    if (GetParam().has_v1) {
      IOMAP_RETURN_IF_ERROR(SwitchV1On(*volume));
    }
    IOMAP_RETURN_IF_ERROR(ext4::ChangeSuperblock(*volume, [](ext4::DiskSuperblock& superblock) {
      superblock.feature_incompat.set(superblock.feature_incompat.get() | ext4::kIncompatRecover);
    }));
    IOMAP_ASSIGN_OR_RETURN(const std::unique_ptr<JournalWriter> writer,
                           JournalWriter::Open(*volume, GetParam().checksums));
    TransactionEngine engine(volume->device(), *writer, writer->first_sequence(),
                             [](absl::Span<const backends::MutableBufferImage>) {});
    std::mt19937_64 random(11);
    std::set<uint64_t> freed;
    for (int i = 0; i < 70; ++i) {
      IOMAP_ASSIGN_OR_RETURN(Handle handle,
                             engine.Begin(Credits::Of(40, GetParam().block_size, /*cancelled=*/1)));
      for (int k = 0; k < 40; ++k) {
        const uint64_t index = random() % kBlocks;
        if (freed.contains(index)) {
          continue;
        }
        IOMAP_ASSIGN_OR_RETURN(const absl::Span<std::byte> bytes, handle.Edit(At(index)));
        std::generate(bytes.begin(), bytes.end(), [&] { return static_cast<std::byte>(random()); });
        if (k % 8 == 0) {
          backends::Store<backends::Be32>(bytes.data(), ext4::kJournalMagic);
        }
      }
      if (i % 9 == 8) {
        // What it had in place before stays: none of its images, the newest least of all, counts.
        const uint64_t index = random() % kBlocks;
        if (freed.insert(index).second) {
          handle.Free(At(index));
        }
      }
      const backends::Sequence sequence = handle.sequence();
      { const Handle ends = std::move(handle); }
      if (i % 2 == 0 || i == 69) {
        IOMAP_RETURN_IF_ERROR(engine.CommitUpTo(sequence));
      }
    }
    std::string expected;
    for (uint64_t index = 0; index < kBlocks; ++index) {
      IOMAP_ASSIGN_OR_RETURN(const backends::BufferView view, engine.Read(At(index)));
      expected.append(reinterpret_cast<const char*>(view.bytes().data()), view.bytes().size());
    }
    return expected;
  }

  static absl::StatusOr<std::string> BlocksOf(const std::string& image_path) {
    std::ifstream image(image_path, std::ios::binary);
    std::string bytes(kBlocks * GetParam().block_size, '\0');
    image.seekg(static_cast<std::streamoff>(At(0).address));
    image.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    return image ? absl::StatusOr<std::string>(bytes) : absl::UnavailableError(image_path);
  }

  static void ExpectSame(const std::string& found, const std::string& expected) {
    for (uint64_t i = 0; i < kBlocks; ++i) {
      const size_t begin = i * GetParam().block_size;
      EXPECT_TRUE(
          found.compare(begin, GetParam().block_size, expected, begin, GetParam().block_size) == 0)
          << "block " << At(i).address / GetParam().block_size;
    }
  }

  void SetUp() override {
    IOMAP_SKIP_IF(WhyNoProgram("debugfs"));
    IOMAP_SKIP_IF(WhyNoProgram("e2fsck"));
    workshop_ = std::make_unique<Workshop>(Workshop::Make().value());
    const std::string image = workshop_->image_path();
    ASSERT_THAT(
        OutputOf({"mkfs.ext4", "-q", "-F", "-b", absl::StrCat(GetParam().block_size), "-J",
                  absl::StrCat("size=", GetParam().block_size / 1024), "-O", GetParam().features,
                  "-E", "lazy_itable_init=0,lazy_journal_init=0", image, "32M"}),
        IsOk());
    if (!GetParam().open.empty()) {
      ASSERT_THAT(OutputOf({"debugfs", "-w", "-f", "-", image}, GetParam().open + "\njc\n"),
                  IsOk());
    }
    const absl::StatusOr<std::string> expected = Write(image);
    ASSERT_THAT(expected, IsOk());
    expected_ = *expected;
  }

  std::unique_ptr<Workshop> workshop_;
  std::string expected_;
};

TEST_P(Ext4WrittenJournal, IsReplayedByUsAndE2fsck) {
  SCOPED_TRACE(RerunLine());
  const std::string image = workshop_->image_path();
  const absl::StatusOr<std::set<std::string>> facts = JournalFactsOf(image);
  ASSERT_THAT(facts, IsOk());
  EXPECT_THAT(*facts,
              testing::IsSupersetOf({std::string("transactions"), std::string("revoke"),
                                     std::string("escape"), std::string("wrap"), GetParam().fact}));
  EXPECT_NE(BlocksOf(image).value(), expected_) << "nothing is left to replay";

  const std::string checked = workshop_->folder / "checked";
  ASSERT_THAT(CopyImage(image, checked), IsOk());
  const absl::StatusOr<CommandResult> replay =
      RunCommand({"e2fsck", "-fy", "-E", "journal_only", checked});
  ASSERT_THAT(replay, IsOk());
  EXPECT_LE(replay->exit_status, 1) << replay->output << replay->errors;
  ExpectSame(BlocksOf(checked).value(), expected_);
  EXPECT_THAT(OutputOf({"e2fsck", "-fn", checked}), IsOk());

  const std::string ours = workshop_->folder / "ours";
  ASSERT_THAT(CopyImage(image, ours), IsOk());
  const absl::StatusOr<std::unique_ptr<Volume>> volume = OpenVolume(ours);
  ASSERT_THAT(volume, IsOk());
  EXPECT_EQ(ext4::RecoverJournal(**volume, nullptr).value(), JournalState::kReplayed);
  ExpectSame(BlocksOf(ours).value(), expected_);
}

TEST_P(Ext4WrittenJournal, IsReplayedByTheKernel) {
  IOMAP_SKIP_IF(WhyNoMount());
  SCOPED_TRACE(RerunLine());
  const std::string image = workshop_->image_path();
  ASSERT_THAT(ReplayByKernel("ext4", image, workshop_->mount_path()), IsOk());
  ExpectSame(BlocksOf(image).value(), expected_);
  EXPECT_THAT(OutputOf({"e2fsck", "-fn", image}), IsOk());
}

using Checksums = JournalWriter::Checksums;
INSTANTIATE_TEST_SUITE_P(
    Journals, Ext4WrittenJournal,
    testing::Values(
        WrittenJournal{"AsMade", 4096, "64bit", "", false, Checksums::kDrop, "checksums none"},
        WrittenJournal{"SmallBlocks", 1024, "^64bit", "", false, Checksums::kDrop,
                       "checksums none"},
        WrittenJournal{"NoMetadataChecksums", 2048, "^metadata_csum,^64bit", "", false,
                       Checksums::kDrop, "checksums none"},
        WrittenJournal{"V3Dropped", 4096, "64bit", "jo -c -v 3", false, Checksums::kDrop,
                       "checksums none"},
        WrittenJournal{"V1", 1024, "^metadata_csum,^64bit", "", true, Checksums::kDrop,
                       "checksums v1"},
        WrittenJournal{"V2", 1024, "^64bit", "jo -c -v 2", false, Checksums::kKeep, "checksums v2"},
        WrittenJournal{"V2With64bit", 4096, "64bit", "jo -c -v 2", false, Checksums::kKeep,
                       "checksums v2"},
        WrittenJournal{"V3", 1024, "^64bit", "jo -c -v 3", false, Checksums::kKeep, "checksums v3"},
        WrittenJournal{"V3With64bit", 2048, "64bit", "jo -c -v 3", false, Checksums::kKeep,
                       "checksums v3"}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace iomap::tests
