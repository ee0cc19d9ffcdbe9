#include "backends/ext4/journal_recovery.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "backends/endian.h"
#include "backends/ext4/format.h"
#include "backends/ext4/jbd2_format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/backends/ext4/ext4_image.h"
#include "tests/backends/ext4/journal_builder.h"
#include "tests/support/status_matchers.h"

namespace iomap::ext4 {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using tests::Ext4Image;
using tests::IsOk;
using tests::JournalBuilder;
using tests::JournalLayout;
using tests::StatusIs;

constexpr absl::StatusCode kDataLoss = absl::StatusCode::kDataLoss;
constexpr uint64_t kBlock = 1024;
constexpr uint64_t kFree = 8000;  // blocks from here on belong to nobody

// An image with a journal that a test writes by hand.
class Ext4JournalRecovery : public testing::TestWithParam<JournalLayout> {
 protected:
  explicit Ext4JournalRecovery(const JournalLayout& layout) : layout_(layout) {}
  Ext4JournalRecovery() : Ext4JournalRecovery(IsParameterised() ? GetParam() : JournalLayout{}) {}

  void SetUp() override { Begin(); }

  void Begin() {
    image_ = std::make_unique<Ext4Image>(
        Ext4Image::Make({"-b", "1024", "-J", "size=1", "-O", "^fast_commit"}).value());
    journal_ = std::make_unique<JournalBuilder>(JournalBuilder::Make(*image_, layout_).value());
  }

  // Recovers a copy; volume_ is what comes out.
  absl::StatusOr<JournalState> Recover() {
    actions_.clear();
    volume_ = image_->Volume().value();
    return RecoverJournal(*volume_, [this](const backends::ReplayAction& action) {
      actions_.push_back(absl::StrCat(action.sequence, ": ", action.what));
    });
  }

  // The byte at `offset` of a block after the recovery.
  unsigned ByteOf(uint64_t block, uint64_t offset = 100) const {
    return static_cast<unsigned>(volume_->device().bytes()[block * kBlock + offset]);
  }
  void Flip(uint32_t journal_block, uint64_t offset) {
    image_->Flip(journal_->AddressOf(journal_block) + offset);
  }

  // A transaction with a copy of block 1, the superblock's, as `changed` has it.
  void LogSuperblockOf(Ext4Image& changed) {
    changed.FixSuperblock();
    journal_->Write({{1, 0}});
    const auto superblock = changed.bytes().subspan(kSuperblockOffset, kBlock);
    std::copy(superblock.begin(), superblock.end(),
              image_->bytes().begin() + static_cast<ptrdiff_t>(journal_->AddressOf(2)));
    journal_->FixCopies(1);
    journal_->Commit();
  }

  static bool IsParameterised() {
    return testing::UnitTest::GetInstance()->current_test_info()->value_param() != nullptr;
  }

