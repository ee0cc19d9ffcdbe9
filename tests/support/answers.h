#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "dax/filesystem.h"

namespace iomap::tests {

// What is asked about each path.
enum class Question {
  kEntry,   // the inode and the type that the directory gives
  kLookUp,  // the inode that its name leads to
  kAttributes,
  kMappings,  // for reading
  kReport,    // Fiemap, holes included
  kBlocks,    // Bmap, of a few blocks
  kContents,  // of the mapped parts of a regular file, up to a total
  kSeek,      // a few SEEK_DATA and SEEK_HOLE
  kEntries,   // of a directory, with their cookies
  kTarget,    // of a symbolic link
};
inline constexpr size_t kQuestions = 10;

// The answers about one path: a digest that is equal for equal answers, or the error.
using PathAnswers = std::array<absl::StatusOr<uint64_t>, kQuestions>;

// How much an image made us do.
struct Work {
  uint64_t mappings = 0;
  uint64_t entries = 0;
};

// All that can be asked of a file system.
struct Answers {
  std::map<std::string, PathAnswers> paths;    // "/" is the root
  std::map<std::string, absl::Status> unread;  // directories that WalkTree could not read
  Work work;
  bool exceeded = false;            // the work passed its bound, and asking ended there
  std::vector<std::string> faults;  // errors that are no good errors, one line each
  int errors = 0;
};

// How much is asked.
struct Bounds {
  uint64_t most = 0;                            // mappings, and entries
  uint64_t most_contents = uint64_t{64} << 20;  // bytes, of all files
};

// Asks everything, until more than `bounds.most` mappings or entries have come. Whatever the
// answers are, the errors among them have a code that a backend may give, and one line of text that
// says where.
Answers AskEverything(dax::Filesystem& filesystem, const Bounds& bounds);

// What is wrong with `status` as an error about an image; empty when it is a good one.
std::string FaultOf(const absl::Status& status);

// The answers in `damaged` that are neither an error nor equal to those in `undamaged`, one line
// each: another digest, a path that was not there, a path that is gone though the directories above
// it could be read.
std::vector<std::string> WrongAnswers(const Answers& undamaged, const Answers& damaged);

}  // namespace iomap::tests
