#include "tests/support/answers.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/hash/hash.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "dax/io.h"
#include "iomap/bmap.h"
#include "iomap/fiemap.h"
#include "iomap/for_each_mapping.h"
#include "iomap/path.h"
#include "iomap/seek.h"
#include "iomap/status_macros.h"

namespace iomap::tests {
namespace {

constexpr uint64_t kMostBytesOfZeros = 512;
constexpr int kSeeks = 6;
constexpr uint32_t kUsualBlockSize = 4096;

constexpr absl::string_view kQuestionNames[kQuestions] = {
    "entry",  "look-up",  "attributes", "mappings", "report",
    "blocks", "contents", "seek",       "entries",  "target"};

template <typename... Values>
uint64_t Digest(const Values&... values) {
  return absl::HashOf(values...);
}

class Asker {
 public:
  Asker(dax::Filesystem& filesystem, const Bounds& bounds)
      : filesystem_(filesystem), bounds_(bounds) {}

  Answers Ask() {
    const absl::StatusOr<FilesystemInfo> info = filesystem_.info();
    Note(info.status());
    block_size_ = info.ok() ? info->block_size : kUsualBlockSize;
    Add("/", filesystem_.root());
    const absl::Status status = WalkTree(
        filesystem_, [&](const TreeEntry& entry) { return Visit(entry); },
        [&](absl::string_view path, const absl::Status& failed) {
          Note(failed);
          answers_.unread.emplace(path, failed);
          return !answers_.exceeded;
        });
    Note(status);
    return std::move(answers_);
  }

 private:
  // Counts an error, and says so when it is no good one.
  void Note(const absl::Status& status) {
    if (status.ok()) {
      return;
    }
    ++answers_.errors;
    if (std::string fault = FaultOf(status); !fault.empty()) {
      answers_.faults.push_back(std::move(fault));
    }
  }

  absl::StatusOr<uint64_t>& At(PathAnswers& answers, Question question) {
    return answers[static_cast<size_t>(question)];
  }

  bool Visit(const TreeEntry& entry) {
    const std::string path(entry.path);
    const size_t slash = path.rfind('/');
    const std::string name = path.substr(slash + 1);
    PathAnswers& answers = Add(path, entry.inode);
    if (absl::IsNotFound(At(answers, Question::kAttributes).status())) {
      NoteAbsent(path, entry.inode);
    }
    At(answers, Question::kEntry) = Digest(entry.inode, entry.type);
    const absl::StatusOr<InodeNumber> found =
        filesystem_.LookUp(directories_[path.substr(0, slash)], name);
    // The message quotes the name, which on a damaged image may be anything.
    if (!absl::IsNotFound(found.status())) {
      Note(found.status());
    }
    At(answers, Question::kLookUp) =
        found.ok() ? absl::StatusOr<uint64_t>(*found) : absl::StatusOr<uint64_t>(found.status());
    if (entry.type == FileType::kDirectory) {
      directories_[path] = entry.inode;
    }
    return !answers_.exceeded;
  }

  // Whoever comes by the path of an inode that is not there learns that the directory is damaged.
  void NoteAbsent(const std::string& path, InodeNumber inode) {
    const absl::StatusOr<InodeNumber> found = ResolvePath(filesystem_, path, LastLink::kKeep);
    if (found.ok() && *found == inode) {
      answers_.faults.push_back("a path leads to an inode that is not there");
    }
  }

  // The answers about an inode are asked for once, whatever its paths are.
  PathAnswers& Add(const std::string& path, InodeNumber inode) {
    auto known = inodes_.find(inode);
    if (known == inodes_.end()) {
      known = inodes_.emplace(inode, AskInode(inode)).first;
    }
    if (path == "/") {
      directories_[""] = inode;
    }
    return answers_.paths.emplace(path, known->second).first->second;
  }

