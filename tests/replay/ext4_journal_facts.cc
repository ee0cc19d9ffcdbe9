#include "tests/replay/ext4_journal_facts.h"

#include <memory>

#include "absl/strings/match.h"
#include "backends/ext4/filesystem.h"
#include "backends/ext4/journal.h"
#include "backends/ext4/journal_log.h"
#include "backends/ext4/volume.h"
#include "dax/file_device.h"
#include "iomap/status_macros.h"

namespace iomap::tests {
namespace {

absl::StatusOr<dax::DeviceSet> DevicesOf(const std::string& image_path) {
  dax::DeviceSet devices;
  IOMAP_ASSIGN_OR_RETURN(devices.emplace_back(),
                         dax::FileDevice::OpenReadOnly(image_path, /*image_offset=*/0));
  return devices;
}

std::string NameOf(ext4::JournalChecksums checksums) {
  switch (checksums) {
    case ext4::JournalChecksums::kNone:
      return "checksums none";
    case ext4::JournalChecksums::kV1:
      return "checksums v1";
    case ext4::JournalChecksums::kV2:
      return "checksums v2";
    case ext4::JournalChecksums::kV3:
      break;
  }
  return "checksums v3";
}

}  // namespace

absl::StatusOr<std::set<std::string>> JournalFactsOf(const std::string& image_path) {
  IOMAP_ASSIGN_OR_RETURN(dax::DeviceSet devices, DevicesOf(image_path));
  IOMAP_ASSIGN_OR_RETURN(const std::unique_ptr<ext4::Volume> volume,
                         ext4::Volume::Open(std::move(devices)));
  IOMAP_ASSIGN_OR_RETURN(const ext4::Journal journal, ext4::Journal::Open(*volume));
  IOMAP_ASSIGN_OR_RETURN(const ext4::JournalLog log, ext4::ScanLog(journal));
  std::set<std::string> facts = {NameOf(journal.superblock().checksums)};
  if (journal.superblock().has_64bit) {
    facts.insert("64bit");
  }
  uint32_t last_block = 0;
  for (const ext4::Transaction& transaction : log.transactions) {
    facts.insert("transactions");
    if (!transaction.revoked.empty()) {
      facts.insert("revoke");
    }
    for (const ext4::LoggedBlock& logged : transaction.blocks) {
      if (logged.escaped) {
        facts.insert("escape");
      }
      if (logged.log_block < last_block) {
        facts.insert("wrap");
      }
      last_block = logged.log_block;
    }
  }
  IOMAP_ASSIGN_OR_RETURN(dax::DeviceSet again, DevicesOf(image_path));
  backends::OpenOptions options;
  options.on_replay = [&](const backends::ReplayAction& action) {
    for (const char* word : {"fast commit", "inside the directory's inode", "orphan"}) {
      if (absl::StrContains(action.what, word)) {
        facts.insert(word);
      }
    }
  };
  IOMAP_RETURN_IF_ERROR(ext4::OpenFilesystem(std::move(again), options).status());
  return facts;
}

}  // namespace iomap::tests
