#include "backends/xfs/log_recovery.h"

#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "backends/xfs/checksum.h"
#include "backends/xfs/journal.h"
#include "backends/xfs/recover_inode_create.h"
#include "dax/memory_device.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "iomap/status_macros.h"
#include "tests/backends/xfs/log_builder.h"
#include "tests/backends/xfs/xfs_image.h"
#include "tests/support/status_matchers.h"

namespace iomap::xfs {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using tests::BufferItem;
using tests::CancelItem;
using tests::InodeItem;
using tests::IsOk;
using tests::Item;
using tests::KindFlags;
using tests::LogBuilder;
using tests::LogCoreOf;
using tests::Region;
using tests::StatusIs;
using tests::XfsImage;

// An image with the files "file" and "other", and what a recovery makes of it.
class XfsLogRecovery : public testing::Test {
 protected:
  void SetUp() override { MakeImage({}); }

  void MakeImage(const tests::Arguments& options) {
    absl::StatusOr<XfsImage> made =
        XfsImage::Make(options, "file ---644 0 0 /dev/null\nother ---644 0 0 /dev/null\n");
    ASSERT_THAT(made, IsOk());
    image_ = std::make_unique<XfsImage>(*std::move(made));
    const auto filesystem = image_->Open();
    ASSERT_THAT(filesystem, IsOk());
    const auto file = (*filesystem)->LookUp((*filesystem)->root(), "file");
    ASSERT_THAT(file, IsOk());
    file_ = *file;
  }

  const Superblock& superblock() const { return image_->superblock(); }

  // A block that neither a file nor the log has.
  uint64_t FreeBlock(uint32_t number) const {
    const uint32_t ag = superblock().AgOfBlock(superblock().log_start) == 0 ? 1 : 0;
    return superblock().FsBlock(ag, 500 + number);
  }
  uint64_t FreeAddress(uint32_t number) const {
    return superblock().AddressOfBlock(FreeBlock(number));
  }

  // A buffer without a magic number: replayed as it is.
  Item PlainItem(uint32_t number, uint8_t fill, uint32_t offset = 0, uint32_t size = 128) const {
    return BufferItem(FreeAddress(number), superblock().block_size, 0,
                      {{offset, Region(size, fill)}});
  }

  // `count` new inodes of generation 77.
  Item NewInodes(uint32_t ag, uint32_t block, uint32_t count) const {
    Region create;
    create.Add(static_cast<uint16_t>(LogItemType::kInodeCreate), 2).Add(1, 2);
    create.AddBigEndian(ag, 4).AddBigEndian(block, 4).AddBigEndian(count, 4);
    create.AddBigEndian(superblock().inode_size, 4);
    create.AddBigEndian(count >> superblock().inodes_per_block_log, 4).AddBigEndian(77, 4);
    return {create};
  }

  // Recovers a copy of the image; its bytes are in recovered_ then.
  absl::Status Recover() {
    Volume volume;
    volume.superblock = superblock();
    volume.devices.push_back(std::make_unique<dax::MemoryDevice>(image_->contents()));
    actions_.clear();
    IOMAP_ASSIGN_OR_RETURN(
        journal_, SettleJournal(volume, {.on_replay = [&](const backends::ReplayAction& action) {
                                  actions_.push_back(action.what);
                                }}));
    const auto bytes = volume.main_device().bytes();
    recovered_.assign(bytes.begin(), bytes.end());
    return absl::OkStatus();
  }

  uint8_t ByteAt(uint64_t address) const { return static_cast<uint8_t>(recovered_[address]); }
  DiskInode InodeAt(InodeNumber inode) const {
    DiskInode disk = {};
    std::memcpy(&disk, recovered_.data() + superblock().AddressOfInode(inode), sizeof disk);
    return disk;
  }
  bool InodeChecksumMatches(InodeNumber inode) const {
    return ChecksumMatches(
        absl::MakeConstSpan(recovered_)
            .subspan(superblock().AddressOfInode(inode), superblock().inode_size),
        offsetof(DiskInode, crc));
  }

