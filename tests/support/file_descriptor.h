#pragma once

#include <unistd.h>

#include <utility>

namespace iomap::tests {

// An open file of this process, closed with the object.
class FileDescriptor {
 public:
  FileDescriptor() = default;
  // Takes over `descriptor`, negative for none: FileDescriptor(open(...)).
  explicit FileDescriptor(int descriptor) : descriptor_(descriptor) {}
  FileDescriptor(FileDescriptor&& other) noexcept
      : descriptor_(std::exchange(other.descriptor_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  ~FileDescriptor() { Close(); }

  bool is_open() const { return descriptor_ >= 0; }
  int get() const { return descriptor_; }

  void Close() {
    if (is_open()) {
      close(std::exchange(descriptor_, -1));
    }
  }

 private:
  int descriptor_ = -1;
};

}  // namespace iomap::tests
