#include "backends/ext4/journal_writer.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "backends/endian.h"
#include "backends/ext4/format.h"
#include "backends/ext4/jbd2_format.h"
#include "backends/ext4/journal_recovery.h"
#include "backends/transaction_engine.h"
#include "dax/memory_device.h"
#include "dax/recording_device.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/backends/ext4/ext4_image.h"
#include "tests/backends/ext4/journal_builder.h"
#include "tests/support/environment.h"
#include "tests/support/rerun.h"
#include "tests/support/status_matchers.h"

namespace iomap::ext4 {
namespace {

using backends::Buffer;
using backends::Credits;
using backends::Handle;
using backends::Sequence;
using backends::TransactionEngine;
using testing::HasSubstr;
using tests::Ext4Image;
using tests::IsOk;
using tests::JournalBuilder;
using tests::JournalLayout;
using tests::StatusIs;

constexpr uint64_t kBlock = 1024;
constexpr uint64_t kFirst = 4000;  // blocks from here on belong to nobody
constexpr uint64_t kBlocks = 120;
constexpr uint32_t kFreed = 0xF4EED;  // what data has that lies where a buffer was

Buffer At(uint64_t index) {
  return Buffer{(kFirst + index) * kBlock, static_cast<uint32_t>(kBlock), 0};
}

// What the blocks of a run hold after each of its transactions: the number of the last one that
// changed it, or kFreed.
using Contents = std::vector<uint32_t>;

struct WrittenJournal {
  JournalLayout layout;
  JournalWriter::Checksums checksums;
};

// Transactions into the journal of an image, seen by a device that records.
class JournalWriterTest : public testing::TestWithParam<WrittenJournal> {
 protected:
  void SetUp() override {
    Ext4Image image = Ext4Image::Make({"-b", "1024", "-J", "size=1", "-O", "^fast_commit"}).value();
    JournalLayout layout = GetParam().layout;
    layout.start = 0;
    JournalBuilder::Make(image, layout).value();
    before_.assign(image.bytes().begin(), image.bytes().end());
    auto device =
        std::make_unique<dax::RecordingDevice>(std::make_unique<dax::MemoryDevice>(before_));
    device_ = device.get();
    dax::DeviceSet devices;
    devices.push_back(std::move(device));
    volume_ = Volume::Open(std::move(devices)).value();
    writer_ = JournalWriter::Open(*volume_, GetParam().checksums).value();
    engine_ =
        std::make_unique<TransactionEngine>(*device_, *writer_, writer_->first_sequence(),
                                            [](absl::Span<const backends::MutableBufferImage>) {});
  }

  // Changes `indices` to the number of the transaction, all over the block; every fifth block
  // begins with the journal's magic number.
  Sequence Change(const std::vector<uint64_t>& indices) {
    Handle handle = engine_->Begin(Credits::Of(indices.size(), kBlock)).value();
    for (const uint64_t index : indices) {
      const absl::Span<std::byte> bytes = handle.Edit(At(index)).value();
      Fill(bytes, static_cast<uint32_t>(handle.sequence()));
      if (index % 5 == 0) {
        backends::Store<Be32>(bytes.data(), kJournalMagic);
      }
    }
    return handle.sequence();
  }

  static void Fill(absl::Span<std::byte> bytes, uint32_t value) {
    for (size_t offset = 0; offset < bytes.size(); offset += sizeof value) {
      backends::Store<Be32>(bytes.data() + offset, value);
    }
  }

  // What a block holds throughout; 2^32-1 when it is torn.
  static uint32_t ValueOf(absl::Span<const std::byte> image, uint64_t index) {
    const std::byte* const bytes = image.data() + At(index).address;
    const auto value = backends::Load<Be32>(bytes + 4);
    const auto first = backends::Load<Be32>(bytes);
    bool whole = first == value || (index % 5 == 0 && first == kJournalMagic);
    for (size_t offset = 4; offset < kBlock; offset += 4) {
      whole &= backends::Load<Be32>(bytes + offset) == value;
    }
    return whole ? value : std::numeric_limits<uint32_t>::max();
  }