  std::unique_ptr<XfsImage> image_;
  InodeNumber file_ = 0;
  Journal journal_;
  std::vector<std::string> actions_;
  std::vector<std::byte> recovered_;
};

TEST_F(XfsLogRecovery, PutsTheRunsOfABufferInPlace) {
  LogBuilder log(*image_);
  log.Commit(
      {BufferItem(FreeAddress(0), 4096, 0, {{128, Region(256, 7)}, {3968, Region(128, 9)}})});
  ASSERT_THAT(Recover(), IsOk());
  EXPECT_EQ(journal_.state, JournalState::kReplayed);
  EXPECT_EQ(ByteAt(FreeAddress(0) + 127), 0);
  EXPECT_EQ(ByteAt(FreeAddress(0) + 128), 7);
  EXPECT_EQ(ByteAt(FreeAddress(0) + 383), 7);
  EXPECT_EQ(ByteAt(FreeAddress(0) + 384), 0);
  EXPECT_EQ(ByteAt(FreeAddress(0) + 4095), 9);
  EXPECT_THAT(actions_, ElementsAre("buffer"));
}

TEST_F(XfsLogRecovery, TakesARunThatIsCutIntoRegions) {
  Item item = BufferItem(FreeAddress(0), 4096, 0, {{0, Region(128, 1)}, {128, Region(256, 2)}});
  LogBuilder log(*image_);
  log.Commit({item});
  ASSERT_THAT(Recover(), IsOk());
  EXPECT_EQ(ByteAt(FreeAddress(0)), 1);
  EXPECT_EQ(ByteAt(FreeAddress(0) + 383), 2);
}

TEST_F(XfsLogRecovery, ReadsTheSuperblockAnewWithItsChecksum) {
  Region first(absl::MakeConstSpan(image_->contents()).first(128));
  std::vector<std::byte> bytes = first.bytes();
  std::memcpy(bytes.data() + offsetof(DiskSuperblock, label), "logged\0", 7);
  LogBuilder log(*image_);
  const uint64_t lsn = log.Commit({BufferItem(
      0, superblock().sector_size, KindFlags(LogBufferKind::kSuperblock), {{0, Region(bytes)}})});
  const auto filesystem = image_->Open();
  ASSERT_THAT(filesystem, IsOk());
  EXPECT_EQ((*filesystem)->info()->label, "logged");
  ASSERT_THAT(Recover(), IsOk());
  EXPECT_EQ(backends::Load<Be64>(recovered_.data() + offsetof(DiskSuperblock, lsn)), lsn);
}

// The AGF of the first group with one byte of its spare space changed.
class XfsBufferLsn : public XfsLogRecovery {
 protected:
  static constexpr uint32_t kChunk = 128;  // the AGF's second chunk has its LSN too
  uint64_t agf() const { return superblock().sector_size; }

