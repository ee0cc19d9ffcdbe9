#include "tests/support/debugfs_referee.h"

#include <algorithm>
#include <cstdio>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "iomap/status_macros.h"
#include "tests/support/command.h"

namespace iomap::tests {
namespace {

constexpr uint32_t kIndexFlag = 0x1000;
constexpr uint32_t kInlineDataFlag = 0x10000000;

constexpr absl::string_view kPrompt = "debugfs: ";

absl::Status CannotParse(absl::string_view what, absl::string_view text) {
  return absl::InternalError(absl::StrCat("debugfs: cannot parse ", what, " in \"", text, "\""));
}

// The word after `label` in `line`.
std::optional<absl::string_view> WordAfter(absl::string_view line, absl::string_view label) {
  const size_t place = line.find(label);
  if (place == absl::string_view::npos) {
    return std::nullopt;
  }
  const absl::string_view rest =
      absl::StripLeadingAsciiWhitespace(line.substr(place + label.size()));
  return rest.substr(0, rest.find_first_of(" \n"));
}

template <typename Number>
absl::StatusOr<Number> NumberAfter(absl::string_view text, absl::string_view label) {
  const std::optional<absl::string_view> word = WordAfter(text, label);
  Number number = 0;
  if (!word.has_value() || !absl::SimpleAtoi(*word, &number)) {
    return CannotParse(label, text.substr(0, 400));
  }
  return number;
}

absl::StatusOr<uint32_t> HexAfter(absl::string_view text, absl::string_view label) {
  const std::optional<absl::string_view> word = WordAfter(text, label);
  uint32_t number = 0;
  if (!word.has_value() || !absl::SimpleHexAtoi(word->substr(0, word->find(':')), &number)) {
    return CannotParse(label, text.substr(0, 400));
  }
  return number;
}

// "LABEL: 0xSECONDS:EXTRA -- ...", where a small inode has no EXTRA: 30 bits of nanoseconds and 2
// more of the seconds.
absl::StatusOr<Timestamp> TimeAfter(absl::string_view text, absl::string_view label) {
  IOMAP_ASSIGN_OR_RETURN(const uint32_t seconds, HexAfter(text, label));
  const absl::string_view word = *WordAfter(text, label);
  uint32_t extra = 0;
  const size_t colon = word.find(':');
  if (colon != absl::string_view::npos && !absl::SimpleHexAtoi(word.substr(colon + 1), &extra)) {
    return CannotParse(label, word);
  }
  return Timestamp{int64_t{static_cast<int32_t>(seconds)} + (int64_t{extra & 3} << 32), extra >> 2};
}

absl::StatusOr<uint32_t> TypeBits(absl::string_view stat_text) {
  constexpr std::pair<absl::string_view, uint32_t> kTypes[] = {
      {"Type: regular ", 0100000}, {"Type: directory ", 0040000}, {"Type: symlink ", 0120000},
      {"Type: FIFO ", 0010000},    {"Type: socket ", 0140000},    {"Type: character ", 0020000},
      {"Type: block ", 0060000}};
  for (const auto& [label, bits] : kTypes) {
    if (absl::StrContains(stat_text, label)) {
      return bits;
    }
  }
  return CannotParse("the type", stat_text.substr(0, 100));
}

absl::StatusOr<Attributes> ParseAttributes(absl::string_view text) {
  Attributes attributes;
  IOMAP_ASSIGN_OR_RETURN(attributes.inode, NumberAfter<uint64_t>(text, "Inode: "));
  IOMAP_ASSIGN_OR_RETURN(const uint32_t type_bits, TypeBits(text));
  const std::optional<absl::string_view> mode = WordAfter(text, "Mode: ");
  unsigned permissions = 0;
  if (!mode.has_value() || std::sscanf(std::string(*mode).c_str(), "%o", &permissions) != 1) {
    return CannotParse("the mode", text.substr(0, 100));
  }
  attributes.mode = type_bits | permissions;
  attributes.type = FileTypeOfMode(attributes.mode);
  IOMAP_ASSIGN_OR_RETURN(attributes.uid, NumberAfter<uint32_t>(text, "User: "));
  IOMAP_ASSIGN_OR_RETURN(attributes.gid, NumberAfter<uint32_t>(text, "Group: "));
  IOMAP_ASSIGN_OR_RETURN(attributes.link_count, NumberAfter<uint32_t>(text, "Links: "));
  IOMAP_ASSIGN_OR_RETURN(attributes.size, NumberAfter<uint64_t>(text, "Size: "));
  IOMAP_ASSIGN_OR_RETURN(attributes.blocks_512, NumberAfter<uint64_t>(text, "Blockcount: "));
  IOMAP_ASSIGN_OR_RETURN(attributes.modification_time, TimeAfter(text, "mtime: "));
  IOMAP_ASSIGN_OR_RETURN(attributes.change_time, TimeAfter(text, "ctime: "));
  return attributes;
}

// One item of the block list: "(0-11):8193-8204", "(12[u]):9000", "(ETB0):7408", "(IND):33". What
// is in parentheses and is no number is a block of metadata, and a fact.
absl::Status ParseBlockItem(absl::string_view item, uint32_t block_size, ExtentList& extents,
                            std::set<std::string>& facts) {
  const std::string text(item);
  unsigned long long first = 0;
  unsigned long long last = 0;
  unsigned long long block = 0;
  const bool is_run = std::sscanf(text.c_str(), "(%llu-%llu", &first, &last) == 2;
  if (!is_run && std::sscanf(text.c_str(), "(%llu", &first) == 1) {
    last = first;
  } else if (!is_run) {
    int depth = 0;
    if (std::sscanf(text.c_str(), "(ETB%d)", &depth) == 1) {
      facts.insert(absl::StrCat("extent depth ", depth + 1));
    } else {
      facts.insert(absl::StrCat("indirect ", absl::StartsWith(item, "(T")   ? 3
                                             : absl::StartsWith(item, "(D") ? 2
                                                                            : 1));
    }
    return absl::OkStatus();
  }
  const size_t colon = text.find("):");
  if (colon == std::string::npos || std::sscanf(text.c_str() + colon, "):%llu", &block) != 1) {
    return CannotParse("a run of blocks", item);
  }
  const bool unwritten = absl::StrContains(item, "[u]");
  extents.push_back(Mapping{.offset = first * block_size,
                            .length = (last - first + 1) * block_size,
                            .address = block * block_size,
                            .type = unwritten ? MappingType::kUnwritten : MappingType::kMapped});
  if (unwritten) {
    facts.insert("unwritten extent");
  }
  return absl::OkStatus();
}

// How many bytes of the file lie inside the inode, in i_block or behind it.
absl::StatusOr<uint64_t> InlineBytes(absl::string_view text, const Attributes& attributes,
                                     uint32_t flags) {
  if (absl::StrContains(text, "\nFast link dest:")) {
    return attributes.size;
  }
  if ((flags & kInlineDataFlag) == 0) {
    return 0;
  }
  IOMAP_ASSIGN_OR_RETURN(const uint64_t room, NumberAfter<uint64_t>(text, "Size of inline data: "));
  return std::min(room, attributes.size);
}

void AddFileFacts(const Attributes& attributes, uint32_t flags, uint64_t inline_bytes,
                  std::set<std::string>& facts) {
  if (attributes.type == FileType::kSymbolicLink) {
    facts.insert(inline_bytes > 0 ? "fast symlink" : "slow symlink");
  }
  if (attributes.type == FileType::kDirectory && (flags & kIndexFlag) != 0) {
    facts.insert("hashed directory");
  }
  if ((flags & kInlineDataFlag) != 0) {
    facts.insert(absl::StrCat("inline ", FileTypeName(attributes.type)));
  }
}

absl::StatusOr<RefereeFile> ParseStat(absl::string_view text, uint32_t block_size,
                                      std::set<std::string>& facts) {
  RefereeFile file;
  IOMAP_ASSIGN_OR_RETURN(file.attributes, ParseAttributes(text));
  IOMAP_ASSIGN_OR_RETURN(const uint32_t flags, HexAfter(text, "Flags: "));
  IOMAP_ASSIGN_OR_RETURN(const uint64_t inline_bytes, InlineBytes(text, file.attributes, flags));
  AddFileFacts(file.attributes, flags, inline_bytes, facts);
  if ((flags & kInlineDataFlag) != 0 && file.attributes.type == FileType::kRegular) {
    // stat(2) counts the bytes inside the inode, the field on the medium does not.
    file.attributes.blocks_512 += (file.attributes.size + 511) / 512;
  }
  if (inline_bytes > 0) {
    file.extents = {Mapping{.offset = 0, .length = inline_bytes, .type = MappingType::kInline}};
    return file;
  }
  for (absl::string_view heading : {"\nEXTENTS:\n", "\nBLOCKS:\n"}) {
    const size_t place = text.find(heading);
    if (place == absl::string_view::npos) {
      continue;
    }
    const absl::string_view list = text.substr(place + heading.size());
    for (absl::string_view item :
         absl::StrSplit(list.substr(0, list.find('\n')), ", ", absl::SkipEmpty())) {
      IOMAP_RETURN_IF_ERROR(ParseBlockItem(item, block_size, file.extents, facts));
    }
  }
  file.extents = Canonical(std::move(file.extents), Shared::kIgnore);
  if (file.extents.size() >= 200000) {
    facts.insert("200,000 extents");
  }
  return file;
}

// What "stats -h" says.
void AddSuperblockFacts(absl::string_view text, std::set<std::string>& facts) {
  constexpr std::pair<absl::string_view, absl::string_view> kLists[] = {
      {"Filesystem features:", "feature "},
      {"Filesystem flags:", "flag "},
      {"Default directory hash:", "hash "},
      {"Block size:", "block size "},
      {"Inode size:", "inode size "}};
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    for (const auto& [label, word_class] : kLists) {
      if (absl::ConsumePrefix(&line, label)) {
        for (absl::string_view word :
             absl::StrSplit(line, absl::ByAnyChar(" \t"), absl::SkipEmpty())) {
          facts.insert(absl::StrCat(word_class, word));
        }
      }
    }
  }
}

}  // namespace

