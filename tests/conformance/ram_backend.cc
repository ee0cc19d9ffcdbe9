#include "tests/conformance/ram_backend.h"

#include <sys/stat.h>

#include <memory>
#include <utility>
#include <vector>

#include "backends/ram/filesystem.h"
#include "dax/io.h"
#include "dax/memory_device.h"
#include "iomap/status_macros.h"
#include "tests/support/bytes.h"

namespace iomap::conformance {
namespace {

absl::StatusOr<std::unique_ptr<Filesystem>> PreparedRam() {
  using tests::Bytes;
  dax::DeviceSet devices;
  devices.push_back(std::make_unique<dax::MemoryDevice>(std::vector<std::byte>(1 << 20)));
  IOMAP_ASSIGN_OR_RETURN(std::unique_ptr<ram::Filesystem> ram,
                         ram::Filesystem::Make(std::move(devices)));
  const auto make_file = [&](InodeNumber directory, absl::string_view name) {
    return ram->OpenFile(*ram->Create(directory, name, S_IFREG | 0644));
  };
  IOMAP_ASSIGN_OR_RETURN(const InodeNumber outer,
                         ram->Create(ram->root(), "outer", S_IFDIR | 0755));
  IOMAP_ASSIGN_OR_RETURN(const InodeNumber inner, ram->Create(outer, "inner", S_IFDIR | 0755));
  IOMAP_ASSIGN_OR_RETURN(const auto sparse, make_file(inner, "sparse"));
  IOMAP_RETURN_IF_ERROR(dax::Write(*sparse, 50'000, Bytes(10'000, 1)));
  IOMAP_ASSIGN_OR_RETURN(const auto clone, make_file(inner, "clone"));
  IOMAP_RETURN_IF_ERROR(clone->CloneRange(*sparse, 49'152, {0, 4096}));
  IOMAP_RETURN_IF_ERROR(clone->Fallocate(FallocateMode::kAllocate, {8192, 10'000}));
  IOMAP_RETURN_IF_ERROR(ram->CreateInline(outer, "inline", Bytes(100, 7)).status());
  IOMAP_RETURN_IF_ERROR(ram->MakeSymbolicLink(outer, "link", "inner/sparse").status());
  return ram;
}

}  // namespace

Backend RamBackend() {
  return {.name = "ram", .prepared = {&PreparedRam}, .make = [](dax::DeviceSet devices) {
            return ram::Filesystem::Make(std::move(devices));
          }};
}

}  // namespace iomap::conformance
