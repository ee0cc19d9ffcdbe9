#include <linux/fiemap.h>
#include <linux/magic.h>

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "iomap/fiemap.h"
#include "tools/fiemap_flags.h"
#include "tools/map_format.h"

namespace iomap::tools {
namespace {

constexpr int kAddressWidth = 10;

struct FlagWord {
  uint32_t flag;
  absl::string_view word;
};
constexpr FlagWord kFlagWords[] = {
    {FIEMAP_EXTENT_LAST, "last"},
    {FIEMAP_EXTENT_UNKNOWN, "unknown_loc"},
    {FIEMAP_EXTENT_DELALLOC, "delalloc"},
    {FIEMAP_EXTENT_ENCODED, "encoded"},
    {FIEMAP_EXTENT_NOT_ALIGNED, "not_aligned"},
    {FIEMAP_EXTENT_DATA_INLINE, "inline"},
    {FIEMAP_EXTENT_UNWRITTEN, "unwritten"},
    {FIEMAP_EXTENT_MERGED, "merged"},
    {FIEMAP_EXTENT_SHARED, "shared"},
};

// What statfs(2) says of a mounted file system, in hexadecimal; a backend that Linux does not have
// is named.
std::string FilesystemTypeText(absl::string_view backend) {
  if (backend == "ext4") {
    return absl::StrCat(absl::Hex(EXT4_SUPER_MAGIC));
  }
  if (backend == "xfs") {
    return absl::StrCat(absl::Hex(XFS_SUPER_MAGIC));
  }
  return std::string(backend);
}

// One column less than a number of ten digits or more takes: filefrag rounds its logarithm down.
size_t OffsetWidthFor(uint64_t blocks) { return absl::StrCat(blocks).size() - 1; }

// The text of `filefrag -v` (e2fsprogs 1.47), byte for byte, for several files as when it is given
// several names: the line about the file system comes when that changes, and the offset column only
// grows. One line is never printed, "Filesystem cylinder groups approximately": filefrag guesses
// it, for files without extents, from how the kernel counts space.
class FilefragFormat : public MapFormat {
 public:
  explicit FilefragFormat(Output& output) : output_(output) {}

  absl::Status Write(const ReportedFile& file) override {
    const uint64_t block_size = file.info.block_size;
    const uint64_t blocks = (file.size + block_size - 1) / block_size;
    const std::string name = NameOf(file);
    if (file.image != last_image_) {
      last_image_ = std::string(file.image);
      output_.Append(
          absl::StrCat("Filesystem type is: ", FilesystemTypeText(file.info.backend), "\n"));
    }
    output_.Append(absl::StrCat("File size of ", name, " is ", file.size, " (", blocks, " block",
                                blocks == 1 ? "" : "s", " of ", block_size, " bytes)\n"));
    offset_width_ = std::max(offset_width_, OffsetWidthFor(blocks));

    Totals totals;
    absl::Status status =
        Fiemap(file.file, ByteRange::All(), Holes::kSkip, [&](const FiemapExtent& extent) {
          if (totals.lines == 0) {
            WriteHeader();
          }
          WriteExtent(extent, file, Count(extent.mapping, totals), totals.lines++);
          return output_.ok();
        });
    if (status.ok()) {
      output_.Append(absl::StrCat(name, ": ", totals.extents, " extent",
                                  totals.extents == 1 ? "" : "s", " found\n"));
    }
    return status;
  }

 private:
  struct Totals {
    uint64_t lines = 0;
    uint64_t extents =
        0;  // runs on the device, where a gap as long as the one in the file does not count
    Mapping last{.address = 0};
  };

  static std::string NameOf(const ReportedFile& file) {
    return absl::StrCat(file.image, ":", file.path);
  }

  static uint64_t AddressOf(const Mapping& mapping) {
    return mapping.has_address() ? mapping.address : 0;
  }

  // The address at which `mapping` would have gone on from the last one, when it did not; else 0.
  static uint64_t Count(const Mapping& mapping, Totals& totals) {
    const uint64_t dense = AddressOf(totals.last) + totals.last.length;
    const uint64_t with_gap = AddressOf(totals.last) + (mapping.offset - totals.last.offset);
    const uint64_t address = AddressOf(mapping);
    const bool jumps = mapping.offset != 0 && address != dense && address != with_gap;
    totals.extents = jumps ? totals.extents + 1 : std::max<uint64_t>(totals.extents, 1);
    totals.last = mapping;
    return jumps ? with_gap : 0;
  }

  void WriteHeader() {
    output_.Append(" ext: ");
    output_.AppendRight("logical_offset:", 2 * offset_width_ + 3);
    output_.Append(" ");
    output_.AppendRight("physical_offset:", 2 * kAddressWidth + 3);
    output_.Append(" length: ");
    output_.AppendRight("expected:", kAddressWidth + 1);
    output_.Append(" flags:\n");
  }

  void WriteExtent(const FiemapExtent& extent, const ReportedFile& file, uint64_t expected,
                   uint64_t number) {
    const Mapping& mapping = extent.mapping;
    const uint64_t block_size = file.info.block_size;
    const uint64_t unit = mapping.type == MappingType::kInline ? 1 : block_size;
    const uint64_t last = (mapping.length - 1) / unit;
    output_.AppendNumber(number, 4);
    output_.Append(": ");
    output_.AppendNumber(mapping.offset / unit, offset_width_);
    output_.Append("..");
    output_.AppendNumber(mapping.offset / unit + last, offset_width_);
    output_.Append(": ");
    output_.AppendNumber(AddressOf(mapping) / unit, kAddressWidth);
    output_.Append("..");
    output_.AppendNumber(AddressOf(mapping) / unit + last, kAddressWidth);
    output_.Append(": ");
    output_.AppendNumber(mapping.length / unit, 6);
    output_.Append(": ");
    WriteLineEnd(expected / block_size, FiemapFlags(extent), mapping.end() >= file.size);
  }

  // filefrag cuts the last character off, which is the comma behind the last word or, without a
  // word, a space.
  void WriteLineEnd(uint64_t expected_block, uint32_t flags, bool eof) {
    std::string line_end = expected_block != 0
                               ? absl::StrFormat("%*d: ", kAddressWidth, expected_block)
                               : std::string(kAddressWidth + 2, ' ');
    for (const FlagWord& flag : kFlagWords) {
      if ((flags & flag.flag) != 0) {
        absl::StrAppend(&line_end, flag.word, ",");
      }
    }
    if (eof) {
      line_end += "eof,";
    }
    line_end.back() = '\n';
    output_.Append(line_end);
  }

  Output& output_;
  std::string last_image_;
  size_t offset_width_ = 8;
};

}  // namespace

std::unique_ptr<MapFormat> MakeFilefragFormat(Output& output) {
  return std::make_unique<FilefragFormat>(output);
}

}  // namespace iomap::tools
