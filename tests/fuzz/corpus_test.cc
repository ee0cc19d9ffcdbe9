// Every input of corpus/, and each image as it is, through all that the fuzzers ask.
//
// Environment:
//   IOMAP_FUZZ_INPUT=TEXT   only this one, a line of corpus/ or the path of an input's file

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "gtest/gtest.h"
#include "tests/fuzz/base_image.h"
#include "tests/fuzz/examination.h"
#include "tests/support/answers.h"
#include "tests/support/crash_note.h"
#include "tests/support/recipe_image.h"
#include "tests/support/status_matchers.h"

namespace iomap::tests {
namespace {

std::vector<std::string> LinesOf(const std::string& path) {
  std::ifstream in(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) {
    if (!line.empty() && line.front() != '#') {
      lines.push_back(line);
    }
  }
  return lines;
}

// The inputs to try: all of a backend, or the one that was asked for.
std::vector<std::string> Inputs(const std::string& backend) {
  if (const char* only = std::getenv("IOMAP_FUZZ_INPUT"); only != nullptr) {
    std::ifstream in(only, std::ios::binary);
    return {in ? std::string(std::istreambuf_iterator<char>(in), {}) : only};
  }
  std::vector<std::string> inputs = BaseImage::Names(backend);
  for (std::string& line : LinesOf(absl::StrCat(IOMAP_FUZZ_FOLDER, "/corpus/", backend, ".txt"))) {
    inputs.push_back(std::move(line));
  }
  return inputs;
}

// An image with an error would keep the fuzzers from what is behind it.
TEST(FuzzImages, AnswerEverythingWithoutAnError) {
  for (const char* backend : {"ext", "xfs"}) {
    for (const std::string& name : BaseImage::Names(backend)) {
      const absl::StatusOr<const BaseImage*> base = BaseImage::Get(name);
      ASSERT_THAT(base, IsOk()) << name;
      const absl::StatusOr<std::unique_ptr<dax::Filesystem>> filesystem =
          OpenImage((*base)->path(), {.dirty_journal = backends::DirtyJournal::kIgnore});
      ASSERT_THAT(filesystem, IsOk()) << name;
      const Answers answers = AskEverything(**filesystem, {.most = (*base)->most_work()});
      EXPECT_EQ(answers.errors, 0) << name;
      EXPECT_FALSE(answers.exceeded) << name;
      EXPECT_GT(answers.paths.size(), 8u) << name;
    }
  }
}

class Corpus : public testing::TestWithParam<std::string> {};

TEST_P(Corpus, HasNoInputThatFailsOrTakesLong) {
  const std::vector<std::string> inputs = Inputs(GetParam());
  ASSERT_FALSE(inputs.empty());
  for (const std::string& input : inputs) {
    const std::string rerun = absl::StrCat("IOMAP_FUZZ_INPUT='", input, "' tests/fuzz/fuzz_tests");
    NoteForCrash("the process died; rerun: " + rerun);
    const auto* bytes = reinterpret_cast<const std::byte*>(input.data());
    for (const std::string& fault : Examine(absl::MakeConstSpan(bytes, input.size()))) {
      ADD_FAILURE() << fault << "; rerun: " << rerun;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Backends, Corpus, testing::Values("ext", "xfs"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace iomap::tests
