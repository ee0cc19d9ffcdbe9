#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "iomap/filesystem.h"
#include "tests/iomap/listed_file.h"
#include "tools/map_format.h"

namespace iomap::tests {

// A file of 4 KiB blocks to be reported: disk.img:/a, inode 12 of an ext4, with a list of mappings.
class ReportedListedFile {
 public:
  ReportedListedFile(uint64_t size, std::vector<Mapping> mappings, absl::string_view path = "/a")
      : file_(size, std::move(mappings)), size_(size), path_(path) {
    info_.backend = "ext4";
    info_.block_size = 4096;
  }

  FilesystemInfo& info() { return info_; }
  tools::ReportedFile report() { return {"disk.img", path_, size_, info_, file_}; }

  // What a new format of that name prints of this file alone.
  std::string In(absl::string_view format, tools::PastEof past_eof = tools::PastEof::kLeaveOut);

 private:
  ListedFile file_;
  FilesystemInfo info_;
  uint64_t size_;
  std::string path_;
};

}  // namespace iomap::tests
