// What libFuzzer calls: each input is a line of text that tells an image (fuzz_input.h), or an
// image, which is mutated as bytes. The name of the program begins with the backend that it is for.

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "absl/types/span.h"
#include "tests/fuzz/base_image.h"
#include "tests/fuzz/examination.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/fuzz/mutation.h"

// libFuzzer's own name for it.
// NOLINTNEXTLINE(readability-identifier-naming)
extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

namespace iomap::tests {
namespace {

absl::string_view TextOf(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

void MutateBytes(absl::Span<std::byte> bytes) {
  auto* data = reinterpret_cast<uint8_t*>(bytes.data());
  const size_t size = LLVMFuzzerMutate(data, bytes.size(), bytes.size());
  std::fill(bytes.begin() + static_cast<ptrdiff_t>(size), bytes.end(), std::byte{});
}

// Puts the text of `input`, less some of its edits when there is no room for all of them.
size_t PutText(FuzzInput input, uint8_t* data, size_t max_size) {
  std::string text = input.Text();
  while (text.size() > max_size && !input.edits.empty()) {
    input.edits.pop_back();
    text = input.Text();
  }
  return text.copy(reinterpret_cast<char*>(data), max_size);
}

// The names of the images that the program is for.
std::vector<std::string>& Names() {
  static auto& names = *new std::vector<std::string>();
  return names;
}

// An image without any edit.
FuzzInput NewInput(std::mt19937& random) { return {.base = Names().at(random() % Names().size())}; }

size_t MutateInput(uint8_t* data, size_t size, size_t max_size, unsigned int seed) {
  std::mt19937 random(seed);
  const std::optional<FuzzInput> parsed = FuzzInput::Parse(TextOf(data, size));
  if (!parsed.has_value() && size > 1) {
    return LLVMFuzzerMutate(data, size, max_size);
  }
  const FuzzInput input = parsed.has_value() ? *parsed : NewInput(random);
  const absl::StatusOr<const BaseImage*> base = BaseImage::Get(input.base);
  return base.ok() ? PutText(Mutate(input, **base, random, &MutateBytes), data, max_size) : size;
}

size_t CrossOverInputs(absl::string_view one, absl::string_view other, uint8_t* out,
                       size_t max_size, unsigned int seed) {
  std::mt19937 random(seed);
  const std::optional<FuzzInput> first = FuzzInput::Parse(one);
  const std::optional<FuzzInput> second = FuzzInput::Parse(other);
  if (!first.has_value() || !second.has_value() || first->base != second->base) {
    return 0;
  }
  return PutText(CrossOver(*first, *second, random), out, max_size);
}

}  // namespace
}  // namespace iomap::tests

// Short stacks of allocations: they cost as much as all else that the sanitizer does.
// NOLINTNEXTLINE(readability-identifier-naming)
extern "C" const char* __asan_default_options() { return "malloc_context_size=3"; }

extern "C" int LLVMFuzzerInitialize(int* /*argc*/, char*** argv) {
  absl::string_view program = (*argv)[0];
  program.remove_prefix(program.rfind('/') + 1);
  iomap::tests::Names() = iomap::tests::BaseImage::Names(program.substr(0, program.find('_')));
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::vector<std::string> faults =
      iomap::tests::Examine(absl::MakeConstSpan(reinterpret_cast<const std::byte*>(data), size));
  for (const std::string& fault : faults) {
    std::fprintf(stderr, "FAULT: %s\n", fault.c_str());
  }
  if (!faults.empty()) {
    std::abort();
  }
  return 0;
}

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size,
                                          unsigned int seed) {
  return iomap::tests::MutateInput(data, size, max_size, seed);
}

extern "C" size_t LLVMFuzzerCustomCrossOver(const uint8_t* data1, size_t size1,
                                            const uint8_t* data2, size_t size2, uint8_t* out,
                                            size_t max_size, unsigned int seed) {
  return iomap::tests::CrossOverInputs(iomap::tests::TextOf(data1, size1),
                                       iomap::tests::TextOf(data2, size2), out, max_size, seed);
}
