#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "backends/ram/filesystem.h"
#include "dax/recording_device.h"
#include "dax/soft_mapping.h"
#include "tools/schedule/exploration.h"

namespace iomap::tests {

// A scenario of threads that use files of the reference backend, on a recording device: keeps what
// was stored to each word of a file, and holds every durable call to its promise. A word is 8
// bytes, named by its offset in the file; each value is stored to one word once.
class DaxWorld : public schedule::Scenario {
 public:
  using FilePtr = std::shared_ptr<dax::File>;

  explicit DaxWorld(uint64_t device_bytes = 32 * dax::kPageBytes);

  // Preparation, before the threads run: a file of `pages` pages, with what the pages hold.
  FilePtr MakeFile(const std::string& name, uint64_t pages);
  FilePtr MakeWrittenFile(const std::string& name, uint64_t pages);

  std::vector<std::function<void()>> Threads() override { return threads_; }
  void Thread(std::function<void()> body) { threads_.push_back(std::move(body)); }
  void AtEnd(std::function<void()> body) { at_end_ = std::move(body); }
  void Finish() override;

  // What threads do; each checks its own outcome.
  void Store(dax::SoftMapping& mapping, uint64_t offset, uint64_t value);
  // By a pin that ends with it.
  void StorePinned(dax::SoftMapping& mapping, uint64_t offset, uint64_t value);
  // What a load gives must have been stored: the last value, or one whose call is under way.
  void Load(dax::SoftMapping& mapping, uint64_t offset);
  void Write(dax::File& file, uint64_t offset, uint64_t bytes, uint64_t value);
  void Punch(dax::File& file, uint64_t offset, uint64_t bytes);
  void Fsync(dax::SoftMapping& mapping);
  void Sync(const std::vector<dax::File*>& files);
  void Clone(dax::File& source, dax::File& target, uint64_t bytes);
  // After the threads have ended: every word is what it should be, read and loaded.
  void ExpectContents(dax::File& file, dax::SoftMapping& mapping);

  ram::Filesystem& filesystem() { return *filesystem_; }
  dax::RecordingDevice& device() { return *device_; }
  // Fails unless `status` is OK.
  void Expect(const absl::Status& status, const std::string& what);

 private:
  // The values of one word, in the order in which they came about. From `settled` on, the word may
  // hold any: the calls that store the later ones are under way.
  struct History {
    std::vector<uint64_t> values = {0};
    size_t settled = 0;
  };
  using Word = std::pair<InodeNumber, uint64_t>;
  // For each word, the first value that may be found after a crash.
  using Promise = std::map<Word, size_t>;

  void Begin(dax::File& file, uint64_t offset, uint64_t value);
  void End(dax::File& file, uint64_t offset);
  Promise MakePromise(InodeNumber inode);
  void KeepPromise(dax::File& file, const Promise& promise, const std::string& what);
  std::vector<uint64_t> OnMedium(dax::File& file, uint64_t offset);
  void BeginAll(dax::File& file, const ByteRange& range, uint64_t value);

  dax::RecordingDevice* device_;
  std::unique_ptr<ram::Filesystem> filesystem_;
  std::map<Word, History> words_;
  std::vector<std::function<void()>> threads_;
  std::function<void()> at_end_;
};

}  // namespace iomap::tests
