#include "tests/replay/xfs_dirty_recipes.h"

#include <memory>

namespace iomap::tests {
namespace {

std::unique_ptr<ThreadedLoad> MakeSharing() { return std::make_unique<SharingThreads>(); }

template <LongOperation::Kind kKind>
std::unique_ptr<ThreadedLoad> MakeLong() {
  return std::make_unique<LongOperation>(kKind);
}

}  // namespace

std::vector<XfsDirtyRecipe> XfsDirtyRecipes() {
  return {
      {.name = "Mix",
       .mkfs = {"-m", "reflink=1,rmapbt=0"},
       .load = &MixLoads,
       .facts = {"inode items", "buffers", "new inode chunks"}},
      {.name = "Names",
       .mkfs = {"-m", "reflink=0,rmapbt=0,finobt=0"},
       .load = &MakeAndRemoveNames,
       .facts = {"inode items", "buffers", "new inode chunks"}},
      {.name = "SmallBlocks",
       .mkfs = {"-b", "size=1024", "-n", "size=4096", "-m", "reflink=1"},
       .load = &MixLoads,
       .facts = {"inode items", "buffers", "new inode chunks"}},
      {.name = "ReverseMaps",
       .mkfs = {"-m", "reflink=1,rmapbt=1,bigtime=0", "-i", "nrext64=1"},
       .load = &MixLoads,
       .facts = {"inode items", "buffers", "new inode chunks"}},
      {.name = "SmallTimesLargeInodes",
       .mkfs = {"-m", "bigtime=0,inobtcount=0,finobt=0", "-i", "size=2048"},
       .load = &MixLoads,
       .facts = {"inode items", "buffers", "new inode chunks"}},
      {.name = "WrappedLog",
       .mkfs = {"-l", "size=10m", "-m", "reflink=1,rmapbt=0"},
       .rounds = 40,
       .until_log_wraps = true,
       .load = &MixLoads,
       .facts = {"inode items", "buffers", "cancelled buffers", "older than the medium"}},
      {.name = "LargeLogBuffers",
       .mkfs = {"-l", "su=32k", "-m", "reflink=1"},
       .mount_options = "logbsize=256k",
       .has_long_records = true,
       .load = &MixLoads,
       .facts = {"inode items", "buffers", "new inode chunks"}},
      {.name = "NothingFlushed",
       .mkfs = {"-m", "reflink=1"},
       .shutdown = Shutdown::kNoFlush,
       .load = &MixLoads,
       .facts = {"inode items", "buffers"}},
      {.name = "TornRecord",
       .mkfs = {"-m", "reflink=1"},
       .load = &MixLoads,
       .tears_last_record = true,
       .facts = {"inode items", "buffers"}},
      {.name = "CopiedWhileMounted",
       .mkfs = {"-m", "reflink=1"},
       .taken = Taken::kWhileMounted,
       .load = &MixLoads,
       .facts = {"inode items", "buffers"}},
      {.name = "ManyThreads",
       .mkfs = {"-m", "reflink=1,rmapbt=1"},
       .shutdown = Shutdown::kNoFlush,
       .threads = &MakeSharing,
       .facts = {"inode items", "buffers"}},
      {.name = "TruncationOfShared",
       .mkfs = {"-m", "reflink=1,rmapbt=1"},
       .threads = &MakeLong<LongOperation::Kind::kTruncateShared>,
       .facts = {"inode items", "buffers", "reference count intent", "reverse mapping intent"}},
      {.name = "Truncation",
       .mkfs = {"-m", "reflink=1,rmapbt=1"},
       .threads = &MakeLong<LongOperation::Kind::kTruncateOwn>,
       .facts = {"inode items", "buffers", "extent free intent", "reverse mapping intent"}},
      {.name = "Clone",
       .mkfs = {"-m", "reflink=1,rmapbt=1"},
       .threads = &MakeLong<LongOperation::Kind::kClone>,
       .facts = {"inode items", "buffers", "mapping intent"}},
  };
}

}  // namespace iomap::tests