  Item AgfItem(uint64_t logged_lsn, uint8_t spare) const {
    std::vector<std::byte> bytes(
        image_->contents().begin() + static_cast<ptrdiff_t>(agf() + kChunk),
        image_->contents().begin() + static_cast<ptrdiff_t>(agf() + 2 * kChunk));
    bytes[0] = std::byte{spare};
    backends::Store<Be64>(bytes.data() + offsetof(DiskAgf, lsn) - kChunk, logged_lsn);
    return BufferItem(agf(), superblock().sector_size, KindFlags(LogBufferKind::kAgf),
                      {{kChunk, Region(bytes)}});
  }
  void SetLsnOnMedium(uint64_t lsn) {
    image_->Put(agf() + offsetof(DiskAgf, lsn), lsn, 8);
    image_->FixChecksum(agf(), superblock().sector_size, offsetof(DiskAgf, crc));
  }
};

TEST_F(XfsBufferLsn, IsStampedWithAChecksum) {
  LogBuilder log(*image_);
  SetLsnOnMedium(0);
  log.Commit({AgfItem(0, 1)});
  const uint64_t last = log.Commit({AgfItem(0, 2)});
  ASSERT_THAT(Recover(), IsOk());
  EXPECT_EQ(ByteAt(agf() + kChunk), 2);
  EXPECT_EQ(backends::Load<Be64>(recovered_.data() + agf() + offsetof(DiskAgf, lsn)), last);
  EXPECT_TRUE(
      ChecksumMatches(absl::MakeConstSpan(recovered_).subspan(agf(), superblock().sector_size),
                      offsetof(DiskAgf, crc)));
}

TEST_F(XfsBufferLsn, KeepsWhatTheMediumHasAlready) {
  LogBuilder log(*image_);
  const uint64_t lsn = log.Commit({AgfItem(0, 1)});
  SetLsnOnMedium(lsn);
  ASSERT_THAT(Recover(), IsOk());
  EXPECT_EQ(ByteAt(agf() + kChunk), 0);
  EXPECT_THAT(actions_, ElementsAre("buffer, on the medium already"));
}

TEST_F(XfsBufferLsn, DoesNotKeepTheSecondTransactionOfARecordOut) {
  LogBuilder log(*image_);
  SetLsnOnMedium(0);
  std::vector<LogBuilder::Operation> operations = LogBuilder::OperationsOf(1, {AgfItem(0, 1)});
  const auto second = LogBuilder::OperationsOf(2, {AgfItem(0, 2)});
  operations.insert(operations.end(), second.begin(), second.end());
  log.PutRecord(operations);
  ASSERT_THAT(Recover(), IsOk());
  EXPECT_EQ(ByteAt(agf() + kChunk), 2);
}

TEST_F(XfsBufferLsn, OfAnotherFileSystemDoesNotCount) {
  LogBuilder log(*image_);
  log.Commit({AgfItem(0, 1)});
  SetLsnOnMedium(uint64_t{9} << 32);
  image_->Flip(agf() + offsetof(DiskAgf, uuid));
  ASSERT_THAT(Recover(), IsOk());
  EXPECT_EQ(ByteAt(agf() + kChunk), 1);
}

TEST_F(XfsLogRecovery, DoesNotReplayABufferThatIsFreedLater) {
  LogBuilder log(*image_);
  log.Commit({PlainItem(0, 1), PlainItem(1, 1)});
  log.Commit({CancelItem(FreeAddress(0), superblock().block_size)});
  log.Commit({PlainItem(0, 3, 256)});
  ASSERT_THAT(Recover(), IsOk());
  EXPECT_EQ(ByteAt(FreeAddress(0)), 0);
  EXPECT_EQ(ByteAt(FreeAddress(0) + 256), 3);  // used anew
  EXPECT_EQ(ByteAt(FreeAddress(1)), 1);
  EXPECT_THAT(actions_, ElementsAre("buffer, cancelled", "buffer", "buffer freed", "buffer"));
}

TEST_F(XfsLogRecovery, FreesABufferBehindTheItemsOfItsTransaction) {
  LogBuilder log(*image_);
  log.Commit({CancelItem(FreeAddress(0), superblock().block_size), PlainItem(0, 1)});
  ASSERT_THAT(Recover(), IsOk());
  EXPECT_EQ(ByteAt(FreeAddress(0)), 0);
}

TEST_F(XfsLogRecovery, TakesOnlyTheUnlinkedListFromAnInodeBuffer) {
  const uint64_t address = superblock().AddressOfInode(file_);
  const uint64_t buffer = address / 4096 * 4096;
  Region bytes(128, 0xEE);
  LogBuilder log(*image_);
  log.Commit({BufferItem(buffer, 4096, kLogBufferInodes | KindFlags(LogBufferKind::kInodes),
                         {{static_cast<uint32_t>(address - buffer), bytes}})});
  ASSERT_THAT(Recover(), IsOk());
  EXPECT_EQ(InodeAt(file_).next_unlinked.get(), 0xEEEEEEEE);
  EXPECT_EQ(InodeAt(file_).magic.get(), kInodeMagic);
  EXPECT_TRUE(InodeChecksumMatches(file_));
}

TEST_F(XfsLogRecovery, MakesAChunkOfInodesBeforeTheInodesInIt) {
  const uint32_t ag = superblock().AgOfBlock(FreeBlock(0));
  const uint32_t block = superblock().BlockInAg(FreeBlock(0)) / 8 * 8;
  const InodeNumber first = superblock().FsBlock(ag, block) << superblock().inodes_per_block_log;
  DiskLogInode core = LogCoreOf(*image_, file_);
  core.inode_number.set(first + 3);
  core.size.set(12345);
  LogBuilder log(*image_);
  log.Commit({InodeItem(*image_, first + 3, kLogInodeCore, core), NewInodes(ag, block, 64)});
  ASSERT_THAT(Recover(), IsOk());
  EXPECT_THAT(actions_, ElementsAre("64 new inodes", absl::StrCat("inode ", first + 3)));
  EXPECT_EQ(InodeAt(first + 3).size.get(), 12345u);
  for (const InodeNumber inode : {first, first + 63}) {
    EXPECT_EQ(InodeAt(inode).mode.get(), 0);
    EXPECT_EQ(InodeAt(inode).generation.get(), 77u);
    EXPECT_EQ(InodeAt(inode).inode_number.get(), inode);
    EXPECT_EQ(InodeAt(inode).next_unlinked.get(), 0xFFFFFFFF);
    EXPECT_TRUE(InodeChecksumMatches(inode));
  }
}

TEST_F(XfsLogRecovery, DropsATransactionThatWasNotCommitted) {
  LogBuilder log(*image_);
  std::vector<LogBuilder::Operation> operations = LogBuilder::OperationsOf(1, {PlainItem(0, 1)});
  operations.pop_back();
  log.PutRecord(operations);
  log.PutRecord(LogBuilder::OperationsOf(2, {PlainItem(1, 1)}));
  ASSERT_THAT(Recover(), IsOk());
  EXPECT_EQ(ByteAt(FreeAddress(0)), 0);
  EXPECT_EQ(ByteAt(FreeAddress(1)), 1);
}

TEST_F(XfsLogRecovery, FollowsRecordsAroundTheEndOfTheLog) {
  const uint32_t blocks = superblock().log_blocks * (superblock().block_size / kBasicBlockSize);
  LogBuilder log(*image_, {.cycle = 5, .block = blocks - 7});
  log.Commit({PlainItem(0, 1, 0, 2048)});
  log.Commit({PlainItem(1, 2, 0, 2048)});
  log.Commit({PlainItem(2, 3)});
  ASSERT_THAT(Recover(), IsOk());
  EXPECT_EQ(ByteAt(FreeAddress(0) + 2047), 1);
  EXPECT_EQ(ByteAt(FreeAddress(1) + 2047), 2);
  EXPECT_EQ(ByteAt(FreeAddress(2)), 3);
}

TEST_F(XfsLogRecovery, ReadsRecordsOfSeveralHeaderBlocks) {
  LogBuilder log(*image_, {.buffer_bytes = 131072});
  std::vector<Item> items;
  for (uint32_t i = 0; i < 20; ++i) {
    items.push_back(PlainItem(i, static_cast<uint8_t>(i + 1), 0, 4096));
  }
  log.Commit(items);
  log.Commit({PlainItem(20, 99)});
  ASSERT_THAT(Recover(), IsOk());
  for (uint32_t i = 0; i < 20; ++i) {
    for (uint32_t offset = 0; offset < 4096; ++offset) {
      ASSERT_EQ(ByteAt(FreeAddress(i) + offset), i + 1) << i << " " << offset;
    }
  }
  EXPECT_EQ(ByteAt(FreeAddress(20)), 99);
}

TEST_F(XfsLogRecovery, ReadsVersion1Records) {
  LogBuilder log(*image_, {.version = 1});
  log.Commit({PlainItem(0, 1)});
  ASSERT_THAT(Recover(), IsOk());
  EXPECT_EQ(ByteAt(FreeAddress(0)), 1);
}

TEST_F(XfsLogRecovery, CutsATornRecordAtTheHead) {
  LogBuilder log(*image_);
  log.Commit({PlainItem(0, 1)});
  const uint64_t torn = log.Commit({PlainItem(1, 1)});
  image_->Flip(superblock().AddressOfBlock(superblock().log_start) +
               ((torn & 0xFFFFFFFF) + 1) * kBasicBlockSize + 100);
  ASSERT_THAT(Recover(), IsOk());
  EXPECT_EQ(ByteAt(FreeAddress(0)), 1);
  EXPECT_EQ(ByteAt(FreeAddress(1)), 0);
}

TEST_F(XfsLogRecovery, RefusesADamagedRecordFarBehindTheHead) {
  LogBuilder log(*image_);
  log.Commit({PlainItem(0, 1)});
  const uint64_t damaged = log.Commit({PlainItem(1, 1)});
  for (int i = 0; i < 12; ++i) {
    log.Commit({PlainItem(2, 1)});
  }
  image_->Flip(superblock().AddressOfBlock(superblock().log_start) +
               ((damaged & 0xFFFFFFFF) + 1) * kBasicBlockSize + 100);
  EXPECT_THAT(Recover(),
              StatusIs(absl::StatusCode::kDataLoss,
                       AllOf(HasSubstr(absl::StrCat("record at block ", damaged & 0xFFFFFFFF)),
                             HasSubstr("checksum"), HasSubstr("--no-replay"))));
}

TEST_F(XfsLogRecovery, RefusesRecordsWithoutChecksums) {
  LogBuilder log(*image_, {.checksums = false});
  log.Commit({PlainItem(0, 1)});
  EXPECT_THAT(Recover(), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("no checksum")));
}

