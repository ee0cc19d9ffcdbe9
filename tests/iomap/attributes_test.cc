#include "iomap/attributes.h"

#include "gtest/gtest.h"

namespace iomap {
namespace {

TEST(FileTypeOfMode, ReadsTheUpperBitsOfStMode) {
  EXPECT_EQ(FileTypeOfMode(0100644), FileType::kRegular);
  EXPECT_EQ(FileTypeOfMode(0040755), FileType::kDirectory);
  EXPECT_EQ(FileTypeOfMode(0020600), FileType::kCharacterDevice);
  EXPECT_EQ(FileTypeOfMode(0060600), FileType::kBlockDevice);
  EXPECT_EQ(FileTypeOfMode(0010600), FileType::kFifo);
  EXPECT_EQ(FileTypeOfMode(0140777), FileType::kSocket);
  EXPECT_EQ(FileTypeOfMode(0120777), FileType::kSymbolicLink);
}

TEST(FileTypeOfMode, IsUnknownForBitsThatNoTypeHas) {
  EXPECT_EQ(FileTypeOfMode(0), FileType::kUnknown);
  EXPECT_EQ(FileTypeOfMode(0777), FileType::kUnknown);
  EXPECT_EQ(FileTypeOfMode(0170000), FileType::kUnknown);
}

TEST(FileTypeName, HasAWordForEachType) {
  EXPECT_EQ(FileTypeName(FileType::kRegular), "file");
  EXPECT_EQ(FileTypeName(FileType::kDirectory), "directory");
  EXPECT_EQ(FileTypeName(FileType::kSymbolicLink), "symlink");
  EXPECT_EQ(FileTypeName(FileType::kFifo), "fifo");
  EXPECT_EQ(FileTypeName(FileType::kSocket), "socket");
  EXPECT_EQ(FileTypeName(FileType::kCharacterDevice), "chardev");
  EXPECT_EQ(FileTypeName(FileType::kBlockDevice), "blockdev");
  EXPECT_EQ(FileTypeName(FileType::kUnknown), "unknown");
}

}  // namespace
}  // namespace iomap
