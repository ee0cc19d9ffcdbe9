#pragma once

#include <memory>
#include <optional>

#include "dax/address_space.h"
#include "dax/mistakes.h"

namespace iomap::tests {

// The mistake that the address spaces of MakeMistakenAddressSpace make, on this thread of the
// operating system, for a scope.
class MistakeScope {
 public:
  explicit MistakeScope(std::optional<dax::Mistake> mistake);
  ~MistakeScope();
  MistakeScope(const MistakeScope&) = delete;
  MistakeScope& operator=(const MistakeScope&) = delete;
};

// The address space of the library, built with a policy that makes one mistake, or none.
std::unique_ptr<dax::AddressSpace> MakeMistakenAddressSpace(const dax::DeviceSet& devices);

}  // namespace iomap::tests
