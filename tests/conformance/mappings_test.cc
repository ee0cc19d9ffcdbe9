// Where the bytes of prepared files are: the mapping methods, and what is built on them.

#include <algorithm>
#include <thread>
#include <tuple>
#include <vector>

#include "absl/strings/str_cat.h"
#include "dax/io.h"
#include "gmock/gmock.h"
#include "iomap/fiemap.h"
#include "iomap/for_each_mapping.h"
#include "iomap/seek.h"
#include "tests/conformance/conformance.h"
#include "tests/conformance/whole_map.h"
#include "tests/support/status_matchers.h"

namespace iomap::conformance {
namespace {

using ::iomap::tests::IsOk;
using ::iomap::tests::StatusIs;

constexpr size_t kMostLookUps = 400;                // of a file
constexpr uint64_t kMostBytes = uint64_t{4} << 20;  // that are read of a file
constexpr uint64_t kFarAway = uint64_t{1} << 40;    // behind the end of file
constexpr int kThreads = 4;

std::string NameOf(const File& file) { return absl::StrCat("inode ", file.inode()); }

// Every nth of `all`, so that there are few.
std::vector<Mapping> Some(const std::vector<Mapping>& all) {
  std::vector<Mapping> some;
  for (size_t i = 0; i < all.size(); i += 1 + all.size() / kMostLookUps) {
    some.push_back(all[i]);
  }
  return some;
}

TEST_P(Conformance, PreparedMappingsShowWhatTheBitsPromise) {
  bool has_hole_in_front_of_data = false;
  Capability promised = Capability::kNone;
  Capability shown = Capability::kNone;
  for (const Prepared& prepared : OpenPrepared()) {
    promised = promised | prepared.capabilities;
    for (const Found& found : prepared.found) {  // links and directories can be inline too
      const std::shared_ptr<File> file = *prepared.filesystem->Open(found.inode);
      const std::vector<Mapping> map = WholeMap(*file, &File::MapForReport);
      for (size_t i = 0; i < map.size(); ++i) {
        has_hole_in_front_of_data |=
            i > 0 && map[i].type == MappingType::kMapped && map[i - 1].type == MappingType::kHole;
        if (map[i].type == MappingType::kInline) {
          shown = shown | Capability::kInlineData;
        }
        if (HasFlag(map[i].flags, MappingFlag::kShared)) {
          shown = shown | Capability::kReport;
        }
      }
    }
  }
  EXPECT_EQ(has_hole_in_front_of_data, GetParam().has_holes);
  EXPECT_EQ(HasCapability(promised, Capability::kInlineData),
            HasCapability(shown, Capability::kInlineData));
  EXPECT_EQ(HasCapability(promised, Capability::kReport),
            HasCapability(shown, Capability::kReport));
}

TEST_P(Conformance, AnAnswerDoesNotDependOnItsRoomOrItsRange) {
  for (const Prepared& prepared : OpenPrepared()) {
    for (const std::shared_ptr<File>& file : prepared.Files()) {
      for (const MapMethod method : {&File::MapForRead, &File::MapForReport}) {
        const std::vector<Mapping> map = WholeMap(*file, method);
        for (const Mapping& mapping : Some(map)) {
          for (const uint64_t position :
               {mapping.offset, mapping.offset + mapping.length / 2, mapping.end() - 1}) {
            for (const size_t room : {1, 2, 5}) {
              std::vector<Mapping> out(room);
              const ByteRange range{position, mapping.end() - position};
              const auto count = ((*file).*method)(range, absl::MakeSpan(out));
              ASSERT_THAT(count, IsOk()) << NameOf(*file) << " at " << position;
              ASSERT_GE(*count, 1) << NameOf(*file) << " at " << position;
              ASSERT_LE(*count, room) << NameOf(*file) << " at " << position;
              ASSERT_THAT(CheckAnswer(*file, absl::MakeSpan(out).first(*count), position), IsOk());
              ASSERT_EQ(out[0].Slice({position, 1}), mapping.Slice({position, 1}))
                  << NameOf(*file) << " at " << position << " with room for " << room << ": "
                  << DebugString(out[0]) << " and " << DebugString(mapping);
            }
          }
        }
      }
    }
  }
}

TEST_P(Conformance, MappingsAreWholeBlocksOnTheDevice) {
  for (const Prepared& prepared : OpenPrepared()) {
    const FilesystemInfo info = *prepared.filesystem->info();
    const uint64_t block = info.block_size;
    for (const std::shared_ptr<File>& file : prepared.Files()) {
      for (const Mapping& mapping : WholeMap(*file, &File::MapForRead)) {
        const std::string what = absl::StrCat(NameOf(*file), ": ", DebugString(mapping));
        if (mapping.type == MappingType::kInline) {
          EXPECT_TRUE(HasCapability(prepared.capabilities, Capability::kInlineData)) << what;
          continue;
        }
        EXPECT_EQ(mapping.type == MappingType::kMapped || mapping.type == MappingType::kUnwritten,
                  mapping.has_address())
            << what;
        if (!mapping.has_address()) {
          continue;
        }
        EXPECT_EQ(mapping.offset % block, 0) << what;
        EXPECT_EQ(mapping.length % block, 0) << what;
        EXPECT_EQ(mapping.address % block, 0) << what;
        if (mapping.device == 0) {
          EXPECT_LE(mapping.address, info.size_bytes) << what;
          EXPECT_LE(mapping.length, info.size_bytes - mapping.address) << what;
        }
        if (const auto* on_devices = dynamic_cast<dax::File*>(file.get())) {
          ASSERT_LT(mapping.device, on_devices->devices().size()) << what;
          const uint64_t device_bytes = on_devices->devices()[mapping.device]->size();
          EXPECT_LE(mapping.address, device_bytes) << what;
          EXPECT_LE(mapping.length, device_bytes - mapping.address) << what;
        }
      }
    }
  }
}

TEST_P(Conformance, BytesThatTwoRangesUseAreReportedAsShared) {
  for (const Prepared& prepared : OpenPrepared()) {
    std::vector<std::tuple<uint8_t, uint64_t, uint64_t, bool>> places;  // device, begin, end
    for (const std::shared_ptr<File>& file : prepared.Files()) {
      for (const Mapping& mapping : WholeMap(*file, &File::MapForReport)) {
        if (mapping.has_address() && mapping.type != MappingType::kInline) {
          places.emplace_back(mapping.device, mapping.address, mapping.address + mapping.length,
                              HasFlag(mapping.flags, MappingFlag::kShared));
        }
      }
    }
    std::sort(places.begin(), places.end());
    for (size_t i = 1; i < places.size(); ++i) {
      const auto& [device, begin, end, shared] = places[i];
      const auto& [last_device, last_begin, last_end, last_shared] = places[i - 1];
      if (device == last_device && begin < last_end) {
        EXPECT_TRUE(shared && last_shared)
            << "device " << int{device} << ": [" << last_begin << ", " << last_end << ") and ["
            << begin << ", " << end << ")";
      }
    }
  }
}

TEST_P(Conformance, AReportIsWhatAReaderSeesAndFlags) {
  for (const Prepared& prepared : OpenPrepared()) {
    for (const std::shared_ptr<File>& file : prepared.Files()) {
      const std::vector<Mapping> reported = WholeMap(*file, &File::MapForReport);
      std::vector<Mapping> without_flags;
      for (Mapping mapping : reported) {
        mapping.flags = MappingFlag::kNone;
        Append(mapping, without_flags);
      }
      std::vector<Mapping> read;
      for (Mapping mapping : WholeMap(*file, &File::MapForRead)) {
        EXPECT_FALSE(HasFlag(mapping.flags, MappingFlag::kNew)) << DebugString(mapping);
        mapping.flags = MappingFlag::kNone;
        Append(mapping, read);
      }
      EXPECT_EQ(without_flags, read) << NameOf(*file);
    }
  }
}

TEST_P(Conformance, PastTheEndOfFileNothingIsRead) {
  for (const Prepared& prepared : OpenPrepared()) {
    for (const std::shared_ptr<File>& file : prepared.Files()) {
      const uint64_t size = file->attributes()->size;
      for (const uint64_t position : {size + kFarAway, ByteRange::kMaxOffset - 1}) {
        const auto mapping = MappingAt(*file, &File::MapForRead, position);
        ASSERT_THAT(mapping, IsOk()) << NameOf(*file) << " at " << position;
        EXPECT_EQ(mapping->type, MappingType::kHole) << NameOf(*file) << " at " << position;
      }
      EXPECT_THAT(SeekData(*file, size), StatusIs(absl::StatusCode::kOutOfRange));
      EXPECT_THAT(SeekHole(*file, size), StatusIs(absl::StatusCode::kOutOfRange));
      if (auto* on_devices = dynamic_cast<dax::File*>(file.get())) {
        std::byte byte;
        EXPECT_EQ(dax::Read(*on_devices, size, absl::MakeSpan(&byte, 1)).value(), 0)
            << NameOf(*file);
      }
    }
  }
}

TEST_P(Conformance, SeekAgreesWithTheMappings) {
  for (const Prepared& prepared : OpenPrepared()) {
    for (const std::shared_ptr<File>& file : prepared.Files()) {
      const uint64_t size = file->attributes()->size;
      const std::vector<Mapping> map = WholeMap(*file, &File::MapForRead);
      // The first mapping at or behind `position` that is data, or is not; where it begins.
      const auto first = [&](uint64_t position, bool data) {
        const auto found = std::find_if(map.begin(), map.end(), [&](const Mapping& mapping) {
          return mapping.end() > position && mapping.reads_as_zeros() != data;
        });
        return found == map.end() ? size : std::max(position, found->offset);
      };
      for (const Mapping& mapping : Some(map)) {
        for (const uint64_t position : {mapping.offset, mapping.end() - 1}) {
          if (position >= size) {
            continue;
          }
          const auto data = SeekData(*file, position);
          if (const uint64_t expected = first(position, true); expected < size) {
            EXPECT_EQ(data.value(), expected) << NameOf(*file) << " at " << position;
          } else {
            EXPECT_THAT(data, StatusIs(absl::StatusCode::kOutOfRange)) << NameOf(*file);
          }
          EXPECT_EQ(SeekHole(*file, position).value(), std::min(size, first(position, false)))
              << NameOf(*file) << " at " << position;
        }
      }
    }
  }
}

TEST_P(Conformance, FiemapAgreesWithTheMappings) {
  for (const Prepared& prepared : OpenPrepared()) {
    for (const std::shared_ptr<File>& file : prepared.Files()) {
      std::vector<Mapping> expected = WholeMap(*file, &File::MapForReport);
      std::erase_if(expected,
                    [](const Mapping& mapping) { return mapping.type == MappingType::kHole; });
      std::vector<Mapping> extents;
      size_t last_ones = 0;
      EXPECT_THAT(Fiemap(*file, ByteRange::All(), Holes::kSkip,
                         [&](const FiemapExtent& extent) {
                           EXPECT_EQ(last_ones, 0) << "an extent behind the last one";
                           last_ones += extent.last ? 1 : 0;
                           extents.push_back(extent.mapping);
                           return true;
                         }),
                  IsOk());
      EXPECT_EQ(extents, expected) << NameOf(*file);
      EXPECT_EQ(last_ones, extents.empty() ? 0 : 1) << NameOf(*file);
    }
  }
}

TEST_P(Conformance, BytesAreReadWhereTheMappingsSay) {
  for (const Prepared& prepared : OpenPrepared()) {
    for (const std::shared_ptr<File>& any : prepared.Files()) {
      auto* const file = dynamic_cast<dax::File*>(any.get());
      if (file == nullptr) {
        continue;  // the bytes are elsewhere
      }
      const uint64_t size = std::min(file->attributes()->size, kMostBytes);
      std::vector<std::byte> bytes(size);
      ASSERT_EQ(dax::Read(*file, 0, absl::MakeSpan(bytes)).value(), size) << NameOf(*file);
      // In pieces that end in odd places.
      std::vector<std::byte> piece(4099);
      for (uint64_t position = 0; position < size; position += piece.size()) {
        const uint64_t count = std::min<uint64_t>(piece.size(), size - position);
        ASSERT_GE(dax::Read(*file, position, absl::MakeSpan(piece)).value(), count);
        ASSERT_TRUE(std::equal(piece.begin(), piece.begin() + static_cast<std::ptrdiff_t>(count),
                               bytes.begin() + static_cast<std::ptrdiff_t>(position)))
            << NameOf(*file) << " at " << position;
      }
      for (const Mapping& mapping : WholeMap(*file, &File::MapForRead)) {
        const ByteRange part = mapping.range().Intersect({0, size});
        if (part.empty()) {
          break;
        }
        std::vector<std::byte> expected(part.length);
        if (mapping.type == MappingType::kInline) {
          ASSERT_THAT(file->ReadInline(part.offset, absl::MakeSpan(expected)), IsOk());
        } else if (mapping.type == MappingType::kMapped) {
          const dax::Device& device = *file->devices()[mapping.device];
          const absl::Span<const std::byte> there =
              device.bytes().subspan(mapping.AddressOf(part.offset), part.length);
          expected.assign(there.begin(), there.end());
        }
        const auto first = bytes.begin() + static_cast<std::ptrdiff_t>(part.offset);
        ASSERT_TRUE(std::equal(expected.begin(), expected.end(), first))
            << NameOf(*file) << ": " << DebugString(mapping);
      }
    }
  }
}

TEST_P(Conformance, InlineBytesEndWhereTheFileEnds) {
  for (const Prepared& prepared : OpenPrepared()) {
    for (const std::shared_ptr<File>& file : prepared.Files()) {
      std::vector<std::byte> bytes(1);
      const bool is_inline =
          WholeMap(*file, &File::MapForRead).front().type == MappingType::kInline;
      if (is_inline) {
        EXPECT_THAT(file->ReadInline(file->attributes()->size + 100'000, absl::MakeSpan(bytes)),
                    StatusIs(absl::StatusCode::kOutOfRange))
            << NameOf(*file);
      } else if (!HasCapability(prepared.capabilities, Capability::kInlineData)) {
        EXPECT_THAT(file->ReadInline(0, absl::MakeSpan(bytes)),
                    StatusIs(absl::StatusCode::kUnimplemented))
            << NameOf(*file);
      }
    }
  }
}

TEST_P(Conformance, ReadersDoNotMoveTheGeneration) {
  for (const Prepared& prepared : OpenPrepared()) {
    for (const std::shared_ptr<File>& file : prepared.Files()) {
      const uint64_t generation = file->generation();
      const std::vector<Mapping> map = WholeMap(*file, &File::MapForRead);
      EXPECT_TRUE(file->UnchangedSince(generation)) << NameOf(*file);
      EXPECT_EQ(WholeMap(*file, &File::MapForRead), map) << NameOf(*file);
    }
  }
}

TEST_P(Conformance, ManyReadersSeeTheSame) {
  for (const Prepared& prepared : OpenPrepared()) {
    const std::vector<std::shared_ptr<File>> files = prepared.Files();
    std::vector<std::vector<std::vector<Mapping>>> maps(kThreads);
    std::vector<std::thread> threads;
    for (auto& mine : maps) {
      threads.emplace_back([&files, &mine] {
        for (const std::shared_ptr<File>& file : files) {
          mine.push_back(WholeMap(*file, &File::MapForRead));
        }
      });
    }
    for (std::thread& thread : threads) {
      thread.join();
    }
    for (const auto& mine : maps) {
      EXPECT_EQ(mine, maps.front());
    }
  }
}

}  // namespace
}  // namespace iomap::conformance
