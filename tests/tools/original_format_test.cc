#include <fcntl.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/loop_mount.h"
#include "tests/support/skip.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temporary_directory.h"
#include "tests/tools/command_image.h"

// The formats filefrag and xfs_io, byte for byte against the programs that they are named after,
// which ask the kernel about the same files.

namespace iomap::tests {
namespace {

struct Original {
  const char* name;
  const char* type;
  Arguments mkfs;
  // More than 10^9 blocks: filefrag's columns become wider.
  const char* far_offset;
  // Files that only this file system has, made in the root directory.
  const char* fill;
};

constexpr char kFill[] = R"(
set -e; cd "$1"
xfs_io -f -c "pwrite 0 5000" odd
xfs_io -f -c "pwrite 0 4k" -c "pwrite 40k 12k" -c "truncate 200000" sparse
# Without extents there is no preallocation.
xfs_io -f -c "falloc 0 64k" -c "falloc -k 128k 64k" -c "pwrite 0 8k" preallocated || true
xfs_io -f -c "falloc -k 0 30k" past-eof || true
xfs_io -f -c "pwrite $2 8k" far
xfs_io -f -c "truncate 1m" hole
touch empty
# 64 extents: more than one lot of xfs_io's; far apart, and then closer than the gaps in the file.
xfs_io -f -c "pwrite 0 512k" fragmented
for i in $(seq 0 8 504); do echo "fpunch ${i}k 4k"; done | xfs_io fragmented
for i in $(seq 0 3 60); do
  xfs_io -f -c "pwrite $((i * 4))k 4k" -c fsync gaps > /dev/null
  xfs_io -f -c "pwrite 0 8k" -c fsync "filler$i"
done
mkdir -p directory; touch directory/{a,b,c}
)";
constexpr char kClones[] = R"(
cp --reflink=always odd clone; cp --reflink=always fragmented clone2
xfs_io -c "pwrite 8k 4k" clone2
)";

class OriginalFormatTest : public testing::TestWithParam<Original> {
 protected:
  void SetUp() override {
    IOMAP_SKIP_IF(WhyNoMount());
    IOMAP_SKIP_IF(WhyNoProgram("filefrag"));
    IOMAP_SKIP_IF(WhyNoProgram("xfs_io"));
    absl::StatusOr<TemporaryDirectory> directory = TemporaryDirectory::Make();
    ASSERT_THAT(directory, IsOk());
    directory_ = std::make_unique<TemporaryDirectory>(*std::move(directory));
    image_ = *directory_ / "disk.img";
    mount_point_ = *directory_ / "mnt";
    ASSERT_THAT(OutputOf({"mkdir", mount_point_}), IsOk());
    ASSERT_THAT(OutputOf({"truncate", "-s", "400M", image_}), IsOk());
    Arguments mkfs = GetParam().mkfs;
    mkfs.push_back(image_);
    ASSERT_THAT(OutputOf(mkfs), IsOk());
    auto mount = Mount(MountMode::kReadWrite);
    ASSERT_THAT(mount, IsOk());
    const std::string fill = absl::StrCat(kFill, GetParam().fill);
    ASSERT_THAT(OutputOf({"bash", "-c", fill, "fill", mount_point_, GetParam().far_offset}),
                IsOk());
    ASSERT_THAT((*mount)->Unmount(), IsOk());
  }

  absl::StatusOr<std::unique_ptr<LoopMount>> Mount(MountMode mode) {
    return LoopMount::Make(image_, mount_point_, GetParam().type, mode, "");
  }

  // The regular files of the mounted image, from its root: "/a".
  std::vector<std::string> Files() {
    const auto found = OutputOf({"find", mount_point_, "-type", "f", "-printf", "/%P\n"});
    EXPECT_THAT(found, IsOk());
    return absl::StrSplit(found.value_or(""), '\n', absl::SkipEmpty());
  }

