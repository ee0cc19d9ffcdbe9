#pragma once

#include <cstdint>

#include "iomap/fiemap.h"

namespace iomap::tools {

// The FIEMAP_EXTENT_... bits (linux/fiemap.h) that the kernel would report for `extent`.
uint32_t FiemapFlags(const FiemapExtent& extent);

}  // namespace iomap::tools
