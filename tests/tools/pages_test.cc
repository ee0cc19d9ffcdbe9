#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/skip.h"
#include "tests/support/status_matchers.h"
#include "tests/tools/command_image.h"

// The man page and the completion against --help, so that they cannot fall behind.

namespace iomap::tests {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::string ContentsOf(const std::string& path) {
  std::ifstream file(absl::StrCat(IOMAP_TOOLS_DIRECTORY, "/", path));
  EXPECT_TRUE(file.is_open()) << path;
  return std::string(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
}

std::string Help(const Arguments& arguments) {
  Arguments all = arguments;
  all.push_back("--help");
  const auto result = RunIomap(all);
  EXPECT_THAT(result, IsOk());
  EXPECT_EQ(result->exit_status, 0);
  return result->output;
}

// The words, of small letters and hyphens, that stand behind `start` at the beginning of lines.
std::set<std::string> WordsBehind(absl::string_view start, const std::string& text) {
  std::set<std::string> words;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    if (absl::ConsumePrefix(&line, start)) {
      const size_t end = line.find_first_not_of("abcdefghijklmnopqrstuvwxyz-");
      words.emplace(line.substr(0, end));
    }
  }
  words.erase("");
  return words;
}

std::set<std::string> SubCommands() {
  const std::string help = Help({});
  return WordsBehind("  ", help.substr(help.find("Subcommands:")));
}

// The options that are listed in `help`, without their hyphens.
std::set<std::string> OptionsIn(const std::string& help) {
  return WordsBehind("  --", absl::StrReplaceAll(help, {{"  -h,", "  "}}));
}

// The options that a part of the man page describes.
std::set<std::string> OptionsDescribedIn(const std::string& page) {
  std::set<std::string> options = WordsBehind(".B --", page);
  options.merge(WordsBehind(".BR --", page));
  return options;
}

std::set<std::string> AllOptions() {
  std::set<std::string> options = OptionsIn(Help({}));
  for (const std::string& command : SubCommands()) {
    options.merge(OptionsIn(Help({command})));
  }
  return options;
}

TEST(Help, ListsEverySubCommandAndIsOnePageEach) {
  EXPECT_THAT(SubCommands(),
              ElementsAre("bmap", "cat", "info", "ls", "map", "replay", "seek", "stat"));
  for (const std::string& command : SubCommands()) {
    EXPECT_THAT(Help({command}), testing::HasSubstr(absl::StrCat("Usage: iomap ", command)));
    EXPECT_THAT(OptionsIn(Help({command})),
                testing::IsSupersetOf({"backend", "image-offset", "rtdev", "no-replay"}));
  }
}

TEST(ManPage, DescribesEverySubCommandAndOptionAndNoOther) {
  const std::string page = absl::StrReplaceAll(ContentsOf("man/iomap.1"), {{"\\-", "-"}});
  EXPECT_EQ(WordsBehind(".SS ", page), SubCommands());
  EXPECT_EQ(OptionsDescribedIn(page), AllOptions());
}

TEST(ManPage, PutsEachOptionUnderItsSubCommand) {
  const std::string page = absl::StrReplaceAll(ContentsOf("man/iomap.1"), {{"\\-", "-"}});
  const std::set<std::string> everywhere = OptionsIn(Help({}));
  const std::vector<std::string> sections = absl::StrSplit(page, "\n.SS ");
  for (size_t i = 1; i < sections.size(); ++i) {
    const std::string command = sections[i].substr(0, sections[i].find_first_of(" \n"));
    const std::string section = sections[i].substr(0, sections[i].find("\n.SH"));
    std::set<std::string> own = OptionsIn(Help({command}));
    for (const std::string& option : everywhere) {
      own.erase(option);
    }
    EXPECT_EQ(OptionsDescribedIn(section), own) << command;
  }
}

TEST(ManPage, IsFreeOfErrorsOfGroff) {
  IOMAP_SKIP_IF(WhyNoProgram("man"));
  EXPECT_THAT(RunBash(absl::StrCat("man --warnings -E UTF-8 -l -Tutf8 -Z ", IOMAP_TOOLS_DIRECTORY,
                                   "/man/iomap.1 2>&1 >/dev/null"))
                  ->output,
              IsEmpty());
}

// What bash offers behind `line`, of which the last word is being typed.
std::vector<std::string> Completions(const std::string& line, const std::string& directory = "/") {
  const auto result = RunBash(absl::StrCat(
      "cd ", directory, "; iomap() { \"$IOMAP\" \"$@\"; }\n",
      ". /usr/share/bash-completion/bash_completion; . ", IOMAP_TOOLS_DIRECTORY,
      "/completion/iomap\n", "COMP_LINE='", line,
      "'; COMP_POINT=${#COMP_LINE}; COMP_TYPE=9; COMP_KEY=9\n",
      // bash splits words at the characters of COMP_WORDBREAKS, colons among them.
      "words=${COMP_LINE//:/ : }; words=${words//=/ = }; COMP_WORDS=($words)\n",
      "[[ $COMP_LINE == *' ' ]] && COMP_WORDS+=('')\n",
      "COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _iomap; printf '%s\\n' \"${COMPREPLY[@]}\" | sort"));
  EXPECT_THAT(result, IsOk());
  EXPECT_EQ(result->errors, "");
  return absl::StrSplit(result->output, '\n', absl::SkipEmpty());
}

class CompletionTest : public testing::Test {
 protected:
  void SetUp() override {
    IOMAP_SKIP_IF(std::ifstream("/usr/share/bash-completion/bash_completion").good()
                      ? ""
                      : "no bash-completion on this machine");
  }
};

TEST_F(CompletionTest, OffersEverySubCommand) {
  EXPECT_THAT(Completions("iomap "), testing::IsSupersetOf(SubCommands()));
  EXPECT_THAT(Completions("iomap s"), ElementsAre("seek", "stat"));
}

TEST_F(CompletionTest, OffersTheOptionsOfTheSubCommand) {
  for (const std::string& command : SubCommands()) {
    const std::vector<std::string> offered = Completions(absl::StrCat("iomap ", command, " --"));
    std::set<std::string> names;
    for (const std::string& option : offered) {
      names.insert(option.substr(2, option.find('=') - 2));
    }
    EXPECT_EQ(names, OptionsIn(Help({command}))) << command;
  }
}

TEST_F(CompletionTest, OffersTheWordsOfAnOption) {
  EXPECT_THAT(Completions("iomap map --format="),
              ElementsAre("filefrag", "json", "pbtxt", "xfs_io"));
  EXPECT_THAT(Completions("iomap stat --format="), ElementsAre("json", "text"));
  EXPECT_THAT(Completions("iomap --backend "), ElementsAre("ext4", "xfs"));
}

TEST_F(CompletionTest, OffersFilesAndThenPathsInTheImage) {
  const auto images = CommandImages::Make();
  ASSERT_THAT(images, IsOk());
  const std::string directory = images->directory().path();
  EXPECT_THAT(Completions("iomap cat ext", directory), ElementsAre("ext4.img"));
  EXPECT_THAT(Completions("iomap cat ext4.img:/he", directory), ElementsAre("/hello"));
  EXPECT_THAT(Completions("iomap map ext4.img:/hello xfs.img:/d", directory), ElementsAre("/dir/"));
  EXPECT_THAT(Completions("iomap cat xfs.img:/dir/", directory), ElementsAre("/dir/inside"));
  EXPECT_THAT(Completions("iomap cat none.img:/", directory), IsEmpty());
}

}  // namespace
}  // namespace iomap::tests
