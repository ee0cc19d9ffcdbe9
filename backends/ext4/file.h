#pragma once

#include <cstddef>
#include <memory>
#include <variant>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "backends/ext4/block_map.h"
#include "backends/ext4/extent_tree.h"
#include "backends/ext4/inline_data.h"
#include "backends/ext4/inode.h"
#include "backends/ext4/volume.h"
#include "dax/file.h"

namespace iomap::ext4 {

// One inode of an ext4 file system. What lies inside the inode (inline data, a short symbolic link)
// is an inline mapping. Thread-safety and errors: iomap::File.
class File : public dax::File {
 public:
  // `volume` outlives the file.
  static absl::StatusOr<std::shared_ptr<File>> Open(const Volume& volume, InodeNumber number);

  const Inode& parsed() const { return inode_; }

  absl::StatusOr<Attributes> attributes() override { return inode_.attributes; }

  // FailedPrecondition when the file is encrypted.
  absl::StatusOr<size_t> MapForRead(const ByteRange& range, absl::Span<Mapping> out) override;
  absl::Status ReadInline(uint64_t offset, absl::Span<std::byte> out) override;

  // The pieces of data inside the inode; FailedPrecondition when the file has its data in blocks.
  absl::StatusOr<InlineData> inline_data() const;

  // FailedPrecondition, by name, when the contents cannot be understood without a key.
  absl::Status CheckNotEncrypted() const;

 private:
  struct NoBlocks {};  // devices, pipes and sockets: i_block means something else

  File(const Volume& volume, Inode inode);
  absl::Status OpenContents(const Volume& volume);
  // How many bytes of the file lie inside the inode.
  uint64_t InlineBytes(const InlineData& data) const;

  const Inode inode_;
  std::variant<NoBlocks, InlineData, std::unique_ptr<ExtentTree>, std::unique_ptr<BlockMap>>
      contents_;
};

}  // namespace iomap::ext4
