#include "backends/xfs/recover_dquot.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "backends/xfs/checksum.h"
#include "backends/xfs/log_buffer.h"
#include "iomap/status_macros.h"

namespace iomap::xfs {

absl::Status RecoverDquot(const ReplayTarget& target, uint64_t lsn, const LogItem& item) {
  const std::vector<std::byte>& region = item.regions.front();
  if (region.size() < sizeof(DiskLogDquot) || item.regions.size() != 2 ||
      item.regions[1].size() != kDquotBytes) {
    return DamagedLog(absl::StrCat("a quota item of ", region.size(), " bytes"));
  }
  const auto disk = backends::CopyOut<DiskLogDquot>(region.data());
  const std::string name = absl::StrCat("dquot ", disk.id.get());
  const uint8_t block_log = target.superblock.block_log;
  IOMAP_ASSIGN_OR_RETURN(const BufferPlace buffer,
                         CheckBufferPlace(disk.block_number.get(),
                                          uint64_t{disk.block_count.get()} << (block_log - 9)));
  const uint32_t offset = disk.buffer_offset.get();
  const uint32_t buffer_bytes = buffer.block_count * kBasicBlockSize;
  if (buffer_bytes < kDquotBlockBytes || offset > buffer_bytes - kDquotBlockBytes) {
    return DamagedLog(absl::StrCat(name, " at byte ", offset, " of a buffer of ", buffer_bytes));
  }
  if (target.cancels.Contains(buffer)) {
    target.Report(lsn, name + ", cancelled", {});
    return absl::OkStatus();
  }
  const ByteRange place{buffer.block * kBasicBlockSize + offset, kDquotBlockBytes};
  IOMAP_ASSIGN_OR_RETURN(const absl::Span<const std::byte> view, target.View(name, place));
  std::vector<std::byte> record(view.begin(), view.end());
  if (target.superblock.is_v5()) {
    const uint64_t found = backends::Load<Be64>(record.data() + kDquotLsnOffset);
    if (found != 0 && found != ~uint64_t{0} && found >= lsn) {
      target.Report(lsn, name + ", on the medium already", {});
      return absl::OkStatus();
    }
  }
  std::copy(item.regions[1].begin(), item.regions[1].end(), record.begin());
  if (target.superblock.is_v5()) {
    PutChecksum(absl::MakeSpan(record), kDquotCrcOffset);
  }
  target.Report(lsn, name, place);
  return target.device.Write(place.offset, record);
}

}  // namespace iomap::xfs
