#include "backends/directory_entry.h"

#include <string>

#include "gtest/gtest.h"

namespace iomap::backends {
namespace {

TEST(DirectoryEntry, HasANameThatIsNotEmptyWithoutSlashOrZeroByte) {
  EXPECT_TRUE(IsEntryName("a b"));
  EXPECT_FALSE(IsEntryName(""));
  EXPECT_FALSE(IsEntryName("a/b"));
  EXPECT_FALSE(IsEntryName(std::string("a\0b", 3)));
}

TEST(DirectoryEntry, KnowsDotAndDotDot) {
  EXPECT_TRUE(IsDotOrDotDot("."));
  EXPECT_TRUE(IsDotOrDotDot(".."));
  EXPECT_FALSE(IsDotOrDotDot(""));
  EXPECT_FALSE(IsDotOrDotDot("..."));
}

TEST(DirectoryEntry, SaysNothingOfATypeThatIsNotKnown) {
  EXPECT_EQ(TypeOfEntry(1), FileType::kRegular);
  EXPECT_EQ(TypeOfEntry(7), FileType::kSymbolicLink);
  EXPECT_EQ(TypeOfEntry(0), FileType::kUnknown);
  EXPECT_EQ(TypeOfEntry(8), FileType::kUnknown);
  EXPECT_EQ(TypeOfEntry(255), FileType::kUnknown);
}

}  // namespace
}  // namespace iomap::backends
