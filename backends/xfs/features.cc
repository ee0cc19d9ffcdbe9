#include "backends/xfs/features.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace iomap::xfs {
namespace {

struct NamedBit {
  uint32_t bit;
  const char* name;
};

constexpr NamedBit kVersionBits[] = {
    {kVersionQuota, "quota"},      {kVersionAlign, "align"},   {kVersionStripe, "dalign"},
    {kVersionAsciiCi, "ascii-ci"}, {kVersionSector, "sector"}, {kVersionNlink, "nlink"},
    {kVersionAttr, "attr"},
};

constexpr NamedBit kFeatures2[] = {
    {kFeature2LazyCount, "lazy-count"},
    {kFeature2Attr2, "attr2"},
    {kFeature2Projid32, "projid32bit"},
};

constexpr NamedBit kRoCompat[] = {
    {kRoCompatFinobt, "finobt"},
    {kRoCompatRmapbt, "rmapbt"},
    {kRoCompatReflink, "reflink"},
    {kRoCompatInobtCount, "inobtcount"},
};

constexpr NamedBit kIncompatRead[] = {
    {kIncompatSparse, "sparse"},   {kIncompatMetaUuid, "meta_uuid"}, {kIncompatBigtime, "bigtime"},
    {kIncompatNrext64, "nrext64"}, {kIncompatExchange, "exchange"},  {kIncompatParent, "parent"},
    {kIncompatFtype, "ftype"},
};

constexpr NamedBit kIncompatRefused[] = {
    {kIncompatNeedsRepair, "needsrepair"},
    {kIncompatMetadir, "metadir"},
    {kIncompatZoned, "zoned"},
    {kIncompatZoneGaps, "zone_gaps"},
};

constexpr uint32_t kFeatures2Known = kFeature2LazyCount | kFeature2Attr2 | kFeature2Parent |
                                     kFeature2Projid32 | kFeature2Crc | kFeature2Ftype;

// Appends the names of the bits of `value` that the table has; returns the other bits.
uint32_t AppendNames(uint32_t value, absl::Span<const NamedBit> table,
                     std::vector<std::string>& names) {
  for (const NamedBit& named : table) {
    if ((value & named.bit) != 0) {
      names.push_back(named.name);
      value &= ~named.bit;
    }
  }
  return value;
}

std::string Hexadecimal(uint32_t bits) { return absl::StrCat("0x", absl::Hex(bits)); }

absl::Status CheckV4(const Superblock& superblock) {
  for (const auto& [bit, name] : {NamedBit{kVersionDirectoryV2, "version 2 directories"},
                                  NamedBit{kVersionExtentFlag, "unwritten extent flags"}}) {
    if ((superblock.version & bit) == 0) {
      return absl::UnimplementedError(absl::StrCat("xfs superblock: a file system without ", name,
                                                   " (version ", Hexadecimal(superblock.version),
                                                   ")"));
    }
  }
  if (const uint32_t unknown = superblock.features2 & ~kFeatures2Known; unknown != 0) {
    return absl::UnimplementedError(
        absl::StrCat("xfs superblock: features2 bits ", Hexadecimal(unknown), " are not known"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckFeatures(const Superblock& superblock) {
  const uint16_t number = superblock.version & kVersionNumberMask;
  if (number != 4 && number != 5) {
    return absl::UnimplementedError(
        absl::StrCat("xfs superblock: version ", number, ", only 4 and 5 are known"));
  }
  if (number == 4) {
    return CheckV4(superblock);
  }
  std::vector<std::string> names;
  uint32_t refused = superblock.incompat;
  for (const NamedBit& read : kIncompatRead) {
    refused &= ~read.bit;
  }
  if (refused == 0) {
    return absl::OkStatus();
  }
  if (const uint32_t unknown = AppendNames(refused, kIncompatRefused, names); unknown != 0) {
    names.push_back(absl::StrCat("unknown ", Hexadecimal(unknown)));
  }
  return absl::UnimplementedError(absl::StrCat("xfs superblock: incompatible features ",
                                               Hexadecimal(refused),
                                               " cannot be read: ", absl::StrJoin(names, ", ")));
}

std::vector<std::string> FeatureNames(const Superblock& superblock) {
  std::vector<std::string> names;
  if (superblock.is_v5()) {
    names.push_back("crc");
    AppendNames(superblock.incompat, kIncompatRead, names);
    if (const uint32_t unknown = AppendNames(superblock.ro_compat, kRoCompat, names);
        unknown != 0) {
      names.push_back(absl::StrCat("ro_compat=", Hexadecimal(unknown)));
    }
    if (superblock.log_incompat != 0) {
      names.push_back(absl::StrCat("log_incompat=", Hexadecimal(superblock.log_incompat)));
    }
  } else if (superblock.has_file_types()) {
    names.push_back("ftype");
  }
  AppendNames(superblock.features2, kFeatures2, names);
  AppendNames(superblock.version, kVersionBits, names);
  if (superblock.has_log_v2()) {
    names.push_back("logv2");
  }
  return names;
}

}  // namespace iomap::xfs
