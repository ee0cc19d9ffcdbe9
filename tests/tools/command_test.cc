#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/file_descriptor.h"
#include "tests/support/status_matchers.h"
#include "tests/tools/command_image.h"

// The command as a process, on images that mkfs made without root.

namespace iomap::tests {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;

MATCHER_P3(Ended, exit_status, output, errors, "ended as expected") {
  if (!arg.ok()) {
    *result_listener << arg.status().ToString();
    return false;
  }
  *result_listener << "exit status " << arg->exit_status << ", output "
                   << arg->output.substr(0, 500) << ", errors " << arg->errors;
  return arg->exit_status == exit_status && testing::Matches(output)(arg->output) &&
         testing::Matches(errors)(arg->errors);
}

auto Prints(const testing::Matcher<std::string>& output) { return Ended(0, output, ""); }
// With a message of one line.
auto Fails(int exit_status, const testing::Matcher<std::string>& errors) {
  return Ended(exit_status, "", testing::AllOf(errors, testing::MatchesRegex("iomap: [^\n]*\n")));
}

std::vector<json> JsonLines(const std::string& text) {
  std::vector<json> lines;
  for (absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    lines.push_back(json::parse(line));
  }
  return lines;
}

class CommandTest : public testing::TestWithParam<const char*> {
 protected:
  static void SetUpTestSuite() {
    absl::StatusOr<CommandImages> images = CommandImages::Make();
    ASSERT_THAT(images, IsOk());
    images_ = std::make_unique<CommandImages>(*std::move(images));
  }
  static void TearDownTestSuite() { images_.reset(); }

  static const CommandImages& images() { return *images_; }
  // The image of this test's backend.
  static std::string image() {
    return std::string(GetParam()) == "xfs" ? images_->xfs() : images_->ext4();
  }
  static std::string At(const std::string& path) { return absl::StrCat(image(), ":", path); }