  std::vector<std::byte> before_;
  dax::RecordingDevice* device_ = nullptr;
  std::unique_ptr<Volume> volume_;
  std::unique_ptr<JournalWriter> writer_;
  std::unique_ptr<TransactionEngine> engine_;
};

absl::StatusOr<std::vector<std::byte>> Recovered(std::vector<std::byte> image) {
  dax::DeviceSet devices;
  devices.push_back(std::make_unique<dax::MemoryDevice>(std::move(image)));
  absl::StatusOr<std::unique_ptr<Volume>> volume = Volume::Open(std::move(devices));
  if (!volume.ok()) {
    return volume.status();
  }
  if (const auto state = RecoverJournal(**volume, nullptr); !state.ok()) {
    return state.status();
  }
  const absl::Span<const std::byte> bytes = (*volume)->device().bytes();
  return std::vector<std::byte>(bytes.begin(), bytes.end());
}

// A run, and what may be found after a crash at each moment of it.
class JournalWriterCrashes : public JournalWriterTest {
 protected:
  struct Moment {
    size_t events;   // of the trace, when
    size_t durable;  // contents_[durable] was
  };

  // Transactions that change, free and use again, around the ring several times.
  void Run(uint64_t seed, int transactions) {
    std::mt19937_64 random(seed);
    Contents now(kBlocks);
    contents_ = {now};
    std::set<uint64_t> freed;
    moments_ = {{device_->trace().size(), 0}};
    for (int i = 0; i < transactions; ++i) {
      std::vector<uint64_t> changed;
      for (uint64_t k = random() % 60 + 1; k > 0; --k) {
        const uint64_t index = random() % kBlocks;
        if (!freed.contains(index) &&
            std::find(changed.begin(), changed.end(), index) == changed.end()) {
          changed.push_back(index);
        }
      }
      const Sequence sequence = Change(changed);
      for (const uint64_t index : changed) {
        now[index] = static_cast<uint32_t>(sequence);
      }
      const uint64_t goes = changed.front();
      bool is_given_away = false;
      if (i % 4 == 3) {
        Handle handle = engine_->Begin(Credits{0, 0, 1}).value();
        ASSERT_EQ(handle.sequence(), sequence);
        handle.Free(At(goes));
        handle.WhenDurable([&] { is_given_away = true; });
        freed.insert(goes);
      }
      if (i % 3 == 0 && i % 4 != 3) {
        continue;  // committed with the next one
      }
      contents_.push_back(now);
      ASSERT_THAT(engine_->CommitUpTo(sequence), IsOk());
      if (is_given_away) {
        std::vector<std::byte> data(kBlock);
        Fill(absl::MakeSpan(data), kFreed);
        ASSERT_THAT(device_->Write(At(goes).address, data), IsOk());
        ASSERT_THAT(device_->Persist({At(goes).address, kBlock}), IsOk());
        now[goes] = kFreed;
        contents_.back()[goes] = kFreed;
        if (i % 8 == 7) {
          freed.erase(goes);  // becomes a buffer again
        }
      }
      moments_.push_back({device_->trace().size(), contents_.size() - 1});
    }
  }

  // What the image holds after `events` events, what is uncertain drawn at random.
  class CrashedImage {
   public:
    explicit CrashedImage(std::vector<std::byte> before)
        : before_(std::move(before)), model_([this](uint64_t line) {
            dax::Line bytes;
            std::copy_n(before_.begin() + static_cast<ptrdiff_t>(line), bytes.size(),
                        bytes.begin());
            return bytes;
          }) {}

    void Apply(const dax::DeviceEvent& event) {
      if (!event.bytes.empty()) {
        for (uint64_t line = event.range.offset / dax::kLineBytes * dax::kLineBytes;
             line < event.range.end(); line += dax::kLineBytes) {
          touched_.insert(line);
        }
      }
      model_.Apply(event);
    }