  PathAnswers AskInode(InodeNumber inode) {
    PathAnswers answers;
    answers.fill(uint64_t{0});
    const absl::StatusOr<std::shared_ptr<dax::File>> file = filesystem_.OpenFile(inode);
    if (!file.ok()) {
      Note(file.status());
      answers.fill(file.status());
      return answers;
    }
    const absl::StatusOr<Attributes> attributes = (*file)->attributes();
    if (!attributes.ok()) {
      Note(attributes.status());
      answers.fill(attributes.status());
      return answers;
    }
    At(answers, Question::kAttributes) = DigestOf(*attributes);
    At(answers, Question::kMappings) = DigestOfMappings(**file);
    At(answers, Question::kReport) = DigestOfReport(**file);
    At(answers, Question::kBlocks) = DigestOfBlocks(**file, attributes->size);
    At(answers, Question::kSeek) = DigestOfSeeks(**file, attributes->size);
    if (attributes->type == FileType::kRegular) {
      At(answers, Question::kContents) = DigestOfContents(**file, attributes->size);
    } else if (attributes->type == FileType::kDirectory) {
      At(answers, Question::kEntries) = DigestOfEntries(inode);
    } else if (attributes->type == FileType::kSymbolicLink) {
      const absl::StatusOr<std::string> target = filesystem_.ReadLink(inode);
      At(answers, Question::kTarget) = target.ok() ? absl::StatusOr<uint64_t>(Digest(*target))
                                                   : absl::StatusOr<uint64_t>(target.status());
    }
    std::for_each(answers.begin(), answers.end(),
                  [&](const absl::StatusOr<uint64_t>& answer) { Note(answer.status()); });
    return answers;
  }

  static uint64_t DigestOf(const Attributes& attributes) {
    const auto digest_of_time = [](const Timestamp& time) {
      return Digest(time.seconds, time.nanoseconds);
    };
    return Digest(attributes.inode, attributes.type, attributes.mode, attributes.uid,
                  attributes.gid, attributes.link_count, attributes.size, attributes.blocks_512,
                  digest_of_time(attributes.access_time),
                  digest_of_time(attributes.modification_time),
                  digest_of_time(attributes.change_time));
  }

  static uint64_t DigestOf(const Mapping& mapping) {
    return Digest(mapping.offset, mapping.length, mapping.address, mapping.type, mapping.device,
                  mapping.flags);
  }

  // Counts `more`; false when that is too much.
  bool Count(uint64_t& counter) {
    ++counter;
    answers_.exceeded = answers_.exceeded || counter > bounds_.most;
    return !answers_.exceeded;
  }

  absl::StatusOr<uint64_t> DigestOfMappings(dax::File& file) {
    uint64_t digest = 0;
    IOMAP_RETURN_IF_ERROR(ForEachMapping(file, &iomap::File::MapForRead, ByteRange::All(),
                                         [&](const Mapping& mapping, const ByteRange&) {
                                           digest = Digest(digest, DigestOf(mapping));
                                           return Count(answers_.work.mappings) ? Walk::kContinue
                                                                                : Walk::kStop;
                                         }));
    return digest;
  }

  absl::StatusOr<uint64_t> DigestOfReport(dax::File& file) {
    uint64_t digest = 0;
    IOMAP_RETURN_IF_ERROR(
        Fiemap(file, ByteRange::All(), Holes::kReport, [&](const FiemapExtent& extent) {
          digest = Digest(digest, DigestOf(extent.mapping), extent.last);
          return Count(answers_.work.mappings);
        }));
    return digest;
  }

  // A sparse file may say that it has 2^63 bytes: of what reads as zeros only the start is read.
  absl::StatusOr<uint64_t> DigestOfContents(dax::File& file, uint64_t size) {
    uint64_t digest = 0;
    IOMAP_RETURN_IF_ERROR(ForEachMapping(
        file, &iomap::File::MapForRead, ByteRange::Between(0, size),
        [&](const Mapping& mapping, const ByteRange& part) -> absl::StatusOr<Walk> {
          const uint64_t wanted = std::min(
              part.length, mapping.reads_as_zeros() ? kMostBytesOfZeros : bounds_.most_contents);
          contents_ += wanted;
          if (contents_ > bounds_.most_contents || answers_.exceeded) {
            return Walk::kStop;
          }
          buffer_.resize(wanted);
          IOMAP_ASSIGN_OR_RETURN(
              const size_t count,
              dax::Read(file, part.offset,
                        absl::MakeSpan(reinterpret_cast<std::byte*>(buffer_.data()), wanted)));
          digest = Digest(digest, absl::string_view(buffer_.data(), count));
          return Walk::kContinue;
        }));
    return digest;
  }

  absl::StatusOr<uint64_t> DigestOfSeeks(dax::File& file, uint64_t size) {
    uint64_t digest = 0;
    uint64_t offset = 0;
    for (int i = 0; i < kSeeks; ++i) {
      const absl::StatusOr<uint64_t> found =
          i % 2 == 0 ? SeekData(file, offset) : SeekHole(file, offset);
      if (!found.ok() && !absl::IsOutOfRange(found.status())) {
        return found.status();
      }
      digest = Digest(digest, found.ok(), found.value_or(0));
      offset = found.value_or(size / 2);
    }
    return digest;
  }

