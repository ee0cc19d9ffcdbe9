#include "tests/races/scenarios.h"

#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "dax/io.h"
#include "tests/races/dax_world.h"

namespace iomap::tests {
namespace {

using dax::kHugePageBytes;
using dax::kPageBytes;
using dax::PageSize;
using dax::SoftMapping;

std::shared_ptr<SoftMapping> Map(const DaxWorld::FilePtr& file,
                                 PageSize largest = PageSize::kBase) {
  return std::make_shared<SoftMapping>(file, SoftMapping::Options{.largest_page = largest});
}

// Makes a world and lets `fill` give it its threads.
template <typename Fill>
schedule::MakeScenario Made(Fill fill, uint64_t device_bytes = 16 * kPageBytes) {
  return [fill, device_bytes] {
    auto world = std::make_unique<DaxWorld>(device_bytes);
    fill(*world);
    return world;
  };
}

// Stores through two mappings of a page, one after the other, each made durable.
void Aliases(DaxWorld& world, PageSize first, PageSize second, uint64_t pages) {
  const auto file = world.MakeWrittenFile("f", pages);
  const auto a = Map(file, first);
  const auto b = Map(file, second);
  world.Thread([&world, file, a, b] {
    world.Store(*a, 0, 1);
    world.Store(*b, 8, 2);
    world.Fsync(*a);
    world.Store(*b, 16, 3);
    world.Fsync(*a);
    world.Store(*a, 24, 4);
    world.Fsync(*b);
  });
  world.AtEnd([&world, file, a] { world.ExpectContents(*file, *a); });
}

// Two threads that store to one page and fsync, through mappings of their own.
void TwoFsyncs(DaxWorld& world) {
  const auto file = world.MakeWrittenFile("f", 1);
  for (uint64_t thread = 0; thread < 2; ++thread) {
    const auto mapping = Map(file);
    world.Thread([&world, mapping, thread] {
      world.Store(*mapping, thread * 64, 1 + thread);
      world.Fsync(*mapping);
    });
  }
}

// A page that is stored to again, with `store`, while somebody else makes it durable.
void StoreDuringFsync(DaxWorld& world,
                      void (DaxWorld::*store)(SoftMapping&, uint64_t offset, uint64_t value)) {
  const auto file = world.MakeWrittenFile("f", 1);
  const auto mapping = Map(file);
  world.Store(*mapping, 0, 1);
  world.Thread([&world, mapping] { world.Fsync(*mapping); });
  world.Thread([&world, mapping, store] {
    (world.*store)(*mapping, 0, 2);
    world.Fsync(*mapping);
  });
}

// Nobody's fsync does more than what was dirty when it began, however busy others are.
void BusyStores(DaxWorld& world) {
  const auto file = world.MakeWrittenFile("f", 3);
  const auto mapping = Map(file);
  world.Store(*mapping, 0, 1);
  world.Store(*mapping, 2 * kPageBytes, 2);
  world.Thread([&world, mapping] { world.Fsync(*mapping); });
  world.Thread([&world, mapping] {
    world.Store(*mapping, 0, 3);
    world.Store(*mapping, 2 * kPageBytes, 4);
  });
  world.AtEnd([&world, file] {
    if (const uint64_t flushed = file->address_space().flushed_entries(); flushed > 2) {
      world.Fail(absl::StrCat("one fsync of two dirty pages has flushed ", flushed,
                              ": with busier stores it would never end"));
    }
  });
}

// A hole that is loaded while it is written.
void HoleVersusWrite(DaxWorld& world) {
  const auto file = world.MakeFile("f", 1);
  const auto mapping = Map(file);
  world.Thread([&world, mapping] { world.Load(*mapping, 0); });
  world.Thread([&world, file] { world.Write(*file, 0, kPageBytes, 1); });
  world.AtEnd([&world, file, mapping] { world.ExpectContents(*file, *mapping); });
}

// A write beside a page that was stored to.
void WriteInvalidates(DaxWorld& world) {
  const auto file = world.MakeFile("f", 2);
  const auto mapping = Map(file);
  world.Thread([&world, mapping] {
    world.Store(*mapping, 8, 1);
    world.Fsync(*mapping);
  });
  world.Thread([&world, file] { world.Write(*file, kPageBytes / 2, kPageBytes, 2); });
  world.AtEnd([&world, file, mapping] { world.Fsync(*mapping); });
}

// A page that is punched out and comes back elsewhere while sync flushes it.
void PunchAndRefill(DaxWorld& world) {
  const auto file = world.MakeWrittenFile("f", 1);
  const auto mapping = Map(file);
  world.Store(*mapping, 0, 1);
  world.Thread([&world, file] { world.Sync({file.get()}); });
  world.Thread([&world, file, mapping] {
    world.Punch(*file, 0, kPageBytes);
    world.Write(*file, kPageBytes, kPageBytes, 7);
    world.Store(*mapping, 0, 2);
    world.Fsync(*mapping);
  });
}

// Mapped, durable, punched, and loaded again.
void PunchAfterFsync(DaxWorld& world) {
  const auto file = world.MakeWrittenFile("f", 1);
  const auto mapping = Map(file);
  world.Thread([&world, file, mapping] {
    world.Store(*mapping, 0, 1);
    world.Fsync(*mapping);
    world.Punch(*file, 0, kPageBytes);
    world.Load(*mapping, 0);
  });
  world.AtEnd([&world, file, mapping] { world.ExpectContents(*file, *mapping); });
}

// Two syncs that wait for an entry which a punch takes away.
void SyncsAndPunch(DaxWorld& world) {
  const auto file = world.MakeWrittenFile("f", 1);
  const auto mapping = Map(file);
  world.Store(*mapping, 0, 1);
  world.Thread([file] { file->SyncUnlocked().IgnoreError(); });
  world.Thread([file] { file->SyncUnlocked().IgnoreError(); });
  world.Thread([&world, file] { world.Punch(*file, 0, kPageBytes); });
}

// A device that fails once.
void FlushError(DaxWorld& world) {
  const auto file = world.MakeWrittenFile("f", 1);
  const auto a = Map(file);
  const auto b = Map(file);
  world.Thread([&world, file, a, b] {
    world.Store(*a, 0, 1);
    world.device().FailNextDrain(absl::UnavailableError("the medium failed"));
    if (a->Fsync().ok()) {
      world.Fail("silent error: an fsync whose drain failed has said OK");
    }
    if (b->Fsync().ok()) {
      world.Fail("silent error: the other mapping was not told");
    }
    world.Fsync(*a);
    world.Fsync(*b);
  });
}

// A page that is held, and stored to, without a page table, while its block is to be freed.
void PinnedTruncate(DaxWorld& world) {
  const auto file = world.MakeWrittenFile("f", 1);
  const auto mapping = Map(file);
  world.Thread([&world, file, mapping] {
    absl::StatusOr<dax::PagePin> pin = mapping->Pin({0, 8});
    if (!pin.ok()) {
      if (!absl::IsOutOfRange(pin.status())) {
        world.Fail(pin.status().ToString());
      }
      return;  // the truncate was first
    }
    for (int i = 0; i < 2; ++i) {
      pin->Store(0, std::vector<std::byte>(8, std::byte{1}));
      if (file->attributes()->size == 0) {
        world.Fail("stored to a block of nobody: truncated below a pin");
      }
    }
  });
  world.Thread([&world, file] { world.Expect(file->SetSize(0), "truncate"); });
  world.AtEnd([&world, file] {
    if (file->attributes()->size != 0) {
      world.Fail("not truncated");
    }
  });
}

// Stores while the file system is frozen.
void Freeze(DaxWorld& world) {
  const auto file = world.MakeWrittenFile("f", 1);
  const auto mapping = Map(file);
  world.Store(*mapping, 0, 1);
  world.Thread([&world, file] {
    world.Expect(world.filesystem().Freeze(), "freeze");
    for (int i = 0; i < 2; ++i) {
      if (file->address_space().MayBeDirty()) {
        world.Fail("a frozen file system is dirty");
      }
    }
    world.filesystem().Thaw();
  });
  world.Thread([&world, mapping] {
    world.Store(*mapping, 0, 2);
    world.Fsync(*mapping);
  });
}

// A page that two files share, stored to on both sides.
void CopyOnWrite(DaxWorld& world) {
  const auto source = world.MakeWrittenFile("s", 1);
  const auto clone = world.MakeFile("c", 1);
  world.Clone(*source, *clone, kPageBytes);
  for (const auto& file : {source, clone}) {
    const auto mapping = Map(file);
    world.Thread([&world, mapping] {
      world.Store(*mapping, 0, mapping->file().inode());
      world.Fsync(*mapping);
      world.Load(*mapping, 0);
    });
  }
}

}  // namespace

const std::vector<NamedScenario>& CommonScenarios() {
  static const auto* const scenarios = new std::vector<NamedScenario>{
      {"aliases",
       Made([](DaxWorld& world) { Aliases(world, PageSize::kBase, PageSize::kBase, 1); })},
      {"huge-page-and-alias", Made(
                                  [](DaxWorld& world) {
                                    Aliases(world, PageSize::kHuge, PageSize::kBase,
                                            kHugePageBytes / kPageBytes);
                                  },
                                  2 * kHugePageBytes)},
      {"two-fsyncs", Made(TwoFsyncs)},
      {"store-during-fsync",
       Made([](DaxWorld& world) { StoreDuringFsync(world, &DaxWorld::Store); })},
      {"busy-stores", Made(BusyStores)},
      {"hole-vs-write", Made(HoleVersusWrite)},
      {"write-invalidate", Made(WriteInvalidates)},
      {"punch-and-refill", Made(PunchAndRefill)},
      {"punch-after-fsync", Made(PunchAfterFsync)},
      {"syncs-and-punch", Made(SyncsAndPunch)},
      {"flush-error", Made(FlushError)},
      {"pinned-truncate", Made(PinnedTruncate)},
      {"freeze", Made(Freeze)},
      {"copy-on-write", Made(CopyOnWrite)},
      {"pin-during-fsync",
       Made([](DaxWorld& world) { StoreDuringFsync(world, &DaxWorld::StorePinned); })},
  };
  return *scenarios;
}

}  // namespace iomap::tests
