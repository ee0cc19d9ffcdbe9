#include <google/protobuf/text_format.h>

#include "gtest/gtest.h"
#include "proto/mapping.pb.h"
#include "tests/support/mapping_makers.h"
#include "tests/support/status_matchers.h"
#include "tests/tools/captured_output.h"
#include "tests/tools/reported_file.h"

namespace iomap::tests {
namespace {

TEST(PbtxtFormat, PrintsZerosToo) {
  ReportedListedFile file(4096, {MappedAt(0, {0, 4096}, MappingFlag::kShared)});
  EXPECT_EQ(file.In("pbtxt"),
            "files {\n"
            "  image: \"disk.img\"\n"
            "  path: \"/a\"\n"
            "  inode: 12\n"
            "  size: 4096\n"
            "  backend: \"ext4\"\n"
            "  block_size: 4096\n"
            "  mappings {\n"
            "    offset: 0\n"
            "    length: 4096\n"
            "    type: MAPPED\n"
            "    address: 0\n"
            "    device: 0\n"
            "    flags: SHARED\n"
            "  }\n"
            "}\n");
}

TEST(PbtxtFormat, OfSeveralFilesIsOneMessage) {
  ReportedListedFile first(8192, {UnwrittenAt(4096, {0, 4096})});
  ReportedListedFile second(10, {InlineIn({0, 10})}, "/\xFF");
  const std::string text = Captured([&](tools::Output& output) {
    const auto format = tools::MakePbtxtFormat(tools::PastEof::kLeaveOut, output);
    EXPECT_THAT(format->Write(first.report()), IsOk());
    EXPECT_THAT(format->Write(second.report()), IsOk());
    EXPECT_TRUE(format->WriteFailure("disk.img", "/c", absl::DataLossError("damaged")));
  });
  proto::MapReport report;
  ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &report)) << text;
  ASSERT_EQ(report.files_size(), 3);
  EXPECT_EQ(report.files(0).mappings_size(), 2);
  EXPECT_EQ(report.files(0).mappings(0).type(), proto::Mapping::UNWRITTEN);
  EXPECT_EQ(report.files(0).mappings(1).type(), proto::Mapping::HOLE);
  EXPECT_FALSE(report.files(0).mappings(1).has_address());
  EXPECT_EQ(report.files(1).path(), "/\xFF");
  EXPECT_EQ(report.files(1).mappings(0).type(), proto::Mapping::INLINE);
  EXPECT_EQ(report.files(2).error(), "damaged");
}

}  // namespace
}  // namespace iomap::tests
