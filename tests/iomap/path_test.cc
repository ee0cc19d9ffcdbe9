#include "iomap/path.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/iomap/listed_filesystem.h"
#include "tests/support/status_matchers.h"

namespace iomap {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using tests::IsOk;
using tests::ListedFilesystem;
using tests::ListedInode;
using tests::StatusIs;

constexpr FileType kDirectory = FileType::kDirectory;
constexpr FileType kRegular = FileType::kRegular;
constexpr FileType kLink = FileType::kSymbolicLink;
constexpr absl::StatusCode kFailedPrecondition = absl::StatusCode::kFailedPrecondition;

ListedInode Directory(std::vector<ListedInode::Entry> entries) {
  return {.type = kDirectory, .entries = std::move(entries)};
}
ListedInode Link(std::string target) { return {.type = kLink, .target = std::move(target)}; }

// /file (10), /dir (2), /dir/file (11), /dir/sub (3), /dir/sub/deep (12), and links in the root:
// to_file, to_dir, absolute, climbing, loop, other_loop, dangling, slashed; /dir/chain ->
// ../to_file.
ListedFilesystem SmallTree() {
  return ListedFilesystem({
      {1, Directory({{".", 1},
                     {"..", 1},
                     {"file", 10},
                     {"dir", 2},
                     {"to_file", 20},
                     {"to_dir", 21},
                     {"absolute", 22},
                     {"climbing", 23},
                     {"loop", 24},
                     {"other_loop", 25},
                     {"dangling", 26},
                     {"slashed", 27},
                     {"damaged", ListedFilesystem::kDamaged},
                     {"unused", 98}})},
      {2, Directory({{".", 2}, {"..", 1}, {"file", 11}, {"sub", 3}, {"chain", 28}})},
      {3, Directory({{".", 3}, {"..", 2}, {"deep", 12}})},
      {10, {}},
      {11, {}},
      {12, {}},
      {20, Link("file")},
      {21, Link("dir")},
      {22, Link("/dir/sub/deep")},
      {23, Link("dir/../dir/./sub//deep")},
      {24, Link("other_loop")},
      {25, Link("loop")},
      {26, Link("dir/nothing")},
      {27, Link("file/")},
      {28, Link("../to_file")},
  });
}

absl::StatusOr<InodeNumber> Resolve(absl::string_view path, LastLink last = LastLink::kFollow) {
  ListedFilesystem filesystem = SmallTree();
  return ResolvePath(filesystem, path, last);
}

TEST(ResolvePath, FindsFilesFromTheRootWithAndWithoutALeadingSlash) {
  EXPECT_EQ(Resolve("/file").value(), 10u);
  EXPECT_EQ(Resolve("file").value(), 10u);
  EXPECT_EQ(Resolve("/dir/sub/deep").value(), 12u);
  EXPECT_EQ(Resolve("//dir///sub/deep").value(), 12u);
}

TEST(ResolvePath, TheRootIsASlashOrNothing) {
  EXPECT_EQ(Resolve("/").value(), 1u);
  EXPECT_EQ(Resolve("").value(), 1u);
  EXPECT_EQ(Resolve("///").value(), 1u);
}

TEST(ResolvePath, FollowsDotsAndStaysBelowTheRoot) {
  EXPECT_EQ(Resolve("/dir/./sub/../file").value(), 11u);
  EXPECT_EQ(Resolve("/../../file").value(), 10u);
  EXPECT_EQ(Resolve("/dir/..").value(), 1u);
}

TEST(ResolvePath, SaysWhichPartIsMissing) {
  EXPECT_THAT(Resolve("/dir/nothing/deep"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("(nothing)")));
}

TEST(ResolvePath, RefusesAFileOnTheWay) {
  EXPECT_THAT(Resolve("/file/deep"), StatusIs(kFailedPrecondition));
  EXPECT_THAT(Resolve("/file/.."), StatusIs(kFailedPrecondition));
}

TEST(ResolvePath, ATrailingSlashAsksForADirectory) {
  EXPECT_EQ(Resolve("/dir/").value(), 2u);
  EXPECT_THAT(Resolve("/file/"), StatusIs(kFailedPrecondition));
  EXPECT_THAT(Resolve("/slashed"), StatusIs(kFailedPrecondition));
}

TEST(ResolvePath, FollowsLinksRelativeToTheirDirectory) {
  EXPECT_EQ(Resolve("/to_file").value(), 10u);
  EXPECT_EQ(Resolve("/dir/chain").value(), 10u);
  EXPECT_EQ(Resolve("/to_dir/file").value(), 11u);
  EXPECT_EQ(Resolve("/absolute").value(), 12u);
  EXPECT_EQ(Resolve("/climbing").value(), 12u);
}

TEST(ResolvePath, KeepsTheLastLinkWhenAskedAndFollowsTheOthers) {
  EXPECT_EQ(Resolve("/to_file", LastLink::kKeep).value(), 20u);
  EXPECT_EQ(Resolve("/to_dir/chain", LastLink::kKeep).value(), 28u);
  EXPECT_EQ(Resolve("/loop", LastLink::kKeep).value(), 24u);
}

TEST(ResolvePath, FollowsEvenAKeptLinkBeforeATrailingSlash) {
  EXPECT_EQ(Resolve("/to_dir/", LastLink::kKeep).value(), 2u);
  EXPECT_THAT(Resolve("/to_file/", LastLink::kKeep), StatusIs(kFailedPrecondition));
}

TEST(ResolvePath, RefusesALoopOfLinks) {
  EXPECT_THAT(Resolve("/loop"), StatusIs(kFailedPrecondition, HasSubstr("40 symbolic links")));
  EXPECT_THAT(Resolve("/loop/file"), StatusIs(kFailedPrecondition));
}

TEST(ResolvePath, FollowsFortyLinksAndNoMore) {
  std::map<InodeNumber, ListedInode> inodes = {{10, {}}};
  ListedInode root = Directory({{"0", 10}});
  for (InodeNumber i = 1; i <= 41; ++i) {
    root.entries.push_back({absl::StrCat(i), 100 + i});
    inodes[100 + i] = Link(absl::StrCat(i - 1));
  }
  inodes[1] = root;
  ListedFilesystem filesystem(inodes);
  EXPECT_EQ(ResolvePath(filesystem, "/40", LastLink::kFollow).value(), 10u);
  EXPECT_THAT(ResolvePath(filesystem, "/41", LastLink::kFollow), StatusIs(kFailedPrecondition));
}

TEST(ResolvePath, ALinkToNothingIsNotFound) {
  EXPECT_THAT(Resolve("/dangling"), StatusIs(absl::StatusCode::kNotFound));
}

TEST(ResolvePath, RefusesANameOfMoreThan255Bytes) {
  EXPECT_THAT(Resolve(std::string(255, 'x')), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(Resolve(std::string(256, 'x')), StatusIs(kFailedPrecondition, HasSubstr("256")));
}

TEST(ResolvePath, ADamagedInodeIsDamageAtTheEndOfAPathAndOnTheWay) {
  EXPECT_THAT(Resolve("/damaged"), StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_THAT(Resolve("/damaged/file"), StatusIs(absl::StatusCode::kDataLoss));
}

TEST(ResolvePath, AnEntryThatNamesAnInodeWhichIsNotThereIsDamage) {
  EXPECT_THAT(Resolve("/unused", LastLink::kKeep),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("is not there")));
  ListedFilesystem nothing({});
  EXPECT_THAT(ResolvePath(nothing, "/", LastLink::kKeep), StatusIs(absl::StatusCode::kDataLoss));
}

struct Walked {
  std::vector<std::pair<std::string, InodeNumber>> entries;
  std::vector<std::string> failures;
};

Walked Walk(Filesystem& filesystem) {
  Walked walked;
  EXPECT_THAT(WalkTree(
                  filesystem,
                  [&](const TreeEntry& entry) {
                    walked.entries.emplace_back(entry.path, entry.inode);
                    return true;
                  },
                  [&](absl::string_view path, const absl::Status& status) {
                    walked.failures.push_back(absl::StrCat(path, ": ", status.message()));
                    return true;
                  }),
              IsOk());
  return walked;
}

TEST(WalkTree, ListsPathsInByteOrderADirectoryBeforeWhatItHolds) {
  // "a.txt" sorts before "a/x", since '.' is a smaller byte than '/'; "a0" behind it.
  ListedFilesystem filesystem({{1, Directory({{"b", 10, kRegular},
                                              {"a", 2, kDirectory},
                                              {"a0", 11, kRegular},
                                              {"a.txt", 12, kRegular}})},
                               {2, Directory({{"y", 13, kRegular}, {"x", 14, kRegular}})}});
  const Walked walked = Walk(filesystem);
  EXPECT_THAT(walked.entries, ElementsAre(Pair("/a.txt", 12), Pair("/a", 2), Pair("/a/x", 14),
                                          Pair("/a/y", 13), Pair("/a0", 11), Pair("/b", 10)));
  EXPECT_THAT(walked.failures, IsEmpty());
}

TEST(WalkTree, BytesAbove127SortBehindAscii) {
  ListedFilesystem filesystem({{1, Directory({{"\xC3\xA4", 10, kRegular}, {"z", 11, kRegular}})}});
  EXPECT_THAT(Walk(filesystem).entries, ElementsAre(Pair("/z", 11), Pair("/\xC3\xA4", 10)));
}

TEST(WalkTree, OpensInodesWhoseTypeTheDirectoryDoesNotTell) {
  ListedFilesystem filesystem({{1, Directory({{"d", 2}})}, {2, Directory({{"f", 10}})}, {10, {}}});
  EXPECT_THAT(Walk(filesystem).entries, ElementsAre(Pair("/d", 2), Pair("/d/f", 10)));
}

TEST(WalkTree, TheTypeIsUnknownWhereNobodyTellsIt) {
  ListedFilesystem filesystem({{1, Directory({{"damaged", 99}})}});
  FileType type = kRegular;
  EXPECT_THAT(WalkTree(
                  filesystem,
                  [&](const TreeEntry& entry) {
                    type = entry.type;
                    return true;
                  },
                  [](absl::string_view, const absl::Status&) { return true; }),
              IsOk());
  EXPECT_EQ(type, FileType::kUnknown);
}

TEST(WalkTree, GoesOnBehindADirectoryThatCannotBeRead) {
  ListedFilesystem filesystem({{1, Directory({{"bad", 99, kDirectory}, {"good", 10, kRegular}})}});
  const Walked walked = Walk(filesystem);
  EXPECT_THAT(walked.entries, ElementsAre(Pair("/bad", 99), Pair("/good", 10)));
  EXPECT_THAT(walked.failures, ElementsAre("/bad: inode 99: damaged"));
}

TEST(WalkTree, ReportsARootThatCannotBeRead) {
  ListedFilesystem filesystem({});
  EXPECT_THAT(Walk(filesystem).failures, ElementsAre("/: inode 1: not in use"));
}

TEST(WalkTree, ReportsASecondNameOfADirectoryAndDoesNotEnterItAgain) {
  ListedFilesystem filesystem({{1, Directory({{"a", 2, kDirectory}, {"b", 2, kDirectory}})},
                               {2, Directory({{"f", 10, kRegular}})}});
  const Walked walked = Walk(filesystem);
  EXPECT_THAT(walked.entries, ElementsAre(Pair("/a", 2), Pair("/a/f", 10), Pair("/b", 2)));
  EXPECT_THAT(walked.failures, ElementsAre(HasSubstr("/b: inode 2: a second name")));
}

TEST(WalkTree, EndsWhenADirectoryHoldsItself) {
  ListedFilesystem filesystem({{1, Directory({{"self", 1, kDirectory}})}});
  const Walked walked = Walk(filesystem);
  EXPECT_THAT(walked.entries, ElementsAre(Pair("/self", 1)));
  EXPECT_THAT(walked.failures, ElementsAre(HasSubstr("/self: inode 1: a second name")));
}

TEST(WalkTree, StopsWhenEitherCallbackSaysSo) {
  ListedFilesystem filesystem({{1, Directory({{"bad", 99, kDirectory}, {"good", 10, kRegular}})}});
  int entries = 0;
  const auto count_all = [&](const TreeEntry&) {
    ++entries;
    return true;
  };
  const auto count_one = [&](const TreeEntry&) {
    ++entries;
    return false;
  };
  EXPECT_THAT(
      WalkTree(filesystem, count_one, [](absl::string_view, const absl::Status&) { return true; }),
      IsOk());
  EXPECT_EQ(entries, 1);
  entries = 0;
  EXPECT_THAT(
      WalkTree(filesystem, count_all, [](absl::string_view, const absl::Status&) { return false; }),
      IsOk());
  EXPECT_EQ(entries, 1);
}

}  // namespace
}  // namespace iomap