 private:
  static std::unique_ptr<CommandImages> images_;
};
std::unique_ptr<CommandImages> CommandTest::images_;

INSTANTIATE_TEST_SUITE_P(Backend, CommandTest, testing::Values("ext4", "xfs"),
                         [](const auto& info) { return std::string(info.param); });

class Ext4CommandTest : public CommandTest {};
INSTANTIATE_TEST_SUITE_P(Backend, Ext4CommandTest, testing::Values("ext4"),
                         [](const auto& info) { return std::string(info.param); });

TEST_P(Ext4CommandTest, HasNoUseForARealtimeDevice) {
  EXPECT_THAT(RunIomap({"ls", "--rtdev=" + image(), At("/")}),
              Fails(2, HasSubstr("no realtime device")));
}

TEST_P(CommandTest, CatPrintsContentsAndFollowsALink) {
  EXPECT_THAT(RunIomap({"cat", At("/hello")}), Prints("hello\n"));
  EXPECT_THAT(RunIomap({"cat", At("/link")}), Prints("hello\n"));
  EXPECT_THAT(RunIomap({"cat", At("/dir/../dir/inside")}), Prints("inside\n"));
  EXPECT_THAT(RunIomap({"cat", At("/empty")}), Prints(""));
}

TEST_P(CommandTest, CatFillsHolesWithZeros) {
  std::string contents(4 << 20, '\0');
  contents.replace(1 << 20, 8192, 8192, 'x');
  EXPECT_THAT(RunIomap({"cat", At("/sparse")}), Prints(contents));
}

TEST_P(CommandTest, CatRefusesADirectory) {
  EXPECT_THAT(RunIomap({"cat", At("/dir")}),
              Fails(1, HasSubstr("/dir: not a regular file but a directory")));
}

TEST_P(CommandTest, LsSortsNames) {
  const auto listed = RunIomap({"ls", At("/")});
  ASSERT_THAT(listed, Prints(HasSubstr("dir\nempty\n")));
  std::vector<std::string> names = absl::StrSplit(listed->output, '\n');
  EXPECT_TRUE(std::is_sorted(names.begin(), names.end() - 1));
  EXPECT_THAT(RunIomap({"ls", At("/dir")}), Prints("inside\n"));
}

TEST_P(CommandTest, LsListsAnythingElseAsItself) {
  EXPECT_THAT(RunIomap({"ls", At("/dir/inside")}), Prints("inside\n"));
  const auto listed = RunIomap({"ls", "--format=json", At("/link")});
  ASSERT_THAT(listed, IsOk());
  const json entry = json::parse(listed->output);
  EXPECT_EQ(entry["name"], "link");
  EXPECT_EQ(entry["type"], "symlink");
}

TEST_P(CommandTest, LsTellsInodesAndTypes) {
  const auto listed = RunIomap({"ls", "--format=json", At("/")});
  ASSERT_THAT(listed, IsOk());
  for (const json& entry : JsonLines(listed->output)) {
    EXPECT_EQ(entry.size(), entry.contains("name_hex") ? 4 : 3) << entry;
    const std::string inode = absl::StrCat("<", entry["inode"].get<uint64_t>(), ">");
    const auto status = RunIomap({"stat", "--format=json", absl::StrCat(image(), ":", inode)});
    ASSERT_THAT(status, Ended(0, testing::_, ""));
    EXPECT_EQ(json::parse(status->output)["type"], entry["type"]);
  }
}

TEST_P(CommandTest, StatHasTheKeysOfItsPageInOrder) {
  const auto file = RunIomap({"stat", "--format=json", At("/hello")});
  ASSERT_THAT(file, IsOk());
  EXPECT_THAT(
      file->output,
      testing::MatchesRegex(
          "\\{\"inode\":[0-9]+,\"type\":\"file\",\"mode\":33188,\"uid\":[0-9]+,\"gid\":[0-9]+,"
          "\"nlink\":[12],\"size\":6,\"blocks\":8,\"mtime\":[0-9]+\\.[0-9]{9},"
          "\"ctime\":[0-9]+\\.[0-9]{9},\"atime\":[0-9]+\\.[0-9]{9}\\}\n"));
  const auto link = RunIomap({"stat", "--format=json", At("/link")});
  ASSERT_THAT(link, IsOk());
  EXPECT_THAT(link->output, testing::EndsWith(",\"target\":\"hello\"}\n"));
}

TEST_P(CommandTest, StatIsReadableForPeople) {
  EXPECT_THAT(RunIomap({"stat", At("/dir")}),
              Prints(testing::AllOf(HasSubstr("  File: " + At("/dir") + "\n"),
                                    HasSubstr("(0755/drwxr-xr-x)"), HasSubstr("\nModify: 20"))));
  EXPECT_THAT(RunIomap({"stat", At("/link")}), Prints(HasSubstr(":/link -> hello\n")));
}

TEST_P(Ext4CommandTest, SeekFindsDataAndHoles) {
  EXPECT_THAT(RunIomap({"seek", At("/sparse"), "--data", "0"}), Prints("1048576\n"));
  EXPECT_THAT(RunIomap({"seek", At("/sparse"), "--data=1025K"}), Prints("1049600\n"));
  EXPECT_THAT(RunIomap({"seek", At("/sparse"), "--hole", "1M"}), Prints("1056768\n"));
  EXPECT_THAT(RunIomap({"seek", At("/link"), "--hole=0"}), Prints("6\n"));
}

TEST_P(Ext4CommandTest, SeekSaysNoWhereLseekSaysEnxio) {
  EXPECT_THAT(RunIomap({"seek", At("/sparse"), "--data", "2M"}), Fails(1, HasSubstr("no data")));
  EXPECT_THAT(RunIomap({"seek", At("/sparse"), "--hole", "4M"}),
              Fails(1, HasSubstr("end of file")));
}

TEST_P(Ext4CommandTest, MapAndBmapAgree) {
  const auto mapped = RunIomap({"map", "--format=json", At("/sparse")});
  ASSERT_THAT(mapped, Ended(0, testing::_, ""));
  const std::vector<json> lines = JsonLines(mapped->output);
  ASSERT_EQ(lines.size(), 4u);
  EXPECT_EQ(lines[0]["image"], image());
  EXPECT_EQ(lines[0]["path"], "/sparse");
  EXPECT_EQ(lines[0]["size"], 4 << 20);
  EXPECT_EQ(lines[0]["backend"], GetParam());
  EXPECT_EQ(lines[1]["type"], "hole");
  EXPECT_EQ(lines[2]["type"], "mapped");
  EXPECT_EQ(lines[2]["length"], 8192);
  EXPECT_EQ(lines[3]["type"], "hole");
  const uint64_t block = lines[2]["address"].get<uint64_t>() / 4096;
  EXPECT_THAT(RunIomap({"bmap", At("/sparse"), "257"}), Prints(absl::StrCat(block + 1, "\n")));
  EXPECT_THAT(RunIomap({"bmap", At("/sparse"), "0"}), Prints("0\n"));
}

TEST_P(CommandTest, MapDoesNotFollowTheLastLink) {
  const auto mapped = RunIomap({"map", "--format=json", At("/link")});
  ASSERT_THAT(mapped, IsOk());
  const std::vector<json> lines = JsonLines(mapped->output);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0]["size"], 5);
  EXPECT_EQ(lines[1]["type"], "inline");
}

