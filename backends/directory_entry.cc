#include "backends/directory_entry.h"

#include <iterator>

namespace iomap::backends {

bool IsEntryName(absl::string_view name) {
  return !name.empty() && name.find('/') == absl::string_view::npos &&
         name.find('\0') == absl::string_view::npos;
}

bool IsDotOrDotDot(absl::string_view name) { return name == "." || name == ".."; }

FileType TypeOfEntry(uint8_t stored) {
  constexpr FileType kTypes[] = {
      FileType::kUnknown,     FileType::kRegular, FileType::kDirectory, FileType::kCharacterDevice,
      FileType::kBlockDevice, FileType::kFifo,    FileType::kSocket,    FileType::kSymbolicLink};
  return stored < std::size(kTypes) ? kTypes[stored] : FileType::kUnknown;
}

}  // namespace iomap::backends
