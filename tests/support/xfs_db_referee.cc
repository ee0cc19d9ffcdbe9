#include "tests/support/xfs_db_referee.h"

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <map>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "iomap/status_macros.h"
#include "tests/support/command.h"

namespace iomap::tests {
namespace {

constexpr absl::string_view kAnswerMark = "answer of inode ";
constexpr uint64_t kSectorBytes = 512;                      // the unit of st_blocks
constexpr uint64_t kLeafAddress = uint64_t{32} << 30;       // of a directory's hash index
constexpr uint64_t kFreeIndexAddress = uint64_t{64} << 30;  // of a directory's free-space index

constexpr int kGroupsAskedForInodes = 4;

struct Geometry {
  uint64_t block_size = 0;
  uint64_t blocks_per_group = 0;
  uint64_t directory_block_size = 0;
};

// The "name = value" lines of an answer.
using Fields = std::map<std::string, std::string, std::less<>>;

Fields ParseFields(absl::string_view text) {
  Fields fields;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    const std::pair<absl::string_view, absl::string_view> field =
        absl::StrSplit(line, absl::MaxSplits(" = ", 1));
    fields.emplace(std::string(field.first), std::string(field.second));
  }
  return fields;
}

absl::StatusOr<std::string> TextOf(const Fields& fields, const char* name) {
  const auto field = fields.find(name);
  if (field == fields.end()) {
    return absl::InternalError(absl::StrCat("xfs_db says nothing of ", name));
  }
  return field->second;
}

absl::StatusOr<uint64_t> NumberOf(const Fields& fields, const char* name) {
  IOMAP_ASSIGN_OR_RETURN(const std::string text, TextOf(fields, name));
  uint64_t number = 0;
  if (!absl::SimpleAtoi(text.substr(0, text.find(' ')), &number)) {
    return absl::InternalError(absl::StrCat("xfs_db says ", name, " = ", text));
  }
  return number;
}

// "NAME.sec = Tue Nov 24 15:17:49 2026" and "NAME.nsec = 632366000".
absl::StatusOr<Timestamp> TimeOf(const Fields& fields, const std::string& name) {
  IOMAP_ASSIGN_OR_RETURN(const std::string text, TextOf(fields, (name + ".sec").c_str()));
  std::tm calendar = {};
  if (strptime(text.c_str(), "%a %b %d %H:%M:%S %Y", &calendar) == nullptr) {
    return absl::InternalError(absl::StrCat("xfs_db says ", name, ".sec = ", text));
  }
  IOMAP_ASSIGN_OR_RETURN(const uint64_t nanoseconds, NumberOf(fields, (name + ".nsec").c_str()));
  return Timestamp{timegm(&calendar), static_cast<uint32_t>(nanoseconds)};
}

absl::StatusOr<Attributes> AttributesOf(InodeNumber inode, const Fields& fields,
                                        const Geometry& geometry) {
  Attributes attributes;
  attributes.inode = inode;
  IOMAP_ASSIGN_OR_RETURN(const std::string mode, TextOf(fields, "core.mode"));
  unsigned mode_bits = 0;
  std::sscanf(mode.c_str(), "%o", &mode_bits);
  attributes.mode = mode_bits;
  attributes.type = FileTypeOfMode(mode_bits);
  IOMAP_ASSIGN_OR_RETURN(attributes.uid, NumberOf(fields, "core.uid"));
  IOMAP_ASSIGN_OR_RETURN(attributes.gid, NumberOf(fields, "core.gid"));
  IOMAP_ASSIGN_OR_RETURN(attributes.link_count, NumberOf(fields, "core.nlinkv2"));
  IOMAP_ASSIGN_OR_RETURN(attributes.size, NumberOf(fields, "core.size"));
  IOMAP_ASSIGN_OR_RETURN(const uint64_t blocks, NumberOf(fields, "core.nblocks"));
  attributes.blocks_512 = blocks * (geometry.block_size / kSectorBytes);
  IOMAP_ASSIGN_OR_RETURN(attributes.modification_time, TimeOf(fields, "core.mtime"));
  IOMAP_ASSIGN_OR_RETURN(attributes.change_time, TimeOf(fields, "core.ctime"));
  return attributes;
}

// The lines "data offset 0 startblock 10 (0/10) count 1 flag 0" of the bmap command. The block
// number of a realtime file counts from the start of its device and has no allocation group.
ExtentList ParseBmap(absl::string_view text, const Geometry& geometry, bool realtime) {
  ExtentList extents;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    unsigned long long offset = 0;
    unsigned long long block = 0;
    unsigned long long group = 0;
    unsigned long long group_block = 0;
    unsigned long long count = 0;
    int unwritten = 0;
    if (!absl::StartsWith(line, "data offset ") ||
        std::sscanf(std::string(line).c_str(),
                    "data offset %llu startblock %llu (%llu/%llu) count %llu flag %d", &offset,
                    &block, &group, &group_block, &count, &unwritten) != 6) {
      continue;
    }
    const uint64_t linear = realtime ? block : group * geometry.blocks_per_group + group_block;
    extents.push_back(
        Mapping{.offset = offset * geometry.block_size,
                .length = count * geometry.block_size,
                .address = linear * geometry.block_size,
                .type = unwritten != 0 ? MappingType::kUnwritten : MappingType::kMapped,
                .device = static_cast<uint8_t>(realtime ? 1 : 0)});
  }
  return extents;
}