    std::vector<std::byte> Draw(std::mt19937_64& random) const {
      std::vector<std::byte> image = before_;
      const auto put = [&](uint64_t line, const dax::Line& bytes) {
        std::copy(bytes.begin(), bytes.end(), image.begin() + static_cast<ptrdiff_t>(line));
      };
      for (const uint64_t line : touched_) {
        put(line, model_.GuaranteedLine(line).value());
      }
      // Half of the states at the ends of what is possible, where orders that are wrong show.
      using Fate = dax::PersistenceModel::Fate;
      const Fate fates[] = {Fate::kNothing, Fate::kEverything, Fate::kAny, Fate::kAny};
      for (const auto& [line, bytes] : model_.Draw(random, fates[random() % std::size(fates)])) {
        put(line, bytes);
      }
      return image;
    }

   private:
    const std::vector<std::byte> before_;
    dax::PersistenceModel model_;
    std::set<uint64_t> touched_;
  };

  // Empty when `image`, recovered, holds one of the contents that it may, from `durable` on.
  std::string Judge(std::vector<std::byte> image, size_t durable) const {
    const absl::StatusOr<std::vector<std::byte>> recovered = Recovered(std::move(image));
    if (!recovered.ok()) {
      return absl::StrCat("not recovered: ", recovered.status().message());
    }
    Contents found(kBlocks);
    for (uint64_t index = 0; index < kBlocks; ++index) {
      found[index] = ValueOf(*recovered, index);
    }
    std::string differences;
    for (size_t k = durable; k < std::min(durable + 2, contents_.size()); ++k) {
      absl::StrAppend(&differences, " contents ", k, ":");
      bool same = true;
      for (uint64_t index = 0; index < kBlocks; ++index) {
        // A block that is being given away is being written with data, in no order with anything.
        const bool is_data = contents_[k][index] == kFreed && contents_[durable][index] != kFreed;
        if (!is_data && found[index] != contents_[k][index]) {
          same = false;
          absl::StrAppend(&differences, " block ", index, " has ", found[index], ", not ",
                          contents_[k][index]);
        }
      }
      if (same) {
        return "";
      }
    }
    return differences;
  }

