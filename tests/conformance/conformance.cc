#include "tests/conformance/conformance.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "dax/io.h"
#include "dax/memory_device.h"
#include "iomap/for_each_mapping.h"
#include "iomap/status_macros.h"
#include "tests/conformance/capability_name.h"
#include "tests/support/status_matchers.h"

namespace iomap::conformance {
namespace {

using tests::IsOk;

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
  auto device = std::make_unique<dax::RecordingDevice>(
      std::make_unique<dax::MemoryDevice>(std::vector<std::byte>(backend.device_bytes)));
  device_ = device.get();
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

void Conformance::ExpectOnMedium(dax::File& file, uint64_t offset,
                                 const std::vector<std::byte>& bytes) {
  const auto expect_line = [&](uint64_t position, uint64_t address, uint64_t length) {
    const dax::Device& medium = *device_;
    std::vector<dax::Line> possible =
        device_->now().PossibleLines(address / dax::kLineBytes * dax::kLineBytes);
    if (possible.empty()) {  // nothing has happened to it
      std::memcpy(possible.emplace_back().data(),
                  medium.bytes().data() + address / dax::kLineBytes * dax::kLineBytes,
                  dax::kLineBytes);
    }
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
