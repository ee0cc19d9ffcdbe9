#include "romfs.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "iomap/mapping_writer.h"
#include "iomap/status_macros.h"

namespace romfs {
namespace {

using iomap::ByteRange;

constexpr uint64_t kUnit = 16;  // bytes: headers, names and contents begin at these
constexpr absl::string_view kMagic = "-rom1fs-";
constexpr uint64_t kSuperblockBytes = 16;    // in front of the volume's name
constexpr uint64_t kSuperblockSummed = 512;  // that its checksum covers, if there are as many
constexpr uint32_t kTypeMask = 7;
constexpr uint32_t kExecutable = 8;
constexpr uint64_t kEnd = std::numeric_limits<uint64_t>::max();  // the cookie behind the last entry

enum Type : uint32_t { kHardLink, kDirectory, kRegular, kSymbolicLink };
// st_mode by type, but for the permission to execute.
constexpr std::array<uint32_t, 8> kModes = {S_IFREG | 0644,  S_IFDIR | 0644, S_IFREG | 0644,
                                            S_IFLNK | 0777,  S_IFBLK | 0600, S_IFCHR | 0600,
                                            S_IFSOCK | 0644, S_IFIFO | 0644};

uint32_t BigEndian(absl::Span<const std::byte> bytes, size_t at) {
  uint32_t value = 0;
  for (size_t i = 0; i < 4; ++i) {
    value = value << 8 | std::to_integer<uint32_t>(bytes[at + i]);
  }
  return value;
}

// Zero where the checksum, one of the words, is right.
uint32_t Sum(absl::Span<const std::byte> bytes) {
  uint32_t sum = 0;
  for (size_t at = 0; at + 4 <= bytes.size(); at += 4) {
    sum += BigEndian(bytes, at);
  }
  return sum;
}

// A name: it ends with a zero, and takes whole units.
absl::StatusOr<std::string> NameAt(const iomap::dax::Device& device, uint64_t address) {
  std::string name;
  while (true) {
    IOMAP_ASSIGN_OR_RETURN(const auto unit, device.View({address + name.size(), kUnit}));
    for (const std::byte byte : unit) {
      if (byte == std::byte{0}) {
        return name;
      }
      name += static_cast<char>(byte);
    }
  }
}

uint64_t NameEnd(uint64_t address, const std::string& name) {
  return address + (name.size() / kUnit + 1) * kUnit;
}

}  // namespace

struct Filesystem::Header {
  uint64_t address = 0;
  uint64_t next = 0;  // address of the directory's next header; 0: none
  uint32_t type = 0;
  bool executable = false;
  uint64_t info = 0;  // what a hard link links to; a directory's first header
  uint64_t size = 0;
  std::string name = {};

  uint64_t contents() const { return NameEnd(address + kUnit, name); }
  uint32_t mode() const { return kModes[type] | (executable ? 0111 : 0); }
};

class Filesystem::File : public iomap::dax::File {
 public:
  File(const iomap::dax::DeviceSet& devices, Header header)
      : iomap::dax::File(header.address, devices), header_(std::move(header)) {}

  absl::StatusOr<iomap::Attributes> attributes() override {
    return iomap::Attributes{.inode = inode(),
                             .type = iomap::FileTypeOfMode(header_.mode()),
                             .mode = header_.mode(),
                             .link_count = 1,
                             .size = header_.size,
                             .blocks_512 = (header_.size + 511) / 512};
  }

  absl::StatusOr<size_t> MapForRead(const ByteRange& range,
                                    absl::Span<iomap::Mapping> out) override {
    iomap::MappingWriter writer(range, out);
    if (header_.size > 0) {
      const ByteRange units = ByteRange{0, header_.size}.AlignOutward(kUnit);
      writer.Append({.offset = 0,
                     .length = units.length,
                     .address = header_.contents(),
                     .type = iomap::MappingType::kMapped});
    }
    writer.AppendHoleUntil(range.end());
    return writer.count();
  }

