// A backend against a model that is a vector of bytes for each file: every operation that it has,
// in random orders, with loads and stores through mappings in between.

#include <algorithm>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "dax/io.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/conformance/conformance.h"
#include "tests/conformance/contents.h"
#include "tests/conformance/mapped_file.h"
#include "tests/support/skip.h"
#include "tests/support/status_matchers.h"

namespace iomap::conformance {
namespace {

using ::iomap::tests::IsOk;

constexpr uint64_t kLargestSize = 3 * dax::kHugePageBytes;
constexpr uint64_t kSeeds = 8;
constexpr uint64_t kSeedsWhenMapped = 1;  // every byte that has moved is a page fault there

// One file and what it should hold.
struct Subject {
  std::shared_ptr<dax::File> file = {};
  std::optional<MappedFile> mapping = {};  // these two with kDax
  std::optional<MappedFile> alias = {};    // with huge pages
  std::vector<std::byte> model = {};
};

class RandomRun {
 public:
  RandomRun(uint64_t seed, Capability capabilities, std::vector<Subject> subjects)
      : random_(seed), capabilities_(capabilities), subjects_(std::move(subjects)) {}

  // Does one random operation, on the file and on the model.
  void Step() {
    Subject& subject = subjects_[Below(subjects_.size())];
    switch (Below(14)) {
      case 0:
      case 1:
      case 2:
        return Has(Capability::kDax) ? Store(subject) : Write(subject);
      case 3:
        return Has(Capability::kSetSize) ? SetSize(subject) : Write(subject);
      case 4:
        return Has(Capability::kAllocate) ? Allocate(subject) : Write(subject);
      case 5:
        return Has(Capability::kPunchHole) ? Punch(subject) : Write(subject);
      case 6:
        return Has(Capability::kZeroRange) ? ZeroRange(subject) : Write(subject);
      case 7:
        return Has(Capability::kShiftRange) ? Collapse(subject) : Write(subject);
      case 8:
        return Has(Capability::kShiftRange) ? Insert(subject) : Write(subject);
      case 9:
        return Has(Capability::kShare) ? Clone(subject, subjects_[Below(subjects_.size())])
                                       : Write(subject);
      case 10:
        return Has(Capability::kShare) ? Unshare(subject) : Write(subject);
      case 11:
        return Fsync(subject);
      default:
        return Write(subject);
    }
  }

  // Compares every byte, as read and as loaded through both mappings.
  void Check() {
    for (Subject& subject : subjects_) {
      ASSERT_EQ(subject.file->attributes()->size, subject.model.size()) << log_;
      std::vector<std::byte> read(subject.model.size() + 1);
      ASSERT_EQ(*dax::Read(*subject.file, 0, absl::MakeSpan(read)), subject.model.size());
      read.resize(subject.model.size());
      ExpectModel(subject, read, "read");
      if (!Has(Capability::kDax)) {
        continue;
      }
      ASSERT_THAT(subject.mapping->Load(0, absl::MakeSpan(read)), IsOk());
      ExpectModel(subject, read, "mapping");
      ASSERT_THAT(subject.alias->Load(0, absl::MakeSpan(read)), IsOk());
      ExpectModel(subject, read, "alias");
    }
  }

  const std::string& log() const { return log_; }

 private:
  bool Has(Capability capability) const { return HasCapability(capabilities_, capability); }

  uint64_t Below(uint64_t limit) { return random_() % limit; }

  void Note(absl::string_view what) { absl::StrAppend(&log_, what, "\n"); }

