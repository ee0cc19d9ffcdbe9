#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <ostream>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "dax/device.h"
#include "dax/file.h"
#include "dax/filesystem.h"
#include "dax/page_traps.h"
#include "dax/recording_device.h"
#include "gtest/gtest.h"
#include "iomap/filesystem.h"

// What every backend has to do: one suite of tests over any Filesystem. A program links the library
// iomap_conformance (iomap::conformance behind find_package(iomap)), says how to get at its file
// system, and has the suite:
//
//   INSTANTIATE_TEST_SUITE_P(MyFs, Conformance, testing::Values(MyBackend()), BackendName);
//
// The read part runs on file systems that the backend has prepared, the write part on empty ones
// that it makes. What a capability bit stands for must work; what has no bit must answer
// Unimplemented, and its tests are skipped with "skipped: NAME has no ...".
namespace iomap::tests {
class MirrorDevice;
}

namespace iomap::conformance {

class MappedFile;

// A backend as the suite meets it.
struct Backend {
  using Prepared = std::function<absl::StatusOr<std::unique_ptr<Filesystem>>()>;
  using Make = std::function<absl::StatusOr<std::unique_ptr<dax::Filesystem>>(dax::DeviceSet)>;

  std::string name;  // letters, digits and underscores

  // Each opens a file system to read, anew at each call. Together they hold a directory in a
  // directory, a file with a hole in front of data (unless the format has no holes) and, for what
  // there is a bit for, a symbolic link, an inline mapping, a shared extent.
  std::vector<Prepared> prepared;
  bool has_holes = true;

  // Makes an empty file system on devices of device_bytes that hold zeros. Null for a backend that
  // does not write.
  Make make = nullptr;
  uint64_t device_bytes = uint64_t{16} << 20;

  // With it, files are mapped into the process and reached by plain loads and stores (HostMapping);
  // without, by calls (SoftMapping), on a device that records them.
  std::optional<dax::Tracking> tracking = std::nullopt;
};

// The suite. Its tests are in the library.
class Conformance : public testing::TestWithParam<Backend> {
 protected:
  // An inode that a walk of a prepared file system met, at one of its paths.
  struct Found {
    std::string path;
    InodeNumber inode;
    InodeNumber parent;
    FileType type;
  };

  // One prepared file system and all that is in it.
  struct Prepared {
    std::unique_ptr<Filesystem> filesystem = {};
    Capability capabilities = Capability::kNone;
    std::vector<Found> found = {};  // the root first, directories before what is in them

    // Fills in the other two.
    absl::Status Walk();

    // The regular files, opened.
    std::vector<std::shared_ptr<File>> Files() const;
  };

  // All prepared ones; fails the test when one cannot be opened or walked.
  std::vector<Prepared> OpenPrepared();

  // Makes the empty file system. Why the test is to be skipped, or empty: for a backend that does
  // not write, that lacks one of the capabilities, or whose files cannot be mapped here as it asks
  // for. To be called first by each test that writes.
  std::string MakeFor(const std::vector<Capability>& needed);

  dax::Filesystem& filesystem() { return *filesystem_; }
  dax::Device& device() { return *device_; }
  bool Has(Capability capability) const { return HasCapability(capabilities_, capability); }
  uint64_t block() const { return block_bytes_; }  // bytes: what extents are made of
  uint64_t FreeBytes();

  // A new, empty file.
  std::shared_ptr<dax::File> MakeFile(absl::string_view name);
  // One that holds `bytes`.
  std::shared_ptr<dax::File> MakeFile(absl::string_view name, const std::vector<std::byte>& bytes);

  struct MapOptions {
    dax::PageSize largest_page = dax::PageSize::kBase;  // of SoftMapping
    dax::MapSync sync = dax::MapSync::kNo;
  };
  MappedFile Map(const std::shared_ptr<dax::File>& file);
  MappedFile Map(const std::shared_ptr<dax::File>& file, const MapOptions& options);
  bool maps_into_process() const { return GetParam().tracking.has_value(); }

  // Nothing of the file is dirty, as far as that can be told without a look at what was stored.
  void ExpectClean(dax::File& file);
  // The pages whose lines have been flushed since this was asked last.
  std::set<uint64_t> TakeFlushedPages(dax::File& file);
  // Those that may be flushed when `stored` were stored to.
  std::set<uint64_t> MayBeFlushed(const std::set<uint64_t>& stored) const;
  void FailNextDrain(const absl::Status& status);

  // After a crash now, whatever the caches have kept: does the medium hold `bytes` at `offset`?
  // Fails the test when it may hold something else.
  void ExpectOnMedium(dax::File& file, uint64_t offset, const std::vector<std::byte>& bytes);

 private:
  // The main device of the file system: one that records, or one whose files can be mapped.
  std::unique_ptr<dax::Device> MakeRecorder(uint64_t bytes);
  std::unique_ptr<dax::Device> MakeMirror(uint64_t bytes);
  // What the line at `address` may hold after a crash.
  std::vector<dax::Line> PossibleLines(uint64_t address) const;

  std::unique_ptr<dax::Filesystem> filesystem_;
  dax::Device* device_ = nullptr;             // the main one of filesystem_, which is
  dax::RecordingDevice* recorder_ = nullptr;  // either this
  tests::MirrorDevice* mirror_ = nullptr;     // or this
  size_t events_seen_ = 0;                    // of recorder_
  Capability capabilities_ = Capability::kNone;
  uint64_t block_bytes_ = 0;
};

// For INSTANTIATE_TEST_SUITE_P, and for what GoogleTest prints of a backend.
std::string BackendName(const testing::TestParamInfo<Backend>& info);
void PrintTo(const Backend& backend, std::ostream* out);

}  // namespace iomap::conformance
