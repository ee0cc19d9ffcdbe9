#include "backends/ext4/directory_records.h"

#include <cstring>

#include "backends/endian.h"
#include "backends/ext4/directory_block.h"
#include "backends/ext4/format.h"

namespace iomap::ext4 {

using backends::CopyOut;

size_t DirectoryRecordBytes(size_t name_length) {
  return (sizeof(DiskDirectoryEntry) + name_length + 3) & ~size_t{3};
}

void PutDirectoryRecord(std::byte* place, size_t length, uint32_t block_size, uint32_t inode,
                        unsigned char type, absl::string_view name) {
  DiskDirectoryEntry head{};
  head.inode.set(inode);
  head.record_length.set(EncodedRecordLength(length, block_size));
  head.name_length = static_cast<unsigned char>(name.size());
  head.file_type = type;
  std::memcpy(place, &head, sizeof head);
  std::memcpy(place + sizeof head, name.data(), name.size());
}

bool InsertDirectoryRecord(absl::Span<std::byte> run, uint32_t block_size, absl::string_view name,
                           uint32_t inode, unsigned char type) {
  const size_t needed = DirectoryRecordBytes(name.size());
  for (size_t position = 0; position < run.size();) {
    std::byte* const place = run.data() + position;
    auto head = CopyOut<DiskDirectoryEntry>(place);
    const size_t length = RecordLength(head, block_size);
    const size_t used = head.inode.get() == 0 ? 0 : DirectoryRecordBytes(head.name_length);
    if (length >= used + needed) {
      if (used > 0) {
        head.record_length.set(EncodedRecordLength(used, block_size));
        std::memcpy(place, &head, sizeof head);
      }
      PutDirectoryRecord(place + used, length - used, block_size, inode, type, name);
      return true;
    }
    position += length;
  }
  return false;
}

void RemoveDirectoryRecord(absl::Span<std::byte> run, uint32_t block_size, absl::string_view name) {
  size_t previous = 0;
  for (size_t position = 0; position < run.size();) {
    std::byte* const place = run.data() + position;
    auto head = CopyOut<DiskDirectoryEntry>(place);
    const size_t length = RecordLength(head, block_size);
    const absl::string_view here(reinterpret_cast<const char*>(place + sizeof head),
                                 head.name_length);
    if (head.inode.get() != 0 && here == name) {
      if (position == 0) {
        head.inode.set(0);
        std::memcpy(place, &head, sizeof head);
      } else {
        auto before = CopyOut<DiskDirectoryEntry>(run.data() + previous);
        before.record_length.set(EncodedRecordLength(position + length - previous, block_size));
        std::memcpy(run.data() + previous, &before, sizeof before);
      }
      return;
    }
    previous = position;
    position += length;
  }
}

}  // namespace iomap::ext4
