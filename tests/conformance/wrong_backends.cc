// The suite over backends that are wrong in one way each, and over one that is wrapped like them
// and right. wrong_backends_test.cc runs this program, and wants it to fail.

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "backends/ram/filesystem.h"
#include "iomap/status_macros.h"
#include "tests/conformance/conformance.h"
#include "tests/conformance/ram_backend.h"
#include "tests/races/mistaken_address_space.h"

namespace iomap::conformance {
namespace {

Capability Without(Capability all, Capability one) {
  return static_cast<Capability>(static_cast<uint32_t>(all) & ~static_cast<uint32_t>(one));
}

// What a backend to read does differently from the one that it wraps; null where it does not.
struct Lies {
  std::function<void(FilesystemInfo& info)> info = nullptr;
  std::function<void(DirectoryEntry& entry)> entry = nullptr;
  std::function<void(Attributes& attributes)> attributes = nullptr;
  std::function<void(Mapping& mapping, const ByteRange& range)> read = nullptr;
  std::function<void(Mapping& mapping)> report = nullptr;
  bool has_links = true;
  bool reads_on_from_cookies = true;
  bool finds_everything = false;
  bool opens_anew = false;
  bool moves_generation = false;
};

class LyingFile : public File {
 public:
  LyingFile(std::shared_ptr<File> file, const Lies& lies)
      : File(file->inode()), file_(std::move(file)), lies_(lies) {}

  absl::StatusOr<Attributes> attributes() override {
    absl::StatusOr<Attributes> attributes = file_->attributes();
    if (lies_.attributes && attributes.ok()) {
      lies_.attributes(*attributes);
    }
    return attributes;
  }
  absl::StatusOr<size_t> MapForRead(const ByteRange& range, absl::Span<Mapping> out) override {
    if (lies_.moves_generation) {
      AdvanceGeneration();
    }
    absl::StatusOr<size_t> count = file_->MapForRead(range, out);
    for (size_t i = 0; lies_.read && count.ok() && i < *count; ++i) {
      lies_.read(out[i], range);
    }
    return count;
  }
  absl::StatusOr<size_t> MapForReport(const ByteRange& range, absl::Span<Mapping> out) override {
    absl::StatusOr<size_t> count = file_->MapForReport(range, out);
    for (size_t i = 0; lies_.report && count.ok() && i < *count; ++i) {
      lies_.report(out[i]);
    }
    return count;
  }
  absl::Status ReadInline(uint64_t offset, absl::Span<std::byte> out) override {
    return file_->ReadInline(offset, out);
  }

 private:
  const std::shared_ptr<File> file_;
  const Lies& lies_;
};

class LyingFilesystem : public Filesystem {
 public:
  LyingFilesystem(std::unique_ptr<Filesystem> filesystem, const Lies& lies)
      : filesystem_(std::move(filesystem)), lies_(lies) {}

  absl::StatusOr<FilesystemInfo> info() override {
    IOMAP_ASSIGN_OR_RETURN(FilesystemInfo info, filesystem_->info());
    // What the wrapped one can do and this one does not pass on.
    info.capabilities = Capability::kSymbolicLinks | Capability::kInlineData | Capability::kReport;
    if (lies_.info) {
      lies_.info(info);
    }
    return info;
  }
  InodeNumber root() const override { return filesystem_->root(); }
  absl::StatusOr<InodeNumber> LookUp(InodeNumber directory, absl::string_view name) override {
    const absl::StatusOr<InodeNumber> found = filesystem_->LookUp(directory, name);
    return lies_.finds_everything && absl::IsNotFound(found.status()) ? root() : found;
  }
  absl::Status ReadDirectory(InodeNumber directory, uint64_t cookie,
                             absl::FunctionRef<bool(const DirectoryEntry&)> entry) override {
    return filesystem_->ReadDirectory(directory, lies_.reads_on_from_cookies ? cookie : 0,
                                      [&](DirectoryEntry found) {
                                        if (lies_.entry) {
                                          lies_.entry(found);
                                        }
                                        return entry(found);
                                      });
  }
  absl::StatusOr<std::string> ReadLink(InodeNumber link) override {
    return lies_.has_links ? filesystem_->ReadLink(link) : Filesystem::ReadLink(link);
  }
  absl::StatusOr<std::shared_ptr<File>> Open(InodeNumber inode) override {
    IOMAP_ASSIGN_OR_RETURN(std::shared_ptr<File> inner, filesystem_->Open(inode));
    std::shared_ptr<File> file = lies_.opens_anew ? nullptr : open_[inode].lock();
    if (file == nullptr) {
      file = std::make_shared<LyingFile>(std::move(inner), lies_);
      open_[inode] = file;
    }
    return file;
  }

