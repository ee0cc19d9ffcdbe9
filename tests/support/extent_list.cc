#include "tests/support/extent_list.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace iomap::tests {
namespace {

std::string Describe(const ExtentList& extents, size_t index) {
  return index < extents.size() ? DebugString(extents[index]) : "nothing more";
}

}  // namespace

ExtentList Canonical(ExtentList extents, Shared shared) {
  std::sort(extents.begin(), extents.end(),
            [](const Mapping& a, const Mapping& b) { return a.offset < b.offset; });
  ExtentList canonical;
  for (Mapping extent : extents) {
    if (extent.type == MappingType::kHole) {
      continue;
    }
    if (extent.type == MappingType::kInline) {
      extent.address = Mapping::kNoAddress;
    }
    const bool is_shared = HasFlag(extent.flags, MappingFlag::kShared);
    extent.flags =
        is_shared && shared == Shared::kCompare ? MappingFlag::kShared : MappingFlag::kNone;
    if (!canonical.empty() && canonical.back().ContinuesIn(extent)) {
      canonical.back().length += extent.length;
    } else {
      canonical.push_back(extent);
    }
  }
  return canonical;
}

absl::Status SameExtents(absl::string_view referee, const ExtentList& expected,
                         const ExtentList& actual, Shared shared) {
  const ExtentList theirs = Canonical(expected, shared);
  const ExtentList ours = Canonical(actual, shared);
  const size_t same =
      std::mismatch(theirs.begin(), theirs.end(), ours.begin(), ours.end()).first - theirs.begin();
  if (same == theirs.size() && same == ours.size()) {
    return absl::OkStatus();
  }
  return absl::InternalError(absl::StrCat("extent ", same, " of ", theirs.size(), ": ", referee,
                                          " says ", Describe(theirs, same), ", iomap says ",
                                          Describe(ours, same)));
}

}  // namespace iomap::tests