absl::StatusOr<RefereeReport> AskDebugfs(const std::string& image_path,
                                         absl::Span<const InodeNumber> inodes) {
  std::string script = "stats -h\n";
  for (InodeNumber inode : inodes) {
    absl::StrAppend(&script, "stat <", inode, ">\n");
  }
  IOMAP_ASSIGN_OR_RETURN(const CommandResult result,
                         RunCommand({"debugfs", "-f", "/dev/stdin", image_path}, script));
  RefereeReport report;
  uint32_t block_size = 0;
  const std::string prompt_line = absl::StrCat("\n", kPrompt);
  const std::vector<absl::string_view> answers =
      absl::StrSplit(absl::StripPrefix(result.output, kPrompt), absl::ByString(prompt_line));
  if (answers.size() != inodes.size() + 1) {
    return absl::InternalError(absl::StrCat("debugfs answered ", answers.size(), " commands of ",
                                            inodes.size() + 1, ": ", result.errors));
  }
  AddSuperblockFacts(answers.front(), report.facts);
  IOMAP_ASSIGN_OR_RETURN(block_size, NumberAfter<uint32_t>(answers.front(), "\nBlock size:"));
  for (size_t i = 0; i < inodes.size(); ++i) {
    IOMAP_ASSIGN_OR_RETURN(report.files[inodes[i]],
                           ParseStat(answers[i + 1], block_size, report.facts));
  }
  return report;
}

}  // namespace iomap::tests
