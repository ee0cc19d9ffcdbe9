#pragma once

#include <charconv>
#include <cstdint>
#include <cstring>
#include <memory>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace iomap::tools {

// Buffered writing to a file descriptor: standard output of the command. After an error everything
// is dropped, and Close() says what happened. Not thread-safe.
class Output {
 public:
  explicit Output(int descriptor);
  // What is still in the buffer is lost: call Close().
  ~Output();
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  void Append(absl::string_view bytes) {
    if (bytes.size() > kBufferBytes - used_) [[unlikely]] {
      AppendLarge(bytes);
      return;
    }
    std::memcpy(buffer_.get() + used_, bytes.data(), bytes.size());
    used_ += bytes.size();
  }

  // In decimal, with spaces in front up to `width`.
  void AppendNumber(uint64_t number, size_t width = 0) {
    char digits[20];
    const std::to_chars_result end = std::to_chars(digits, digits + sizeof digits, number);
    AppendRight(absl::string_view(digits, end.ptr - digits), width);
  }

  // `text` in a column of `width` bytes, at its right or left edge.
  void AppendRight(absl::string_view text, size_t width) {
    AppendSpaces(text.size(), width);
    Append(text);
  }
  void AppendLeft(absl::string_view text, size_t width) {
    Append(text);
    AppendSpaces(text.size(), width);
  }

  // False once something could not be written: nothing more needs to be produced.
  bool ok() const { return status_.ok(); }
  const absl::Status& status() const { return status_; }

  // Writes what is left and closes the descriptor. Unavailable, with the system's words, when
  // anything was not written. To be called once, last.
  absl::Status Close();

 private:
  static constexpr size_t kBufferBytes = 256 * 1024;

  void AppendSpaces(size_t from, size_t to) {
    for (; from < to; ++from) {
      Append(" ");
    }
  }
  void AppendLarge(absl::string_view bytes);
  void WriteOut(absl::string_view bytes);
  void WriteBuffer();

  const int descriptor_;
  std::unique_ptr<char[]> buffer_;
  size_t used_ = 0;
  absl::Status status_;
};

}  // namespace iomap::tools
