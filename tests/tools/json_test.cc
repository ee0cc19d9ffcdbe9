#include "tools/json.h"

#include <nlohmann/json.hpp>
#include <string>

#include "gtest/gtest.h"
#include "tests/tools/captured_output.h"

namespace iomap::tools {
namespace {

using tests::Captured;

std::string ObjectWith(absl::string_view value) {
  return Captured([&](Output& output) { JsonObject(output).String("name", value).End(); });
}

TEST(Json, WritesMembersInOrderOnOneLine) {
  EXPECT_EQ(Captured([](Output& output) {
              JsonObject object(output);
              object.Number("a", 18446744073709551615u).Time("t", {-1, 500000000});
              object.Strings("s", {"x", "y"}).Strings("none", {});
              object.EndLine();
            }),
            "{\"a\":18446744073709551615,\"t\":-0.500000000,\"s\":[\"x\",\"y\"],\"none\":[]}\n");
}

TEST(Json, EscapesWhatAStringMustNotHold) {
  EXPECT_EQ(ObjectWith("a\"b\\c\n\x01\x7f"), "{\"name\":\"a\\\"b\\\\c\\u000a\\u0001\x7f\"}");
}

TEST(Json, KeepsUtf8) {
  const std::string text = "\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80\xED\x9F\xBF\xF4\x8F\xBF\xBF";
  EXPECT_EQ(ObjectWith(text), "{\"name\":\"" + text + "\"}");
}

TEST(Json, ReplacesEachByteThatIsNotUtf8AndAddsThemAllInHexadecimal) {
  EXPECT_EQ(ObjectWith("a\xFF"), "{\"name\":\"a\xEF\xBF\xBD\",\"name_hex\":\"61ff\"}");
}

TEST(Json, IsReadableForAParserWhateverTheBytes) {
  const std::string pieces[] = {"\x80",
                                "\xC0\xAF",
                                "\xC3",
                                "\xE0\x9F\xBF",
                                "\xED\xA0\x80",
                                "\xE2\x82",
                                "\xF0\x8F\xBF\xBF",
                                "\xF4\x90\x80\x80",
                                "\xF5",
                                "\xE2\x82\xFF",
                                std::string(1, '\0')};
  for (const std::string& piece : pieces) {
    for (const std::string& text : {piece, "x" + piece, piece + "x"}) {
      const nlohmann::json object = nlohmann::json::parse(ObjectWith(text));
      const bool is_text = piece == std::string(1, '\0');
      EXPECT_EQ(object.contains("name_hex"), !is_text);
    }
  }
}

TEST(Json, AgreesWithAParserAboutEveryTwoByteString) {
  for (int first = 0; first < 256; ++first) {
    for (int second = 0; second < 256; second += 7) {
      const std::string text = {static_cast<char>(first), static_cast<char>(second)};
      const nlohmann::json object = nlohmann::json::parse(ObjectWith(text));
      if (!object.contains("name_hex")) {
        EXPECT_EQ(object["name"], text);
      }
    }
  }
}

}  // namespace
}  // namespace iomap::tools
