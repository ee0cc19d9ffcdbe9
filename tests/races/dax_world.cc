#include "tests/races/dax_world.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "dax/io.h"
#include "dax/memory_device.h"
#include "iomap/check.h"
#include "iomap/for_each_mapping.h"
#include "iomap/scheduler.h"
#include "iomap/thread_index.h"
#include "tests/races/mistaken_address_space.h"

namespace iomap::tests {
namespace {

constexpr uint64_t kWordBytes = 8;

absl::Span<const std::byte> BytesOf(const uint64_t& value) {
  return absl::MakeConstSpan(reinterpret_cast<const std::byte*>(&value), sizeof value);
}

}  // namespace

DaxWorld::DaxWorld(uint64_t device_bytes) {
  SetThreadIndex(0);  // of the preparation, whoever ran last in the run before
  auto device = std::make_unique<dax::RecordingDevice>(
      std::make_unique<dax::MemoryDevice>(std::vector<std::byte>(device_bytes)));
  device_ = device.get();
  dax::DeviceSet devices;
  devices.push_back(std::move(device));
  filesystem_ = *ram::Filesystem::Make(
      std::move(devices), {.data_device = 0, .make_address_space = &MakeMistakenAddressSpace});
}

DaxWorld::FilePtr DaxWorld::MakeFile(const std::string& name, uint64_t pages) {
  FilePtr file =
      *filesystem_->OpenFile(*filesystem_->Create(filesystem_->root(), name, S_IFREG | 0644));
  IOMAP_CHECK(file->SetSize(pages * dax::kPageBytes).ok());
  return file;
}

DaxWorld::FilePtr DaxWorld::MakeWrittenFile(const std::string& name, uint64_t pages) {
  FilePtr file = MakeFile(name, pages);
  IOMAP_CHECK(dax::Write(*file, 0, std::vector<std::byte>(pages * dax::kPageBytes)).ok());
  return file;
}

void DaxWorld::Finish() {
  if (at_end_ && failure().empty()) {
    at_end_();
  }
}

void DaxWorld::Expect(const absl::Status& status, const std::string& what) {
  if (!status.ok()) {
    Fail(absl::StrCat(what, ": ", status.ToString()));
  }
}

void DaxWorld::Begin(dax::File& file, uint64_t offset, uint64_t value) {
  words_[{file.inode(), offset}].values.push_back(value);
}

void DaxWorld::End(dax::File& file, uint64_t offset) {
  History& history = words_[{file.inode(), offset}];
  history.settled = history.values.size() - 1;
}

void DaxWorld::BeginAll(dax::File& file, const ByteRange& range, uint64_t value) {
  for (auto& [word, history] : words_) {
    if (word.first == file.inode() && range.Contains(word.second)) {
      history.values.push_back(value);
    }
  }
}

void DaxWorld::Store(dax::SoftMapping& mapping, uint64_t offset, uint64_t value) {
  Begin(mapping.file(), offset, value);
  Expect(mapping.Store(offset, BytesOf(value)), "store");
  End(mapping.file(), offset);
}

void DaxWorld::StorePinned(dax::SoftMapping& mapping, uint64_t offset, uint64_t value) {
  Begin(mapping.file(), offset, value);
  {
    absl::StatusOr<dax::PagePin> pin = mapping.Pin({offset, sizeof value});
    Expect(pin.status(), "pin");
    if (pin.ok()) {
      pin->Store(offset, BytesOf(value));
    }
  }
  End(mapping.file(), offset);
}

void DaxWorld::Load(dax::SoftMapping& mapping, uint64_t offset) {
  const Word word{mapping.file().inode(), offset};
  const size_t settled = words_[word].settled;
  uint64_t value = 0;
  Expect(mapping.Load(offset, absl::MakeSpan(reinterpret_cast<std::byte*>(&value), sizeof value)),
         "load");
  const std::vector<uint64_t>& values = words_[word].values;
  if (std::find(values.begin() + static_cast<std::ptrdiff_t>(settled), values.end(), value) ==
      values.end()) {
    Fail(absl::StrCat("wrong read: inode ", word.first, ", offset ", offset, ": ", value, ", not ",
                      values[settled]));
  }
}

void DaxWorld::Write(dax::File& file, uint64_t offset, uint64_t bytes, uint64_t value) {
  std::vector<std::byte> buffer(bytes);
  for (uint64_t i = 0; i + kWordBytes <= bytes; i += dax::kPageBytes) {
    std::memcpy(buffer.data() + i, &value, sizeof value);
    Begin(file, offset + i, value);
  }
  Expect(dax::Write(file, offset, buffer), "write");
  for (uint64_t i = 0; i + kWordBytes <= bytes; i += dax::kPageBytes) {
    End(file, offset + i);
  }
}

void DaxWorld::Punch(dax::File& file, uint64_t offset, uint64_t bytes) {
  BeginAll(file, {offset, bytes}, 0);
  Expect(file.Fallocate(FallocateMode::kPunchHole, {offset, bytes}), "punch");
  for (auto& [word, history] : words_) {
    if (word.first == file.inode() && ByteRange{offset, bytes}.Contains(word.second)) {
      // A store that came after the punch may be there instead.
      history.settled = std::max(history.settled, history.values.size() - 1);
      while (history.values[history.settled] != 0) {
        --history.settled;
      }
    }
  }
}

void DaxWorld::Clone(dax::File& source, dax::File& target, uint64_t bytes) {
  Expect(target.CloneRange(source, 0, {0, bytes}), "clone");
}

DaxWorld::Promise DaxWorld::MakePromise(InodeNumber inode) {
  // What is stored before this point is promised, and no step may come between.
  SchedulePoint(Step::kBegin, device_, ByteRange{0, device_->size()}, Effect::kReads);
  Promise promise;
  for (const auto& [word, history] : words_) {
    if (word.first == inode) {
      promise[word] = history.settled;
    }
  }
  return promise;
}

std::vector<uint64_t> DaxWorld::OnMedium(dax::File& file, uint64_t offset) {
  const absl::StatusOr<Mapping> mapping = MappingAt(file, &iomap::File::MapForRead, offset);
  Expect(mapping.status(), "look-up");
  if (!mapping.ok() || mapping->type != MappingType::kMapped) {
    return {0};
  }
  const uint64_t address = mapping->AddressOf(offset);
  std::vector<uint64_t> possible = device_->now().PossibleWords(address);
  if (possible.empty()) {
    uint64_t value;
    std::memcpy(&value, device_->bytes().data() + address, sizeof value);
    possible.push_back(value);
  }
  return possible;
}

void DaxWorld::KeepPromise(dax::File& file, const Promise& promise, const std::string& what) {
  SchedulePoint(Step::kPromise, device_->durability(), ByteRange{0, 1}, Effect::kWrites);
  for (const auto& [word, first] : promise) {
    const std::vector<uint64_t> possible = OnMedium(file, word.second);
    const std::vector<uint64_t>& values = words_[word].values;
    for (const uint64_t value : possible) {
      if (std::find(values.begin() + static_cast<std::ptrdiff_t>(first), values.end(), value) ==
          values.end()) {
        Fail(absl::StrCat("lost store: after ", what, ", a crash may leave ", value, " at offset ",
                          word.second, " of inode ", word.first, ", where ", values[first],
                          " was promised"));
      }
    }
  }
}

void DaxWorld::Fsync(dax::SoftMapping& mapping) {
  const Promise promise = MakePromise(mapping.file().inode());
  Expect(mapping.Fsync(), "fsync");
  KeepPromise(mapping.file(), promise, "fsync");
}

void DaxWorld::Sync(const std::vector<dax::File*>& files) {
  std::vector<Promise> promises;
  for (dax::File* file : files) {
    promises.push_back(MakePromise(file->inode()));
  }
  Expect(filesystem_->Sync(), "sync");
  for (size_t i = 0; i < files.size(); ++i) {
    KeepPromise(*files[i], promises[i], "sync");
  }
}

void DaxWorld::ExpectContents(dax::File& file, dax::SoftMapping& mapping) {
  for (const auto& [word, history] : words_) {
    if (word.first != file.inode()) {
      continue;
    }
    for (const bool by_read : {true, false}) {
      uint64_t value = 0;
      const auto out = absl::MakeSpan(reinterpret_cast<std::byte*>(&value), sizeof value);
      Expect(by_read ? dax::Read(file, word.second, out).status() : mapping.Load(word.second, out),
             "at the end");
      const auto from = history.values.begin() + static_cast<std::ptrdiff_t>(history.settled);
      if (std::find(from, history.values.end(), value) == history.values.end()) {
        Fail(absl::StrCat("wrong ", by_read ? "read" : "load", " at the end: inode ", word.first,
                          ", offset ", word.second, ": ", value, ", not ",
                          history.values[history.settled]));
      }
    }
  }
}

}  // namespace iomap::tests
