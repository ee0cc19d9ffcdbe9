#pragma once

#include <cstddef>
#include <cstdint>
#include <random>

#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "tests/fuzz/base_image.h"
#include "tests/fuzz/fuzz_input.h"

namespace iomap::tests {

// Changes some of the bytes in a way that the fuzzing engine chooses.
using ByteMutation = absl::FunctionRef<void(absl::Span<std::byte>)>;

// Another input close to `input`: one more edit of a field, a record or a few bytes of the metadata
// of its image, or one edit changed or dropped. Kinds of metadata are as likely as each other,
// whatever their number of blocks; of an image that is dirty, the journal is as likely as all else.
FuzzInput Mutate(FuzzInput input, const BaseImage& base, std::mt19937& random,
                 ByteMutation mutate_bytes);

// Some edits of both, which have the same image.
FuzzInput CrossOver(const FuzzInput& one, const FuzzInput& other, std::mt19937& random);

}  // namespace iomap::tests
