#include "tools/target.h"

#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"
#include "tools/exit_status.h"

namespace iomap::tools {
namespace {

using tests::IsOk;

TEST(ParseTarget, SplitsAtTheFirstColonAndSlash) {
  const auto target = ParseTarget("a:b.img:/c:/d");
  ASSERT_THAT(target, IsOk());
  EXPECT_EQ(target->image, "a:b.img");
  EXPECT_EQ(target->path, "/c:/d");
  EXPECT_FALSE(target->inode.has_value());
}

TEST(ParseTarget, TakesAnInodeNumber) {
  const auto target = ParseTarget("disk.img:<131>");
  ASSERT_THAT(target, IsOk());
  EXPECT_EQ(target->image, "disk.img");
  EXPECT_EQ(target->path, "<131>");
  EXPECT_EQ(target->inode, InodeNumber{131});
}

TEST(ParseTarget, LeavesAPathThatLooksLikeAnInodeAlone) {
  const auto target = ParseTarget("disk.img:/x:<5>");
  ASSERT_THAT(target, IsOk());
  EXPECT_EQ(target->path, "/x:<5>");
  EXPECT_FALSE(target->inode.has_value());
}

TEST(ParseTarget, RefusesWhatNamesNoFileAsWrongUsage) {
  for (const char* argument :
       {"", "disk.img", "disk.img:a", ":/a", ":<5>", "disk.img:<>", "disk.img:<-1>",
        "disk.img:< 5>", "disk.img:<5", "disk.img:5>", "disk.img:<99999999999999999999>", ">"}) {
    EXPECT_EQ(ExitStatusOf(ParseTarget(argument).status()), ExitStatus::kWrongUsage) << argument;
  }
}

TEST(AtPath, NamesThePathOnce) {
  EXPECT_EQ(AtPath("/a", absl::DataLossError("inode 5: bad")).message(), "/a: inode 5: bad");
  EXPECT_EQ(AtPath("/a", absl::NotFoundError("/a: none")).message(), "/a: none");
  EXPECT_THAT(AtPath("/a", absl::OkStatus()), IsOk());
}

}  // namespace
}  // namespace iomap::tools
