// The names of prepared file systems.

#include <limits>
#include <set>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "iomap/byte_range.h"
#include "tests/conformance/conformance.h"
#include "tests/conformance/whole_map.h"
#include "tests/support/status_matchers.h"

namespace iomap::conformance {
namespace {

using ::iomap::tests::IsOk;
using ::iomap::tests::StatusIs;

constexpr absl::string_view kNoSuchName = "no file of a prepared file system has this name";
constexpr InodeNumber kNoSuchInode = std::numeric_limits<InodeNumber>::max();
constexpr size_t kMostResumed = 40;  // entries of a directory

struct Entry {
  std::string name;
  InodeNumber inode;
  uint64_t next_cookie;

  friend bool operator==(const Entry&, const Entry&) = default;
};

std::vector<Entry> EntriesOf(Filesystem& filesystem, InodeNumber directory, uint64_t cookie) {
  std::vector<Entry> entries;
  EXPECT_THAT(filesystem.ReadDirectory(
                  directory, cookie,
                  [&](const DirectoryEntry& entry) {
                    entries.push_back({std::string(entry.name), entry.inode, entry.next_cookie});
                    return true;
                  }),
              IsOk());
  return entries;
}

TEST_P(Conformance, InfoMakesSense) {
  for (const Prepared& prepared : OpenPrepared()) {
    const FilesystemInfo info = *prepared.filesystem->info();
    EXPECT_FALSE(info.backend.empty());
    EXPECT_GT(info.block_size, 0);
    EXPECT_EQ(info.block_size & (info.block_size - 1), 0) << info.block_size;
    EXPECT_GT(info.size_bytes, 0);
    EXPECT_LE(info.free_bytes, info.size_bytes);
  }
}

TEST_P(Conformance, PreparedFileSystemsShowWhatTheBitsPromise) {
  std::set<FileType> types;
  bool has_nested_directory = false;
  bool promises_links = false;
  for (const Prepared& prepared : OpenPrepared()) {
    promises_links |= HasCapability(prepared.capabilities, Capability::kSymbolicLinks);
    for (const Found& found : prepared.found) {
      types.insert(found.type);
      has_nested_directory |=
          found.type == FileType::kDirectory && found.parent != prepared.filesystem->root();
    }
  }
  EXPECT_TRUE(types.contains(FileType::kRegular));
  EXPECT_TRUE(has_nested_directory);
  EXPECT_TRUE(!promises_links || types.contains(FileType::kSymbolicLink));
}

TEST_P(Conformance, EveryListedNameIsFound) {
  for (const Prepared& prepared : OpenPrepared()) {
    Filesystem& filesystem = *prepared.filesystem;
    for (const Found& directory : prepared.found) {
      if (directory.type != FileType::kDirectory) {
        continue;
      }
      std::set<std::string> names;
      for (const Entry& entry : EntriesOf(filesystem, directory.inode, 0)) {
        EXPECT_TRUE(names.insert(entry.name).second) << directory.path << " has two " << entry.name;
        EXPECT_NE(entry.name, ".");
        EXPECT_NE(entry.name, "..");
        const auto inode = filesystem.LookUp(directory.inode, entry.name);
        ASSERT_THAT(inode, IsOk()) << directory.path << "/" << entry.name;
        EXPECT_EQ(*inode, entry.inode) << directory.path << "/" << entry.name;
      }
      EXPECT_EQ(filesystem.LookUp(directory.inode, ".").value(), directory.inode);
      EXPECT_EQ(filesystem.LookUp(directory.inode, "..").value(), directory.parent);
    }
  }
}

TEST_P(Conformance, DirectoryEntriesTellTheTypeOrThatTheyDoNotKnow) {
  for (const Prepared& prepared : OpenPrepared()) {
    for (const Found& directory : prepared.found) {
      if (directory.type != FileType::kDirectory) {
        continue;
      }
      const absl::Status status =
          prepared.filesystem->ReadDirectory(directory.inode, 0, [&](const DirectoryEntry& entry) {
            if (entry.type != FileType::kUnknown) {
              EXPECT_EQ(entry.type, (*prepared.filesystem->Open(entry.inode))->attributes()->type)
                  << directory.path << "/" << entry.name;
            }
            return true;
          });
      EXPECT_THAT(status, IsOk());
    }
  }
}

TEST_P(Conformance, ADirectoryIsReadOnFromAnyCookie) {
  for (const Prepared& prepared : OpenPrepared()) {
    for (const Found& directory : prepared.found) {
      if (directory.type != FileType::kDirectory) {
        continue;
      }
      const std::vector<Entry> all = EntriesOf(*prepared.filesystem, directory.inode, 0);
      for (size_t i = 0; i < all.size(); i += 1 + all.size() / kMostResumed) {
        const std::vector<Entry> rest(all.begin() + static_cast<std::ptrdiff_t>(i) + 1, all.end());
        EXPECT_EQ(EntriesOf(*prepared.filesystem, directory.inode, all[i].next_cookie), rest)
            << directory.path << ", after entry " << i << ", " << all[i].name;
      }
      size_t calls = 0;
      EXPECT_THAT(prepared.filesystem->ReadDirectory(directory.inode, 0,
                                                     [&](const DirectoryEntry&) {
                                                       ++calls;
                                                       return false;
                                                     }),
                  IsOk());
      EXPECT_EQ(calls, all.empty() ? 0 : 1) << directory.path;
    }
  }
}

TEST_P(Conformance, WhatIsNotThereIsNotFound) {
  for (const Prepared& prepared : OpenPrepared()) {
    Filesystem& filesystem = *prepared.filesystem;
    EXPECT_THAT(filesystem.LookUp(filesystem.root(), kNoSuchName),
                StatusIs(absl::StatusCode::kNotFound));
    EXPECT_THAT(filesystem.Open(kNoSuchInode), StatusIs(absl::StatusCode::kNotFound));
    EXPECT_THAT(filesystem.LookUp(kNoSuchInode, "a"), StatusIs(absl::StatusCode::kNotFound));
  }
}

TEST_P(Conformance, TheWrongKindOfInodeIsAFailedPrecondition) {
  for (const Prepared& prepared : OpenPrepared()) {
    Filesystem& filesystem = *prepared.filesystem;
    for (const Found& found : prepared.found) {
      if (found.type != FileType::kDirectory) {
        EXPECT_THAT(filesystem.LookUp(found.inode, "a"),
                    StatusIs(absl::StatusCode::kFailedPrecondition))
            << found.path;
        EXPECT_THAT(
            filesystem.ReadDirectory(found.inode, 0, [](const DirectoryEntry&) { return true; }),
            StatusIs(absl::StatusCode::kFailedPrecondition))
            << found.path;
      }
      if (found.type != FileType::kSymbolicLink) {
        EXPECT_THAT(filesystem.ReadLink(found.inode),
                    StatusIs(HasCapability(prepared.capabilities, Capability::kSymbolicLinks)
                                 ? absl::StatusCode::kFailedPrecondition
                                 : absl::StatusCode::kUnimplemented))
            << found.path;
      }
    }
  }
}

TEST_P(Conformance, LinksHaveTargets) {
  for (const Prepared& prepared : OpenPrepared()) {
    for (const Found& found : prepared.found) {
      if (found.type != FileType::kSymbolicLink) {
        continue;
      }
      const absl::StatusOr<std::string> target = prepared.filesystem->ReadLink(found.inode);
      ASSERT_THAT(target, IsOk()) << found.path;
      EXPECT_FALSE(target->empty()) << found.path;
      EXPECT_EQ(target->size(), (*prepared.filesystem->Open(found.inode))->attributes()->size)
          << found.path;
    }
  }
}

TEST_P(Conformance, AttributesAgreeWithEachOther) {
  for (const Prepared& prepared : OpenPrepared()) {
    for (const Found& found : prepared.found) {
      const std::shared_ptr<File> file = *prepared.filesystem->Open(found.inode);
      const Attributes attributes = *file->attributes();
      EXPECT_EQ(file->inode(), found.inode) << found.path;
      EXPECT_EQ(attributes.inode, found.inode) << found.path;
      EXPECT_EQ(attributes.type, FileTypeOfMode(attributes.mode)) << found.path;
      EXPECT_LE(attributes.size, ByteRange::kMaxOffset) << found.path;
      EXPECT_GE(attributes.link_count, 1) << found.path;
      EXPECT_LT(attributes.modification_time.nanoseconds, 1'000'000'000) << found.path;
      if (found.type == FileType::kRegular) {
        uint64_t allocated = 0;
        for (const Mapping& mapping : WholeMap(*file, &File::MapForRead)) {
          allocated += mapping.has_address() ? mapping.length : 0;
        }
        EXPECT_GE(attributes.blocks_512 * 512, allocated) << found.path;
      }
    }
  }
}

TEST_P(Conformance, OpenedTwiceIsTheSameFile) {
  for (const Prepared& prepared : OpenPrepared()) {
    for (const Found& found : prepared.found) {
      const std::shared_ptr<File> file = *prepared.filesystem->Open(found.inode);
      EXPECT_EQ(prepared.filesystem->Open(found.inode).value(), file) << found.path;
    }
  }
}

}  // namespace
}  // namespace iomap::conformance