  std::string Theirs(const std::string& path, const Arguments& program) {
    Arguments arguments = program;
    arguments.push_back(mount_point_ + path);
    const auto output = OutputOf(arguments);
    EXPECT_THAT(output, IsOk());
    return absl::StrReplaceAll(output.value_or(""), {{mount_point_ + path, "FILE"}});
  }

  std::string Ours(const std::string& path, const std::string& format) {
    const std::string target = absl::StrCat(image_, ":", path);
    const auto result = RunIomap({"map", "--format=" + format, target});
    EXPECT_THAT(result, IsOk());
    EXPECT_EQ(result->errors, "");
    return absl::StrReplaceAll(result->output, {{target, "FILE"}});
  }

  std::unique_ptr<TemporaryDirectory> directory_;
  std::string image_;
  std::string mount_point_;
};

// filefrag says of files without extents how large block groups are: see filefrag_format.cc.
std::string WithoutCylinderGroups(const std::string& text) {
  std::string kept;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    if (!absl::StartsWith(line, "Filesystem cylinder groups approximately ")) {
      absl::StrAppend(&kept, kept.empty() ? "" : "\n", line);
    }
  }
  return kept;
}

TEST_P(OriginalFormatTest, IsTheSameByteForByte) {
  const auto mount = Mount(MountMode::kReadOnly);
  ASSERT_THAT(mount, IsOk());
  const std::vector<std::string> files = Files();
  ASSERT_GE(files.size(), 12u);
  for (const std::string& path : files) {
    SCOPED_TRACE(path);
    // The first question fills the kernel's cache, where records that touch become one.
    Theirs(path, {"filefrag"});
    EXPECT_EQ(Ours(path, "filefrag"), WithoutCylinderGroups(Theirs(path, {"filefrag", "-v"})));
    EXPECT_EQ(Ours(path, "xfs_io"), Theirs(path, {"xfs_io", "-r", "-c", "fiemap -v"}));
  }
}

TEST_P(OriginalFormatTest, IsTheSameForSeveralFilesAtOnce) {
  const auto mount = Mount(MountMode::kReadOnly);
  ASSERT_THAT(mount, IsOk());
  Arguments theirs = {"filefrag", "-v"};
  Arguments ours = {"map"};
  for (const std::string path : {"/odd", "/far", "/sparse"}) {
    theirs.push_back(mount_point_ + path);
    ours.push_back(absl::StrCat(image_, ":", path));
  }
  ASSERT_THAT(OutputOf(theirs), IsOk());  // fills the kernel's cache
  const auto their_output = OutputOf(theirs);
  ASSERT_THAT(their_output, IsOk());
  const auto our_result = RunIomap(ours);
  ASSERT_THAT(our_result, IsOk());
  EXPECT_EQ(absl::StrReplaceAll(our_result->output, {{image_ + ":", ""}}),
            WithoutCylinderGroups(absl::StrReplaceAll(*their_output, {{mount_point_, ""}})));
}

INSTANTIATE_TEST_SUITE_P(
    Kernel, OriginalFormatTest,
    testing::Values(
        Original{"Ext4", "ext4", {"mkfs.ext4", "-q", "-b", "4096"}, "8t", ""},
        Original{"Ext4InlineData",
                 "ext4",
                 {"mkfs.ext4", "-q", "-b", "4096", "-O", "inline_data"},
                 "8t",
                 "echo hello > inline; head -c 140 /dev/zero > inline2"},
        Original{
            "Ext3", "ext4", {"mkfs.ext4", "-q", "-b", "4096", "-O", "^extents,^64bit"}, "2t", ""},
        Original{"Ext4Blocks1024", "ext4", {"mkfs.ext4", "-q", "-b", "1024"}, "2t", ""},
        Original{"Xfs", "xfs", {"mkfs.xfs", "-q", "-m", "reflink=1"}, "8t", kClones}),
    [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace iomap::tests
