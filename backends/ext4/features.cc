#include "backends/ext4/features.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/types/span.h"

namespace iomap::ext4 {
namespace {

struct Feature {
  uint32_t bit;
  const char* name;
  bool readable = true;
};

constexpr Feature kCompat[] = {
    {0x1, "dir_prealloc"},    {0x2, "imagic_inodes"},  {0x4, "has_journal"},
    {0x8, "ext_attr"},        {0x10, "resize_inode"},  {0x20, "dir_index"},
    {0x40, "lazy_bg"},        {0x80, "exclude_inode"}, {0x100, "snapshot_bitmap"},
    {0x200, "sparse_super2"}, {0x400, "fast_commit"},  {0x800, "stable_inodes"},
    {0x1000, "orphan_file"},
};
constexpr Feature kIncompat[] = {
    {0x1, "compression", false},
    {0x2, "filetype"},
    {0x4, "needs_recovery"},
    {0x8, "journal_dev", false},
    {0x10, "meta_bg"},
    {0x40, "extent"},
    {0x80, "64bit"},
    {0x100, "mmp"},
    {0x200, "flex_bg"},
    {0x400, "ea_inode"},
    {0x1000, "dirdata", false},
    {0x2000, "metadata_csum_seed"},
    {0x4000, "large_dir"},
    {0x8000, "inline_data"},
    {0x10000, "encrypt"},
    {0x20000, "casefold"},
};
constexpr Feature kRoCompat[] = {
    {0x1, "sparse_super"},       {0x2, "large_file"},       {0x8, "huge_file"},
    {0x10, "uninit_bg"},         {0x20, "dir_nlink"},       {0x40, "extra_isize"},
    {0x80, "snapshot"},          {0x100, "quota"},          {0x200, "bigalloc"},
    {0x400, "metadata_csum"},    {0x800, "replica"},        {0x1000, "read-only"},
    {0x2000, "project"},         {0x4000, "shared_blocks"}, {0x8000, "verity"},
    {0x10000, "orphan_present"},
};

const Feature* Find(absl::Span<const Feature> table, uint32_t bit) {
  for (const Feature& feature : table) {
    if (feature.bit == bit) {
      return &feature;
    }
  }
  return nullptr;
}

std::string NameOf(absl::Span<const Feature> table, char word, int bit) {
  const Feature* feature = Find(table, uint32_t{1} << bit);
  return feature == nullptr ? absl::StrCat("FEATURE_", std::string(1, word), bit) : feature->name;
}

void AppendNames(absl::Span<const Feature> table, char word, uint32_t bits,
                 std::vector<std::string>& names) {
  for (int bit = 0; bit < 32; ++bit) {
    if ((bits >> bit & 1) != 0) {
      names.push_back(NameOf(table, word, bit));
    }
  }
}

}  // namespace

absl::Status CheckReadable(const FeatureWords& features) {
  std::vector<std::string> refused;
  for (int bit = 0; bit < 32; ++bit) {
    if ((features.incompat >> bit & 1) == 0) {
      continue;
    }
    const Feature* feature = Find(kIncompat, uint32_t{1} << bit);
    if (feature == nullptr || !feature->readable) {
      refused.push_back(
          absl::StrFormat("%s (incompat 0x%x)", NameOf(kIncompat, 'I', bit), 1u << bit));
    }
  }
  if (!refused.empty()) {
    return absl::UnimplementedError(absl::StrCat("ext4 superblock: features that are not known: ",
                                                 absl::StrJoin(refused, ", ")));
  }
  return absl::OkStatus();
}

std::vector<std::string> FeatureNames(const FeatureWords& features) {
  std::vector<std::string> names;
  AppendNames(kCompat, 'C', features.compat, names);
  AppendNames(kIncompat, 'I', features.incompat, names);
  AppendNames(kRoCompat, 'R', features.ro_compat, names);
  return names;
}

}  // namespace iomap::ext4
