#include "tests/support/file_comparison.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "dax/io.h"
#include "iomap/bmap.h"
#include "iomap/fiemap.h"
#include "iomap/for_each_mapping.h"
#include "iomap/seek.h"
#include "iomap/status_macros.h"
#include "tests/support/system_error.h"

namespace iomap::tests {
namespace {

constexpr int kRandomWindows = 12;
constexpr int kRandomSeeks = 24;
constexpr size_t kMostEdges = 40;                          // extents whose edges are tried
constexpr uint64_t kReadWhole = uint64_t{8} << 20;         // bytes: smaller files are read whole
constexpr uint64_t kReadAtHoleEdges = uint64_t{64} << 10;  // bytes
constexpr uint64_t kReadAtOnce = uint64_t{1} << 20;

uint64_t Below(std::mt19937_64& random, uint64_t limit) {
  return std::uniform_int_distribution<uint64_t>(0, limit - 1)(random);
}

absl::StatusOr<ExtentList> Collect(File& file, MapMethod method, const ByteRange& range) {
  ExtentList extents;
  IOMAP_RETURN_IF_ERROR(
      ForEachMapping(file, method, range, [&](const Mapping& mapping, const ByteRange& part) {
        if (mapping.type == MappingType::kInline) {
          extents.push_back(mapping);
        } else if (mapping.type != MappingType::kHole) {
          extents.push_back(mapping.Slice(part));
        }
        return Walk::kContinue;
      }));
  return extents;
}

// The extents cut to `window`, inline data whole.
ExtentList CutTo(const ByteRange& window, const ExtentList& extents) {
  ExtentList cut;
  for (const Mapping& extent : extents) {
    if (extent.range().Overlaps(window)) {
      cut.push_back(extent.type == MappingType::kInline ? extent : extent.Slice(window));
    }
  }
  return cut;
}

// Places worth asking about: both edges of some extents, and random ones up to a little past the
// end.
std::vector<uint64_t> Positions(const ExtentList& extents, uint64_t size, int random_count,
                                std::mt19937_64& random) {
  std::vector<uint64_t> positions = {0, size > 0 ? size - 1 : 0, size, size + 1};
  for (size_t i = 0; i < std::min(extents.size(), kMostEdges); ++i) {
    const Mapping& extent =
        extents.size() <= kMostEdges ? extents[i] : extents[Below(random, extents.size())];
    positions.insert(positions.end(), {extent.offset - (extent.offset > 0 ? 1 : 0), extent.offset,
                                       extent.end() - 1, extent.end()});
  }
  const uint64_t end = std::max(size, extents.empty() ? 0 : extents.back().end());
  for (int i = 0; i < random_count; ++i) {
    positions.push_back(Below(random, end + end / 8 + 2));
  }
  return positions;
}

absl::Status CheckFiemap(File& file, const ExtentList& expected) {
  ExtentList reported;
  bool last_seen = false;
  bool after_last = false;
  IOMAP_RETURN_IF_ERROR(
      Fiemap(file, ByteRange::All(), Holes::kSkip, [&](const FiemapExtent& extent) {
        after_last = after_last || last_seen;
        last_seen = last_seen || extent.last;
        reported.push_back(extent.mapping);
        return true;
      }));
  if (after_last || last_seen == reported.empty()) {
    return absl::InternalError("Fiemap does not mark the last extent, and only that, as last");
  }
  return SameExtents("MapForReport", expected, reported, Shared::kCompare);
}

absl::Status CheckWindows(File& file, const ExtentList& expected, std::mt19937_64& random) {
  const uint64_t size = expected.empty() ? 0 : expected.back().end();
  for (uint64_t position : Positions(expected, size, kRandomWindows, random)) {
    const ByteRange window{position, 1 + Below(random, uint64_t{1} << Below(random, 22))};
    IOMAP_ASSIGN_OR_RETURN(const ExtentList seen, Collect(file, &File::MapForReport, window));
    const absl::Status same =
        SameExtents("the whole walk", CutTo(window, expected), seen, Shared::kCompare);
    if (!same.ok()) {
      return absl::InternalError(absl::StrCat("window at ", window.offset, " of ", window.length,
                                              " bytes: ", same.message()));
    }
  }
  return absl::OkStatus();
}

std::string Describe(const absl::StatusOr<uint64_t>& offset) {
  return offset.ok() ? absl::StrCat(*offset) : offset.status().ToString();
}

// OutOfRange is our word for ENXIO.
absl::Status CompareSeek(const char* what, uint64_t offset, const std::optional<uint64_t>& kernel,
                         const absl::StatusOr<uint64_t>& ours) {
  const bool same =
      kernel.has_value() ? ours.ok() && *ours == *kernel : absl::IsOutOfRange(ours.status());
  if (same) {
    return absl::OkStatus();
  }
  return absl::InternalError(absl::StrCat(what, " from ", offset, ": lseek says ",
                                          kernel.has_value() ? absl::StrCat(*kernel) : "ENXIO",
                                          ", iomap says ", Describe(ours)));
}

absl::Status CompareSeeks(File& file, uint64_t size, const ExtentList& extents,
                          const KernelFile& kernel_file, std::mt19937_64& random) {
  for (uint64_t offset : Positions(extents, size, kRandomSeeks, random)) {
    IOMAP_ASSIGN_OR_RETURN(const std::optional<uint64_t> data, kernel_file.SeekData(offset));
    IOMAP_RETURN_IF_ERROR(CompareSeek("SEEK_DATA", offset, data, iomap::SeekData(file, offset)));
    IOMAP_ASSIGN_OR_RETURN(const std::optional<uint64_t> hole, kernel_file.SeekHole(offset));
    IOMAP_RETURN_IF_ERROR(CompareSeek("SEEK_HOLE", offset, hole, iomap::SeekHole(file, offset)));
  }
  return absl::OkStatus();
}

// The kernel refuses FIBMAP for files with inline data. XFS answers 0 for all of a file that has
// shared blocks or once had: one of which it says nothing but 0 proves nothing.
absl::Status CompareBmap(File& file, uint64_t size, uint32_t block_size, const ExtentList& extents,
                         const KernelFile& kernel_file, std::mt19937_64& random) {
  absl::Status difference;
  bool answers = false;
  for (uint64_t offset : Positions(extents, size, kRandomSeeks / 4, random)) {
    const uint64_t file_block = offset / block_size;
    const std::optional<uint32_t> kernel = file_block <= INT32_MAX
                                               ? kernel_file.Bmap(static_cast<uint32_t>(file_block))
                                               : std::nullopt;
    if (!kernel.has_value()) {
      continue;
    }
    answers = answers || *kernel != 0;
    const absl::StatusOr<uint64_t> ours = iomap::Bmap(file, file_block, block_size);
    if (*kernel != 0 ? !ours.ok() || *ours != *kernel : ours.ok() && *ours != 0) {
      difference.Update(
          absl::InternalError(absl::StrCat("FIBMAP of block ", file_block, ": the kernel says ",
                                           *kernel, ", iomap says ", Describe(ours))));
    }
  }
  return answers || !kernel_file.is_on_xfs() ? difference : absl::OkStatus();
}

absl::Status CompareBytes(dax::File& file, uint64_t offset, uint64_t length,
                          const KernelFile& other) {
  std::vector<std::byte> ours(std::min(length, kReadAtOnce));
  std::vector<std::byte> theirs(ours.size());
  while (length > 0) {
    const size_t count = std::min<uint64_t>(length, ours.size());
    IOMAP_RETURN_IF_ERROR(other.Read(offset, absl::MakeSpan(theirs).first(count)));
    IOMAP_ASSIGN_OR_RETURN(const size_t read,
                           dax::Read(file, offset, absl::MakeSpan(ours).first(count)));
    if (read != count) {
      return absl::InternalError(
          absl::StrCat("read at ", offset, " gave ", read, " bytes of ", count));
    }
    const auto difference =
        std::mismatch(ours.begin(), ours.begin() + static_cast<ptrdiff_t>(count), theirs.begin());
    if (difference.second != theirs.begin() + static_cast<ptrdiff_t>(count)) {
      return absl::InternalError(
          absl::StrCat("contents differ at ", offset + (difference.second - theirs.begin()),
                       ": byte ", static_cast<int>(*difference.second),
                       " is expected, iomap reads ", static_cast<int>(*difference.first)));
    }
    offset += count;
    length -= count;
  }
  return absl::OkStatus();
}

Timestamp TimestampOf(const timespec& time) {
  return Timestamp{time.tv_sec, static_cast<uint32_t>(time.tv_nsec)};
}

std::string DescribeTime(const Timestamp& time) {
  return absl::StrFormat("%d.%09d", time.seconds, time.nanoseconds);
}

}  // namespace

absl::StatusOr<ExtentList> ConsistentExtentsOf(File& file, std::mt19937_64& random) {
  IOMAP_ASSIGN_OR_RETURN(ExtentList extents, Collect(file, &File::MapForReport, ByteRange::All()));
  extents = Canonical(std::move(extents), Shared::kCompare);
  IOMAP_ASSIGN_OR_RETURN(const ExtentList for_read,
                         Collect(file, &File::MapForRead, ByteRange::All()));
  IOMAP_RETURN_IF_ERROR(SameExtents("MapForReport", extents, for_read, Shared::kIgnore));
  IOMAP_RETURN_IF_ERROR(CheckFiemap(file, extents));
  IOMAP_RETURN_IF_ERROR(CheckWindows(file, extents, random));
  return extents;
}

absl::Status CompareMappings(File& file, const Attributes& attributes, uint32_t block_size,
                             const KernelFile& kernel_file, std::mt19937_64& random) {
  IOMAP_ASSIGN_OR_RETURN(const ExtentList ours, ConsistentExtentsOf(file, random));
  IOMAP_ASSIGN_OR_RETURN(const std::optional<ExtentList> kernel, kernel_file.Extents());
  if (kernel.has_value()) {
    IOMAP_RETURN_IF_ERROR(SameExtents("the kernel's FIEMAP", *kernel, ours, Shared::kCompare));
  }
  if (attributes.type != FileType::kRegular) {
    return absl::OkStatus();
  }
  if (!kernel.has_value()) {
    return absl::InternalError("the kernel has no FIEMAP of a regular file");
  }
  IOMAP_RETURN_IF_ERROR(CompareSeeks(file, attributes.size, ours, kernel_file, random));
  return CompareBmap(file, attributes.size, block_size, ours, kernel_file, random);
}

absl::Status CompareContents(dax::File& file, uint64_t size, const KernelFile& other) {
  if (size <= kReadWhole) {
    return CompareBytes(file, 0, size, other);
  }
  uint64_t offset = 0;
  while (offset < size) {
    IOMAP_ASSIGN_OR_RETURN(const std::optional<uint64_t> data, other.SeekData(offset));
    const uint64_t hole_end = data.value_or(size);
    const uint64_t edge = std::min(kReadAtHoleEdges, hole_end - offset);
    IOMAP_RETURN_IF_ERROR(CompareBytes(file, offset, edge, other));
    IOMAP_RETURN_IF_ERROR(CompareBytes(file, hole_end - edge, edge, other));
    offset = hole_end;
    if (offset < size) {
      IOMAP_ASSIGN_OR_RETURN(const std::optional<uint64_t> hole, other.SeekHole(offset));
      const uint64_t data_end = hole.value_or(size);
      IOMAP_RETURN_IF_ERROR(CompareBytes(file, offset, data_end - offset, other));
      offset = data_end;
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Attributes> StatAttributes(const std::string& path) {
  struct stat status;
  if (lstat(path.c_str(), &status) != 0) {
    return SystemError(path);
  }
  return Attributes{.inode = status.st_ino,
                    .type = FileTypeOfMode(status.st_mode),
                    .mode = status.st_mode,
                    .uid = status.st_uid,
                    .gid = status.st_gid,
                    .link_count = static_cast<uint32_t>(status.st_nlink),
                    .size = static_cast<uint64_t>(status.st_size),
                    .blocks_512 = static_cast<uint64_t>(status.st_blocks),
                    .access_time = TimestampOf(status.st_atim),
                    .modification_time = TimestampOf(status.st_mtim),
                    .change_time = TimestampOf(status.st_ctim)};
}

absl::Status CompareAttributes(absl::string_view referee, const Attributes& expected,
                               const Attributes& actual, AttributeSet set) {
  const auto difference = [&](absl::string_view what, absl::string_view theirs,
                              absl::string_view ours) {
    return absl::InternalError(
        absl::StrCat(what, ": ", referee, " says ", theirs, ", iomap says ", ours));
  };
  const auto octal = [](uint32_t mode) { return absl::StrFormat("%o", mode); };
  if (actual.type != expected.type) {
    return difference("type", FileTypeName(expected.type), FileTypeName(actual.type));
  }
  if (actual.mode != expected.mode) {
    return difference("mode", octal(expected.mode), octal(actual.mode));
  }
  const bool size_is_copied = expected.type != FileType::kDirectory;
  if (actual.size != expected.size && (set != AttributeSet::kCopied || size_is_copied)) {
    return difference("size", absl::StrCat(expected.size), absl::StrCat(actual.size));
  }
  if (set == AttributeSet::kCopied) {
    return absl::OkStatus();
  }
  const std::tuple<const char*, uint64_t, uint64_t> numbers[] = {
      {"inode", expected.inode, actual.inode},
      {"uid", expected.uid, actual.uid},
      {"gid", expected.gid, actual.gid},
      {"link count", expected.link_count, actual.link_count},
      {"512-byte blocks", expected.blocks_512, actual.blocks_512}};
  for (const auto& [what, theirs, ours] : numbers) {
    if (theirs != ours) {
      return difference(what, absl::StrCat(theirs), absl::StrCat(ours));
    }
  }
  if (set == AttributeSet::kAllButTimes) {
    return absl::OkStatus();
  }
  if (actual.modification_time != expected.modification_time) {
    return difference("mtime", DescribeTime(expected.modification_time),
                      DescribeTime(actual.modification_time));
  }
  if (actual.change_time != expected.change_time) {
    return difference("ctime", DescribeTime(expected.change_time),
                      DescribeTime(actual.change_time));
  }
  if (set == AttributeSet::kAll && actual.access_time != expected.access_time) {
    return difference("atime", DescribeTime(expected.access_time),
                      DescribeTime(actual.access_time));
  }
  return absl::OkStatus();
}

}  // namespace iomap::tests
