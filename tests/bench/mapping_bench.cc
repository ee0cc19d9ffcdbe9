// What it costs to ask where a file's bytes are: the project, its peers and the raw tree, in one
// run. tools/bench runs it and prints the ratios.

#include <benchmark/benchmark.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "iomap/for_each_mapping.h"
#include "iomap/get_block.h"
#include "iomap/status_macros.h"
#include "tests/bench/bench_image.h"
#include "tests/bench/counting_file.h"
#include "tests/bench/ext2fs_file.h"
#include "tests/bench/kernel_fiemap.h"
#include "tests/bench/raw_tree.h"
#include "tests/bench/registration.h"
#include "tests/support/skip.h"

namespace iomap::tests {
namespace {

constexpr int kExtents = 210000;
constexpr uint64_t kFileBlocks = uint64_t{2} * kExtents;  // a hole before each extent
constexpr uint32_t kFiemapExtents = 4096;                 // that one call has room for
constexpr uint64_t kGiB = uint64_t{1} << 30;
constexpr uint64_t kMiB = uint64_t{1} << 20;

// The blocks that look-ups ask for: the same sequence for everybody.
class RandomBlocks {
 public:
  uint64_t Next() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return static_cast<uint64_t>((static_cast<unsigned __int128>(state_) * kFileBlocks) >> 64);
  }

