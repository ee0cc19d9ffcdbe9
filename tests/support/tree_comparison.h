#pragma once

#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "dax/filesystem.h"
#include "iomap/attributes.h"
#include "tests/support/referee.h"

namespace iomap::tests {

// What a directory tree of the kernel is to an image.
enum class Truth {
  kMountedImage,   // the same image: inode numbers, addresses, all attributes agree
  kReplayedImage,  // the same, but for times: the kernel's replay sets some of them to its own time
  kSourceTree,     // what the image was made from: names, types, contents, targets of links agree
};

// Walks a whole file system of ours beside a directory tree of the kernel's, from the root down,
// and collects the differences, one line each with the path: entries of every directory against
// readdir(3), LookUp of each name, targets of links, attributes, mappings, lseek(2), contents.
class TreeComparison {
 public:
  // `filesystem` outlives the comparison.
  TreeComparison(dax::Filesystem& filesystem, std::string truth_path, Truth truth, uint64_t seed);

  absl::Status Run();

  const std::vector<std::string>& differences() const { return differences_; }

  // Every inode that was met, and one of its paths.
  const std::map<InodeNumber, std::string>& inodes() const { return inodes_; }

 private:
  struct TrueEntry {
    InodeNumber inode = 0;
    FileType type = FileType::kUnknown;
  };

  void Note(const std::string& path, const absl::Status& status);
  absl::StatusOr<std::map<std::string, TrueEntry>> TrueEntriesOf(const std::string& path) const;
  absl::StatusOr<std::vector<std::string>> CompareDirectory(const std::string& path,
                                                            InodeNumber inode, InodeNumber parent);
  absl::Status CompareEntry(InodeNumber directory, const DirectoryEntry& entry,
                            const TrueEntry& expected);
  absl::Status CompareCookies(InodeNumber directory, const std::vector<std::string>& names,
                              const std::vector<uint64_t>& cookies);
  absl::Status CompareInode(const std::string& path, InodeNumber inode);

  dax::Filesystem& filesystem_;
  const std::string truth_path_;
  const Truth truth_;
  std::mt19937_64 random_;
  uint32_t block_size_ = 0;
  std::vector<std::string> differences_;
  std::map<InodeNumber, std::string> inodes_;
};

// Compares the attributes and mappings of all `inodes` with a referee's report; one line a
// difference.
std::vector<std::string> CompareWithReferee(dax::Filesystem& filesystem,
                                            const std::map<InodeNumber, std::string>& inodes,
                                            const RefereeReport& report, const std::string& referee,
                                            uint64_t seed);

}  // namespace iomap::tests