TEST_P(CommandTest, MapGoesOnBehindAPathThatIsNotThere) {
  const auto mapped = RunIomap({"map", "--format=json", At("/none"), At("/empty")});
  ASSERT_THAT(mapped, Ended(1, HasSubstr("\"path\":\"/empty\""),
                            absl::StrCat("iomap: ", image(),
                                         ": /none: no such file or directory (none)\n")));
}

TEST_P(CommandTest, InfoDescribesTheImage) {
  const auto described = RunIomap({"info", "--format=json", image()});
  ASSERT_THAT(described, IsOk());
  const json info = json::parse(described->output);
  EXPECT_EQ(info["backend"], GetParam());
  EXPECT_EQ(info["block_size"], 4096);
  EXPECT_THAT(info["uuid"].get<std::string>(), testing::SizeIs(36));
  EXPECT_GT(info["free"].get<uint64_t>(), 0u);
  EXPECT_FALSE(info["features"].empty());
  EXPECT_TRUE(
      info["geometry"][GetParam() == std::string("ext4") ? "groups" : "agcount"].is_number());
  ASSERT_EQ(info["devices"].size(), 1u);
  // Each way to track stores is in one of the two.
  const json& device = info["devices"][0];
  EXPECT_EQ(device["tracking"].size() + device["no_tracking"].size(), 5u);
  EXPECT_EQ(device["tracking"].back(), "nothing");
  EXPECT_THAT(RunIomap({"info", image()}),
              Prints(testing::AllOf(HasSubstr("format:"), HasSubstr("journal:"),
                                    HasSubstr("device 0:"), HasSubstr("tracking 0:"))));
}

TEST_P(CommandTest, InfoSaysHowStoresToADeviceBecomeDurable) {
  const auto described = [](const std::string& environment) {
    return RunBash(absl::StrCat(environment, " $IOMAP info ", image()));
  };
  EXPECT_THAT(described("PMEM_IS_PMEM_FORCE=0"),
              Prints(HasSubstr("bytes, file in the page cache, msync: not persistent memory\n")));
  EXPECT_THAT(described("PMEM_IS_PMEM_FORCE=1"),
              Prints(testing::ContainsRegex("bytes, persistent memory, cl[a-z]+ and sfence, by")));
  EXPECT_THAT(described("PMEM_IS_PMEM_FORCE=1 PMEM_NO_FLUSH=1"),
              Prints(HasSubstr("bytes, persistent memory, sfence alone, by libpmem\n")));
}

TEST_P(CommandTest, InfoSaysWhyADeviceCannotBeWrittenTo) {
  // A sealed file, since root may write to any other.
  const FileDescriptor sealed(memfd_create("image", MFD_ALLOW_SEALING));
  ASSERT_TRUE(sealed.is_open());
  const std::string path = absl::StrCat("/proc/self/fd/", sealed.get());
  std::ofstream(path) << std::ifstream(image()).rdbuf();
  ASSERT_EQ(fcntl(sealed.get(), F_ADD_SEALS, F_SEAL_WRITE), 0);
  EXPECT_THAT(RunIomap({"info", path}),
              Prints(testing::ContainsRegex("bytes, file, none: pmem_map_file: .*not permitted")));
}

TEST_P(CommandTest, OpensAFileSystemInsideALargerImage) {
  const std::string larger = images().directory() / "larger.img";
  std::ofstream(larger) << std::string(1536, 'p') << std::ifstream(image()).rdbuf();
  EXPECT_THAT(RunIomap({"--image-offset=1536", "cat", larger + ":/hello"}), Prints("hello\n"));
  EXPECT_THAT(RunIomap({"cat", larger + ":/hello", "--image-offset", "1536"}), Prints("hello\n"));
  EXPECT_THAT(RunIomap({"cat", larger + ":/hello"}), Fails(3, HasSubstr("magic number")));
  EXPECT_THAT(RunIomap({"cat", larger + ":/hello", "--image-offset=1T"}),
              Fails(2, HasSubstr("past the end")));
}

