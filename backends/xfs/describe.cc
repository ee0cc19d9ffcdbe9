#include "backends/xfs/describe.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "backends/uuid.h"
#include "backends/xfs/features.h"
#include "backends/xfs/group_headers.h"
#include "iomap/status_macros.h"

namespace iomap::xfs {
namespace {

auto Geometry(const Superblock& superblock) {
  decltype(FilesystemInfo::geometry) geometry;
  const auto add = [&](absl::string_view name, std::variant<uint64_t, std::string> value) {
    geometry.emplace_back(name, std::move(value));
  };
  add("version", uint64_t{superblock.version} & kVersionNumberMask);
  add("agcount", superblock.ag_count);
  add("agblocks", superblock.ag_blocks);
  add("sectsize", superblock.sector_size);
  add("isize", superblock.inode_size);
  add("dirblocksize", superblock.directory_block_size());
  if (superblock.log_start == 0) {
    add("log", "external");
  } else {
    add("logstart", superblock.log_start);
    add("logaddress", superblock.AddressOfBlock(superblock.log_start));
  }
  add("logblocks", superblock.log_blocks);
  add("logsectsize", superblock.log_sector_size);
  add("logsunit", superblock.log_stripe_unit);
  add("rblocks", superblock.realtime_blocks);
  add("rextents", superblock.realtime_extents);
  add("rextsize", uint64_t{superblock.realtime_extent_blocks} << superblock.block_log);
  add("frextents", superblock.free_realtime_extents);
  if (superblock.meta_uuid != superblock.uuid) {
    add("meta_uuid", backends::UuidText(superblock.meta_uuid));
  }
  return geometry;
}

}  // namespace

absl::StatusOr<FilesystemInfo> DescribeFilesystem(const Volume& volume, JournalState journal) {
  const Superblock& superblock = volume.superblock;
  FilesystemInfo info;
  info.backend = "xfs";
  info.capabilities = Capability::kSymbolicLinks | Capability::kInlineData;
  if (superblock.has_reflink()) {
    info.capabilities = info.capabilities | Capability::kReport;
  }
  info.block_size = superblock.block_size;
  info.size_bytes = superblock.data_blocks << superblock.block_log;
  info.free_bytes = superblock.free_data_blocks << superblock.block_log;
  info.inode_count = superblock.inode_count;
  info.free_inode_count = superblock.free_inodes;
  if (journal == JournalState::kReplayed) {
    IOMAP_ASSIGN_OR_RETURN(const GroupCounts counts, CountGroups(volume));
    info.free_bytes = counts.free_blocks << superblock.block_log;
    info.inode_count = counts.inodes;
    info.free_inode_count = counts.free_inodes;
  }
  info.uuid = backends::UuidText(superblock.uuid);
  info.label = superblock.label;
  info.features = FeatureNames(superblock);
  info.journal = journal;
  info.geometry = Geometry(superblock);
  return info;
}

}  // namespace iomap::xfs
