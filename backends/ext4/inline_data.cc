#include "backends/ext4/inline_data.h"

#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "backends/ext4/format.h"

namespace iomap::ext4 {
namespace {

using Bytes = absl::Span<const std::byte>;

constexpr absl::string_view kName = "data";  // with index kXattrIndexSystem: "system.data"

absl::Status Damaged(const Inode& inode, absl::string_view what, uint64_t value) {
  return absl::DataLossError(
      absl::StrCat("ext4 inode ", inode.number, ", in-inode attributes: ", what, " ", value,
                   " passes their ", inode.in_inode_xattrs.size(), " bytes"));
}

}  // namespace

absl::StatusOr<InlineData> FindInlineData(const Inode& inode) {
  InlineData data{.first = inode.block, .second = {}};
  const Bytes area(inode.in_inode_xattrs);
  if (area.size() < sizeof(Le32) || backends::Load<Le32>(area.data()) != kXattrMagic) {
    return data;
  }
  const Bytes entries = area.subspan(sizeof(Le32));  // value offsets count from here
  size_t position = 0;
  while (position + sizeof(Le32) <= entries.size() &&
         backends::Load<Le32>(entries.data() + position) != 0) {
    if (position + sizeof(DiskXattrEntry) > entries.size()) {
      return Damaged(inode, "entry at byte", position);
    }
    const auto entry = backends::CopyOut<DiskXattrEntry>(entries.data() + position);
    const size_t name_begin = position + sizeof(DiskXattrEntry);
    if (name_begin + entry.name_length > entries.size()) {
      return Damaged(inode, "name at byte", name_begin);
    }
    const absl::string_view name(reinterpret_cast<const char*>(entries.data() + name_begin),
                                 entry.name_length);
    if (entry.name_index == kXattrIndexSystem && name == kName) {
      const size_t offset = entry.value_offset.get();
      const size_t size = entry.value_size.get();
      if (entry.value_inode.get() != 0 || offset > entries.size() ||
          size > entries.size() - offset) {
        return Damaged(inode, "value at byte", offset);
      }
      data.second = entries.subspan(offset, size);
      return data;
    }
    position = (name_begin + entry.name_length + 3) & ~size_t{3};
  }
  return data;
}

}  // namespace iomap::ext4
