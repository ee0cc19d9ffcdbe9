#include "backends/ext4/inline_data.h"

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"

namespace iomap::ext4 {
namespace {

using testing::HasSubstr;
using tests::StatusIs;

constexpr absl::StatusCode kDataLoss = absl::StatusCode::kDataLoss;

void Append(Inode& inode, uint64_t value, size_t width) {
  for (size_t i = 0; i < width; ++i) {
    inode.in_inode_xattrs.push_back(static_cast<std::byte>(value >> (8 * i)));
  }
}

void AppendEntry(Inode& inode, absl::string_view name, uint8_t index, uint16_t value_offset,
                 uint32_t value_size) {
  Append(inode, name.size(), 1);
  Append(inode, index, 1);
  Append(inode, value_offset, 2);
  Append(inode, 0, 4);
  Append(inode, value_size, 4);
  Append(inode, 0, 4);
  for (size_t i = 0; i < ((name.size() + 3) & ~size_t{3}); ++i) {
    Append(inode, i < name.size() ? static_cast<unsigned char>(name[i]) : 0, 1);
  }
}

Inode WithAttributes() {
  Inode inode{.number = 42};
  Append(inode, kXattrMagic, 4);
  return inode;
}

TEST(Ext4InlineData, GoesOnInTheAttributeSystemData) {
  Inode inode = WithAttributes();
  AppendEntry(inode, "other", 1, 0, 0);
  AppendEntry(inode, "data", kXattrIndexSystem, 60, 4);
  inode.in_inode_xattrs.resize(4 + 64);
  inode.in_inode_xattrs[4 + 60] = std::byte{'x'};
  const InlineData data = FindInlineData(inode).value();
  EXPECT_EQ(data.first.size(), kInodeBlockBytes);
  ASSERT_EQ(data.second.size(), 4u);
  EXPECT_EQ(data.second[0], std::byte{'x'});
}

TEST(Ext4InlineData, HasOnlyTheBlockFieldWithoutAttributes) {
  EXPECT_TRUE(FindInlineData(Inode{.number = 42}).value().second.empty());
  Inode other = WithAttributes();
  AppendEntry(other, "data", 1, 0, 0);  // user.data, not system.data
  Append(other, 0, 4);
  EXPECT_TRUE(FindInlineData(other).value().second.empty());
}

TEST(Ext4InlineData, RefusesAValueOutsideOfTheInode) {
  Inode inode = WithAttributes();
  AppendEntry(inode, "data", kXattrIndexSystem, 20, 1);
  EXPECT_THAT(FindInlineData(inode), StatusIs(kDataLoss, HasSubstr("inode 42")));
  Inode huge = WithAttributes();
  AppendEntry(huge, "data", kXattrIndexSystem, 0, 0xFFFFFFFF);
  EXPECT_THAT(FindInlineData(huge), StatusIs(kDataLoss, HasSubstr("value at byte 0")));
}

TEST(Ext4InlineData, RefusesAnEntryOrANameThatIsCutOff) {
  Inode inode = WithAttributes();
  Append(inode, 4, 4);
  EXPECT_THAT(FindInlineData(inode), StatusIs(kDataLoss, HasSubstr("entry at byte 0")));
  Inode name = WithAttributes();
  AppendEntry(name, "data", kXattrIndexSystem, 0, 0);
  name.in_inode_xattrs[4] = std::byte{200};
  EXPECT_THAT(FindInlineData(name), StatusIs(kDataLoss, HasSubstr("name at byte 16")));
}

}  // namespace
}  // namespace iomap::ext4
