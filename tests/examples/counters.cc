// Counters that survive a crash, in a file of an ext4 or XFS image: no mount, no root.
//
//   counters IMAGE PATH NUMBER...     adds one to each of these counters, and prints them
//
// The file is mapped; a counter is eight bytes of it, incremented by a plain instruction. It must
// have blocks, in whole pages: none are allocated here, and a page without ends in SIGBUS. What
// makes a counter last is the fsync promise:
//
// * Until Fsync is called nothing is promised. A processor writes lines back when it likes: after a
//   crash each of the counters that were incremented may have its old value or its new one, and
//   one of them may be new while an older increment is lost.
// * When Fsync has returned OK, every store to the mapping that came before the call, from any
//   thread, is on the medium. It cost the pages that were stored to, whatever the size of the file.
// * When it returns an error, they may not be; they stay dirty, and the next Fsync tries again.
//
// So this program prints after Fsync: a number that somebody has seen is never lost. What must
// change together needs a protocol on top, for example a record first, Fsync, then the word that
// makes it valid, Fsync.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "backends/registry.h"
#include "dax/host_mapping.h"
#include "dax/pmem_device.h"
#include "iomap/path.h"
#include "iomap/status_macros.h"

namespace {

using iomap::dax::HostMapping;

struct Opened {
  std::unique_ptr<iomap::dax::Filesystem> filesystem;  // outlives its files
  std::unique_ptr<HostMapping> mapping;
};

absl::StatusOr<Opened> Open(const std::string& image, const std::string& path) {
  iomap::dax::DeviceSet devices;
  IOMAP_ASSIGN_OR_RETURN(devices.emplace_back(), iomap::dax::PmemDevice::Open(image, 0));
  Opened opened;
  IOMAP_ASSIGN_OR_RETURN(
      opened.filesystem,
      iomap::backends::OpenFilesystem(iomap::backends::BuiltInBackends(), std::move(devices),
                                      /*name=*/"", {}));
  IOMAP_ASSIGN_OR_RETURN(const iomap::InodeNumber inode,
                         iomap::ResolvePath(*opened.filesystem, path, iomap::LastLink::kFollow));
  IOMAP_ASSIGN_OR_RETURN(std::shared_ptr<iomap::dax::File> file,
                         opened.filesystem->OpenFile(inode));
  IOMAP_ASSIGN_OR_RETURN(opened.mapping, HostMapping::Make(std::move(file), {}));
  return opened;
}

absl::Status Count(int argc, char** argv) {
  if (argc < 4) {
    return absl::InvalidArgumentError("usage: counters IMAGE PATH NUMBER...");
  }
  IOMAP_ASSIGN_OR_RETURN(const Opened opened, Open(argv[1], argv[2]));
  IOMAP_ASSIGN_OR_RETURN(const auto attributes, opened.mapping->file().attributes());
  auto* const counters = reinterpret_cast<uint64_t*>(opened.mapping->bytes().data());
  const auto number_of = [&](const char* argument) -> absl::StatusOr<uint64_t> {
    uint64_t number = 0;
    if (!absl::SimpleAtoi(argument, &number) || number >= attributes.size / sizeof *counters) {
      return absl::OutOfRangeError(absl::StrCat(argument, ": no such counter"));
    }
    return number;
  };
  for (int i = 3; i < argc; ++i) {
    IOMAP_ASSIGN_OR_RETURN(const uint64_t number, number_of(argv[i]));
    ++counters[number];
  }
  IOMAP_RETURN_IF_ERROR(opened.mapping->Fsync());
  for (int i = 3; i < argc; ++i) {
    IOMAP_ASSIGN_OR_RETURN(const uint64_t number, number_of(argv[i]));
    std::printf("%s: %llu\n", argv[i], static_cast<unsigned long long>(counters[number]));
  }
  return absl::OkStatus();
}

}  // namespace

int main(int argc, char** argv) {
  const absl::Status status = Count(argc, argv);
  if (!status.ok()) {
    std::fprintf(stderr, "counters: %s\n", std::string(status.message()).c_str());
  }
  return status.ok() ? EXIT_SUCCESS : EXIT_FAILURE;
}
