#include "tests/replay/xfs_log_facts.h"

#include <algorithm>

#include "absl/strings/match.h"

namespace iomap::tests {
namespace {

std::string FactOf(const std::string& what) {
  if (absl::EndsWith(what, "on the medium already")) {
    return "older than the medium";
  }
  if (absl::EndsWith(what, "cancelled")) {
    return "cancelled buffers";
  }
  if (what == "buffer" || what == "inode buffer") {
    return what + "s";
  }
  if (absl::StartsWith(what, "inode ")) {
    return "inode items";
  }
  if (absl::StartsWith(what, "unlinked inode ")) {
    return "unlinked inodes";
  }
  if (absl::EndsWith(what, " new inodes")) {
    return "new inode chunks";
  }
  return what;
}

}  // namespace

void XfsLogFacts::Add(const backends::ReplayAction& action) {
  ++counts_[FactOf(action.what)];
  uint64_t& cycles = counts_["cycles"];
  cycles = std::max(cycles, action.sequence >> 32);
}

uint64_t XfsLogFacts::Count(const std::string& fact) const {
  const auto found = counts_.find(fact);
  return found == counts_.end() ? 0 : found->second;
}

}  // namespace iomap::tests
