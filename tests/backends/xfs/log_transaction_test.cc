#include "backends/xfs/log_transaction.h"

#include <algorithm>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/backends/xfs/log_builder.h"
#include "tests/support/status_matchers.h"

namespace iomap::xfs {
namespace {

using testing::HasSubstr;
using tests::IsOk;
using tests::Item;
using tests::LogBuilder;
using tests::Region;
using tests::StatusIs;

// What an assembler makes of records of given operations.
class XfsTransactions : public testing::Test {
 protected:
  absl::Status Add(const std::vector<LogBuilder::Operation>& operations, uint64_t lsn = 100) {
    Region body;
    for (const LogBuilder::Operation& operation : operations) {
      body.AddBigEndian(operation.transaction, 4).AddBigEndian(operation.bytes.size(), 4);
      body.Add(kLogClientTransaction, 1).Add(operation.flags, 1).Add(0, 2);
      for (const std::byte byte : operation.bytes) {
        body.Add(static_cast<uint64_t>(byte), 1);
      }
    }
    return AddBody(body, operations.size(), lsn);
  }

  absl::Status AddBody(const Region& body, size_t operation_count, uint64_t lsn = 100) {
    LogRecord record;
    record.header.lsn.set(lsn);
    record.header.operation_count.set(static_cast<uint32_t>(operation_count));
    return assembler_.Add(record, body.bytes(), [&](LogTransaction&& transaction) {
      committed_.push_back(std::move(transaction));
      return absl::OkStatus();
    });
  }

  static Item ItemOf(size_t regions, size_t bytes) {
    Region head;
    head.Add(static_cast<uint16_t>(LogItemType::kBuffer), 2).Add(regions, 2).Add(0, bytes - 4);
    Item item = {head};
    for (size_t i = 1; i < regions; ++i) {
      item.push_back(Region(bytes, static_cast<uint8_t>(i)));
    }
    return item;
  }

  // The same operations with region number `index` of the operations cut at `cut`, the rest in the
  // operation behind it.
  static std::vector<LogBuilder::Operation> Cut(std::vector<LogBuilder::Operation> operations,
                                                size_t index, size_t cut) {
    LogBuilder::Operation& first = operations[index];
    LogBuilder::Operation rest = first;
    rest.bytes.erase(rest.bytes.begin(), rest.bytes.begin() + static_cast<ptrdiff_t>(cut));
    rest.flags = kLogWasContinuedFlag | kLogEndFlag;
    first.bytes.resize(cut);
    first.flags = (first.flags & kLogWasContinuedFlag) | kLogContinueFlag;
    operations.insert(operations.begin() + static_cast<ptrdiff_t>(index) + 1, rest);
    return operations;
  }

