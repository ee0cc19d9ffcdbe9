#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "dax/device.h"
#include "tests/fuzz/base_image.h"

namespace iomap::tests {

// One change of an image: bytes put at an address, or copied there from another place.
struct Edit {
  uint64_t address = 0;
  std::string bytes = {};  // empty: a copy
  uint64_t from = 0;
  uint64_t length = 0;  // of a copy

  uint64_t size() const { return bytes.empty() ? length : bytes.size(); }
  friend bool operator==(const Edit&, const Edit&) = default;
};

// An image that is told by its difference from one of images/. As a line of text:
//
//   ext4_checksums 1080:53ef 4096<8192+1024
//   ext4_checksums kept size=70000 1080:0000
//
// the name; "kept" when checksums stay as they are, else they are right again after the edits; how
// many bytes the image has, when it is cut; the edits, ADDRESS:HEX to put bytes and
// ADDRESS<FROM+LENGTH to copy, in the order in which they are done.
struct FuzzInput {
  std::string base;
  bool repairs_checksums = true;
  std::optional<uint64_t> size = std::nullopt;  // bytes
  std::vector<Edit> edits = {};

  std::string Text() const;
  // Nothing when the text is not of this form.
  static std::optional<FuzzInput> Parse(absl::string_view text);
};

// The image that `input` tells, on a device. Edits that pass the end of the image are left out.
absl::StatusOr<std::unique_ptr<dax::Device>> MakeDevice(const FuzzInput& input,
                                                        const BaseImage& base);

}  // namespace iomap::tests
