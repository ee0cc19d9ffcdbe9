#include "tools/fiemap_flags.h"

#include <linux/fiemap.h>

namespace iomap::tools {

uint32_t FiemapFlags(const FiemapExtent& extent) {
  uint32_t flags = extent.last ? FIEMAP_EXTENT_LAST : 0;
  switch (extent.mapping.type) {
    case MappingType::kHole:
    case MappingType::kMapped:
      break;
    case MappingType::kDelalloc:
      flags |= FIEMAP_EXTENT_DELALLOC | FIEMAP_EXTENT_UNKNOWN;
      break;
    case MappingType::kUnwritten:
      flags |= FIEMAP_EXTENT_UNWRITTEN;
      break;
    case MappingType::kInline:
      flags |= FIEMAP_EXTENT_DATA_INLINE | FIEMAP_EXTENT_NOT_ALIGNED;
      break;
  }
  if (HasFlag(extent.mapping.flags, MappingFlag::kShared)) {
    flags |= FIEMAP_EXTENT_SHARED;
  }
  if (HasFlag(extent.mapping.flags, MappingFlag::kEncoded)) {
    flags |= FIEMAP_EXTENT_ENCODED;
  }
  if (HasFlag(extent.mapping.flags, MappingFlag::kMerged)) {
    flags |= FIEMAP_EXTENT_MERGED;
  }
  return flags;
}

}  // namespace iomap::tools