  // A range that likes the edges of pages; not empty.
  ByteRange RandomRange(uint64_t limit) {
    uint64_t offset = Below(limit);
    uint64_t length = 1 + Below(Below(4) == 0 ? limit : 20'000);
    if (Below(2) == 0) {
      offset -= offset % dax::kPageBytes;
    }
    if (Below(2) == 0) {
      length = (length / dax::kPageBytes + 1) * dax::kPageBytes;
    }
    return {offset, std::max<uint64_t>(1, std::min(length, limit - offset))};
  }

  ByteRange RandomPages(uint64_t limit) {
    const uint64_t first = Below(limit / dax::kPageBytes);
    const uint64_t count = 1 + Below(Below(4) == 0 ? 600 : 4);
    return ByteRange::Between(first * dax::kPageBytes,
                              std::min((first + count) * dax::kPageBytes, limit));
  }

  std::vector<std::byte> RandomBytes(uint64_t count) {
    std::vector<std::byte> bytes(count);
    uint64_t word = random_();
    for (std::byte& byte : bytes) {
      byte = static_cast<std::byte>(word & 0xff);
      word = word * 6364136223846793005 + 1442695040888963407;
    }
    return bytes;
  }

  void ExpectModel(const Subject& subject, const std::vector<std::byte>& found,
                   absl::string_view how) {
    const auto difference =
        std::mismatch(found.begin(), found.end(), subject.model.begin(), subject.model.end());
    if (difference.first != found.end()) {
      FAIL() << how << " of inode " << subject.file->inode() << " differs at "
             << difference.first - found.begin() << " of " << found.size() << "\n"
             << log_;
    }
  }

  void Write(Subject& subject) {
    const ByteRange range = RandomRange(kLargestSize);
    Note(absl::StrCat("write ", subject.file->inode(), " ", range.offset, " ", range.length));
    const std::vector<std::byte> bytes = RandomBytes(range.length);
    EXPECT_THAT(dax::Write(*subject.file, range.offset, bytes), IsOk());
    Put(subject.model, range.offset, bytes);
  }

  void Store(Subject& subject) {
    if (subject.model.empty()) {
      return;
    }
    const ByteRange range = RandomRange(subject.model.size());
    Note(absl::StrCat("store ", subject.file->inode(), " ", range.offset, " ", range.length));
    const std::vector<std::byte> bytes = RandomBytes(range.length);
    MappedFile& mapping = Below(2) == 0 ? *subject.mapping : *subject.alias;
    EXPECT_THAT(mapping.Store(range.offset, bytes), IsOk());
    Put(subject.model, range.offset, bytes);
  }

  void SetSize(Subject& subject) {
    const uint64_t size = Below(kLargestSize);
    Note(absl::StrCat("truncate ", subject.file->inode(), " ", size));
    EXPECT_THAT(subject.file->SetSize(size), IsOk());
    subject.model.resize(size);
  }

  void Allocate(Subject& subject) {
    const ByteRange range = RandomRange(kLargestSize);
    const bool keep = Below(2) == 0;
    Note(absl::StrCat("allocate ", subject.file->inode(), " ", range.offset, " ", range.length,
                      keep ? " keep" : ""));
    EXPECT_THAT(subject.file->Fallocate(
                    keep ? FallocateMode::kAllocateKeepSize : FallocateMode::kAllocate, range),
                IsOk());
    if (!keep) {
      subject.model.resize(std::max<uint64_t>(subject.model.size(), range.end()));
    }
  }

  void Unshare(Subject& subject) {
    Note(absl::StrCat("unshare ", subject.file->inode()));
    EXPECT_THAT(subject.file->Fallocate(FallocateMode::kUnshareRange, {0, kLargestSize}), IsOk());
  }

  void Fsync(Subject& subject) {
    Note(absl::StrCat("fsync ", subject.file->inode()));
    EXPECT_THAT(subject.file->Fsync(ByteRange::All(), SyncKind::kFile), IsOk());
    dax::AddressSpace& space = subject.file->address_space();
    EXPECT_TRUE(!space.MayBeDirty() || space.AnyTableNotesStores());
  }

  void FillWithZeroes(Subject& subject, const ByteRange& range) {
    const ByteRange inside = range.Intersect({0, subject.model.size()});
    std::fill_n(subject.model.begin() + static_cast<int64_t>(inside.offset), inside.length,
                std::byte{0});
  }

  void Punch(Subject& subject) {
    const ByteRange range = RandomRange(kLargestSize);
    Note(absl::StrCat("punch ", subject.file->inode(), " ", range.offset, " ", range.length));
    EXPECT_THAT(subject.file->Fallocate(FallocateMode::kPunchHole, range), IsOk());
    FillWithZeroes(subject, range);
  }

  void ZeroRange(Subject& subject) {
    const ByteRange range = RandomRange(kLargestSize);
    const bool keep = Below(2) == 0;
    Note(absl::StrCat("zero ", subject.file->inode(), " ", range.offset, " ", range.length,
                      keep ? " keep" : ""));
    EXPECT_THAT(subject.file->Fallocate(
                    keep ? FallocateMode::kZeroRangeKeepSize : FallocateMode::kZeroRange, range),
                IsOk());
    if (!keep) {
      subject.model.resize(std::max<uint64_t>(subject.model.size(), range.end()));
    }
    FillWithZeroes(subject, range);
  }

  void Collapse(Subject& subject) {
    const ByteRange range = RandomPages(kLargestSize);
    Note(absl::StrCat("collapse ", subject.file->inode(), " ", range.offset, " ", range.length));
    const absl::Status status = subject.file->Fallocate(FallocateMode::kCollapseRange, range);
    EXPECT_EQ(status.ok(), range.end() < subject.model.size()) << status;
    if (status.ok()) {
      const auto first = subject.model.begin() + static_cast<int64_t>(range.offset);
      subject.model.erase(first, first + static_cast<int64_t>(range.length));
    }
  }

  void Insert(Subject& subject) {
    const ByteRange range = RandomPages(kLargestSize);
    if (subject.model.size() + range.length > kLargestSize) {
      return;
    }
    Note(absl::StrCat("insert ", subject.file->inode(), " ", range.offset, " ", range.length));
    const absl::Status status = subject.file->Fallocate(FallocateMode::kInsertRange, range);
    EXPECT_EQ(status.ok(), range.offset < subject.model.size()) << status;
    if (status.ok()) {
      subject.model.insert(subject.model.begin() + static_cast<int64_t>(range.offset), range.length,
                           std::byte{0});
    }
  }

  void Clone(Subject& subject, Subject& source) {
    if (source.model.size() < dax::kPageBytes) {
      return;
    }
    const ByteRange from = RandomPages(source.model.size() - source.model.size() % dax::kPageBytes);
    const uint64_t to = Below(kLargestSize / dax::kPageBytes / 2) * dax::kPageBytes;
    const ByteRange target{to, std::min(from.length, kLargestSize - to)};
    Note(absl::StrCat("clone ", source.file->inode(), " ", from.offset, " to ",
                      subject.file->inode(), " ", to, " ", target.length));
    const absl::Status status = subject.file->CloneRange(*source.file, from.offset, target);
    const bool overlaps =
        &source == &subject && ByteRange{from.offset, target.length}.Overlaps(target);
    EXPECT_EQ(status.ok(), !overlaps) << status;
    if (status.ok()) {
      const auto first = source.model.begin() + static_cast<int64_t>(from.offset);
      const std::vector<std::byte> bytes(first, first + static_cast<int64_t>(target.length));
      Put(subject.model, to, bytes);
    }
  }

  std::mt19937_64 random_;
  const Capability capabilities_;
  std::vector<Subject> subjects_;
  std::string log_;
};

// --gtest_random_seed, or 1.
uint64_t FirstSeed() { return static_cast<uint64_t>(std::max(1, GTEST_FLAG_GET(random_seed))); }

TEST_P(Conformance, RandomOperationsGiveWhatAModelGives) {
  IOMAP_SKIP_IF(MakeFor({}));
  const uint64_t seeds = maps_into_process() ? kSeedsWhenMapped : kSeeds;
  for (uint64_t seed = FirstSeed(); seed < FirstSeed() + seeds; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed, ": again with --gtest_random_seed=", seed));
    ASSERT_EQ(MakeFor({}), "");
    std::vector<Subject> subjects;
    for (const char* const name : {"a", "b"}) {
      Subject& subject = subjects.emplace_back(Subject{.file = MakeFile(name)});
      if (Has(Capability::kDax)) {
        subject.mapping = Map(subject.file);
        subject.alias = Map(subject.file, {.largest_page = dax::PageSize::kHuge});
      }
    }
    RandomRun run(seed, filesystem().info()->capabilities, std::move(subjects));
    for (int step = 0; step < 60; ++step) {
      run.Step();
      if (step % 4 == 3) {
        run.Check();
      }
      ASSERT_FALSE(HasFailure()) << run.log();
    }
  }
}

}  // namespace
}  // namespace iomap::conformance