TEST_F(XfsLogRecovery, RefusesTheItemsOfABigEndianMachineByName) {
  LogBuilder log(*image_, {.format = kLogFormatLinuxBigEndian});
  log.Commit({PlainItem(0, 1)});
  EXPECT_THAT(Recover(), StatusIs(absl::StatusCode::kUnimplemented,
                                  AllOf(HasSubstr("big-endian"), HasSubstr("--no-replay"))));
}

TEST_F(XfsLogRecovery, RefusesAnUnknownItemByName) {
  Region unknown;
  unknown.Add(0x1299, 2).Add(1, 2).Add(0, 12);
  LogBuilder log(*image_);
  log.Commit({PlainItem(0, 1), {unknown}});
  EXPECT_THAT(Recover(), StatusIs(absl::StatusCode::kUnimplemented,
                                  AllOf(HasSubstr("0x1299"), HasSubstr("--no-replay"))));
}

TEST_F(XfsLogRecovery, RefusesABufferPastTheDevice) {
  LogBuilder log(*image_);
  log.Commit({BufferItem(uint64_t{1} << 40, 4096, 0, {{0, Region(128, 1)}})});
  EXPECT_THAT(Recover(), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("past the end")));
}

TEST_F(XfsLogRecovery, RefusesARunPastItsBuffer) {
  LogBuilder log(*image_);
  log.Commit({BufferItem(FreeAddress(0), 512, 0, {{512, Region(128, 1)}})});
  EXPECT_THAT(Recover(), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("a region of 128")));
}