  std::vector<Contents> contents_;
  std::vector<Moment> moments_;
};

TEST_P(JournalWriterCrashes, ACrashAtAnyMomentLeavesAPrefixWithAllThatWasDurable) {
  SCOPED_TRACE(tests::RerunLine());
  Run(/*seed=*/1, /*transactions=*/100);
  EXPECT_GE(engine_->counts().checkpoints, 2u);
  const std::vector<dax::DeviceEvent>& trace = device_->trace();
  const uint64_t states = tests::NumberFromEnvironment("IOMAP_CRASH_STATES", 40);
  const size_t step = std::max<size_t>(1, trace.size() / states);
  CrashedImage crashed(before_);
  std::mt19937_64 random(7);
  size_t moment = 0;
  for (size_t events = 0; events <= trace.size(); ++events) {
    while (moment + 1 < moments_.size() && moments_[moment + 1].events <= events) {
      ++moment;
    }
    // Before a drain the most is uncertain.
    const bool at_a_drain =
        events < trace.size() && trace[events].kind == dax::DeviceEvent::Kind::kDrain;
    if (events >= moments_.front().events && (at_a_drain || events % step == 0)) {
      ASSERT_EQ(Judge(crashed.Draw(random), moments_[moment].durable), "")
          << "after " << events << " of " << trace.size() << " events";
    }
    if (events < trace.size()) {
      crashed.Apply(trace[events]);
    }
  }
}

TEST_P(JournalWriterTest, AClosedJournalIsCleanAndItsNumbersGoOn) {
  ASSERT_THAT(engine_->CommitUpTo(Change({1, 2, 5})), IsOk());
  const Sequence last = Change({3});
  ASSERT_THAT(engine_->Checkpoint(), IsOk());
  ASSERT_THAT(writer_->MarkEmpty(last + 1), IsOk());
  EXPECT_EQ(ReadJournalState(*volume_).value(), JournalState::kClean);
  EXPECT_EQ(ValueOf(device_->bytes(), 3), last);
  const auto again = JournalWriter::Open(*volume_, GetParam().checksums);
  ASSERT_THAT(again, IsOk());
  EXPECT_EQ((*again)->first_sequence(), last + 1);
}

TEST_P(JournalWriterTest, AJournalWithContentsIsRefused) {
  ASSERT_THAT(engine_->CommitUpTo(Change({1})), IsOk());
  EXPECT_THAT(
      JournalWriter::Open(*volume_, GetParam().checksums),
      StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("its log starts at block 1")));
}

TEST_P(JournalWriterTest, LongListsTakeSeveralBlocks) {
  // More copies than a descriptor has tags for, more freed blocks than one revoke block holds.
  std::vector<uint64_t> indices(110);
  for (size_t i = 0; i < indices.size(); ++i) {
    indices[i] = i;
  }
  ASSERT_THAT(engine_->CommitUpTo(Change(indices)), IsOk());
  {
    Handle handle = engine_->Begin(Credits{0, 0, 400}).value();
    for (uint64_t i = 0; i < 400; ++i) {
      handle.Free(At(i == 0 ? 0 : i + 200));
    }
  }
  ASSERT_THAT(engine_->CommitAll(), IsOk());
  const absl::Span<const std::byte> bytes = device_->bytes();
  const auto recovered = Recovered({bytes.begin(), bytes.end()});
  ASSERT_THAT(recovered, IsOk());
  EXPECT_EQ(ValueOf(*recovered, 0), 0u);
  for (uint64_t i = 1; i < 110; ++i) {
    EXPECT_EQ(ValueOf(*recovered, i), writer_->first_sequence());
  }
}

const WrittenJournal kJournals[] = {
    {{.checksums = JournalChecksums::kNone, .has_64bit = false}, JournalWriter::Checksums::kDrop},
    {{.checksums = JournalChecksums::kNone, .has_64bit = true}, JournalWriter::Checksums::kDrop},
    {{.checksums = JournalChecksums::kV1, .has_64bit = false}, JournalWriter::Checksums::kDrop},
    {{.checksums = JournalChecksums::kV3, .has_64bit = true}, JournalWriter::Checksums::kDrop},
    {{.checksums = JournalChecksums::kV3, .has_64bit = true, .has_fast_commits = true},
     JournalWriter::Checksums::kDrop},
};
// A superblock with a checksum of its own is not to be torn, so it is not for crashes.
const WrittenJournal kJournalsWithChecksums[] = {
    {{.checksums = JournalChecksums::kV2, .has_64bit = false}, JournalWriter::Checksums::kKeep},
    {{.checksums = JournalChecksums::kV2, .has_64bit = true}, JournalWriter::Checksums::kKeep},
    {{.checksums = JournalChecksums::kV3, .has_64bit = false}, JournalWriter::Checksums::kKeep},
    {{.checksums = JournalChecksums::kV3, .has_64bit = true}, JournalWriter::Checksums::kKeep},
};

std::string NameOf(const testing::TestParamInfo<WrittenJournal>& info) {
  const char* const checksums[] = {"NoChecksums", "V1", "V2", "V3"};
  const JournalLayout& layout = info.param.layout;
  return absl::StrCat(checksums[static_cast<int>(layout.checksums)],
                      layout.has_64bit ? "With64Bit" : "", layout.has_fast_commits ? "Fast" : "",
                      info.param.checksums == JournalWriter::Checksums::kKeep ? "Kept" : "");
}

INSTANTIATE_TEST_SUITE_P(Journals, JournalWriterCrashes,
                         testing::Values(kJournals[0], kJournals[4]), NameOf);
INSTANTIATE_TEST_SUITE_P(Journals, JournalWriterTest, testing::ValuesIn(kJournals), NameOf);
INSTANTIATE_TEST_SUITE_P(Kept, JournalWriterTest, testing::ValuesIn(kJournalsWithChecksums),
                         NameOf);

}  // namespace
}  // namespace iomap::ext4
