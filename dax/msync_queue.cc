#include "dax/msync_queue.h"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "dax/entry.h"

namespace iomap::dax {
namespace {

// Sorts ranges and joins those that touch.
std::vector<ByteRange> Joined(std::vector<ByteRange> ranges) {
  std::sort(ranges.begin(), ranges.end(),
            [](const ByteRange& a, const ByteRange& b) { return a.offset < b.offset; });
  std::vector<ByteRange> joined;
  for (const ByteRange& range : ranges) {
    if (!joined.empty() && range.offset <= joined.back().end()) {
      joined.back() =
          ByteRange::Between(joined.back().offset, std::max(joined.back().end(), range.end()));
    } else {
      joined.push_back(range);
    }
  }
  return joined;
}

}  // namespace

void MsyncQueue::Note(const ByteRange& range) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const ByteRange pages = range.AlignOutward(kPageBytes);
  if (!noted_.empty() && noted_.back().Contains(pages)) {
    return;
  }
  noted_.push_back(pages);
}

absl::Status MsyncQueue::Drain(void* mapping) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const std::vector<ByteRange> ranges = Joined(std::exchange(noted_, {}));
  for (size_t i = 0; i < ranges.size(); ++i) {
    if (msync(static_cast<std::byte*>(mapping) + ranges[i].offset, ranges[i].length, MS_SYNC) !=
        0) {
      absl::Status status = absl::UnavailableError(absl::StrCat("msync: ", std::strerror(errno)));
      noted_.assign(ranges.begin() + static_cast<std::ptrdiff_t>(i), ranges.end());
      return status;
    }
  }
  return absl::OkStatus();
}

}  // namespace iomap::dax