TEST_F(XfsLogRecovery, RefusesAMapWithoutItsRegions) {
  Item item = PlainItem(0, 1);
  item.pop_back();
  item.push_back(Region(100, 1));
  LogBuilder log(*image_);
  log.Commit({item});
  EXPECT_THAT(Recover(), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("a region of 100")));
}

TEST_F(XfsLogRecovery, RefusesNewInodesThatDoNotFit) {
  LogBuilder log(*image_);
  log.Commit({NewInodes(0, 512, 1 << 20)});
  EXPECT_THAT(Recover(), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("1048576 inodes")));
}

TEST_F(XfsLogRecovery, RefusesMoreNewInodesThanALogCanNeed) {
  const uint32_t ag = superblock().AgOfBlock(FreeBlock(0));
  const uint32_t block = superblock().BlockInAg(FreeBlock(0)) / 8 * 8;
  const uint64_t log_bytes = uint64_t{superblock().log_blocks} << superblock().block_log;
  const uint64_t most = kMostNewInodeBytesPerLogByte * log_bytes / (64 * superblock().inode_size);
  std::vector<Item> items(most, NewInodes(ag, block, 64));
  LogBuilder log(*image_, {.buffer_bytes = 262144});
  log.Commit(items);
  ASSERT_THAT(Recover(), IsOk());
  log.Commit({NewInodes(ag, block, 64)});
  EXPECT_THAT(Recover(), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("64 new inodes")));
}

