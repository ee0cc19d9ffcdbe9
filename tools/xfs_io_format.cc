#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "iomap/fiemap.h"
#include "tools/fiemap_flags.h"
#include "tools/map_format.h"

namespace iomap::tools {
namespace {

constexpr uint64_t kSectorBytes = 512;

// xfs_io asks the kernel for so many extents at a time, and makes its columns wide enough for the
// first lot.
constexpr size_t kExtentsThatSetWidths = 32;

// "first..last", which is how an empty range of sectors comes to end before it starts.
std::string SectorRange(uint64_t first, uint64_t count) {
  return absl::StrCat(first, "..", first + count - 1);
}

// The text of `xfs_io -c "fiemap -v"` (xfsprogs 6.1), byte for byte: sectors of 512 bytes, holes
// included.
class XfsIoFormat : public MapFormat {
 public:
  explicit XfsIoFormat(Output& output) : output_(output) {}

  absl::Status Write(const ReportedFile& file) override {
    output_.Append(absl::StrCat(file.image, ":", file.path, ":\n"));
    Table table;
    std::vector<FiemapExtent> first;
    absl::Status status =
        Fiemap(file.file, ByteRange::All(), Holes::kSkip, [&](const FiemapExtent& extent) {
          if (first.size() < kExtentsThatSetWidths) {
            table.Widen(extent);
            first.push_back(extent);
          } else {
            WriteAll(first, table);
            WriteExtent(extent, table);
          }
          return output_.ok();
        });
    WriteAll(first, table);
    if (status.ok() && table.lines > 0 && table.position < file.size) {
      WriteHole(file.size, table);
    }
    return status;
  }

 private:
  struct Table {
    size_t offset_width = 16;
    size_t address_width = 16;
    size_t total_width = 5;
    uint64_t lines = 0;
    uint64_t position = 0;  // bytes of the file that stand above

    // xfs_io forgets the colon behind an offset.
    void Widen(const FiemapExtent& extent) {
      offset_width = std::max(offset_width, OffsetText(extent.mapping).size() - 1);
      address_width = std::max(address_width, AddressText(extent.mapping).size());
      total_width =
          std::max(total_width, absl::StrCat(extent.mapping.length / kSectorBytes).size());
    }
  };
  static constexpr size_t kFlagsWidth = 5;

  static std::string OffsetText(const Mapping& mapping) {
    return absl::StrCat(
        "[", SectorRange(mapping.offset / kSectorBytes, mapping.length / kSectorBytes), "]:");
  }
  static std::string AddressText(const Mapping& mapping) {
    const uint64_t address = mapping.has_address() ? mapping.address : 0;
    return SectorRange(address / kSectorBytes, mapping.length / kSectorBytes);
  }

  // Writes the extents that were held back, once.
  void WriteAll(std::vector<FiemapExtent>& held_back, Table& table) {
    if (table.lines > 0 || held_back.empty()) {
      return;
    }
    output_.Append(" EXT: ");
    output_.AppendLeft("FILE-OFFSET", table.offset_width);
    output_.Append(" ");
    output_.AppendLeft("BLOCK-RANGE", table.address_width);
    output_.Append(" ");
    output_.AppendRight("TOTAL", table.total_width);
    output_.Append(" ");
    output_.AppendRight("FLAGS", kFlagsWidth);
    output_.Append("\n");
    for (const FiemapExtent& extent : held_back) {
      WriteExtent(extent, table);
    }
  }

  void WriteExtent(const FiemapExtent& extent, Table& table) {
    const Mapping& mapping = extent.mapping;
    if (mapping.offset / kSectorBytes != table.position / kSectorBytes) {
      WriteHole(mapping.offset, table);
    }
    WriteLineStart(OffsetText(mapping), AddressText(mapping), mapping.length / kSectorBytes, table);
    output_.Append(" ");
    output_.AppendRight(absl::StrCat("0x", absl::Hex(FiemapFlags(extent))), kFlagsWidth);
    output_.Append("\n");
    table.position = mapping.end();
  }

  void WriteHole(uint64_t end, Table& table) {
    const uint64_t first = table.position / kSectorBytes;
    const uint64_t count = end / kSectorBytes - first;
    WriteLineStart(absl::StrCat("[", SectorRange(first, count), "]:"), "hole", count, table);
    output_.Append("\n");
  }

  void WriteLineStart(absl::string_view offset, absl::string_view address, uint64_t total,
                      Table& table) {
    output_.AppendNumber(table.lines++, 4);
    output_.Append(": ");
    output_.AppendLeft(offset, table.offset_width);
    output_.Append(" ");
    output_.AppendLeft(address, table.address_width);
    output_.Append(" ");
    output_.AppendNumber(total, table.total_width);
  }

  Output& output_;
};

}  // namespace

std::unique_ptr<MapFormat> MakeXfsIoFormat(Output& output) {
  return std::make_unique<XfsIoFormat>(output);
}

}  // namespace iomap::tools
