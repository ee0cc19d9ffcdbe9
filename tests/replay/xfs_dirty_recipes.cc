#include "tests/replay/xfs_dirty_recipes.h"

#include "tests/replay/xfs_load.h"

namespace iomap::tests {

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
       .rounds = 5,
       .load = &MixLoads,
       .facts = {"inode items", "buffers"}},
      {.name = "LargeLogBuffers",
       .mkfs = {"-l", "su=32k", "-m", "reflink=1"},
       .mount_options = "logbsize=256k",
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
       .threads = true,
       .facts = {"inode items", "buffers"}},
  };
}

}  // namespace iomap::tests