 private:
  const std::unique_ptr<Filesystem> filesystem_;
  const Lies& lies_;
  std::map<InodeNumber, std::weak_ptr<File>> open_;
};

// `name` reads, and tells `lies`.
Backend Liar(const std::string& name, Lies lies) {
  const auto kept = std::make_shared<const Lies>(std::move(lies));
  const Backend ram = RamBackend();
  return {.name = name, .prepared = {[ram, kept]() -> absl::StatusOr<std::unique_ptr<Filesystem>> {
                          IOMAP_ASSIGN_OR_RETURN(auto inner, ram.prepared.front()());
                          return std::make_unique<LyingFilesystem>(std::move(inner), *kept);
                        }}};
}

// What a backend that writes does differently from the one that it wraps.
struct Faults {
  bool writes_through = true;
  bool drains = true;
  bool syncs = true;
  bool makes_links = true;
  bool unlinks = true;
  std::optional<dax::Mistake> mistake = std::nullopt;
};

// A device that does not keep what it promises.
class FaultyDevice : public dax::Device {
 public:
  FaultyDevice(std::unique_ptr<dax::Device> device, const Faults& faults)
      : device_(std::move(device)), faults_(faults) {
    set_bytes(device_->bytes());
  }

  absl::string_view kind() const override { return device_->kind(); }
  absl::string_view flush() const override { return device_->flush(); }

 private:
  absl::Status Store(uint64_t address, absl::Span<const std::byte> bytes) override {
    return StoreTo(*device_, address, bytes);
  }
  absl::Status StoreThrough(uint64_t address, absl::Span<const std::byte> bytes) override {
    return faults_.writes_through ? StoreThroughTo(*device_, address, bytes)
                                  : StoreTo(*device_, address, bytes);
  }
  void FlushLines(const ByteRange& range) override { FlushLinesOf(*device_, range); }
  absl::Status DrainFlushed() override {
    return faults_.drains ? DrainFlushedOf(*device_) : absl::OkStatus();
  }

  const std::unique_ptr<dax::Device> device_;
  const Faults& faults_;
};

class FaultyFilesystem : public dax::Filesystem {
 public:
  FaultyFilesystem(std::unique_ptr<ram::Filesystem> ram, const Faults& faults)
      : ram_(std::move(ram)), faults_(faults), mistake_(faults.mistake) {}

  absl::StatusOr<FilesystemInfo> info() override { return ram_->info(); }
  InodeNumber root() const override { return ram_->root(); }
  absl::StatusOr<InodeNumber> LookUp(InodeNumber directory, absl::string_view name) override {
    return ram_->LookUp(directory, name);
  }
  absl::Status ReadDirectory(InodeNumber directory, uint64_t cookie,
                             absl::FunctionRef<bool(const DirectoryEntry&)> entry) override {
    return ram_->ReadDirectory(directory, cookie, entry);
  }
  absl::StatusOr<std::string> ReadLink(InodeNumber link) override { return ram_->ReadLink(link); }
  absl::StatusOr<std::shared_ptr<dax::File>> OpenFile(InodeNumber inode) override {
    return ram_->OpenFile(inode);
  }
  absl::StatusOr<InodeNumber> Create(InodeNumber directory, absl::string_view name,
                                     uint32_t mode) override {
    return ram_->Create(directory, name, mode);
  }
  absl::StatusOr<InodeNumber> MakeSymbolicLink(InodeNumber directory, absl::string_view name,
                                               absl::string_view target) override {
    return faults_.makes_links ? ram_->MakeSymbolicLink(directory, name, target)
                               : Filesystem::MakeSymbolicLink(directory, name, target);
  }
  absl::Status Unlink(InodeNumber directory, absl::string_view name) override {
    return faults_.unlinks ? ram_->Unlink(directory, name) : absl::OkStatus();
  }
  absl::Status Sync() override { return faults_.syncs ? ram_->Sync() : absl::OkStatus(); }