// A block of a tree lies around a sector that is an AGF in a later transaction.
TEST_F(XfsLogRecovery, SumsOverlappingBuffersOnce) {
  const uint64_t tree = FreeAddress(0);
  const uint64_t agf = tree + superblock().sector_size;
  std::vector<std::byte> agf_bytes(superblock().sector_size, std::byte{1});
  backends::Store<Be32>(agf_bytes.data(), kAgfMagic);
  Region tree_bytes;
  tree_bytes.AddBigEndian(kExtentBtreeMagicV5, 4);
  const Region tree_head(128 - 4, 7);
  std::vector<std::byte> head = tree_bytes.bytes();
  head.insert(head.end(), tree_head.bytes().begin(), tree_head.bytes().end());
  LogBuilder log(*image_);
  log.Commit({BufferItem(tree, superblock().block_size, KindFlags(LogBufferKind::kBtree),
                         {{0, Region(head)}})});
  log.Commit({BufferItem(agf, superblock().sector_size, KindFlags(LogBufferKind::kAgf),
                         {{0, Region(agf_bytes)}})});
  ASSERT_THAT(Recover(), IsOk());
  EXPECT_EQ(backends::Load<Be32>(recovered_.data() + tree + offsetof(DiskLongBtreeHeader, crc)),
            0x07070707u);
  EXPECT_TRUE(
      ChecksumMatches(absl::MakeConstSpan(recovered_).subspan(agf, superblock().sector_size),
                      offsetof(DiskAgf, crc)));
}

TEST_F(XfsLogRecovery, CountsWhatIsFreeAnew) {
  const absl::StatusOr<FilesystemInfo> before = (*image_->Open())->info();
  ASSERT_THAT(before, IsOk());
  for (const size_t counter :
       {offsetof(DiskSuperblock, inode_count), offsetof(DiskSuperblock, free_inodes),
        offsetof(DiskSuperblock, free_data_blocks)}) {
    image_->Flip(counter + sizeof(Be64) - 1);
  }
  image_->FixChecksum(0, superblock().sector_size, offsetof(DiskSuperblock, crc));
  EXPECT_NE((*image_->Open())->info()->free_bytes, before->free_bytes);
  LogBuilder log(*image_);
  log.Commit({PlainItem(0, 1)});
  const absl::StatusOr<FilesystemInfo> after = (*image_->Open())->info();
  ASSERT_THAT(after, IsOk());
  EXPECT_EQ(after->journal, JournalState::kReplayed);
  EXPECT_EQ(after->free_bytes, before->free_bytes);
  EXPECT_EQ(after->inode_count, before->inode_count);
  EXPECT_EQ(after->free_inode_count, before->free_inode_count);
}

TEST_F(XfsLogRecovery, PutsAQuotaRecordInPlace) {
  Region head;
  head.Add(static_cast<uint16_t>(LogItemType::kDquot), 2).Add(2, 2).Add(5, 4);
  head.Add(FreeAddress(0) / 512, 8).Add(1, 4).Add(136, 4);
  LogBuilder log(*image_);
  log.Commit({{head, Region(104, 0x44)}});
  ASSERT_THAT(Recover(), IsOk());
  EXPECT_EQ(ByteAt(FreeAddress(0) + 136 + 103), 0x44);
  EXPECT_TRUE(ChecksumMatches(absl::MakeConstSpan(recovered_).subspan(FreeAddress(0) + 136, 136),
                              kDquotCrcOffset));
  EXPECT_THAT(actions_, ElementsAre("dquot 5"));
}

}  // namespace
}  // namespace iomap::xfs
