// Names, reservations, writes and sizes of empty file systems; and what has no bit.

#include <sys/stat.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "dax/io.h"
#include "dax/soft_mapping.h"
#include "gmock/gmock.h"
#include "iomap/for_each_mapping.h"
#include "iomap/path.h"
#include "tests/conformance/capability_name.h"
#include "tests/conformance/conformance.h"
#include "tests/conformance/contents.h"
#include "tests/conformance/whole_map.h"
#include "tests/support/bytes.h"
#include "tests/support/skip.h"
#include "tests/support/status_matchers.h"

namespace iomap::conformance {
namespace {

using ::iomap::tests::Bytes;
using ::iomap::tests::IsOk;
using ::iomap::tests::StatusIs;

TEST_P(Conformance, WhatHasNoBitIsUnimplemented) {
  const auto unimplemented = StatusIs(absl::StatusCode::kUnimplemented);
  for (const Prepared& prepared : OpenPrepared()) {
    const auto lacks = [&](Capability capability) {
      return !HasCapability(prepared.capabilities, capability);
    };
    Filesystem& filesystem = *prepared.filesystem;
    const InodeNumber root = filesystem.root();
    const uint64_t block = std::max<uint64_t>(filesystem.info()->block_size, dax::kPageBytes);
    if (lacks(Capability::kNames)) {
      EXPECT_THAT(filesystem.Create(root, "new", S_IFREG | 0644), unimplemented);
      EXPECT_THAT(filesystem.MakeSymbolicLink(root, "new", "target"), unimplemented);
      EXPECT_THAT(filesystem.Unlink(root, "new"), unimplemented);
    }
    for (const std::shared_ptr<File>& file : prepared.Files()) {
      const uint64_t size = file->attributes()->size;
      if (size < 2 * block) {
        continue;
      }
      if (lacks(Capability::kWrite)) {
        const IoExclusive io = file->locks().LockIoExclusive();
        EXPECT_THAT(file->MapForWrite(io, {0, block}), unimplemented);
      }
      if (lacks(Capability::kSetSize)) {
        EXPECT_THAT(file->SetSize(size), unimplemented);
      }
      for (const auto& [capability, mode] :
           {std::pair(Capability::kAllocate, FallocateMode::kAllocate),
            std::pair(Capability::kAllocate, FallocateMode::kAllocateKeepSize),
            std::pair(Capability::kPunchHole, FallocateMode::kPunchHole),
            std::pair(Capability::kZeroRange, FallocateMode::kZeroRange),
            std::pair(Capability::kZeroRange, FallocateMode::kZeroRangeKeepSize),
            std::pair(Capability::kShiftRange, FallocateMode::kCollapseRange),
            std::pair(Capability::kShiftRange, FallocateMode::kInsertRange)}) {
        if (lacks(capability)) {
          EXPECT_THAT(file->Fallocate(mode, {0, block}), unimplemented)
              << FallocateModeName(mode) << " without " << CapabilityName(capability);
        }
      }
      if (lacks(Capability::kShare)) {
        EXPECT_THAT(file->CloneRange(*file, 0, {block, block}), unimplemented);
      }
      auto on_devices = std::dynamic_pointer_cast<dax::File>(file);
      if (lacks(Capability::kDax) && on_devices != nullptr) {
        dax::SoftMapping mapping(on_devices);
        EXPECT_THAT(mapping.Store(0, Bytes(1, 1)), unimplemented);
      }
    }
  }
}

TEST_P(Conformance, NamesComeAndGo) {
  IOMAP_SKIP_IF(MakeFor({}));
  const InodeNumber root = filesystem().root();
  const InodeNumber directory = *filesystem().Create(root, "directory", S_IFDIR | 0755);
  const InodeNumber file = *filesystem().Create(directory, "file", S_IFREG | 0640);
  EXPECT_EQ(filesystem().LookUp(directory, "file").value(), file);
  EXPECT_EQ(filesystem().LookUp(directory, "..").value(), root);
  EXPECT_EQ((*filesystem().Open(file))->attributes()->mode, S_IFREG | 0640);
  EXPECT_EQ((*filesystem().Open(file))->attributes()->size, 0);
  EXPECT_THAT(filesystem().Unlink(root, "directory"),
              StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(filesystem().Unlink(directory, "file"), IsOk());
  EXPECT_THAT(filesystem().LookUp(directory, "file"), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(filesystem().Unlink(root, "directory"), IsOk());
  EXPECT_THAT(filesystem().LookUp(root, "directory"), StatusIs(absl::StatusCode::kNotFound));
}

TEST_P(Conformance, NamesThatCannotBeMadeAreRefused) {
  IOMAP_SKIP_IF(MakeFor({}));
  const InodeNumber root = filesystem().root();
  const InodeNumber file = *filesystem().Create(root, "file", S_IFREG | 0644);
  for (const uint32_t mode : {S_IFREG | 0644, S_IFDIR | 0755}) {
    EXPECT_THAT(filesystem().Create(root, "file", mode),
                StatusIs(absl::StatusCode::kAlreadyExists));
    EXPECT_THAT(filesystem().Create(file, "a", mode),
                StatusIs(absl::StatusCode::kFailedPrecondition));
    for (const char* name : {"", ".", "..", "a/b"}) {
      EXPECT_THAT(filesystem().Create(root, name, mode),
                  StatusIs(absl::StatusCode::kInvalidArgument))
          << '"' << name << '"';
    }
  }
  EXPECT_THAT(filesystem().Unlink(root, "nothing"), StatusIs(absl::StatusCode::kNotFound));
}

TEST_P(Conformance, LinksAreMade) {
  IOMAP_SKIP_IF(MakeFor({Capability::kSymbolicLinks}));
  const std::string longest(500, 'x');
  for (const std::string& target : {std::string("a"), longest}) {
    const auto link =
        filesystem().MakeSymbolicLink(filesystem().root(), target.substr(0, 9), target);
    ASSERT_THAT(link, IsOk());
    EXPECT_EQ(filesystem().ReadLink(*link).value(), target);
    EXPECT_EQ((*filesystem().Open(*link))->attributes()->type, FileType::kSymbolicLink);
  }
}

TEST_P(Conformance, AnUnlinkedFileLivesWhileItIsOpen) {
  IOMAP_SKIP_IF(MakeFor({}));
  const std::vector<std::byte> bytes = Bytes(5 * block() + 1, 7);
  auto first = MakeFile("first", bytes);  // so that the directory has its blocks
  const uint64_t free_bytes = FreeBytes();
  auto file = MakeFile("file", bytes);
  EXPECT_LT(FreeBytes(), free_bytes);
  ASSERT_THAT(filesystem().Unlink(filesystem().root(), "file"), IsOk());
  EXPECT_EQ(ContentsOf(*file), bytes);
  file.reset();
  EXPECT_EQ(FreeBytes(), free_bytes);
}

TEST_P(Conformance, AReservationIsNothingBeforeItsCommit) {
  IOMAP_SKIP_IF(MakeFor({}));
  const auto file = MakeFile("file");
  const ByteRange blocks{0, 3 * block()};
  const IoExclusive io = file->locks().LockIoExclusive();
  {
    const auto dropped = file->MapForWrite(io, blocks);
    ASSERT_THAT(dropped, IsOk());
    EXPECT_NE(dropped->reservation, nullptr);
    EXPECT_TRUE(dropped->needs_zeroes());
    EXPECT_EQ(TypeAt(*file, 0), MappingType::kHole);
  }
  const uint64_t free_bytes = FreeBytes();
  {
    // What was dropped is there for the next.
    auto mapping = file->MapForWrite(io, blocks);
    ASSERT_THAT(mapping, IsOk());
    ASSERT_TRUE(mapping->target.range().Contains(0));
    EXPECT_EQ(file->attributes()->size, 0);
    dax::Device& main = device();
    ASSERT_THAT(main.WriteThrough(mapping->target.AddressOf(0), Bytes(block(), 5)), IsOk());
    ASSERT_THAT(main.Drain(), IsOk());
    ASSERT_THAT(mapping->Commit({0, block()}), IsOk());
  }
  EXPECT_LT(FreeBytes(), free_bytes);
  EXPECT_EQ(file->attributes()->size, block());
  EXPECT_EQ(TypeAt(*file, 0), MappingType::kMapped);
  EXPECT_EQ(TypeAt(*file, block()), MappingType::kHole);
}

TEST_P(Conformance, TheSecondReservationOfAHoleIsAborted) {
  IOMAP_SKIP_IF(MakeFor({}));
  const auto file = MakeFile("file");
  const IoExclusive io = file->locks().LockIoExclusive();
  auto first = file->MapForWrite(io, {0, block()});
  auto second = file->MapForWrite(io, {0, block()});
  ASSERT_THAT(first, IsOk());
  ASSERT_THAT(second, IsOk());
  EXPECT_NE(first->target.AddressOf(0), second->target.AddressOf(0));
  ASSERT_THAT(first->Commit({0, block()}), IsOk());
  const std::vector<Mapping> map = WholeMap(*file, &File::MapForRead);
  EXPECT_THAT(second->Commit({0, block()}), StatusIs(absl::StatusCode::kAborted));
  EXPECT_EQ(WholeMap(*file, &File::MapForRead), map);
}

TEST_P(Conformance, WritesAreReadBack) {
  IOMAP_SKIP_IF(MakeFor({}));
  const auto file = MakeFile("file");
  std::vector<std::byte> expected;
  int value = 1;
  for (const auto& [offset, length] : {std::pair<uint64_t, uint64_t>{1, 1},
                                       {0, 3},
                                       {5 * block() - 1, 2},
                                       {block(), 2 * block()},
                                       {block() / 2, 3 * block()},
                                       {40 * block() + 7, 100},
                                       {0, 41 * block()}}) {
    Put(expected, offset, Bytes(length, value));
    ASSERT_THAT(dax::Write(*file, offset, Bytes(length, value)), IsOk());
    EXPECT_EQ(ContentsOf(*file), expected) << length << " bytes at " << offset;
    ++value;
  }
}

TEST_P(Conformance, AWriteBehindTheEndLeavesAHole) {
  IOMAP_SKIP_IF(MakeFor({}));
  const auto file = MakeFile("file");
  ASSERT_THAT(dax::Write(*file, 10 * block(), Bytes(1, 1)), IsOk());
  EXPECT_EQ(file->attributes()->size, 10 * block() + 1);
  const auto hole = FirstMapping(*file, &File::MapForRead, {0, 10 * block()});
  ASSERT_THAT(hole, IsOk());
  EXPECT_EQ(hole->type, MappingType::kHole);
  EXPECT_GE(hole->length, 10 * block());
}

TEST_P(Conformance, AFullDeviceSaysSoAndLosesNothing) {
  IOMAP_SKIP_IF(MakeFor({}));
  const std::vector<std::byte> bytes = Bytes(3 * block(), 9);
  const auto first = MakeFile("first", bytes);
  const uint64_t free_bytes = FreeBytes();
  auto file = MakeFile("file");
  const std::vector<std::byte> large(64 * block(), std::byte{1});
  absl::Status status;
  for (uint64_t offset = 0; status.ok() && offset <= GetParam().device_bytes;
       offset += large.size()) {
    status = dax::Write(*file, offset, large);
  }
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_GT(file->attributes()->size, free_bytes / 2);
  EXPECT_EQ(ContentsOf(*first), bytes);
  ASSERT_THAT(dax::Write(*first, 0, Bytes(block(), 8)), IsOk()) << "an overwrite needs no space";
  ASSERT_THAT(filesystem().Unlink(filesystem().root(), "file"), IsOk());
  file.reset();
  EXPECT_EQ(FreeBytes(), free_bytes);
  ASSERT_THAT(dax::Write(*first, 0, large), IsOk());
}

TEST_P(Conformance, SizesGrowWithZerosAndShrinkForGood) {
  IOMAP_SKIP_IF(MakeFor({Capability::kSetSize}));
  const auto file = MakeFile("file");
  std::vector<std::byte> expected;
  for (const uint64_t size : {uint64_t{10}, 3 * block(), block() + 5, 2 * block(), uint64_t{0},
                              9 * block() + 1, 9 * block()}) {
    const uint64_t before = expected.size();
    ASSERT_THAT(file->SetSize(size), IsOk());
    expected.resize(size);
    EXPECT_EQ(file->attributes()->size, size);
    EXPECT_EQ(ContentsOf(*file), expected) << before << " to " << size << " bytes";
    ASSERT_THAT(dax::Write(*file, 0, Bytes(size, 3)), IsOk());
    std::fill(expected.begin(), expected.end(), std::byte{3});
  }
  EXPECT_THAT(file->SetSize(uint64_t{1} << 63), StatusIs(absl::StatusCode::kOutOfRange));
}

TEST_P(Conformance, AShorterFileGivesBlocksBack) {
  IOMAP_SKIP_IF(MakeFor({Capability::kSetSize}));
  const auto file = MakeFile("file");
  const uint64_t free_bytes = FreeBytes();
  ASSERT_THAT(dax::Write(*file, 0, Bytes(20 * block(), 1)), IsOk());
  const uint64_t generation = file->generation();
  ASSERT_THAT(file->SetSize(0), IsOk());
  EXPECT_EQ(FreeBytes(), free_bytes);
  EXPECT_FALSE(file->UnchangedSince(generation));
}

}  // namespace
}  // namespace iomap::conformance