 private:
  const std::unique_ptr<ram::Filesystem> ram_;
  const Faults& faults_;
  const tests::MistakeScope mistake_;
};

// `name` writes, with `faults`.
Backend Faulty(const std::string& name, const Faults& faults) {
  const auto kept = std::make_shared<const Faults>(faults);
  Backend backend = RamBackend();
  backend.name = name;
  backend.make =
      [kept](dax::DeviceSet devices) -> absl::StatusOr<std::unique_ptr<dax::Filesystem>> {
    for (std::unique_ptr<dax::Device>& device : devices) {
      device = std::make_unique<FaultyDevice>(std::move(device), *kept);
    }
    IOMAP_ASSIGN_OR_RETURN(
        auto ram, ram::Filesystem::Make(std::move(devices),
                                        {.make_address_space = &tests::MakeMistakenAddressSpace}));
    return std::make_unique<FaultyFilesystem>(std::move(ram), *kept);
  };
  return backend;
}

bool IsHole(const Mapping& mapping) { return mapping.type == MappingType::kHole; }

std::vector<Backend> WrongBackends() {
  using dax::Mistake;
  return {
      Liar("RightReader", {}),
      Liar("LinksByBitAlone", {.has_links = false}),
      Liar("NoBlocks", {.attributes = [](Attributes& of) { of.blocks_512 = 0; }}),
      Liar("EveryEntryAFile",
           {.entry = [](DirectoryEntry& entry) { entry.type = FileType::kRegular; }}),
      Liar("NamesCutOff",
           {.entry = [](DirectoryEntry& entry) { entry.name = entry.name.substr(0, 3); }}),
      Liar("CookiesIgnored", {.reads_on_from_cookies = false}),
      Liar("EverythingFound", {.finds_everything = true}),
      Liar("OpensAnew", {.opens_anew = true}),
      Liar("GenerationMoves", {.moves_generation = true}),
      Liar("CutToTheRange", {.read =
                                 [](Mapping& mapping, const ByteRange& range) {
                                   const ByteRange part = range.Intersect(mapping.range());
                                   mapping.address +=
                                       IsHole(mapping) ? 0 : part.offset - mapping.offset;
                                   mapping.offset = part.offset;
                                   mapping.length = part.length;
                                 }}),
      Liar("BehindTheDevice", {.read =
                                   [](Mapping& mapping, const ByteRange&) {
                                     mapping.address +=
                                         mapping.has_address() ? uint64_t{1} << 30 : 0;
                                   }}),
      Liar("OneBlockOff",
           {.read = [](Mapping& mapping,
                       const ByteRange&) { mapping.address += mapping.has_address() ? 4096 : 0; }}),
      Liar("HolesUnwritten", {.read =
                                  [](Mapping& mapping, const ByteRange&) {
                                    if (IsHole(mapping)) {
                                      mapping.type = MappingType::kUnwritten;
                                      mapping.address = 0;
                                    }
                                  }}),
      Liar("SharingUnsaid",
           {.report = [](Mapping& mapping) { mapping.flags = MappingFlag::kNone; }}),
      Liar("NoInlineData", {.info =
                                [](FilesystemInfo& info) {
                                  info.capabilities =
                                      Without(info.capabilities, Capability::kInlineData);
                                }}),
      Faulty("RightWriter", {}),
      Faulty("WritesNotThrough", {.writes_through = false}),
      Faulty("NoDrain", {.drains = false}),
      Faulty("NoSync", {.syncs = false}),
      Faulty("LinksNotMade", {.makes_links = false}),
      Faulty("NamesStay", {.unlinks = false}),
      Faulty("AliasNotCleaned", {.mistake = Mistake::kAliasNotCleaned}),
      Faulty("HugeEntryNotCleaned", {.mistake = Mistake::kHugeEntryNotCleaned}),
      Faulty("EntryDroppedWhileDirty", {.mistake = Mistake::kEntryDroppedWhileDirty}),
      Faulty("EntryRemovedOnWriteBack", {.mistake = Mistake::kEntryRemovedOnWriteBack}),
      Faulty("ErrorSwallowed", {.mistake = Mistake::kErrorSwallowed}),
  };
}

INSTANTIATE_TEST_SUITE_P(Wrong, Conformance, testing::ValuesIn(WrongBackends()), BackendName);

}  // namespace
}  // namespace iomap::conformance
