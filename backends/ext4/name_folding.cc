#include "backends/ext4/name_folding.h"

#include <utf8proc.h>

#include <cstdlib>

namespace iomap::ext4 {

std::string FoldName(absl::string_view name) {
  utf8proc_uint8_t* folded = nullptr;
  const utf8proc_ssize_t length =
      utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(name.data()),
                   static_cast<utf8proc_ssize_t>(name.size()), &folded,
                   static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_DECOMPOSE |
                                                  UTF8PROC_CASEFOLD | UTF8PROC_IGNORE));
  if (length < 0) {
    return std::string(name);
  }
  std::string result(reinterpret_cast<const char*>(folded), static_cast<size_t>(length));
  std::free(folded);
  return result;
}

}  // namespace iomap::ext4
