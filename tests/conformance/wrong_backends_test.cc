// The conformance suite finds what is wrong with each of the backends of wrong_backends.cc, by the
// test that is there for it, and nothing with those that are right.

#include <ostream>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/command.h"
#include "tests/support/status_matchers.h"

namespace iomap::tests {
namespace {

struct Wrong {
  const char* backend;
  const char* test;  // that fails
};

void PrintTo(const Wrong& wrong, std::ostream* out) { *out << wrong.backend; }

absl::StatusOr<CommandResult> RunSuite(const std::string& backend, const std::string& test) {
  return RunCommand({"env", WRONG_BACKENDS,
                     absl::StrCat("--gtest_filter=*/Conformance.", test, "/", backend),
                     "--gtest_brief=1"});
}

class WrongBackends : public testing::TestWithParam<Wrong> {};

TEST_P(WrongBackends, FailTheTestThatIsThereForThem) {
  const auto run = RunSuite(GetParam().backend, GetParam().test);
  ASSERT_THAT(run, IsOk());
  EXPECT_EQ(run->exit_status, 1) << run->output;
  EXPECT_THAT(run->output,
              testing::HasSubstr(absl::StrCat("[  FAILED  ] Wrong/Conformance.", GetParam().test,
                                              "/", GetParam().backend)));
}

INSTANTIATE_TEST_SUITE_P(
    Conformance, WrongBackends,
    testing::Values(Wrong{"LinksByBitAlone", "LinksHaveTargets"},
                    Wrong{"NoBlocks", "AttributesAgreeWithEachOther"},
                    Wrong{"EveryEntryAFile", "DirectoryEntriesTellTheTypeOrThatTheyDoNotKnow"},
                    Wrong{"NamesCutOff", "EveryListedNameIsFound"},
                    Wrong{"CookiesIgnored", "ADirectoryIsReadOnFromAnyCookie"},
                    Wrong{"EverythingFound", "WhatIsNotThereIsNotFound"},
                    Wrong{"OpensAnew", "OpenedTwiceIsTheSameFile"},
                    Wrong{"GenerationMoves", "ReadersDoNotMoveTheGeneration"},
                    Wrong{"CutToTheRange", "AnAnswerDoesNotDependOnItsRoomOrItsRange"},
                    Wrong{"BehindTheDevice", "MappingsAreWholeBlocksOnTheDevice"},
                    Wrong{"OneBlockOff", "AReportIsWhatAReaderSeesAndFlags"},
                    Wrong{"HolesUnwritten", "AReportIsWhatAReaderSeesAndFlags"},
                    Wrong{"SharingUnsaid", "BytesThatTwoRangesUseAreReportedAsShared"},
                    Wrong{"NoInlineData", "PreparedMappingsShowWhatTheBitsPromise"},
                    Wrong{"WritesNotThrough", "AWriteIsDurableWhenItReturns"},
                    Wrong{"NoDrain", "StoresAreDurableAfterEachKindOfSync"},
                    Wrong{"NoSync", "StoresAreDurableAfterEachKindOfSync"},
                    Wrong{"LinksNotMade", "LinksAreMade"}, Wrong{"NamesStay", "NamesComeAndGo"},
                    Wrong{"AliasNotCleaned", "StoresAreDurableAfterEachKindOfSync"},
                    Wrong{"HugeEntryNotCleaned", "StoresToHugePagesAreDurableAfterEachFsync"},
                    Wrong{"EntryDroppedWhileDirty", "AWriteBesideStoresLeavesThemToTheNextFsync"},
                    Wrong{"EntryRemovedOnWriteBack", "APunchTakesPagesAwayThatAreDurable"},
                    Wrong{"ErrorSwallowed", "AFailedDrainIsReportedAndKeepsPagesDirty"}),
    [](const auto& info) { return std::string(info.param.backend); });

class RightBackends : public testing::TestWithParam<const char*> {};

TEST_P(RightBackends, PassThoughTheyAreWrappedInTheSameWay) {
  const auto run = RunSuite(GetParam(), "*");
  ASSERT_THAT(run, IsOk());
  EXPECT_EQ(run->exit_status, 0) << run->output;
}

INSTANTIATE_TEST_SUITE_P(Conformance, RightBackends, testing::Values("RightReader", "RightWriter"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace iomap::tests