 private:
  const Header header_;
};

absl::StatusOr<std::unique_ptr<Filesystem>> Filesystem::Open(iomap::dax::DeviceSet devices) {
  std::unique_ptr<Filesystem> filesystem(new Filesystem(std::move(devices)));
  IOMAP_RETURN_IF_ERROR(filesystem->ReadSuperblock());
  return filesystem;
}

absl::Status Filesystem::ReadSuperblock() {
  const iomap::dax::Device& device = *devices_.front();
  IOMAP_ASSIGN_OR_RETURN(const auto head, device.View({0, kSuperblockBytes}));
  if (!std::equal(kMagic.begin(), kMagic.end(), head.begin(),
                  [](char a, std::byte b) { return std::byte(a) == b; })) {
    return absl::DataLossError("no romfs: the magic number at byte 0 is missing");
  }
  size_ = BigEndian(head, 8);
  IOMAP_ASSIGN_OR_RETURN(const auto summed,
                         device.View({0, std::min(size_, kSuperblockSummed) / 4 * 4}));
  if (size_ > device.size() || Sum(summed) != 0) {
    return absl::DataLossError(absl::StrCat("superblock: size ", size_, " of ", device.size(),
                                            " bytes, the checksum is off by ", Sum(summed)));
  }
  IOMAP_ASSIGN_OR_RETURN(label_, NameAt(device, kSuperblockBytes));
  root_ = NameEnd(kSuperblockBytes, label_);
  return InodeAt(root_).status();
}

absl::StatusOr<Filesystem::Header> Filesystem::HeaderAt(uint64_t address) const {
  const iomap::dax::Device& device = *devices_.front();
  IOMAP_ASSIGN_OR_RETURN(const auto bytes, device.View({address, kUnit}));
  Header header{.address = address,
                .next = BigEndian(bytes, 0) & ~(kUnit - 1),
                .type = BigEndian(bytes, 0) & kTypeMask,
                .executable = (BigEndian(bytes, 0) & kExecutable) != 0,
                .info = BigEndian(bytes, 4),
                .size = BigEndian(bytes, 8)};
  IOMAP_ASSIGN_OR_RETURN(header.name, NameAt(device, address + kUnit));
  IOMAP_ASSIGN_OR_RETURN(const auto summed,
                         device.View(ByteRange::Between(address, header.contents())));
  if (Sum(summed) != 0) {
    return absl::DataLossError(
        absl::StrCat("header at ", address, ": the checksum is off by ", Sum(summed)));
  }
  return header;
}

absl::StatusOr<Filesystem::Header> Filesystem::InodeAt(uint64_t address) const {
  if (address % kUnit != 0 || address == 0 || address >= size_) {
    return absl::NotFoundError(absl::StrCat("inode ", address, ": there is none"));
  }
  IOMAP_ASSIGN_OR_RETURN(Header header, HeaderAt(address));
  if (header.type == kHardLink) {
    return absl::NotFoundError(absl::StrCat("inode ", address, ": a link"));
  }
  return header;
}

absl::Status Filesystem::Walk(uint64_t first,
                              absl::FunctionRef<bool(const Header&, const Header&)> entry) const {
  uint64_t left = size_ / kUnit;  // a longer chain has a header twice
  for (uint64_t address = first; address != 0; --left) {
    if (left == 0) {
      return absl::DataLossError(absl::StrCat("the chain of headers from ", first, " has no end"));
    }
    IOMAP_ASSIGN_OR_RETURN(const Header header, HeaderAt(address));
    IOMAP_ASSIGN_OR_RETURN(const Header inode,
                           InodeAt(header.type == kHardLink ? header.info : address));
    if (!entry(header, inode)) {
      return absl::OkStatus();
    }
    address = header.next;
  }
  return absl::OkStatus();
}

absl::StatusOr<iomap::FilesystemInfo> Filesystem::info() {
  return iomap::FilesystemInfo{.backend = "romfs",
                               .capabilities = iomap::Capability::kSymbolicLinks,
                               .block_size = kUnit,
                               .size_bytes = size_,
                               .label = label_};
}

absl::StatusOr<iomap::InodeNumber> Filesystem::LookUp(iomap::InodeNumber directory,
                                                      absl::string_view name) {
  IOMAP_ASSIGN_OR_RETURN(const Header parent, InodeAt(directory));
  if (parent.type != kDirectory) {
    return absl::FailedPreconditionError(absl::StrCat("inode ", directory, ": not a directory"));
  }
  iomap::InodeNumber found = 0;
  IOMAP_RETURN_IF_ERROR(Walk(parent.info, [&](const Header& entry, const Header& inode) {
    found = entry.name == name ? inode.address : 0;
    return found == 0;
  }));
  if (found == 0) {
    return absl::NotFoundError(absl::StrCat("\"", name, "\" in inode ", directory));
  }
  return found;
}

absl::Status Filesystem::ReadDirectory(
    iomap::InodeNumber directory, uint64_t cookie,
    absl::FunctionRef<bool(const iomap::DirectoryEntry&)> entry) {
  IOMAP_ASSIGN_OR_RETURN(const Header parent, InodeAt(directory));
  if (parent.type != kDirectory) {
    return absl::FailedPreconditionError(absl::StrCat("inode ", directory, ": not a directory"));
  }
  if (cookie == kEnd) {
    return absl::OkStatus();
  }
  return Walk(cookie == 0 ? parent.info : cookie, [&](const Header& header, const Header& inode) {
    return header.name == "." || header.name == ".." ||
           entry({.name = header.name,
                  .inode = inode.address,
                  .type = iomap::FileTypeOfMode(inode.mode()),
                  .next_cookie = header.next == 0 ? kEnd : header.next});
  });
}

absl::StatusOr<std::string> Filesystem::ReadLink(iomap::InodeNumber link) {
  IOMAP_ASSIGN_OR_RETURN(const Header header, InodeAt(link));
  if (header.type != kSymbolicLink) {
    return absl::FailedPreconditionError(absl::StrCat("inode ", link, ": not a symbolic link"));
  }
  IOMAP_ASSIGN_OR_RETURN(const auto target,
                         devices_.front()->View({header.contents(), header.size}));
  return std::string(reinterpret_cast<const char*>(target.data()), target.size());
}

absl::StatusOr<std::shared_ptr<iomap::dax::File>> Filesystem::OpenFile(iomap::InodeNumber inode) {
  return open_files_.FindOrOpen(inode, [&]() -> absl::StatusOr<std::shared_ptr<iomap::dax::File>> {
    IOMAP_ASSIGN_OR_RETURN(Header header, InodeAt(inode));
    return iomap::dax::MakeFile<File>(devices_, std::move(header));
  });
}

}  // namespace romfs