  JournalLayout layout_;
  std::unique_ptr<Ext4Image> image_;
  std::unique_ptr<JournalBuilder> journal_;
  std::unique_ptr<Volume> volume_;
  std::vector<std::string> actions_;
};

using Ext4JournalLayouts = Ext4JournalRecovery;

TEST_P(Ext4JournalLayouts, PutsTheLastCopyInPlaceInOrder) {
  journal_->Write({{kFree, 1}, {kFree + 1, 2}});
  journal_->Write({{kFree + 2, 3}});
  journal_->Commit();
  journal_->Write({{kFree, 4}});
  journal_->Commit();
  EXPECT_EQ(Recover().value(), JournalState::kReplayed);
  EXPECT_EQ(ByteOf(kFree), 4u);
  EXPECT_EQ(ByteOf(kFree + 1), 2u);
  EXPECT_EQ(ByteOf(kFree + 2), 3u);
  EXPECT_THAT(actions_,
              ElementsAre("17: block 8000", "17: block 8001", "17: block 8002", "18: block 8000"));
}

TEST_P(Ext4JournalLayouts, GivesAnEscapedBlockItsMagicBack) {
  journal_->Write({{kFree, 7, kJournalMagic}});
  journal_->Commit();
  ASSERT_THAT(Recover(), IsOk());
  EXPECT_EQ(backends::Load<Be32>(volume_->device().bytes().data() + kFree * kBlock), kJournalMagic);
  EXPECT_EQ(ByteOf(kFree), 7u);
}

TEST_P(Ext4JournalLayouts, LeavesRevokedCopiesOutUpToTheirTransaction) {
  journal_->Write({{kFree, 1}, {kFree + 1, 1}});
  journal_->Commit();
  journal_->Write({{kFree, 2}});
  journal_->Revoke({kFree, kFree + 5});
  journal_->Commit();
  journal_->Write({{kFree + 5, 3}});
  journal_->Commit();
  ASSERT_THAT(Recover(), IsOk());
  EXPECT_EQ(ByteOf(kFree), 0u) << "also in the transaction that revokes it";
  EXPECT_EQ(ByteOf(kFree + 1), 1u);
  EXPECT_EQ(ByteOf(kFree + 5), 3u) << "a later copy counts again";
  EXPECT_THAT(actions_, ElementsAre("17: block 8000, revoked", "17: block 8001",
                                    "18: block 8000, revoked", "19: block 8005"));
}

TEST_P(Ext4JournalLayouts, IgnoresATransactionWithoutACommit) {
  journal_->Write({{kFree, 1}});
  journal_->Commit();
  journal_->Write({{kFree, 2}});
  EXPECT_EQ(Recover().value(), JournalState::kReplayed);
  EXPECT_EQ(ByteOf(kFree), 1u);
}

TEST_P(Ext4JournalLayouts, IsCleanWhenNoTransactionIsWhole) {
  journal_->Write({{kFree, 2}});
  EXPECT_EQ(Recover().value(), JournalState::kClean);
  EXPECT_EQ(ByteOf(kFree), 0u);
}

TEST_P(Ext4JournalLayouts, WrapsInTheMiddleOfADescriptorsCopies) {
  layout_.start = 1024 - 2;
  Begin();
  journal_->Write({{kFree, 1}, {kFree + 1, 2}, {kFree + 2, 3}});
  journal_->Commit();
  ASSERT_LT(journal_->position(), 10u);
  ASSERT_THAT(Recover(), IsOk());
  EXPECT_EQ(ByteOf(kFree), 1u);
  EXPECT_EQ(ByteOf(kFree + 2), 3u);
}

TEST_P(Ext4JournalLayouts, CountsTransactionsPastTheLargestNumber) {
  layout_.sequence = 0xFFFFFFFF;
  Begin();
  for (unsigned char fill = 1; fill <= 3; ++fill) {
    journal_->Write({{kFree, fill}});
    journal_->Revoke({kFree + 1});
    journal_->Commit();
  }
  ASSERT_THAT(Recover(), IsOk());
  EXPECT_EQ(ByteOf(kFree), 3u);
  EXPECT_THAT(actions_, ElementsAre("4294967295: block 8000", "0: block 8000", "1: block 8000"));
}

TEST_P(Ext4JournalLayouts, RefusesACopyOfABlockPastTheDevice) {
  journal_->Write({{kFree, 1}});
  journal_->Write({{uint64_t{1} << 31, 1}});
  journal_->Commit();
  EXPECT_THAT(Recover(), StatusIs(kDataLoss, HasSubstr("copy of block 2147483648")));
  EXPECT_EQ(ByteOf(kFree), 0u) << "nothing is written before everything is checked";
}

TEST_P(Ext4JournalLayouts, RefusesACopyOfTheJournalItself) {
  journal_->Write({{journal_->AddressOf(500) / kBlock, 1}});
  journal_->Commit();
  EXPECT_THAT(Recover(), StatusIs(kDataLoss, HasSubstr("the journal's own")));
}

TEST_P(Ext4JournalLayouts, EndsWhenAllBlocksOfTheRingBelongToOneTransaction) {
  for (uint32_t i = 0; i < 1023; ++i) {
    journal_->Revoke({kFree});
  }
  EXPECT_THAT(Recover(), IsOk());  // it was never committed
  EXPECT_TRUE(actions_.empty());
}

std::string NameOf(const testing::TestParamInfo<JournalLayout>& info) {
  constexpr const char* kNames[] = {"None", "V1", "V2", "V3"};
  return absl::StrCat(kNames[static_cast<int>(info.param.checksums)],
                      info.param.has_64bit ? "With64bit" : "Without64bit");
}

std::vector<JournalLayout> AllLayouts() {
  std::vector<JournalLayout> layouts;
  for (const JournalChecksums checksums : {JournalChecksums::kNone, JournalChecksums::kV1,
                                           JournalChecksums::kV2, JournalChecksums::kV3}) {
    for (const bool has_64bit : {false, true}) {
      JournalLayout layout;
      layout.checksums = checksums;
      layout.has_64bit = has_64bit;
      layouts.push_back(layout);
    }
  }
  return layouts;
}

INSTANTIATE_TEST_SUITE_P(All, Ext4JournalLayouts, testing::ValuesIn(AllLayouts()), NameOf);

TEST_F(Ext4JournalRecovery, ParsesTheSuperblockAgain) {
  // Block 1 is the superblock's: a copy of it with another label.
  const uint64_t label = kSuperblockOffset + offsetof(DiskSuperblock, volume_name);
  Ext4Image changed = *image_;
  changed.Put(label, 'N', 1);
  LogSuperblockOf(changed);
  ASSERT_THAT(Recover(), IsOk());
  EXPECT_EQ(volume_->superblock().label, "N");
}

TEST_F(Ext4JournalRecovery, RefusesALoggedSuperblockWithInodesOfAnotherSize) {
  Ext4Image changed = *image_;
  changed.Put(kSuperblockOffset + offsetof(DiskSuperblock, inode_size), 128, 2);
  LogSuperblockOf(changed);
  EXPECT_THAT(Recover(), StatusIs(kDataLoss, HasSubstr("inodes of 128, not 1024 and 256")));
}

// A file system that grows while it is mounted logs such blocks before the superblock that adds
// them.
TEST_F(Ext4JournalRecovery, PutsInPlaceABlockThatOnlyTheDeviceHasYet) {
  image_->Put(kSuperblockOffset + offsetof(DiskSuperblock, blocks_count_lo), 8100, 4);
  image_->FixSuperblock();
  journal_->Write({{8150, 5}});
  journal_->Commit();
  ASSERT_THAT(Recover(), IsOk());
  EXPECT_EQ(ByteOf(8150), 5u);
}

TEST_F(Ext4JournalRecovery, ReadsAJournalOfBlockPointersInPieces) {
  image_ = std::make_unique<Ext4Image>(
      Ext4Image::Make({"-t", "ext3", "-b", "1024", "-J", "size=1"}).value());
  const uint64_t inode =
      image_->Get(2 * kBlock + offsetof(DiskGroupDescriptor, inode_table_lo), 4) * kBlock +
      7 * image_->Get(kSuperblockOffset + offsetof(DiskSuperblock, inode_size), 2);
  const uint64_t first = inode + offsetof(DiskInode, block) + 4;  // of blocks 1 and 2
  const uint64_t pointers = image_->Get(first, 8);
  image_->Put(first, pointers >> 32 | pointers << 32, 8);
  layout_.checksums = JournalChecksums::kNone;
  journal_ = std::make_unique<JournalBuilder>(JournalBuilder::Make(*image_, layout_).value());
  ASSERT_EQ(journal_->AddressOf(1), journal_->AddressOf(2) + kBlock);
  for (unsigned char i = 0; i < 100; ++i) {
    journal_->Write({{kFree + i, i}});
  }
  journal_->Commit();
  ASSERT_THAT(Recover(), IsOk());
  EXPECT_EQ(ByteOf(kFree + 1), 1u);
  EXPECT_EQ(ByteOf(kFree + 99), 99u);
}

TEST_F(Ext4JournalRecovery, RefusesACommittedDescriptorWithAWrongChecksum) {
  journal_->Write({{kFree, 1}});
  journal_->Commit();
  Flip(1, 500);
  EXPECT_THAT(Recover(), StatusIs(kDataLoss, HasSubstr("ext4 journal block 1: checksum")));
}

TEST_F(Ext4JournalRecovery, EndsAtAWrongDescriptorThatWasNeverCommitted) {
  journal_->Write({{kFree, 1}});
  journal_->Commit();
  journal_->Write({{kFree, 2}});
  Flip(4, 500);
  EXPECT_EQ(Recover().value(), JournalState::kReplayed);
  EXPECT_EQ(ByteOf(kFree), 1u);
}

TEST_F(Ext4JournalRecovery, EndsAtAWrongDescriptorThatIsOlderThanTheLog) {
  journal_->Write({{kFree, 1}});
  journal_->Commit(/*seconds=*/2000);
  journal_->Write({{kFree, 2}});
  Flip(4, 500);
  journal_->Commit(/*seconds=*/1999);
  EXPECT_EQ(Recover().value(), JournalState::kReplayed);
  EXPECT_EQ(ByteOf(kFree), 1u);
}

TEST_F(Ext4JournalRecovery, RefusesACopyWithAWrongChecksum) {
  journal_->Write({{kFree, 1}});
  journal_->Commit();
  Flip(2, 500);
  EXPECT_THAT(Recover(), StatusIs(kDataLoss, AllOf(HasSubstr("ext4 journal block 2"),
                                                   HasSubstr("of the copy of block 8000"))));
}

TEST_F(Ext4JournalRecovery, DoesNotLookAtARevokedCopy) {
  journal_->Write({{kFree, 1}, {kFree + 1, 5}});
  journal_->Revoke({kFree});
  journal_->Commit();
  Flip(2, 500);
  ASSERT_THAT(Recover(), IsOk());
  EXPECT_EQ(ByteOf(kFree + 1), 5u);
}

TEST_F(Ext4JournalRecovery, RefusesACommitWithAWrongChecksum) {
  journal_->Write({{kFree, 1}});
  journal_->Commit();
  Flip(3, offsetof(DiskJournalCommit, commit_nanoseconds));
  EXPECT_THAT(Recover(), StatusIs(kDataLoss, HasSubstr("checksum of the commit")));
}

TEST_F(Ext4JournalRecovery, TakesACommitOfWhichOnlyTheHeadWasWritten) {
  journal_->Write({{kFree, 1}});
  journal_->Commit();
  Flip(3, 900);
  ASSERT_THAT(Recover(), IsOk());
  EXPECT_EQ(ByteOf(kFree), 1u);
}

TEST_F(Ext4JournalRecovery, EndsAtATornAsynchronousCommit) {
  layout_.commits_asynchronously = true;
  Begin();
  journal_->Write({{kFree, 1}});
  journal_->Commit();
  journal_->Write({{kFree, 2}});
  journal_->Commit();
  Flip(6, offsetof(DiskJournalCommit, commit_nanoseconds));
  EXPECT_EQ(Recover().value(), JournalState::kReplayed);
  EXPECT_EQ(ByteOf(kFree), 1u);
}

TEST_F(Ext4JournalRecovery, RefusesAWrongTransactionInFrontOfAWholeOneWithVersion1) {
  layout_.checksums = JournalChecksums::kV1;
  layout_.commits_asynchronously = true;
  Begin();
  journal_->Write({{kFree, 1}});
  journal_->Commit();
  Flip(2, 500);
  EXPECT_EQ(Recover().value(), JournalState::kClean) << "torn, perhaps";
  journal_->Write({{kFree, 2}});
  journal_->Commit();
  EXPECT_THAT(Recover(), StatusIs(kDataLoss, HasSubstr("transaction 17")));
}

TEST_F(Ext4JournalRecovery, RefusesAVersion1TransactionWithAWrongChecksum) {
  layout_.checksums = JournalChecksums::kV1;
  Begin();
  journal_->Write({{kFree, 1}});
  journal_->Commit();
  Flip(2, 500);
  EXPECT_THAT(Recover(), StatusIs(kDataLoss, HasSubstr("checksum of the transaction")));
}

TEST_F(Ext4JournalRecovery, RefusesARevokeBlockThatIsFullerThanABlock) {
  journal_->Revoke({kFree});
  image_->Put(journal_->AddressOf(1) + offsetof(DiskJournalRevoke, byte_count), 0xFFFF, 4);
  journal_->FixTail(1);
  journal_->Commit();
  EXPECT_THAT(Recover(), StatusIs(kDataLoss, HasSubstr("bytes of revoked blocks")));
}

TEST_F(Ext4JournalRecovery, KnowsOfAnErrorThatOnlyTheJournalKnowsOf) {
  journal_->Write({{kFree, 1}});
  journal_->Commit();
  journal_->PutSuperblock(offsetof(DiskJournalSuperblock, error_number), static_cast<uint32_t>(-5));
  ASSERT_THAT(Recover(), IsOk());
  EXPECT_NE(volume_->superblock().state & kStateError, 0);
}

TEST_F(Ext4JournalRecovery, RefusesFeaturesThatAreNotKnownByName) {
  journal_->PutSuperblock(offsetof(DiskJournalSuperblock, feature_incompat), 0x53);
  EXPECT_THAT(Recover(), StatusIs(absl::StatusCode::kUnimplemented, HasSubstr("incompat 0x40")));
}

TEST_F(Ext4JournalRecovery, RefusesAWrongSuperblock) {
  using Disk = DiskJournalSuperblock;
  const std::vector<std::pair<size_t, uint32_t>> wrong = {
      {0, 1},
      {offsetof(Disk, block_size), 4096},
      {offsetof(Disk, block_count), 1025},
      {offsetof(Disk, first_block), 0},
      {offsetof(Disk, first_block), 1024},
      {offsetof(Disk, start), 1024},
      {offsetof(Disk, feature_incompat), kJournalIncompatChecksumV2 | kJournalIncompatChecksumV3},
      {4, 9}};
  for (const auto& [offset, value] : wrong) {
    Begin();
    journal_->PutSuperblock(offset, value);
    EXPECT_THAT(Recover(), StatusIs(kDataLoss, HasSubstr("ext4 journal superblock"))) << offset;
  }
  Begin();
  Flip(0, 0x200);
  EXPECT_THAT(Recover(), StatusIs(kDataLoss, HasSubstr("ext4 journal superblock: checksum")));
}

TEST_F(Ext4JournalRecovery, RefusesAnExternalJournalThatNeedsRecovery) {
  image_->Put(kSuperblockOffset + offsetof(DiskSuperblock, journal_inode), 0, 4);
  image_->FixSuperblock();
  EXPECT_THAT(image_->Open(),
              StatusIs(absl::StatusCode::kUnimplemented,
                       AllOf(HasSubstr("device of its own"), HasSubstr("--no-replay"))));
  const auto ignored = image_->Open({.dirty_journal = backends::DirtyJournal::kIgnore});
  ASSERT_THAT(ignored, IsOk());
  EXPECT_EQ((*ignored)->info().value().journal, JournalState::kExternal);
}

}  // namespace
}  // namespace iomap::ext4
