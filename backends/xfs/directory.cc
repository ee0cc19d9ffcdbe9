#include "backends/xfs/directory.h"

#include <optional>

#include "absl/strings/str_cat.h"
#include "backends/directory_entry.h"
#include "backends/xfs/directory_entries.h"
#include "backends/xfs/directory_index.h"
#include "backends/xfs/directory_name.h"
#include "iomap/status_macros.h"

namespace iomap::xfs {
namespace {

template <typename... Place>
absl::Status Damaged(const Inode& inode, const absl::Status& status, const Place&... place) {
  return absl::DataLossError(
      absl::StrCat("xfs inode ", inode.number(), ", directory", place..., ": ", status.message()));
}

bool HasOwnIndex(const DirectoryBlocks::Block& block) {
  return block.magic == kDirectoryBlockMagicV4 || block.magic == kDirectoryBlockMagicV5;
}

// Where the entries of a block end.
absl::StatusOr<uint32_t> EntriesEnd(const Inode& inode, const DirectoryBlocks::Block& block) {
  if (!HasOwnIndex(block)) {
    return static_cast<uint32_t>(block.bytes.size());
  }
  IOMAP_ASSIGN_OR_RETURN(const BlockTail tail, ParseBlockTail(inode, block));
  return tail.entries_end;
}

}  // namespace

// What is sought, and the best that has been found so far.
class Directory::Search {
 public:
  Search(absl::string_view name, NameCase name_case) : name_(name), name_case_(name_case) {}

  absl::string_view name() const { return name_; }
  uint32_t hash() const { return HashName(name_, name_case_); }
  std::optional<InodeNumber> found() const { return found_; }

  // Looks at one entry; false: it is the one, no more are wanted.
  bool Visit(const RawEntry& entry) {
    if (entry.name == name_) {
      found_ = entry.inode;
      return false;
    }
    if (name_case_ == NameCase::kIgnored && !found_.has_value() &&
        EqualIgnoringCase(entry.name, name_)) {
      found_ = entry.inode;
    }
    return true;
  }

 private:
  const absl::string_view name_;
  const NameCase name_case_;
  std::optional<InodeNumber> found_;
};

absl::StatusOr<InodeNumber> Directory::LookUp(absl::string_view name) const {
  if (name == ".") {
    return inode_.number();
  }
  Search search(name, volume_.superblock.ignores_case() ? NameCase::kIgnored : NameCase::kExact);
  if (inode_.fork_format == ForkFormat::kLocal) {
    if (name == "..") {
      absl::StatusOr<InodeNumber> parent =
          WalkShortForm(volume_.superblock, inode_.local(), [](const RawEntry&) { return false; });
      return parent.ok() ? parent : Damaged(inode_, parent.status());
    }
    IOMAP_RETURN_IF_ERROR(SearchShortForm(search));
  } else {
    IOMAP_RETURN_IF_ERROR(SearchIndex(search));
  }
  if (!search.found().has_value()) {
    return absl::NotFoundError(
        absl::StrCat("xfs inode ", inode_.number(), ": no entry \"", name, "\""));
  }
  return *search.found();
}

absl::Status Directory::SearchShortForm(Search& search) const {
  const absl::StatusOr<InodeNumber> parent =
      WalkShortForm(volume_.superblock, inode_.local(),
                    [&](const RawEntry& entry) { return search.Visit(entry); });
  return parent.ok() ? absl::OkStatus() : Damaged(inode_, parent.status());
}

absl::Status Directory::SearchIndex(Search& search) const {
  const Superblock& superblock = volume_.superblock;
  const uint64_t block_size = superblock.directory_block_size();
  const auto visit = [&](uint64_t offset) -> absl::StatusOr<bool> {
    const uint64_t number = offset / block_size << superblock.directory_block_log;
    IOMAP_ASSIGN_OR_RETURN(const DirectoryBlocks::Block block, blocks_.ReadData(number));
    IOMAP_ASSIGN_OR_RETURN(const uint32_t end, EntriesEnd(inode_, block));
    const absl::StatusOr<RawEntry> entry =
        ParseEntry(superblock, block.bytes, static_cast<uint32_t>(offset % block_size), end);
    if (!entry.ok()) {
      return Damaged(inode_, entry.status(), " block ", number);
    }
    return search.Visit(*entry);
  };
  IOMAP_ASSIGN_OR_RETURN(const DirectoryBlocks::Block first, blocks_.ReadData(0));
  if (!HasOwnIndex(first)) {
    return VisitHashInBlocks(volume_, inode_, blocks_, search.hash(), visit);
  }
  IOMAP_ASSIGN_OR_RETURN(const BlockTail tail, ParseBlockTail(inode_, first));
  return VisitHash(tail.index, search.hash(), visit).status();
}

absl::Status Directory::Read(uint64_t cookie,
                             absl::FunctionRef<bool(const DirectoryEntry&)> entry) const {
  if (inode_.fork_format == ForkFormat::kLocal) {
    return ReadShortForm(cookie, entry);
  }
  const Superblock& superblock = volume_.superblock;
  const uint64_t step = superblock.directory_block_blocks();
  bool stopped = false;
  uint64_t number = cookie / superblock.directory_block_size() * step;
  while (!stopped) {
    IOMAP_ASSIGN_OR_RETURN(number, blocks_.NextData(number));
    if (number >= blocks_.first_index_block()) {
      break;
    }
    IOMAP_ASSIGN_OR_RETURN(const DirectoryBlocks::Block block, blocks_.ReadData(number));
    IOMAP_ASSIGN_OR_RETURN(const uint32_t end, EntriesEnd(inode_, block));
    const uint64_t block_offset = number << superblock.block_log;
    const absl::Status status = WalkEntries(superblock, block.bytes, end, [&](const RawEntry& raw) {
      if (block_offset + raw.offset < cookie || backends::IsDotOrDotDot(raw.name)) {
        return true;
      }
      stopped = !entry(DirectoryEntry{raw.name, raw.inode, raw.type, block_offset + raw.end});
      return !stopped;
    });
    if (!status.ok()) {
      return Damaged(inode_, status, " block ", number);
    }
    number += step;
  }
  return absl::OkStatus();
}

absl::Status Directory::ReadShortForm(uint64_t cookie,
                                      absl::FunctionRef<bool(const DirectoryEntry&)> entry) const {
  const absl::StatusOr<InodeNumber> parent =
      WalkShortForm(volume_.superblock, inode_.local(), [&](const RawEntry& raw) {
        return raw.offset < cookie || entry(DirectoryEntry{raw.name, raw.inode, raw.type, raw.end});
      });
  return parent.ok() ? absl::OkStatus() : Damaged(inode_, parent.status());
}

}  // namespace iomap::xfs
