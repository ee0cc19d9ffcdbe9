#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "iomap/byte_range.h"
#include "tests/fuzz/journal_checksums.h"
#include "tests/support/checksum_repair.h"
#include "tests/support/metadata_blocks.h"
#include "tests/support/temporary_directory.h"

namespace iomap::tests {

// One of images/, whole: what an input is an edit of.
class BaseImage {
 public:
  // The image `name`, which is read once and lives as long as the process. NotFound when there is
  // none of that name. Not from two threads at once.
  static absl::StatusOr<const BaseImage*> Get(absl::string_view name);
  // All names of images of a backend, "ext" (ext2 to ext4) or "xfs", in alphabetical order.
  static std::vector<std::string> Names(absl::string_view backend);

  // The image as a file that is not to be written.
  const std::string& path() const { return path_; }
  uint64_t size() const { return size_; }  // bytes
  // As much as the image can make a reader do: mappings or entries.
  uint64_t most_work() const { return most_work_; }
  // True when its journal holds what the medium does not have.
  bool is_dirty() const { return is_dirty_; }
  bool is_xfs() const { return is_xfs_; }
  uint32_t block_size() const { return block_size_; }

  const std::vector<MetadataBlock>& blocks() const { return blocks_; }  // in order of address
  const std::map<std::string, std::vector<MetadataBlock>>& blocks_of_kind() const {
    return blocks_of_kind_;
  }
  // What makes the checksums of one of blocks() right again, journal blocks excepted.
  const Repair& RepairOf(const MetadataBlock& block) const;
  // The same for the copy, at `copy_address` in the journal, of the block that belongs to `home`.
  const Repair& RepairOfCopy(uint64_t home, uint64_t copy_address) const;
  const JournalChecksums& journal_checksums() const { return *journal_checksums_; }

 private:
  explicit BaseImage(TemporaryDirectory folder) : folder_(std::move(folder)) {}
  absl::Status Unpack(const std::string& sparse_path);
  absl::Status Explore();
  // The one of blocks() at `address`; where there is none, a block of unknown kind.
  MetadataBlock BlockAt(uint64_t address) const;

  const TemporaryDirectory folder_;
  std::string path_;
  uint64_t size_ = 0;
  uint64_t most_work_ = 0;
  bool is_dirty_ = false;
  bool is_xfs_ = false;
  uint32_t block_size_ = 0;
  std::vector<MetadataBlock> blocks_;
  std::map<std::string, std::vector<MetadataBlock>> blocks_of_kind_;
  std::unique_ptr<ChecksumRepair> repair_;
  std::unique_ptr<JournalChecksums> journal_checksums_;
  mutable std::map<uint64_t, Repair> repairs_;  // by address, made when they are needed
  std::unique_ptr<dax::Device> device_;         // the image, unchanged
};

}  // namespace iomap::tests