// The directory's form as the book of the format tells it from where its blocks lie: a single block
// holds its own index, a leaf holds all of the index in one block, a node directory has a
// free-space index.
std::string DirectoryForm(const Attributes& attributes, const ExtentList& extents,
                          const Geometry& geometry, absl::string_view fork) {
  if (fork == "local") {
    return "short";
  }
  const uint64_t end = extents.empty() ? 0 : extents.back().end();
  if (end > kFreeIndexAddress) {
    return "node";
  }
  if (end > kLeafAddress) {
    return "leaf";
  }
  return attributes.size == geometry.directory_block_size ? "block" : "odd";
}

absl::StatusOr<RefereeFile> ParseInode(InodeNumber inode, absl::string_view text,
                                       const Geometry& geometry, std::set<std::string>& facts) {
  RefereeFile file;
  const Fields fields = ParseFields(text);
  IOMAP_ASSIGN_OR_RETURN(file.attributes, AttributesOf(inode, fields, geometry));
  IOMAP_ASSIGN_OR_RETURN(const std::string format, TextOf(fields, "core.format"));
  const size_t parenthesis = format.find('(');  // "2 (extents)"
  const std::string fork = parenthesis == std::string::npos
                               ? format
                               : format.substr(parenthesis + 1, format.find(')') - parenthesis - 1);
  const FileType type = file.attributes.type;
  facts.insert(absl::StrCat(FileTypeName(type), " ", fork));
  const bool realtime =
      fields.count("core.realtime") > 0 && fields.find("core.realtime")->second == "1";
  if (realtime) {
    facts.insert("realtime file");
  }
  const auto large_counters = fields.find("v3.nrext64");
  if (large_counters != fields.end() && large_counters->second == "1") {
    facts.insert("large counters");
  }
  file.extents = ParseBmap(text, geometry, realtime);
  if (type == FileType::kDirectory) {
    facts.insert(
        absl::StrCat("directory ", DirectoryForm(file.attributes, file.extents, geometry, fork)));
  }
  if (fork == "local") {
    file.extents = {
        Mapping{.offset = 0, .length = file.attributes.size, .type = MappingType::kInline}};
  }
  return file;
}

// Cuts the extents at the ends of the ranges that several of them hold, and marks those ranges as
// shared.
class SharedMarker {
 public:
  void Count(const Mapping& extent) {
    if (extent.has_address()) {
      ++edges_[{extent.device, extent.address}];
      --edges_[{extent.device, extent.address + extent.length}];
    }
  }

  // After the last Count.
  void FindSharedRanges() {
    int holders = 0;
    for (const auto& [place, change] : edges_) {
      const int before = holders;
      holders += change;
      if ((before > 1) != (holders > 1)) {
        changes_[place] = holders > 1;
      }
    }
  }

  ExtentList Mark(const ExtentList& extents) const {
    ExtentList marked;
    for (const Mapping& extent : extents) {
      if (!extent.has_address()) {
        marked.push_back(extent);
        continue;
      }
      uint64_t address = extent.address;
      const uint64_t end = extent.address + extent.length;
      auto next = changes_.upper_bound({extent.device, address});
      bool shared = next != changes_.begin() && std::prev(next)->second;
      while (address < end) {
        const bool ends_inside = next != changes_.end() && next->first.first == extent.device &&
                                 next->first.second < end;
        const uint64_t part_end = ends_inside ? next->first.second : end;
        Mapping part =
            extent.Slice(ByteRange{extent.offset + (address - extent.address), part_end - address});
        part.flags = shared ? MappingFlag::kShared : MappingFlag::kNone;
        marked.push_back(part);
        address = part_end;
        if (ends_inside) {
          shared = next->second;
          ++next;
        }
      }
    }
    return marked;
  }

 private:
  using Place = std::pair<uint8_t, uint64_t>;  // device, address

