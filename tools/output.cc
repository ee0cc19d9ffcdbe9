#include "tools/output.h"

#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"

namespace iomap::tools {
namespace {

absl::Status WriteError() {
  return absl::UnavailableError(absl::StrCat("write: ", std::strerror(errno)));
}

}  // namespace

// The buffer is not cleared: a page of it that is never used is never touched.
Output::Output(int descriptor) : descriptor_(descriptor), buffer_(new char[kBufferBytes]) {}

Output::~Output() = default;

void Output::AppendLarge(absl::string_view bytes) {
  WriteBuffer();
  if (bytes.size() >= kBufferBytes) {
    WriteOut(bytes);
  } else {
    Append(bytes);
  }
}

void Output::WriteBuffer() {
  WriteOut(absl::string_view(buffer_.get(), used_));
  used_ = 0;
}

void Output::WriteOut(absl::string_view bytes) {
  while (status_.ok() && !bytes.empty()) {
    const ssize_t written = write(descriptor_, bytes.data(), bytes.size());
    if (written >= 0) {
      bytes.remove_prefix(static_cast<size_t>(written));
    } else if (errno != EINTR) {
      status_ = WriteError();
    }
  }
}

absl::Status Output::Close() {
  WriteBuffer();
  if (close(descriptor_) != 0 && status_.ok()) {
    status_ = WriteError();
  }
  return status_;
}

}  // namespace iomap::tools
