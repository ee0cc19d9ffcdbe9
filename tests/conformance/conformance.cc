#include "tests/conformance/conformance.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "dax/io.h"
#include "dax/memory_device.h"
#include "dax/pmem_device.h"
#include "iomap/for_each_mapping.h"
#include "iomap/status_macros.h"
#include "tests/conformance/capability_name.h"
#include "tests/conformance/mapped_file.h"
#include "tests/conformance/whole_map.h"
#include "tests/support/mirror_device.h"
#include "tests/support/status_matchers.h"

namespace iomap::conformance {
namespace {

using tests::IsOk;

// As far as any file of the suite grows.
constexpr uint64_t kMostMappedBytes = uint64_t{64} << 20;

}  // namespace

std::vector<std::shared_ptr<File>> Conformance::Prepared::Files() const {
  std::vector<std::shared_ptr<File>> files;
  std::set<InodeNumber> met;
  for (const Found& one : found) {
    if (one.type == FileType::kRegular && met.insert(one.inode).second) {
      absl::StatusOr<std::shared_ptr<File>> file = filesystem->Open(one.inode);
      EXPECT_THAT(file, IsOk()) << one.path;
      if (file.ok()) {
        files.push_back(*std::move(file));
      }
    }
  }
  return files;
}

absl::Status Conformance::Prepared::Walk() {
  IOMAP_ASSIGN_OR_RETURN(const FilesystemInfo info, filesystem->info());
  capabilities = info.capabilities;
  found = {{"", filesystem->root(), filesystem->root(), FileType::kDirectory}};
  std::set<InodeNumber> walked;
  for (size_t i = 0; i < found.size(); ++i) {
    if (found[i].type != FileType::kDirectory) {
      continue;
    }
    const Found directory = found[i];
    if (!walked.insert(directory.inode).second) {
      return absl::InternalError(absl::StrCat(directory.path, ": a directory in two places"));
    }
    absl::Status status;
    IOMAP_RETURN_IF_ERROR(
        filesystem->ReadDirectory(directory.inode, 0, [&](const DirectoryEntry& entry) {
          const absl::StatusOr<std::shared_ptr<File>> file = filesystem->Open(entry.inode);
          const absl::StatusOr<Attributes> attributes =
              file.ok() ? (*file)->attributes() : file.status();
          status = attributes.status();
          if (status.ok()) {
            found.push_back({absl::StrCat(directory.path, "/", entry.name), entry.inode,
                             directory.inode, attributes->type});
          }
          return status.ok();
        }));
    IOMAP_RETURN_IF_ERROR(status);
  }
  return absl::OkStatus();
}

std::vector<Conformance::Prepared> Conformance::OpenPrepared() {
  std::vector<Prepared> all;
  EXPECT_FALSE(GetParam().prepared.empty()) << "there is nothing to read";
  for (const Backend::Prepared& open : GetParam().prepared) {
    absl::StatusOr<std::unique_ptr<Filesystem>> filesystem = open();
    EXPECT_THAT(filesystem, IsOk());
    if (filesystem.ok()) {
      Prepared& prepared = all.emplace_back();
      prepared.filesystem = *std::move(filesystem);
      EXPECT_THAT(prepared.Walk(), IsOk());
    }
  }
  return all;
}

std::string Conformance::MakeFor(const std::vector<Capability>& needed) {
  const Backend& backend = GetParam();
  if (backend.make == nullptr) {
    return absl::StrCat(backend.name, " has no way to write");
  }
  std::unique_ptr<dax::Device> device =
      maps_into_process() ? MakeMirror(backend.device_bytes) : MakeRecorder(backend.device_bytes);
  device_ = device.get();
  if (maps_into_process()) {
    const absl::Status can = dax::HostMapping::CanTrack(*backend.tracking, *device_);
    if (!can.ok()) {
      return std::string(can.message());
    }
  }
  dax::DeviceSet devices;
  devices.push_back(std::move(device));
  absl::StatusOr<std::unique_ptr<dax::Filesystem>> made = backend.make(std::move(devices));
  EXPECT_THAT(made, IsOk());
  if (!made.ok()) {
    return "it could not be made";
  }
  filesystem_ = *std::move(made);
  const absl::StatusOr<FilesystemInfo> info = filesystem_->info();
  EXPECT_THAT(info, IsOk());
  capabilities_ = info->capabilities;
  block_bytes_ = std::max<uint64_t>(info->block_size, dax::kPageBytes);
  EXPECT_TRUE(Has(Capability::kNames) && Has(Capability::kWrite))
      << "who makes file systems makes files and writes them";
  for (const Capability capability : needed) {
    if (!Has(capability)) {
      return absl::StrCat(backend.name, " has no ", CapabilityName(capability));
    }
  }
  return "";
}

uint64_t Conformance::FreeBytes() {
  const absl::StatusOr<FilesystemInfo> info = filesystem_->info();
  EXPECT_THAT(info, IsOk());
  return info->free_bytes;
}

std::shared_ptr<dax::File> Conformance::MakeFile(absl::string_view name) {
  const absl::StatusOr<InodeNumber> inode =
      filesystem_->Create(filesystem_->root(), name, S_IFREG | 0644);
  EXPECT_THAT(inode, IsOk()) << name;
  absl::StatusOr<std::shared_ptr<dax::File>> file = filesystem_->OpenFile(*inode);
  EXPECT_THAT(file, IsOk()) << name;
  return *std::move(file);
}

std::shared_ptr<dax::File> Conformance::MakeFile(absl::string_view name,
                                                 const std::vector<std::byte>& bytes) {
  std::shared_ptr<dax::File> file = MakeFile(name);
  EXPECT_THAT(dax::Write(*file, 0, bytes), IsOk()) << name;
  return file;
}

std::unique_ptr<dax::Device> Conformance::MakeRecorder(uint64_t bytes) {
  auto device = std::make_unique<dax::RecordingDevice>(
      std::make_unique<dax::MemoryDevice>(std::vector<std::byte>(bytes)));
  recorder_ = device.get();
  return device;
}

std::unique_ptr<dax::Device> Conformance::MakeMirror(uint64_t bytes) {
  const int memory = memfd_create("conformance", MFD_CLOEXEC);
  EXPECT_GE(memory, 0);
  EXPECT_EQ(ftruncate(memory, static_cast<off_t>(bytes)), 0);
  auto opened = dax::PmemDevice::Open(absl::StrCat("/proc/self/fd/", memory), 0);
  EXPECT_THAT(opened, IsOk());
  close(memory);
  auto device = std::make_unique<tests::MirrorDevice>(*std::move(opened));
  device->ListFlushed();
  mirror_ = device.get();
  return device;
}

MappedFile Conformance::Map(const std::shared_ptr<dax::File>& file) { return Map(file, {}); }

MappedFile Conformance::Map(const std::shared_ptr<dax::File>& file, const MapOptions& options) {
  if (!maps_into_process()) {
    return MappedFile(std::make_unique<dax::SoftMapping>(
        file,
        dax::SoftMapping::Options{.largest_page = options.largest_page, .sync = options.sync}));
  }
  auto mapping = dax::HostMapping::Make(
      file, {.bytes = kMostMappedBytes, .sync = options.sync, .tracking = GetParam().tracking});
  EXPECT_THAT(mapping, IsOk());
  return MappedFile(*std::move(mapping));
}

void Conformance::ExpectClean(dax::File& file) {
  if (!file.address_space().AnyTableNotesStores()) {
    EXPECT_FALSE(file.address_space().MayBeDirty());
  }
}

void Conformance::FailNextDrain(const absl::Status& status) {
  if (recorder_ != nullptr) {
    recorder_->FailNextDrain(status);
  } else {
    mirror_->FailNextDrain(status);
  }
}

std::set<uint64_t> Conformance::TakeFlushedPages(dax::File& file) {
  std::vector<ByteRange> flushed;
  if (mirror_ != nullptr) {
    flushed = mirror_->TakeFlushed();
  } else {
    for (; events_seen_ < recorder_->trace().size(); ++events_seen_) {
      const dax::DeviceEvent& event = recorder_->trace()[events_seen_];
      if (event.kind == dax::DeviceEvent::Kind::kFlush) {
        flushed.push_back(event.range);
      }
    }
  }
  std::set<uint64_t> pages;
  for (const Mapping& mapping : WholeMap(file, &File::MapForRead)) {
    for (const ByteRange& range : flushed) {
      if (!mapping.has_address()) {
        continue;
      }
      const ByteRange part = ByteRange{mapping.address, mapping.length}.Intersect(range);
      for (uint64_t address = part.offset; address < part.end(); address += dax::kLineBytes) {
        pages.insert((mapping.offset + (address - mapping.address)) / dax::kPageBytes);
      }
    }
  }
  return pages;
}

std::set<uint64_t> Conformance::MayBeFlushed(const std::set<uint64_t>& stored) const {
  if (GetParam().tracking != dax::Tracking::kSignals) {
    return stored;
  }
  std::set<uint64_t> pages;
  for (const uint64_t page : stored) {
    for (uint64_t i = 0; i < dax::HostMapping::kClusterPages; ++i) {
      pages.insert(page - page % dax::HostMapping::kClusterPages + i);
    }
  }
  return pages;
}

std::vector<dax::Line> Conformance::PossibleLines(uint64_t address) const {
  std::vector<dax::Line> possible;
  if (recorder_ != nullptr) {
    possible = recorder_->now().PossibleLines(address);
  }
  if (possible.empty()) {  // nothing has happened to it, or only one thing is certain
    const std::vector<std::byte> bytes =
        mirror_ != nullptr
            ? mirror_->Durable(address, dax::kLineBytes)
            : std::vector<std::byte>(device_->bytes().begin() + address,
                                     device_->bytes().begin() + address + dax::kLineBytes);
    std::memcpy(possible.emplace_back().data(), bytes.data(), dax::kLineBytes);
  }
  return possible;
}

void Conformance::ExpectOnMedium(dax::File& file, uint64_t offset,
                                 const std::vector<std::byte>& bytes) {
  const auto expect_line = [&](uint64_t position, uint64_t address, uint64_t length) {
    const std::vector<dax::Line> possible =
        PossibleLines(address / dax::kLineBytes * dax::kLineBytes);
    const std::byte* const expected = bytes.data() + (position - offset);
    for (const dax::Line& line : possible) {
      if (!std::equal(expected, expected + length, line.data() + address % dax::kLineBytes)) {
        ADD_FAILURE() << "inode " << file.inode() << ": after a crash, the bytes at " << position
                      << ", on the device at " << address << ", may be lost; there may be "
                      << possible.size() << " different ones";
        return false;
      }
    }
    return true;
  };
  EXPECT_THAT(
      ForEachMapping(
          file, &iomap::File::MapForRead, ByteRange{offset, bytes.size()},
          [&](const Mapping& mapping, const ByteRange& part) {
            if (mapping.reads_as_zeros()) {
              const auto first = bytes.begin() + static_cast<std::ptrdiff_t>(part.offset - offset);
              const bool zeros =
                  std::all_of(first, first + static_cast<std::ptrdiff_t>(part.length),
                              [](std::byte byte) { return byte == std::byte{0}; });
              EXPECT_TRUE(zeros) << "inode " << file.inode() << ": " << DebugString(mapping);
              return zeros ? Walk::kContinue : Walk::kStop;
            }
            EXPECT_EQ(mapping.type, MappingType::kMapped) << DebugString(mapping);
            EXPECT_EQ(mapping.device, 0) << DebugString(mapping);
            for (uint64_t position = part.offset; position < part.end();) {
              const uint64_t address = mapping.AddressOf(position);
              const uint64_t length =
                  std::min(part.end() - position, dax::kLineBytes - address % dax::kLineBytes);
              if (!expect_line(position, address, length)) {
                return Walk::kStop;
              }
              position += length;
            }
            return Walk::kContinue;
          }),
      IsOk());
}

std::string BackendName(const testing::TestParamInfo<Backend>& info) { return info.param.name; }

void PrintTo(const Backend& backend, std::ostream* out) { *out << backend.name; }

}  // namespace iomap::conformance
