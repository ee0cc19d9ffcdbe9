#pragma once

#include "absl/strings/string_view.h"
#include "iomap/filesystem.h"

namespace iomap::conformance {

// "kPunchHole": the bit, as a backend author writes it.
inline absl::string_view CapabilityName(Capability capability) {
  switch (capability) {
    case Capability::kNone:
      return "kNone";
    case Capability::kSymbolicLinks:
      return "kSymbolicLinks";
    case Capability::kInlineData:
      return "kInlineData";
    case Capability::kReport:
      return "kReport";
    case Capability::kNames:
      return "kNames";
    case Capability::kWrite:
      return "kWrite";
    case Capability::kSetSize:
      return "kSetSize";
    case Capability::kAllocate:
      return "kAllocate";
    case Capability::kPunchHole:
      return "kPunchHole";
    case Capability::kZeroRange:
      return "kZeroRange";
    case Capability::kShiftRange:
      return "kShiftRange";
    case Capability::kShare:
      return "kShare";
    case Capability::kDax:
      return "kDax";
  }
  return "?";
}

}  // namespace iomap::conformance
