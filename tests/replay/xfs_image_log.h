#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "backends/xfs/log.h"

namespace iomap::tests {

// The log of an xfs image as it is in the file at this moment.
class XfsImageLog {
 public:
  static absl::StatusOr<XfsImageLog> Open(const std::string& image_path);

  const xfs::Superblock& superblock() const { return volume_->superblock; }
  const xfs::Log& log() const { return log_; }
  const xfs::Log::State& state() const { return state_; }

  // True when what is to be recovered goes around the end of the log.
  bool wraps() const { return state_.tail > state_.head; }
  // How many records that are to be recovered have more than one header block: those of more than
  // 32 KiB.
  absl::StatusOr<uint64_t> LongRecords() const;

 private:
  XfsImageLog(std::unique_ptr<xfs::Volume> volume, const xfs::Log& log,
              const xfs::Log::State& state)
      : volume_(std::move(volume)), log_(log), state_(state) {}

  std::unique_ptr<xfs::Volume> volume_;  // log_ points into it
  xfs::Log log_;
  xfs::Log::State state_;
};

}  // namespace iomap::tests