 private:
  uint64_t state_ = 88172645463325252;
};

// --- Random look-ups.

// Times `look_up`, which answers with any number or an error, for one random block each.
template <typename LookUp>
absl::Status TimeLookUps(benchmark::State& state, LookUp&& look_up) {
  RandomBlocks blocks;
  for (auto iteration : state) {
    (void)iteration;
    IOMAP_ASSIGN_OR_RETURN(const uint64_t answer, look_up(blocks.Next()));
    benchmark::DoNotOptimize(answer);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<RawTree>> OpenRawTree(const BenchImage& image) {
  IOMAP_ASSIGN_OR_RETURN(const std::unique_ptr<dax::Filesystem> filesystem, image.Open());
  IOMAP_ASSIGN_OR_RETURN(const InodeNumber inode,
                         filesystem->LookUp(filesystem->root(), BenchImage::kFragmented));
  return image.backend() == "ext4" ? OpenRawExt4Tree(image.path(), inode)
                                   : OpenRawXfsTree(image.path(), inode);
}

void RegisterLookUps(const BenchImage& image) {
  const std::string prefix = absl::StrCat("look-up/", image.backend(), "/");
  Register(prefix + "iomap", [&image](benchmark::State& state) -> absl::Status {
    IOMAP_ASSIGN_OR_RETURN(const std::unique_ptr<dax::Filesystem> filesystem, image.Open());
    IOMAP_ASSIGN_OR_RETURN(const std::shared_ptr<File> file,
                           OpenByName(*filesystem, BenchImage::kFragmented));
    return TimeLookUps(state, [&](uint64_t block) -> absl::StatusOr<uint64_t> {
      IOMAP_ASSIGN_OR_RETURN(const Mapping mapping,
                             MappingAt(*file, &File::MapForRead, block * kBenchBlockSize));
      return mapping.address;
    });
  });
  Register(prefix + "raw tree", [&image](benchmark::State& state) -> absl::Status {
    IOMAP_ASSIGN_OR_RETURN(const std::unique_ptr<RawTree> tree, OpenRawTree(image));
    return TimeLookUps(
        state, [&](uint64_t block) -> absl::StatusOr<uint64_t> { return tree->BlockAt(block); });
  });
  Register(prefix + "kernel FIEMAP", [&image](benchmark::State& state) -> absl::Status {
    IOMAP_ASSIGN_OR_RETURN(const FileDescriptor file, image.OpenInKernel(BenchImage::kFragmented));
    KernelFiemap fiemap(file.get(), /*extents=*/1);
    return TimeLookUps(state,
                       [&](uint64_t block) { return fiemap.AddressOf(block * kBenchBlockSize); });
  });
  if (image.backend() != "ext4") {
    return;
  }
  Register(prefix + "ext2fs_bmap2", [&image](benchmark::State& state) -> absl::Status {
    IOMAP_ASSIGN_OR_RETURN(const std::unique_ptr<Ext2fsFile> file,
                           Ext2fsFile::Open(image.path(), std::string(BenchImage::kFragmented)));
    return TimeLookUps(state, [&](uint64_t block) { return file->Bmap(block); });
  });
}

// --- Enumeration.

// The number of extents of the file, holes left out.
absl::StatusOr<size_t> CountMapped(File& file) {
  size_t count = 0;
  IOMAP_RETURN_IF_ERROR(ForEachMapping(file, &File::MapForRead,
                                       ByteRange{0, kFileBlocks * kBenchBlockSize},
                                       [&](const Mapping& mapping, const ByteRange&) {
                                         count += mapping.has_address() ? 1 : 0;
                                         return Walk::kContinue;
                                       }));
  return count;
}

// Times whole enumerations; `count` answers with the number of extents.
template <typename Count>
absl::Status TimeEnumerations(benchmark::State& state, Count&& count) {
  for (auto iteration : state) {
    (void)iteration;
    IOMAP_ASSIGN_OR_RETURN(const size_t extents, count());
    if (extents != kExtents) {
      return absl::InternalError(absl::StrCat(extents, " extents, not ", kExtents));
    }
  }
  state.counters["extents"] = kExtents;
  return absl::OkStatus();
}

void RegisterEnumerations(const BenchImage& image) {
  const std::string prefix = absl::StrCat("enumeration/", image.backend(), "/");
  Register(prefix + "iomap", [&image](benchmark::State& state) -> absl::Status {
    IOMAP_ASSIGN_OR_RETURN(const std::unique_ptr<dax::Filesystem> filesystem, image.Open());
    IOMAP_ASSIGN_OR_RETURN(const std::shared_ptr<File> file,
                           OpenByName(*filesystem, BenchImage::kFragmented));
    return TimeEnumerations(state, [&] { return CountMapped(*file); });
  });
  Register(prefix + "raw tree", [&image](benchmark::State& state) -> absl::Status {
    IOMAP_ASSIGN_OR_RETURN(const std::unique_ptr<RawTree> tree, OpenRawTree(image));
    return TimeEnumerations(state,
                            [&]() -> absl::StatusOr<size_t> { return tree->CountExtents(); });
  });
  Register(prefix + "kernel FIEMAP", [&image](benchmark::State& state) -> absl::Status {
    IOMAP_ASSIGN_OR_RETURN(const FileDescriptor file, image.OpenInKernel(BenchImage::kFragmented));
    KernelFiemap fiemap(file.get(), kFiemapExtents);
    return TimeEnumerations(state, [&] { return fiemap.CountExtents(); });
  });
  if (image.backend() != "ext4") {
    return;
  }
  Register(prefix + "ext2fs_extent_get", [&image](benchmark::State& state) -> absl::Status {
    IOMAP_ASSIGN_OR_RETURN(const std::unique_ptr<Ext2fsFile> file,
                           Ext2fsFile::Open(image.path(), std::string(BenchImage::kFragmented)));
    return TimeEnumerations(state, [&] { return file->CountExtents(); });
  });
}

// --- The first pass: nothing of the file is known, all that has a checksum is verified.

// A newly opened file of a newly opened file system; nothing when destroyed.
struct OpenedFile {
  std::unique_ptr<dax::Filesystem> filesystem;
  std::shared_ptr<File> file;
};

absl::StatusOr<OpenedFile> OpenFragmented(const BenchImage& image) {
  OpenedFile opened;
  IOMAP_ASSIGN_OR_RETURN(opened.filesystem, image.Open());
  IOMAP_ASSIGN_OR_RETURN(opened.file, OpenByName(*opened.filesystem, BenchImage::kFragmented));
  return opened;
}

// Times the first enumeration of a file after opening it, and with `and_open` the opening and the
// closing of file and file system too.
absl::Status TimeFirstPasses(benchmark::State& state, const BenchImage& image, bool and_open) {
  for (auto iteration : state) {
    (void)iteration;
    if (!and_open) {
      state.PauseTiming();
    }
    {
      IOMAP_ASSIGN_OR_RETURN(const OpenedFile opened, OpenFragmented(image));
      if (!and_open) {
        state.ResumeTiming();
      }
      IOMAP_ASSIGN_OR_RETURN(const size_t extents, CountMapped(*opened.file));
      if (extents != kExtents) {
        return absl::InternalError(absl::StrCat(extents, " extents, not ", kExtents));
      }
      if (!and_open) {
        state.PauseTiming();
      }
    }
    if (!and_open) {
      state.ResumeTiming();
    }
  }
  return absl::OkStatus();
}

// The same of the kernel: with `and_open`, it unmounts and mounts too.
absl::Status TimeKernelFirstPasses(benchmark::State& state, BenchImage& image, bool and_open) {
  for (auto iteration : state) {
    (void)iteration;
    if (!and_open) {
      state.PauseTiming();
    }
    IOMAP_RETURN_IF_ERROR(image.MountAgain());
    IOMAP_ASSIGN_OR_RETURN(const FileDescriptor file, image.OpenInKernel(BenchImage::kFragmented));
    KernelFiemap fiemap(file.get(), kFiemapExtents);
    if (!and_open) {
      state.ResumeTiming();
    }
    IOMAP_ASSIGN_OR_RETURN(const size_t extents, fiemap.CountExtents());
    if (extents != kExtents) {
      return absl::InternalError(absl::StrCat(extents, " extents, not ", kExtents));
    }
  }
  return absl::OkStatus();
}

void RegisterFirstPasses(BenchImage& image) {
  for (const bool and_open : {false, true}) {
    const std::string prefix =
        absl::StrCat(and_open ? "open and first pass/" : "first pass/", image.backend(), "/");
    Register(prefix + "iomap", [&image, and_open](benchmark::State& state) {
      return TimeFirstPasses(state, image, and_open);
    });
    Register(prefix + "kernel FIEMAP", [&image, and_open](benchmark::State& state) {
      return TimeKernelFirstPasses(state, image, and_open);
    });
  }
}

// --- get_block against iomap: a call a block, or a call a range.

void RegisterGetBlock(const BenchImage& image, const std::string& question, uint64_t bytes) {
  const std::string prefix = absl::StrCat(question, "/", image.backend(), "/");
  const auto with_file = [&image](benchmark::State& state, auto&& ask) -> absl::Status {
    IOMAP_ASSIGN_OR_RETURN(const std::unique_ptr<dax::Filesystem> filesystem, image.Open());
    IOMAP_ASSIGN_OR_RETURN(const std::shared_ptr<File> opened,
                           OpenByName(*filesystem, BenchImage::kContiguous));
    CountingFile file(*opened);
    for (auto iteration : state) {
      (void)iteration;
      IOMAP_RETURN_IF_ERROR(ask(file));
    }
    state.counters["calls"] =
        static_cast<double>(file.calls()) / static_cast<double>(state.iterations());
    return absl::OkStatus();
  };
  Register(prefix + "get_block", [=](benchmark::State& state) {
    return with_file(state, [bytes](File& file) -> absl::Status {
      for (uint64_t block = 0; block < bytes / kBenchBlockSize; ++block) {
        IOMAP_ASSIGN_OR_RETURN(const BlockAnswer answer, GetBlockOf(file, block, kBenchBlockSize));
        benchmark::DoNotOptimize(answer);
      }
      return absl::OkStatus();
    });
  });
  Register(prefix + "iomap", [=](benchmark::State& state) {
    return with_file(state, [bytes](File& file) {
      return ForEachMapping(file, &File::MapForRead, ByteRange{0, bytes},
                            [](const Mapping& mapping, const ByteRange&) {
                              benchmark::DoNotOptimize(mapping.address);
                              return Walk::kContinue;
                            });
    });
  });
}

absl::Status RunAll() {
  if (const std::string why = WhyNoMount(); !why.empty()) {
    return absl::FailedPreconditionError(absl::StrCat("skipped: ", why));
  }
  std::vector<std::unique_ptr<BenchImage>> images;
  for (const char* backend : {"ext4", "xfs"}) {
    IOMAP_ASSIGN_OR_RETURN(images.emplace_back(), BenchImage::Make(backend, kExtents));
    BenchImage& image = *images.back();
    RegisterLookUps(image);
    RegisterEnumerations(image);
    RegisterFirstPasses(image);
    RegisterGetBlock(image, "contiguous 1 GiB", kGiB);
    RegisterGetBlock(image, "write of 1 MiB", kMiB);
  }
  benchmark::RunSpecifiedBenchmarks();
  return absl::OkStatus();
}

}  // namespace
}  // namespace iomap::tests

int main(int argc, char** argv) {
  return iomap::tests::RunBenchmarks(argc, argv, &iomap::tests::RunAll);
}
