#include "tests/fuzz/fuzz_input.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "dax/file_device.h"
#include "dax/memory_device.h"
#include "iomap/byte_range.h"
#include "iomap/status_macros.h"

namespace iomap::tests {
namespace {

constexpr absl::string_view kKept = "kept";
constexpr absl::string_view kSize = "size=";
// Up to here an image is copied to the heap, whose end the sanitizers watch.
constexpr uint64_t kMostCopiedBytes = 256 << 10;

bool IsName(absl::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_';
  });
}

bool IsHex(absl::string_view text) {
  return !text.empty() && text.size() % 2 == 0 && std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isxdigit(static_cast<unsigned char>(c));
  });
}

std::optional<Edit> ParseEdit(absl::string_view text) {
  Edit edit;
  const std::pair<absl::string_view, absl::string_view> put =
      absl::StrSplit(text, absl::MaxSplits(':', 1));
  if (IsHex(put.second) && absl::SimpleAtoi(put.first, &edit.address)) {
    edit.bytes = absl::HexStringToBytes(put.second);
    return edit;
  }
  const std::vector<absl::string_view> copy = absl::StrSplit(text, absl::ByAnyChar("<+"));
  const bool is_copy = copy.size() == 3 && absl::SimpleAtoi(copy[0], &edit.address) &&
                       absl::SimpleAtoi(copy[1], &edit.from) &&
                       absl::SimpleAtoi(copy[2], &edit.length) && edit.length > 0;
  return is_copy ? std::make_optional(edit) : std::nullopt;
}

bool Fits(uint64_t address, uint64_t length, uint64_t size) {
  return address <= size && length <= size - address;
}

// Does the edits, and returns where.
absl::StatusOr<std::vector<ByteRange>> DoEdits(const std::vector<Edit>& edits,
                                               dax::Device& device) {
  std::vector<ByteRange> changed;
  for (const Edit& edit : edits) {
    const uint64_t size = edit.size();
    if (!Fits(edit.address, size, device.size()) || !Fits(edit.from, size, device.size())) {
      continue;
    }
    const auto* put = reinterpret_cast<const std::byte*>(edit.bytes.data());
    std::vector<std::byte> bytes(put, put + edit.bytes.size());
    if (bytes.empty()) {
      const auto from = device.bytes().subspan(edit.from, size);
      bytes.assign(from.begin(), from.end());
    }
    IOMAP_RETURN_IF_ERROR(device.Write(edit.address, bytes));
    changed.push_back({edit.address, size});
  }
  return changed;
}

absl::Status RepairChecksums(const std::vector<ByteRange>& changed, const BaseImage& base,
                             dax::Device& device) {
  for (const ByteRange& range : changed) {
    const std::vector<MetadataBlock>& blocks = base.blocks();
    auto block =
        std::partition_point(blocks.begin(), blocks.end(), [&](const MetadataBlock& candidate) {
          return candidate.address + candidate.length <= range.offset;
        });
    for (; block != blocks.end() && block->address < range.end(); ++block) {
      if (block->kind == "journal") {
        continue;
      }
      const auto now = device.bytes().subspan(block->address, block->length);
      std::vector<std::byte> bytes(now.begin(), now.end());
      base.RepairOf (*block)(absl::MakeSpan(bytes));
      IOMAP_RETURN_IF_ERROR(device.Write(block->address, bytes));
    }
    IOMAP_RETURN_IF_ERROR(base.journal_checksums().Repair(range, device));
  }
  return absl::OkStatus();
}

}  // namespace

std::string FuzzInput::Text() const {
  std::string text = base;
  if (!repairs_checksums) {
    absl::StrAppend(&text, " ", kKept);
  }
  if (size.has_value()) {
    absl::StrAppend(&text, " ", kSize, *size);
  }
  for (const Edit& edit : edits) {
    if (edit.bytes.empty()) {
      absl::StrAppend(&text, " ", edit.address, "<", edit.from, "+", edit.length);
    } else {
      absl::StrAppend(&text, " ", edit.address, ":", absl::BytesToHexString(edit.bytes));
    }
  }
  return text;
}

std::optional<FuzzInput> FuzzInput::Parse(absl::string_view text) {
  const std::vector<absl::string_view> words = absl::StrSplit(absl::StripSuffix(text, "\n"), ' ');
  FuzzInput input{.base = std::string(words.front())};
  if (!IsName(input.base)) {
    return std::nullopt;
  }
  for (size_t i = 1; i < words.size(); ++i) {
    absl::string_view word = words[i];
    uint64_t size = 0;
    if (word == kKept) {
      input.repairs_checksums = false;
    } else if (absl::ConsumePrefix(&word, kSize) && absl::SimpleAtoi(word, &size)) {
      input.size = size;
    } else if (const std::optional<Edit> edit = ParseEdit(word); edit.has_value()) {
      input.edits.push_back(*edit);
    } else {
      return std::nullopt;
    }
  }
  return input;
}

absl::StatusOr<std::unique_ptr<dax::Device>> MakeDevice(const FuzzInput& input,
                                                        const BaseImage& base) {
  IOMAP_ASSIGN_OR_RETURN(std::unique_ptr<dax::Device> device,
                         dax::FileDevice::OpenReadOnly(base.path(), /*image_offset=*/0));
  IOMAP_ASSIGN_OR_RETURN(const std::vector<ByteRange> changed, DoEdits(input.edits, *device));
  if (input.repairs_checksums) {
    IOMAP_RETURN_IF_ERROR(RepairChecksums(changed, base, *device));
  }
  const uint64_t size = std::min(input.size.value_or(base.size()), base.size());
  if (size < base.size() || size <= kMostCopiedBytes) {
    const auto bytes = device->bytes().first(size);
    return std::make_unique<dax::MemoryDevice>(std::vector<std::byte>(bytes.begin(), bytes.end()));
  }
  return device;
}

}  // namespace iomap::tests