TEST_P(CommandTest, TakesTheBackendThatIsNamed) {
  EXPECT_THAT(RunIomap({"cat", "--backend", GetParam(), At("/hello")}), Prints("hello\n"));
  const std::string other = std::string(GetParam()) == "xfs" ? "ext4" : "xfs";
  EXPECT_THAT(RunIomap({"cat", "--backend", other, At("/hello")}), Fails(3, HasSubstr(image())));
}

TEST_P(CommandTest, SaysNoForWhatIsNotThere) {
  EXPECT_THAT(RunIomap({"stat", At("/none/x")}), Fails(1, HasSubstr("no such file")));
  EXPECT_THAT(RunIomap({"ls", At("/hello/x")}), Fails(1, HasSubstr("not a directory")));
  EXPECT_THAT(RunIomap({"map", image() + ":<999999999999>"}), Fails(1, HasSubstr("999999999999")));
}

TEST_P(CommandTest, SaysThatItsOutputIsLost) {
  EXPECT_THAT(RunBash(absl::StrCat("$IOMAP cat ", At("/sparse"), " > /dev/full")),
              Fails(4, HasSubstr("standard output: write: No space left on device")));
  EXPECT_THAT(RunBash(absl::StrCat("$IOMAP map ", At("/empty"), " > /dev/full")),
              Fails(4, HasSubstr("No space left on device")));
  EXPECT_THAT(RunBash(absl::StrCat("$IOMAP ls ", At("/"), " >&-")),
              Fails(4, HasSubstr("Bad file descriptor")));
}

TEST_P(CommandTest, DiesQuietlyOfAClosedPipe) {
  EXPECT_THAT(RunBash(absl::StrCat("$IOMAP cat ", At("/sparse"),
                                   " | head -c 1 | wc -c; echo ${PIPESTATUS[0]}")),
              Prints("1\n141\n"));
}

TEST_P(Ext4CommandTest, MapAllListsEachRegularFileOnceInOrderOfPath) {
  const auto mapped = RunIomap({"map", "--all", "--format=json", image()});
  ASSERT_THAT(mapped, Ended(0, testing::_, ""));
  std::vector<std::string> paths;
  for (const json& line : JsonLines(mapped->output)) {
    if (line.contains("path")) {
      paths.push_back(line["path"]);
    }
  }
  EXPECT_THAT(paths,
              ElementsAre("/bad\xEF\xBF\xBD", "/dir/inside", "/empty", "/hard", "/old", "/sparse"));
}

TEST_P(Ext4CommandTest, MapAllGoesOnBehindADamagedInode) {
  const std::string damaged = images().directory() / "damaged.img";
  std::ofstream(damaged) << std::ifstream(image()).rdbuf();
  const auto status = RunIomap({"stat", "--format=json", At("/dir/inside")});
  ASSERT_THAT(status, IsOk());
  const auto inode = json::parse(status->output)["inode"].get<uint64_t>();
  ASSERT_THAT(OutputOf({"debugfs", "-w", "-R",
                        absl::StrCat("set_inode_field <", inode, "> checksum 1"), damaged}),
              IsOk());
  const auto mapped = RunIomap({"map", "--all", "--format=json", damaged});
  ASSERT_THAT(mapped, Ended(3, HasSubstr("\"path\":\"/sparse\""), ""));
  int errors = 0;
  for (const json& line : JsonLines(mapped->output)) {
    if (line.contains("error")) {
      EXPECT_EQ(line["path"], "/dir/inside");
      ++errors;
    }
  }
  EXPECT_EQ(errors, 1);
  EXPECT_THAT(
      RunIomap({"map", "--all", damaged}),
      Ended(3, HasSubstr("damaged.img:/sparse: 1 extent found"), HasSubstr("/dir/inside: ")));
  EXPECT_THAT(RunIomap({"map", damaged + ":/dir/inside"}), Fails(3, HasSubstr("/dir/inside")));
}