  absl::StatusOr<uint64_t> DigestOfBlocks(dax::File& file, uint64_t size) {
    uint64_t digest = 0;
    for (uint64_t offset : {uint64_t{0}, size / 2, size, ByteRange::kMaxOffset}) {
      IOMAP_ASSIGN_OR_RETURN(const uint64_t block, Bmap(file, offset / block_size_, block_size_));
      digest = Digest(digest, block);
    }
    return digest;
  }

  absl::StatusOr<uint64_t> DigestOfEntries(InodeNumber inode) {
    uint64_t digest = 0;
    IOMAP_RETURN_IF_ERROR(
        filesystem_.ReadDirectory(inode, /*cookie=*/0, [&](const DirectoryEntry& entry) {
          digest = Digest(digest, entry.name, entry.inode, entry.type, entry.next_cookie);
          return Count(answers_.work.entries);
        }));
    return digest;
  }

  dax::Filesystem& filesystem_;
  const Bounds bounds_;
  uint32_t block_size_ = kUsualBlockSize;
  Answers answers_;
  uint64_t contents_ = 0;  // bytes read
  std::string buffer_;
  absl::flat_hash_map<InodeNumber, PathAnswers> inodes_;
  absl::flat_hash_map<std::string, InodeNumber> directories_;
};

// True when a directory on the way to `path` could not be read.
bool IsBelowUnread(const Answers& answers, const std::string& path) {
  if (answers.unread.count("/") > 0) {
    return true;
  }
  for (size_t slash = path.rfind('/'); slash != 0 && slash != std::string::npos;
       slash = path.rfind('/', slash - 1)) {
    if (answers.unread.count(path.substr(0, slash)) > 0) {
      return true;
    }
  }
  return false;
}

}  // namespace

std::string FaultOf(const absl::Status& status) {
  constexpr absl::StatusCode kCodes[] = {
      absl::StatusCode::kDataLoss, absl::StatusCode::kUnimplemented, absl::StatusCode::kNotFound,
      absl::StatusCode::kFailedPrecondition};
  constexpr absl::string_view kPlaces[] = {"inode ", "block ", "superblock",   "group ", "journal",
                                           " log",   "byte ",  "magic number", "device"};
  const absl::string_view message = status.message();
  const bool names_place =
      std::any_of(std::begin(kPlaces), std::end(kPlaces),
                  [&](absl::string_view place) { return absl::StrContains(message, place); });
  if (std::find(std::begin(kCodes), std::end(kCodes), status.code()) == std::end(kCodes)) {
    return absl::StrCat("no code for an image: ", status.ToString());
  }
  if (message.empty() || absl::StrContains(message, "\n")) {
    return absl::StrCat("not one line: ", status.ToString());
  }
  return names_place ? "" : absl::StrCat("names no place: ", status.ToString());
}

Answers AskEverything(dax::Filesystem& filesystem, const Bounds& bounds) {
  return Asker(filesystem, bounds).Ask();
}

std::vector<std::string> WrongAnswers(const Answers& undamaged, const Answers& damaged) {
  std::vector<std::string> wrong;
  for (const auto& [path, answers] : damaged.paths) {
    const auto right = undamaged.paths.find(path);
    if (right == undamaged.paths.end()) {
      wrong.push_back(absl::StrCat(path, ": was not there"));
      continue;
    }
    for (size_t i = 0; i < kQuestions; ++i) {
      if (answers[i].ok() && *answers[i] != *right->second[i]) {
        wrong.push_back(absl::StrCat(path, ": another answer for ", kQuestionNames[i]));
      }
    }
    // The directory says that it is there, and an index that is no longer whole must say so.
    const auto& look_up = answers[static_cast<size_t>(Question::kLookUp)];
    if (absl::IsNotFound(look_up.status()) &&
        answers[static_cast<size_t>(Question::kAttributes)].ok()) {
      wrong.push_back(absl::StrCat(path, ": its name is not found"));
    }
  }
  for (const auto& [path, answers] : undamaged.paths) {
    if (damaged.paths.count(path) == 0 && !IsBelowUnread(damaged, path)) {
      wrong.push_back(absl::StrCat(path, ": gone, and no error says so"));
    }
  }
  return wrong;
}

}  // namespace iomap::tests