  std::map<Place, int> edges_;     // how many extents more begin than end here
  std::map<Place, bool> changes_;  // whether the range that begins here is shared
};

absl::StatusOr<Geometry> ParseSuperblock(absl::string_view text, std::set<std::string>& facts) {
  const Fields fields = ParseFields(text);
  Geometry geometry;
  IOMAP_ASSIGN_OR_RETURN(geometry.block_size, NumberOf(fields, "blocksize"));
  IOMAP_ASSIGN_OR_RETURN(geometry.blocks_per_group, NumberOf(fields, "agblocks"));
  IOMAP_ASSIGN_OR_RETURN(const uint64_t directory_log, NumberOf(fields, "dirblklog"));
  IOMAP_ASSIGN_OR_RETURN(const uint64_t sector_size, NumberOf(fields, "sectsize"));
  IOMAP_ASSIGN_OR_RETURN(const uint64_t inode_size, NumberOf(fields, "inodesize"));
  geometry.directory_block_size = geometry.block_size << directory_log;
  facts.insert(absl::StrCat("block size ", geometry.block_size));
  facts.insert(absl::StrCat("sector size ", sector_size));
  facts.insert(absl::StrCat("inode size ", inode_size));
  facts.insert(absl::StrCat("directory block size ", geometry.directory_block_size));
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    long long hole_mask = 0;  // "1:[startino,holemask,count,freecount,free]"
    unsigned long long count = 0;
    if (std::sscanf(std::string(line).c_str(), "%*u:[%*u,%lli,%llu,%*u,", &hole_mask, &count) ==
            2 &&
        hole_mask != 0 && count < 64) {
      facts.insert("sparse inode chunk");
    }
    if (absl::StartsWith(line, "versionnum ")) {
      const size_t equals = line.find("= ");
      for (absl::string_view word : absl::StrSplit(line.substr(equals + 2), ',')) {
        facts.insert(absl::StrCat("version ", word));
      }
    }
  }
  return geometry;
}

}  // namespace

absl::StatusOr<RefereeReport> AskXfsDb(const std::string& image_path,
                                       absl::Span<const InodeNumber> inodes) {
  std::string script = "version\nsb 0\nprint blocksize agblocks dirblklog sectsize inodesize\n";
  for (int group = 0; group < kGroupsAskedForInodes; ++group) {
    // The second address exists when the root of the inode tree is not its only block.
    absl::StrAppend(&script, "agi ", group, "\naddr root\nprint\naddr ptrs[1]\nprint\n");
  }
  for (InodeNumber inode : inodes) {
    absl::StrAppend(&script, "echo ", kAnswerMark, inode, "\ninode ", inode,
                    "\nprint core.mode core.format core.uid core.gid core.nlinkv2 core.size "
                    "core.nblocks core.realtime core.mtime.sec core.mtime.nsec core.ctime.sec "
                    "core.ctime.nsec\nprint v3.nrext64\nbmap -d\n");
  }
  IOMAP_ASSIGN_OR_RETURN(const std::string output, OutputOf({"xfs_db", "-r", image_path}, script));
  const std::vector<absl::string_view> answers =
      absl::StrSplit(output, absl::ByString(kAnswerMark));
  if (answers.size() != inodes.size() + 1) {
    return absl::InternalError(
        absl::StrCat("xfs_db answered for ", answers.size() - 1, " inodes of ", inodes.size()));
  }
  RefereeReport report;
  IOMAP_ASSIGN_OR_RETURN(const Geometry geometry, ParseSuperblock(answers.front(), report.facts));
  SharedMarker marker;
  for (size_t i = 0; i < inodes.size(); ++i) {
    IOMAP_ASSIGN_OR_RETURN(RefereeFile file,
                           ParseInode(inodes[i], answers[i + 1], geometry, report.facts));
    std::for_each(file.extents.begin(), file.extents.end(),
                  [&marker](const Mapping& extent) { marker.Count(extent); });
    report.files.emplace(inodes[i], std::move(file));
  }
  marker.FindSharedRanges();
  for (auto& [inode, file] : report.files) {
    file.extents = Canonical(marker.Mark(file.extents), Shared::kCompare);
    if (file.extents.size() >= 200000) {
      report.facts.insert("200,000 extents");
    }
    for (const Mapping& extent : file.extents) {
      if (extent.type == MappingType::kUnwritten) {
        report.facts.insert("unwritten extent");
      }
      if (HasFlag(extent.flags, MappingFlag::kShared)) {
        report.facts.insert("shared extent");
      }
    }
  }
  return report;
}

}  // namespace iomap::tests
