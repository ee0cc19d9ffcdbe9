#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tests/support/checksum_repair.h"
#include "tests/support/damage.h"
#include "tests/support/file_descriptor.h"
#include "tests/support/metadata_blocks.h"

namespace iomap::tests {

// One damage of one block.
struct DamageCase {
  MetadataBlock block;
  Damage damage;
};

// At most `most` cases (0: at least one for each block and each kind of damage), the kinds of
// blocks taking turns, so that one superblock weighs as much as a thousand directory blocks. The
// same blocks and seed give the same cases.
std::vector<DamageCase> ChooseCases(const std::vector<MetadataBlock>& blocks, uint64_t seed,
                                    size_t most);

// An image file that is damaged in place and made whole again.
class DamageableImage {
 public:
  static absl::StatusOr<DamageableImage> Open(const std::string& path);

  // Does the damage, calls `ask`, and undoes the damage.
  absl::Status WithDamage(const DamageCase& damage_case, const ChecksumRepair& repair,
                          absl::FunctionRef<void()> ask) const;

 private:
  explicit DamageableImage(FileDescriptor file) : file_(std::move(file)) {}
  absl::StatusOr<std::vector<std::byte>> Read(uint64_t address, size_t length) const;
  absl::Status Write(uint64_t address, const std::vector<std::byte>& bytes) const;

  FileDescriptor file_;
};

}  // namespace iomap::tests
