#include "tests/damage/damage_case.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "iomap/status_macros.h"
#include "tests/support/system_error.h"

namespace iomap::tests {
namespace {

// Of a kind that has few blocks (there is one superblock), each is damaged more than once in the
// ways that differ with the seed.
constexpr size_t kLeastCasesOfKind = 200;

std::vector<DamageCase> CasesOf(const std::vector<MetadataBlock>& members,
                                std::mt19937_64& random) {
  std::vector<DamageCase> cases;
  bool is_first_round = true;
  while (is_first_round || cases.size() < kLeastCasesOfKind) {
    for (const MetadataBlock& block : members) {
      const MetadataBlock& other = members[random() % members.size()];
      for (DamageKind damage : kDamageKinds) {
        const bool can_be_done = damage == DamageKind::kZero   ? is_first_round
                                 : damage == DamageKind::kSwap ? other.address != block.address &&
                                                                     other.length == block.length
                                                               : true;
        if (can_be_done) {
          cases.push_back({block,
                           {.kind = damage,
                            .address = block.address,
                            .length = block.length,
                            .seed = random() >> 32,
                            .other = other.address}});
        }
      }
    }
    is_first_round = false;
  }
  return cases;
}

}  // namespace

std::vector<DamageCase> ChooseCases(const std::vector<MetadataBlock>& blocks, uint64_t seed,
                                    size_t most) {
  std::mt19937_64 random(seed);
  std::map<std::string, std::vector<MetadataBlock>> blocks_of_kind;
  for (const MetadataBlock& block : blocks) {
    blocks_of_kind[block.kind].push_back(block);
  }
  std::map<std::string, std::vector<DamageCase>> cases_of_kind;
  size_t longest = 0;
  for (const auto& [kind, members] : blocks_of_kind) {
    std::vector<DamageCase>& cases = cases_of_kind[kind];
    cases = CasesOf(members, random);
    std::shuffle(cases.begin(), cases.end(), random);
    longest = std::max(longest, cases.size());
  }
  std::vector<DamageCase> chosen;
  for (size_t i = 0; i < longest; ++i) {
    for (const auto& [kind, cases] : cases_of_kind) {
      if (i < cases.size() && (most == 0 || chosen.size() < most)) {
        chosen.push_back(cases[i]);
      }
    }
  }
  return chosen;
}

absl::StatusOr<DamageableImage> DamageableImage::Open(const std::string& path) {
  FileDescriptor file(open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (!file.is_open()) {
    return SystemError(path);
  }
  return DamageableImage(std::move(file));
}

absl::Status DamageableImage::WithDamage(const DamageCase& damage_case,
                                         const ChecksumRepair& repair,
                                         absl::FunctionRef<void()> ask) const {
  const Damage& damage = damage_case.damage;
  IOMAP_ASSIGN_OR_RETURN(const std::vector<std::byte> before, Read(damage.address, damage.length));
  std::vector<std::byte> other_before;
  if (damage.kind == DamageKind::kSwap) {
    IOMAP_ASSIGN_OR_RETURN(other_before, Read(damage.other, damage.length));
    IOMAP_RETURN_IF_ERROR(Write(damage.address, other_before));
    IOMAP_RETURN_IF_ERROR(Write(damage.other, before));
  } else {
    std::vector<std::byte> bytes = before;
    Spoil(damage, damage_case.block.record_bytes, absl::MakeSpan(bytes));
    if (damage.kind == DamageKind::kField) {
      repair.For(damage_case.block, before)(absl::MakeSpan(bytes));
    }
    IOMAP_RETURN_IF_ERROR(Write(damage.address, bytes));
  }
  ask();
  IOMAP_RETURN_IF_ERROR(Write(damage.address, before));
  return other_before.empty() ? absl::OkStatus() : Write(damage.other, other_before);
}

absl::StatusOr<std::vector<std::byte>> DamageableImage::Read(uint64_t address,
                                                             size_t length) const {
  std::vector<std::byte> bytes(length);
  const ssize_t count = pread(file_.get(), bytes.data(), length, static_cast<off_t>(address));
  if (count != static_cast<ssize_t>(length)) {
    return SystemError("read ", length, " bytes of the image at ", address);
  }
  return bytes;
}

absl::Status DamageableImage::Write(uint64_t address, const std::vector<std::byte>& bytes) const {
  const ssize_t count =
      pwrite(file_.get(), bytes.data(), bytes.size(), static_cast<off_t>(address));
  return count == static_cast<ssize_t>(bytes.size())
             ? absl::OkStatus()
             : SystemError("write ", bytes.size(), " bytes of the image at ", address);
}

}  // namespace iomap::tests
