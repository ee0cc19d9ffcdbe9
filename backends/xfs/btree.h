#pragma once

#include <cstdint>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "backends/verified_tree.h"
#include "backends/xfs/volume.h"

namespace iomap::xfs {

// One kind of B+tree of XFS, as far as its blocks differ from those of the others.
struct BtreeFormat {
  const char* name;  // for messages
  uint32_t magic_v4;
  uint32_t magic_v5;
  bool belongs_to_inode;  // long pointers, 64-bit keys, owned by an inode; else by an allocation
                          // group
  uint32_t record_bytes;
};

// Whether the records of a leaf are right: keys ascend within the place, nothing overlaps, every
// address exists. DataLoss whose message has no place.
using RecordCheck = absl::FunctionRef<absl::Status(const std::byte* records, uint32_t count,
                                                   const backends::TreePlace& place)>;

// Reads and checks the tree block at `fsblock` in its place, as VerifiedTree::NodeReader wants it.
// `owner` is an inode or an allocation group. Children are fsblocks. `may_be_empty` is for the root
// alone.
enum class Emptiness { kRefused, kAllowed };
absl::StatusOr<backends::TreeNode> ReadBtreeBlock(const Volume& volume, const BtreeFormat& format,
                                                  uint64_t owner, uint64_t fsblock,
                                                  const backends::TreePlace& place,
                                                  Emptiness emptiness, RecordCheck check_records);

// Decodes and checks the keys and children of an inner node: `keys` and `pointers` hold `count` of
// each, as wide as `format` says. Also for a root that lies in an inode. DataLoss whose message has
// no place.
absl::StatusOr<backends::TreeNode> DecodeInnerNode(const Volume& volume, const BtreeFormat& format,
                                                   uint64_t owner, const backends::TreePlace& place,
                                                   const std::byte* keys, const std::byte* pointers,
                                                   uint32_t count);

}  // namespace iomap::xfs
