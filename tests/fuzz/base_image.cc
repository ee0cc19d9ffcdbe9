#include "tests/fuzz/base_image.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "backends/endian.h"
#include "dax/file_device.h"
#include "iomap/status_macros.h"
#include "tests/support/file_descriptor.h"
#include "tests/support/recipe_image.h"
#include "tests/support/system_error.h"

namespace iomap::tests {
namespace {

using backends::Le64;
using backends::Load;

constexpr absl::string_view kMagic = "SPARSE01";
constexpr absl::string_view kSuffix = ".sparse";
// No record that tells a mapping or an entry is smaller.
constexpr uint64_t kLeastRecordBytes = 8;

std::string SparsePath(absl::string_view name) {
  return absl::StrCat(IOMAP_FUZZ_FOLDER, "/images/", name, kSuffix);
}

absl::Status WriteAll(const FileDescriptor& file, uint64_t address, absl::string_view bytes) {
  const ssize_t count = pwrite(file.get(), bytes.data(), bytes.size(), static_cast<off_t>(address));
  return count == static_cast<ssize_t>(bytes.size()) ? absl::OkStatus()
                                                     : SystemError("write the image");
}

}  // namespace

absl::StatusOr<const BaseImage*> BaseImage::Get(absl::string_view name) {
  static std::map<std::string, std::unique_ptr<BaseImage>> images;  // their folders go at exit
  const std::string key(name);
  if (const auto found = images.find(key); found != images.end()) {
    return found->second.get();
  }
  const std::string path = SparsePath(name);
  if (absl::StrContains(name, "/") || access(path.c_str(), R_OK) != 0) {
    return absl::NotFoundError(absl::StrCat("no image of the name \"", name, "\""));
  }
  IOMAP_ASSIGN_OR_RETURN(TemporaryDirectory folder, TemporaryDirectory::Make());
  std::unique_ptr<BaseImage> image(new BaseImage(std::move(folder)));
  IOMAP_RETURN_IF_ERROR(image->Unpack(path));
  IOMAP_RETURN_IF_ERROR(image->Explore());
  return images.emplace(key, std::move(image)).first->second.get();
}

std::vector<std::string> BaseImage::Names(absl::string_view backend) {
  std::vector<std::string> names;
  for (const auto& entry :
       std::filesystem::directory_iterator(absl::StrCat(IOMAP_FUZZ_FOLDER, "/images"))) {
    const std::string name = entry.path().stem().string();
    if (entry.path().extension() == std::string(kSuffix) && absl::StartsWith(name, backend)) {
      names.push_back(name);
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

absl::Status BaseImage::Unpack(const std::string& sparse_path) {
  std::ifstream in(sparse_path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  const auto number_at = [&](size_t place) {
    return Load<Le64>(reinterpret_cast<const std::byte*>(bytes.data()) + place);
  };
  size_t next = kMagic.size() + sizeof(Le64);
  if (bytes.size() < next || !absl::StartsWith(bytes, kMagic)) {
    return absl::DataLossError(absl::StrCat(sparse_path, ": not a sparse image"));
  }
  size_ = number_at(kMagic.size());
  path_ = folder_ / "image";
  const FileDescriptor file(open(path_.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600));
  if (!file.is_open() || ftruncate(file.get(), static_cast<off_t>(size_)) != 0) {
    return SystemError(path_);
  }
  while (bytes.size() - next >= 2 * sizeof(Le64)) {
    const uint64_t address = number_at(next);
    const uint64_t length = number_at(next + sizeof(Le64));
    next += 2 * sizeof(Le64);
    if (length > bytes.size() - next) {
      return absl::DataLossError(absl::StrCat(sparse_path, ": cut short"));
    }
    IOMAP_RETURN_IF_ERROR(WriteAll(file, address, absl::string_view(bytes).substr(next, length)));
    most_work_ += length / kLeastRecordBytes;
    next += length;
  }
  return absl::OkStatus();
}

absl::Status BaseImage::Explore() {
  IOMAP_ASSIGN_OR_RETURN(const std::unique_ptr<dax::Filesystem> filesystem,
                         OpenImage(path_, {.dirty_journal = backends::DirtyJournal::kIgnore}));
  IOMAP_ASSIGN_OR_RETURN(const FilesystemInfo info, filesystem->info());
  is_dirty_ = info.journal == JournalState::kDirty;
  is_xfs_ = info.backend == "xfs";
  block_size_ = info.block_size;
  IOMAP_ASSIGN_OR_RETURN(blocks_, FindMetadataBlocks(path_, *filesystem));
  for (const MetadataBlock& block : blocks_) {
    blocks_of_kind_[block.kind].push_back(block);
  }
  IOMAP_ASSIGN_OR_RETURN(repair_, ChecksumRepair::Make(path_, *filesystem));
  IOMAP_ASSIGN_OR_RETURN(device_, dax::FileDevice::OpenReadOnly(path_, /*image_offset=*/0));
  IOMAP_ASSIGN_OR_RETURN(journal_checksums_,
                         is_xfs_ ? JournalChecksums::ForXfs(*device_)
                                 : JournalChecksums::ForExt4(*device_, *filesystem, *this));
  return absl::OkStatus();
}

MetadataBlock BaseImage::BlockAt(uint64_t address) const {
  const auto next = std::upper_bound(
      blocks_.begin(), blocks_.end(), address,
      [](uint64_t place, const MetadataBlock& block) { return place < block.address; });
  if (next != blocks_.begin() && std::prev(next)->address == address) {
    return *std::prev(next);
  }
  return {.address = address, .length = block_size_, .kind = "other", .record_bytes = block_size_};
}

const Repair& BaseImage::RepairOf(const MetadataBlock& block) const {
  const auto known = repairs_.find(block.address);
  if (known != repairs_.end()) {
    return known->second;
  }
  const absl::Span<const std::byte> bytes = device_->bytes().subspan(block.address, block.length);
  return repairs_.emplace(block.address, repair_->For(block, bytes)).first->second;
}

const Repair& BaseImage::RepairOfCopy(uint64_t home, uint64_t copy_address) const {
  const auto known = repairs_.find(copy_address);
  if (known != repairs_.end()) {
    return known->second;
  }
  const MetadataBlock block = BlockAt(home);
  const absl::Span<const std::byte> bytes = device_->bytes().subspan(copy_address, block.length);
  return repairs_.emplace(copy_address, repair_->For(block, bytes)).first->second;
}

}  // namespace iomap::tests