TEST_P(Ext4CommandTest, MapAllNamesAnInodeThatIsNotWhatItsDirectorySays) {
  const std::string damaged = images().directory() / "wrong_type.img";
  std::ofstream(damaged) << std::ifstream(image()).rdbuf();
  ASSERT_THAT(OutputOf({"debugfs", "-w", "-R", "set_inode_field /empty mode 010644", damaged}),
              IsOk());
  EXPECT_THAT(RunIomap({"map", "--all", "--format=json", damaged}),
              Ended(3, HasSubstr(": a fifo, its directory says file\"}"), ""));
}

TEST_P(Ext4CommandTest, ReadsANameThatIsNotUtf8) {
  EXPECT_THAT(RunIomap({"cat", At("/bad\xFF")}), Prints("bad\n"));
  const auto listed = RunIomap({"ls", "--format=json", At("/bad\xFF")});
  ASSERT_THAT(listed, IsOk());
  EXPECT_EQ(json::parse(listed->output)["name_hex"], "626164ff");
}

TEST_P(Ext4CommandTest, StatPrintsTimesBefore1970) {
  struct stat source;
  ASSERT_EQ(lstat((images().directory() / "tree/old").c_str(), &source), 0);
  ASSERT_EQ(source.st_mtim.tv_sec, -1);
  const auto status = RunIomap({"stat", "--format=json", At("/old")});
  // mkfs -d may keep the nanoseconds or drop them.
  ASSERT_THAT(status, Prints(testing::AnyOf(HasSubstr("\"mtime\":-0.500000000,"),
                                            HasSubstr("\"mtime\":-1.000000000,"))));
}

TEST(CommandLine, SaysInOneLineWhatIsWrong) {
  for (const Arguments& arguments :
       std::vector<Arguments>{{},
                              {"nosuch"},
                              {"map"},
                              {"cat"},
                              {"cat", "a:/b", "c:/d"},
                              {"cat", "disk.img"},
                              {"map", "--all", "a.img", "b.img"},
                              {"map", "--format=nosuch", "a:/b"},
                              {"bmap", "a:/b"},
                              {"bmap", "a:/b", "-1"},
                              {"bmap", "a:/b", "0x1"},
                              {"seek", "a:/b"},
                              {"seek", "a:/b", "--data=1", "--hole=1"},
                              {"seek", "a:/b", "--data=-1"},
                              {"seek", "a:/b", "--data=1X"},
                              {"seek", "a:/b", "--data=20000000000000000000"},
                              {"seek", "a:/b", "--data=99999999999T"},
                              {"ls", "--nosuch", "a:/b"},
                              {"info", "--backend=nosuch", "a.img"},
                              {"replay", "a.img"},
                              {"replay", "--dry-run", "--no-replay", "a.img"},
                              {"--image-offset", "info"}}) {
    EXPECT_THAT(RunIomap(arguments), Fails(2, testing::_)) << testing::PrintToString(arguments);
  }
}

TEST(CommandLine, NamesTheWordThatIsNoSubCommand) {
  EXPECT_THAT(RunIomap({"nosuch", "a.img"}), Fails(2, HasSubstr("nosuch")));
  EXPECT_THAT(RunIomap({}), Fails(2, HasSubstr("sub-command")));
}

TEST(CommandLine, TellsAnImageFromAFileInOne) {
  EXPECT_THAT(RunIomap({"info", "/nosuch.img:/"}), Fails(2, HasSubstr("not a file in one")));
  EXPECT_THAT(RunIomap({"map", "--all", "/nosuch.img:<12>"}),
              Fails(2, HasSubstr("not a file in one")));
  EXPECT_THAT(RunIomap({"replay", "--dry-run", "/nosuch.img:/a"}),
              Fails(2, HasSubstr("not a file in one")));
}

TEST(CommandLine, IsAboutTheImageWhenThatCannotBeOpened) {
  EXPECT_THAT(RunIomap({"info", "/nosuch.img"}),
              Fails(4, "iomap: /nosuch.img: open: No such file or directory\n"));
  EXPECT_THAT(RunIomap({"info", "/dev/null"}),
              Fails(4, HasSubstr("neither a file nor a block device")));
}

TEST(CommandLine, PrintsItsVersion) {
  EXPECT_THAT(RunIomap({"--version"}),
              Prints(testing::MatchesRegex("iomap [0-9]+\\.[0-9]+\\.[0-9]+\n")));
}

}  // namespace
}  // namespace iomap::tests
