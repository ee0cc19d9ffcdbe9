#include "gtest/gtest.h"
#include "tests/support/mapping_makers.h"
#include "tests/tools/captured_output.h"
#include "tests/tools/reported_file.h"

namespace iomap::tests {
namespace {

using tools::PastEof;

constexpr char kHeader[] = "{\"image\":\"disk.img\",\"path\":\"/a\",\"inode\":12,\"size\":";
constexpr char kHeaderEnd[] = ",\"backend\":\"ext4\",\"block_size\":4096}\n";

std::string Lines(uint64_t size, absl::string_view mappings) {
  return absl::StrCat(kHeader, size, kHeaderEnd, mappings);
}

TEST(JsonFormat, PrintsWhatTheCommandsPageShows) {
  ReportedListedFile file(
      20480, {UnwrittenAt(98304, {0, 4096}), MappedAt(102400, {4096, 8192}, MappingFlag::kShared)});
  EXPECT_EQ(
      file.In("json"),
      Lines(20480,
            "{\"offset\":0,\"length\":4096,\"type\":\"unwritten\",\"address\":98304,\"device\":0,"
            "\"flags\":[]}\n"
            "{\"offset\":4096,\"length\":8192,\"type\":\"mapped\",\"address\":102400,\"device\":0,"
            "\"flags\":[\"shared\"]}\n"
            "{\"offset\":12288,\"length\":8192,\"type\":\"hole\",\"flags\":[]}\n"));
}

TEST(JsonFormat, JoinsRecordsThatTouch) {
  ReportedListedFile file(8192, {MappedAt(4096, {0, 4096}), MappedAt(8192, {4096, 4096})});
  EXPECT_EQ(file.In("json"),
            Lines(8192,
                  "{\"offset\":0,\"length\":8192,\"type\":\"mapped\",\"address\":4096,"
                  "\"device\":0,\"flags\":[]}\n"));
}

TEST(JsonFormat, ListsTheLastBlockWholeAndNothingBehindIt) {
  ReportedListedFile file(5000, {MappedAt(40960, {0, 16384}), UnwrittenAt(4096, {20480, 4096})});
  EXPECT_EQ(file.In("json"),
            Lines(5000,
                  "{\"offset\":0,\"length\":8192,\"type\":\"mapped\",\"address\":40960,"
                  "\"device\":0,\"flags\":[]}\n"));
}

TEST(JsonFormat, ListsBlocksPastTheEndWhenAsked) {
  ReportedListedFile file(5000, {MappedAt(40960, {0, 8192}), UnwrittenAt(4096, {16384, 4096})});
  EXPECT_EQ(
      file.In("json", PastEof::kList),
      Lines(5000,
            "{\"offset\":0,\"length\":8192,\"type\":\"mapped\",\"address\":40960,\"device\":0,"
            "\"flags\":[]}\n"
            "{\"offset\":8192,\"length\":8192,\"type\":\"hole\",\"flags\":[]}\n"
            "{\"offset\":16384,\"length\":4096,\"type\":\"unwritten\",\"address\":4096,"
            "\"device\":0,\"flags\":[]}\n"));
}

TEST(JsonFormat, EndsAHoleWithTheFile) {
  const std::string hole = "{\"offset\":0,\"length\":5000,\"type\":\"hole\",\"flags\":[]}\n";
  ReportedListedFile file(5000, {});
  EXPECT_EQ(file.In("json"), Lines(5000, hole));
  EXPECT_EQ(file.In("json", PastEof::kList), Lines(5000, hole));
}

TEST(JsonFormat, PrintsOneLineForAnEmptyFile) {
  ReportedListedFile file(0, {});
  EXPECT_EQ(file.In("json"), Lines(0, ""));
  EXPECT_EQ(file.In("json", PastEof::kList), Lines(0, ""));
}

TEST(JsonFormat, LeavesOutAnAddressThatMeansNothing) {
  Mapping inline_data = InlineIn({0, 60});
  inline_data.address = 4711;
  ReportedListedFile file(60, {inline_data});
  EXPECT_EQ(file.In("json"),
            Lines(60, "{\"offset\":0,\"length\":60,\"type\":\"inline\",\"flags\":[]}\n"));
}

TEST(JsonFormat, NamesTheDeviceAndTheFlags) {
  ReportedListedFile file(
      4096, {MappedAt(0, {0, 4096}, MappingFlag::kShared | MappingFlag::kEncoded, /*device=*/1)});
  EXPECT_EQ(file.In("json"),
            Lines(4096,
                  "{\"offset\":0,\"length\":4096,\"type\":\"mapped\",\"address\":0,"
                  "\"device\":1,\"flags\":[\"shared\",\"encoded\"]}\n"));
}

TEST(JsonFormat, PrintsAFileThatCannotBeMappedAsALine) {
  EXPECT_EQ(Captured([](tools::Output& output) {
              EXPECT_TRUE(tools::MakeJsonFormat(PastEof::kLeaveOut, output)
                              ->WriteFailure("disk.img", "/\"", absl::DataLossError("inode 5: x")));
            }),
            "{\"path\":\"/\\\"\",\"error\":\"inode 5: x\"}\n");
}

}  // namespace
}  // namespace iomap::tests
