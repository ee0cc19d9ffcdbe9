#include "tests/fuzz/mutation.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <optional>
#include <utility>

#include "dax/file_device.h"

namespace iomap::tests {
namespace {

using Random = std::mt19937;

constexpr size_t kMostEdits = 12;
// The head of a block or record, where its numbers are; behind it, records of the same form repeat.
constexpr size_t kHeadBytes = 64;
constexpr size_t kMostWindowBytes = 24;
constexpr uint64_t kMostCopiedBytes = 64;
// In the XFS log the first bytes of each of these are a cycle number; what has a wrong one is not
// part of the log.
constexpr uint64_t kLogBlockBytes = 512, kLogCycleBytes = 4;

uint64_t Below(Random& random, uint64_t end) { return random() % end; }

// True once in `times`.
bool OneIn(Random& random, uint64_t times) { return Below(random, times) == 0; }

template <typename Values>
const auto& OneOf(Random& random, const Values& values) {
  return *std::next(values.begin(), static_cast<ptrdiff_t>(Below(random, values.size())));
}

// The number in `width` bytes, in the byte order of the format.
uint64_t LoadNumber(const std::byte* at, size_t width, bool is_big) {
  uint64_t value = 0;
  for (size_t i = 0; i < width; ++i) {
    value = value << 8 | std::to_integer<uint64_t>(at[is_big ? i : width - 1 - i]);
  }
  return value;
}

std::string StoreNumber(uint64_t value, size_t width, bool is_big) {
  std::string bytes(width, '\0');
  for (size_t i = 0; i < width; ++i) {
    bytes[is_big ? width - 1 - i : i] = static_cast<char>(value >> (8 * i));
  }
  return bytes;
}

// Chooses edits of the metadata of one image.
class Editor {
 public:
  Editor(const BaseImage& base, const FuzzInput& input, Random& random)
      : base_(base), random_(random) {
    FuzzInput plain = input;
    plain.repairs_checksums = false;
    plain.size = std::nullopt;
    if (auto device = MakeDevice(plain, base); device.ok()) {
      device_ = *std::move(device);
    }
  }

  // A number of one, two, four or eight bytes at its alignment gets an unlikely value.
  std::optional<Edit> ChangeField() {
    const std::optional<ByteRange> place = ChooseRecord();
    if (!place.has_value()) {
      return std::nullopt;
    }
    const absl::Span<const std::byte> record =
        device_->bytes().subspan(place->offset, place->length);
    size_t used = record.size();
    while (used > kHeadBytes && record[used - 1] == std::byte{}) {
      --used;
    }
    const size_t end = OneIn(random_, 2) ? used : std::min(used, kHeadBytes);
    const size_t width = size_t{1} << Below(random_, 4);
    const size_t at = Below(random_, std::max<size_t>(1, end / width)) * width;
    if (at + width > record.size() || IsCycle(place->offset + at)) {
      return std::nullopt;
    }
    // One in eight in the other byte order: some fields have it.
    const bool is_big = base_.is_xfs() != OneIn(random_, 8);
    const uint64_t old = LoadNumber(record.data() + at, width, is_big);
    const size_t elsewhere = Below(random_, record.size() / width) * width;
    const uint64_t other = LoadNumber(record.data() + elsewhere, width, is_big);
    return Edit{.address = place->offset + at,
                .bytes = StoreNumber(UnlikelyNumber(old, other, 8 * width), width, is_big)};
  }

  // The engine changes a few bytes.
  std::optional<Edit> ChangeBytes(ByteMutation mutate_bytes) {
    const std::optional<ByteRange> place = ChooseRecord();
    if (!place.has_value()) {
      return std::nullopt;
    }
    const size_t most = std::min<uint64_t>(kMostWindowBytes, place->length);
    const size_t length = 1 + Below(random_, most);
    const uint64_t address = place->offset + Below(random_, place->length - length + 1);
    const auto now = device_->bytes().subspan(address, length);
    std::vector<std::byte> bytes(now.begin(), now.end());
    mutate_bytes(absl::MakeSpan(bytes));
    return Edit{.address = address,
                .bytes = std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size())};
  }

  // A piece of one block is put over another of the same kind, or of any: a part of a record at its
  // alignment, or the whole.
  std::optional<Edit> Copy() {
    const std::optional<ByteRange> to = ChooseRecord();
    const std::optional<ByteRange> from = OneIn(random_, 2) ? to : ChooseRecord();
    if (!to.has_value() || !from.has_value()) {
      return std::nullopt;
    }
    const uint64_t whole = std::min(to->length, from->length);
    const uint64_t units = std::max<uint64_t>(1, std::min(whole, kMostCopiedBytes) / 4);
    const uint64_t length =
        OneIn(random_, 4) ? whole : std::min(whole, 4 * (1 + Below(random_, units)));
    const auto place_in = [&](const ByteRange& range) {
      return range.offset + Below(random_, (range.length - length) / 4 + 1) * 4;
    };
    const Edit edit{.address = place_in(*to), .from = place_in(*from), .length = length};
    return edit.address == edit.from ? std::nullopt : std::make_optional(edit);
  }

