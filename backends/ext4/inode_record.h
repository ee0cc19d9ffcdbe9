#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "backends/ext4/format.h"
#include "backends/ext4/volume.h"

namespace iomap::ext4 {

// The checksum seed of everything that belongs to the inode: the number, then the generation.
uint32_t InodeChecksumSeed(const Superblock& superblock, uint32_t number, uint32_t generation);

// The bytes of a record behind the first 128 that have a meaning of their own: extra_isize.
uint32_t ExtraInodeBytes(absl::Span<const std::byte> record);

// The checksum of a whole record, which does not count what is stored there: 32 bits, or the low 16
// when the record has room for those alone.
uint32_t InodeRecordChecksum(uint32_t seed, absl::Span<const std::byte> record);

// A copy of the record of one inode, in use or not, to be changed and written back. Nothing but its
// place is checked when it is read.
class InodeRecord {
 public:
  // NotFound when the file system has no such number; DataLoss when the group's descriptor is
  // damaged or the device too short.
  static absl::StatusOr<InodeRecord> Read(const Volume& volume, uint64_t number);

  uint32_t number() const { return number_; }
  uint64_t address() const { return address_; }  // bytes on the device
  // False: it was never used, and its bytes may be garbage.
  bool is_initialised() const { return is_initialised_; }
  absl::Span<std::byte> bytes() { return absl::MakeSpan(bytes_); }
  absl::Span<const std::byte> bytes() const { return bytes_; }

  // The fixed fields; those behind the record's size are 0, and are lost when they are set.
  DiskInode fields() const;
  void set_fields(const DiskInode& fields);

  bool is_in_use() const;
  uint32_t checksum_seed(const Superblock& superblock) const {
    return InodeChecksumSeed(superblock, number_, fields().generation.get());
  }

  // Puts the record in place, with its checksum.
  absl::Status Write(Volume& volume);

 private:
  InodeRecord(uint32_t number, uint64_t address, bool is_initialised,
              absl::Span<const std::byte> bytes)
      : number_(number),
        address_(address),
        is_initialised_(is_initialised),
        bytes_(bytes.begin(), bytes.end()) {}

  uint32_t number_;
  uint64_t address_;
  bool is_initialised_;
  std::vector<std::byte> bytes_;
};

}  // namespace iomap::ext4
