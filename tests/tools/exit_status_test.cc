#include "tools/exit_status.h"

#include "gtest/gtest.h"

namespace iomap::tools {
namespace {

TEST(ExitStatus, IsNoWhereTheFileSystemRefuses) {
  EXPECT_EQ(ExitStatusOf(absl::NotFoundError("")), ExitStatus::kNo);
  EXPECT_EQ(ExitStatusOf(absl::FailedPreconditionError("")), ExitStatus::kNo);
  EXPECT_EQ(ExitStatusOf(absl::OutOfRangeError("")), ExitStatus::kNo);
  EXPECT_EQ(ExitStatusOf(absl::InvalidArgumentError("")), ExitStatus::kNo);
  EXPECT_EQ(ExitStatusOf(absl::ResourceExhaustedError("")), ExitStatus::kNo);
}

TEST(ExitStatus, IsDamagedForTheImage) {
  EXPECT_EQ(ExitStatusOf(absl::DataLossError("")), ExitStatus::kDamaged);
  EXPECT_EQ(ExitStatusOf(absl::UnimplementedError("")), ExitStatus::kDamaged);
  EXPECT_EQ(ExitStatusOf(absl::InternalError("")), ExitStatus::kDamaged);
}

TEST(ExitStatus, TellsTheSystemAndTheCommandLineApart) {
  EXPECT_EQ(ExitStatusOf(absl::OkStatus()), ExitStatus::kDone);
  EXPECT_EQ(ExitStatusOf(UsageError("")), ExitStatus::kWrongUsage);
  EXPECT_EQ(ExitStatusOf(absl::UnavailableError("")), ExitStatus::kSystemError);
}

TEST(ExitStatus, OfSeveralFilesIsTheGravest) {
  EXPECT_EQ(Graver(ExitStatus::kDone, ExitStatus::kNo), ExitStatus::kNo);
  EXPECT_EQ(Graver(ExitStatus::kDamaged, ExitStatus::kNo), ExitStatus::kDamaged);
}

TEST(ReportError, IsOneLineWhateverTheNamesHold) {
  testing::internal::CaptureStderr();
  EXPECT_EQ(ReportError("a\nb.img", absl::NotFoundError("/c\x1b[2J: none")), ExitStatus::kNo);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "iomap: a\\x0ab.img: /c\\x1b[2J: none\n");
}

}  // namespace
}  // namespace iomap::tools