 private:
  const MetadataBlock* ChooseBlock() {
    const auto& kinds = base_.blocks_of_kind();
    if (kinds.empty() || device_ == nullptr) {
      return nullptr;
    }
    const auto journal = kinds.find("journal");
    const bool wants_journal = base_.is_dirty() && journal != kinds.end() && !OneIn(random_, 4);
    return &OneOf(random_, wants_journal ? journal->second : OneOf(random_, kinds).second);
  }

  // A record of a table, or a whole block, preferably one that is not all zeros.
  std::optional<ByteRange> ChooseRecord() {
    const MetadataBlock* block = ChooseBlock();
    if (block == nullptr) {
      return std::nullopt;
    }
    const uint64_t length = std::min(block->record_bytes, block->length);
    ByteRange record;
    for (int attempt = 0; attempt < 4; ++attempt) {
      record = {block->address + Below(random_, block->length / length) * length, length};
      if (record.end() > device_->size()) {
        return std::nullopt;
      }
      const auto bytes = device_->bytes().subspan(record.offset, record.length);
      if (std::any_of(bytes.begin(), bytes.end(),
                      [](std::byte byte) { return byte != std::byte{}; })) {
        break;
      }
    }
    return record;
  }

  bool IsCycle(uint64_t address) {
    return base_.is_xfs() && base_.is_dirty() && address % kLogBlockBytes < kLogCycleBytes &&
           !OneIn(random_, 8);
  }

  uint64_t UnlikelyNumber(uint64_t old, uint64_t other, size_t bits) {
    switch (Below(random_, 12)) {
      case 0:
        return 0;
      case 1:
        return ~uint64_t{0};
      case 2:
        return old + 1;
      case 3:
        return old - 1;
      case 4:
        return other;
      case 5:
        return Below(random_, 32);
      case 6:
        return uint64_t{1} << Below(random_, bits);
      case 7:
        return old + (OneIn(random_, 2) ? 1 : -1) * (uint64_t{1} << Below(random_, bits));
      case 8: {  // the number of a block that holds metadata
        const uint64_t address = OneOf(random_, base_.blocks()).address;
        return address / (OneIn(random_, 4) ? 512 : base_.block_size());
      }
      case 9:  // about the end of the device
        return base_.size() / base_.block_size() - 2 + Below(random_, 4);
      case 10:
        return uint64_t{random_()} << 32 | random_();
      default:
        return old ^ uint64_t { 1 } << Below(random_, bits);
    }
  }

  const BaseImage& base_;
  Random& random_;
  std::unique_ptr<dax::Device> device_;  // the image as the input's edits leave it
};

void Append(FuzzInput& input, std::optional<Edit> edit) {
  if (edit.has_value()) {
    input.edits.push_back(*std::move(edit));
  }
}

void ChangeOneEdit(FuzzInput& input, const BaseImage& base, Random& random,
                   ByteMutation mutate_bytes) {
  Edit& edit = input.edits[Below(random, input.edits.size())];
  if (edit.bytes.empty()) {
    std::swap(edit.address, edit.from);
  } else if (OneIn(random, 3)) {
    edit.address = std::min(edit.address + 4 * (1 + Below(random, 8)), base.size() - 1);
  } else {
    auto* bytes = reinterpret_cast<std::byte*>(edit.bytes.data());
    mutate_bytes(absl::MakeSpan(bytes, edit.bytes.size()));
  }
}

}  // namespace

FuzzInput Mutate(FuzzInput input, const BaseImage& base, std::mt19937& random,
                 ByteMutation mutate_bytes) {
  const uint64_t choice = Below(random, 32);
  if (choice < 14) {
    Append(input, Editor(base, input, random).ChangeField());
  } else if (choice < 18) {
    Append(input, Editor(base, input, random).ChangeBytes(mutate_bytes));
  } else if (choice < 22) {
    Append(input, Editor(base, input, random).Copy());
  } else if (choice < 26 && !input.edits.empty()) {
    ChangeOneEdit(input, base, random, mutate_bytes);
  } else if (choice < 30 && !input.edits.empty()) {
    input.edits.erase(input.edits.begin() +
                      static_cast<ptrdiff_t>(Below(random, input.edits.size())));
  } else if (choice < 31) {
    input.repairs_checksums = !input.repairs_checksums;
  } else if (input.size.has_value()) {
    input.size.reset();
  } else {
    const MetadataBlock& block = OneOf(random, base.blocks());
    input.size = block.address + Below(random, block.length + 1);
  }
  if (input.edits.size() > kMostEdits) {
    input.edits.erase(input.edits.begin());
  }
  return input;
}

FuzzInput CrossOver(const FuzzInput& one, const FuzzInput& other, std::mt19937& random) {
  FuzzInput result = one;
  result.edits.clear();
  for (const FuzzInput* parent : {&one, &other}) {
    std::copy_if(parent->edits.begin(), parent->edits.end(), std::back_inserter(result.edits),
                 [&](const Edit&) { return OneIn(random, 2); });
  }
  result.edits.resize(std::min(result.edits.size(), kMostEdits));
  return result;
}

}  // namespace iomap::tests