  TransactionAssembler assembler_;
  std::vector<LogTransaction> committed_;
};

TEST_F(XfsTransactions, HaveTheirItemsAndTheLsnOfTheirStart) {
  const auto operations = LogBuilder::OperationsOf(7, {ItemOf(2, 8), ItemOf(1, 16)});
  ASSERT_THAT(Add({operations.begin(), operations.begin() + 3}, 50), IsOk());
  EXPECT_TRUE(committed_.empty());
  ASSERT_THAT(Add({operations.begin() + 3, operations.end()}, 60), IsOk());
  ASSERT_EQ(committed_.size(), 1u);
  EXPECT_EQ(committed_[0].id, 7u);
  EXPECT_EQ(committed_[0].lsn, 50u);
  ASSERT_EQ(committed_[0].items.size(), 2u);
  EXPECT_EQ(committed_[0].items[0].type(), LogItemType::kBuffer);
  EXPECT_EQ(committed_[0].items[0].regions.size(), 2u);
  EXPECT_EQ(committed_[0].items[1].regions[0].size(), 16u);
}

TEST_F(XfsTransactions, MayLieAmongEachOther) {
  const auto a = LogBuilder::OperationsOf(1, {ItemOf(2, 8)});
  const auto b = LogBuilder::OperationsOf(2, {ItemOf(2, 8)});
  std::vector<LogBuilder::Operation> mixed;
  for (size_t i = 0; i < a.size(); ++i) {
    mixed.insert(mixed.end(), {b[i], a[i]});
  }
  ASSERT_THAT(Add(mixed), IsOk());
  ASSERT_EQ(committed_.size(), 2u);
  EXPECT_EQ(committed_[0].id, 2u);
}

TEST_F(XfsTransactions, HaveRegionsThatGoOnInOtherRecords) {
  const auto operations = Cut(Cut(LogBuilder::OperationsOf(1, {ItemOf(2, 100)}), 3, 60), 4, 10);
  for (const LogBuilder::Operation& operation : operations) {
    ASSERT_THAT(Add({operation}), IsOk());
  }
  ASSERT_EQ(committed_.size(), 1u);
  EXPECT_EQ(committed_[0].items[0].regions[1], Region(100, 1).bytes());
}

TEST_F(XfsTransactions, HaveAHeaderThatGoesOnInAnotherRecord) {
  ASSERT_THAT(Add(Cut(LogBuilder::OperationsOf(1, {ItemOf(1, 8)}), 1, 4)), IsOk());
  EXPECT_EQ(committed_.size(), 1u);
}

TEST_F(XfsTransactions, BeginTheirIdAnewBehindACommit) {
  const auto operations = LogBuilder::OperationsOf(1, {ItemOf(1, 8)});
  ASSERT_THAT(Add(operations), IsOk());
  ASSERT_THAT(Add(operations), IsOk());
  EXPECT_EQ(committed_.size(), 2u);
}

TEST_F(XfsTransactions, FromBeforeTheTailAreSkipped) {
  const auto operations = LogBuilder::OperationsOf(1, {ItemOf(2, 8)});
  ASSERT_THAT(Add({operations.begin() + 2, operations.end()}), IsOk());
  EXPECT_TRUE(committed_.empty());
}

TEST_F(XfsTransactions, WithoutTheirHeaderAreRefused) {
  auto operations = LogBuilder::OperationsOf(1, {ItemOf(1, 16)});
  operations.erase(operations.begin() + 1);
  EXPECT_THAT(Add(operations), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("its header")));
}

TEST_F(XfsTransactions, WithoutAllTheirRegionsAreRefused) {
  auto operations = LogBuilder::OperationsOf(1, {ItemOf(3, 8)});
  operations.erase(operations.end() - 2);
  EXPECT_THAT(Add(operations), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("2 regions of 3")));
}

TEST_F(XfsTransactions, ThatGoOnWithNothingAreRefused) {
  auto operations = LogBuilder::OperationsOf(1, {ItemOf(1, 8)});
  operations[2].flags = kLogWasContinuedFlag;
  EXPECT_THAT(Add(operations), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("has not begun")));
}

TEST_F(XfsTransactions, OfItemsWithoutRegionsAreRefused) {
  EXPECT_THAT(Add(LogBuilder::OperationsOf(1, {{ItemOf(1, 8)[0]}, {Region(8, 0)}})),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("0 regions")));
}

TEST_F(XfsTransactions, ThatStartTwiceAreRefused) {
  auto operations = LogBuilder::OperationsOf(1, {ItemOf(1, 8)});
  operations.insert(operations.begin(), operations[0]);
  EXPECT_THAT(Add(operations), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("flags")));
}

TEST_F(XfsTransactions, OfOperationsPastTheirRecordAreRefused) {
  Region body;
  body.AddBigEndian(1, 4).AddBigEndian(1000, 4).Add(kLogClientTransaction, 1).Add(0, 3);
  EXPECT_THAT(AddBody(body, 1), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("1000 bytes")));
  EXPECT_THAT(AddBody(Region(5, 0), 1), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("cut")));
}

}  // namespace
}  // namespace iomap::xfs
