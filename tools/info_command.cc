#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "backends/open_options.h"
#include "dax/file_device.h"
#include "dax/host_mapping.h"
#include "dax/pmem_device.h"
#include "iomap/status_macros.h"
#include "tools/arguments.h"
#include "tools/commands.h"
#include "tools/json.h"
#include "tools/text_or_json.h"

namespace iomap::tools {
namespace {

constexpr char kDetails[] =
    R"(Format, features, geometry, free space, the state of the journal, and of each device its kind
and how stores to it become durable: by the processor's instructions on persistent memory, by
msync on a file in the page cache, not at all where the file cannot be written to; and how a
process that maps a file of it can find out which pages it has stored to, the best way first. An
image with a dirty journal is described as it lies on the medium. Sizes are in bytes.

  iomap info --format=json disk.img)";

struct DeviceFacts {
  std::string kind;
  std::string flush;
  uint64_t size;
  // How stores to mapped files can be tracked here, the best first; and why not in other ways.
  std::vector<std::string> tracking = {};
  std::vector<std::pair<std::string, std::string>> no_tracking = {};
};

// What the file of `device`, which is open for reading, is to who writes to it. It is opened for
// writing for as long as that takes, and not written to.
DeviceFacts FactsOf(const dax::Device& device, const std::string& path, uint64_t image_offset) {
  const auto mapped = dax::PmemDevice::Open(path, image_offset);
  if (mapped.ok()) {
    DeviceFacts facts{std::string((*mapped)->kind()), std::string((*mapped)->flush()),
                      device.size()};
    for (const dax::Tracking tracking : dax::AllTrackings()) {
      const absl::Status can = dax::HostMapping::CanTrack(tracking, **mapped);
      if (can.ok()) {
        facts.tracking.emplace_back(dax::TrackingName(tracking));
      } else {
        facts.no_tracking.emplace_back(dax::TrackingName(tracking), can.message());
      }
    }
    return facts;
  }
  const auto writable = dax::FileDevice::OpenReadWrite(path, image_offset);  // a block device
  return {std::string(device.kind()),
          writable.ok() ? std::string((*writable)->flush())
                        : absl::StrCat("none: ", mapped.status().message()),
          device.size()};
}

class InfoCommand : public Command {
 public:
  absl::string_view name() const override { return "info"; }
  absl::string_view summary() const override { return "What file system an image holds"; }
  absl::string_view details() const override { return kDetails; }

  void Declare(Arguments& arguments) override {
    arguments.Operand("IMAGE", &image_, "The image");
    format_.Declare(arguments);
  }

  ExitStatus Run(const ImageOptions& options, Output& output) override {
    const absl::Status status = Describe(options, output);
    return status.ok() ? ExitStatus::kDone : ReportError(image_, status);
  }

 private:
  absl::Status Describe(const ImageOptions& options, Output& output) {
    IOMAP_ASSIGN_OR_RETURN(dax::DeviceSet devices, OpenDevices(image_, options));
    std::vector<DeviceFacts> facts = {
        FactsOf(*devices[0], image_, options.image_offset.value_or(0))};
    if (devices.size() > 1) {
      facts.push_back(FactsOf(*devices[1], options.realtime_device, /*image_offset=*/0));
    }
    // Whether the journal is dirty is a part of the answer.
    IOMAP_ASSIGN_OR_RETURN(const std::unique_ptr<dax::Filesystem> filesystem,
                           OpenOnDevices(std::move(devices), options,
                                         {.dirty_journal = backends::DirtyJournal::kIgnore}));
    IOMAP_ASSIGN_OR_RETURN(const FilesystemInfo info, filesystem->info());
    if (format_.is_json()) {
      WriteJson(info, facts, output);
    } else {
      WriteText(info, facts, output);
    }
    return absl::OkStatus();
  }

  void WriteJson(const FilesystemInfo& info, const std::vector<DeviceFacts>& devices,
                 Output& output) const {
    JsonObject object(output);
    object.String("image", image_)
        .String("backend", info.backend)
        .String("uuid", info.uuid)
        .String("label", info.label)
        .Number("block_size", info.block_size)
        .Number("size", info.size_bytes)
        .Number("free", info.free_bytes)
        .Number("inodes", info.inode_count)
        .Number("free_inodes", info.free_inode_count)
        .Strings("features", info.features)
        .String("journal", JournalStateName(info.journal));
    object.Member("geometry");
    JsonObject geometry(output);
    for (const auto& [name, value] : info.geometry) {
      if (const auto* number = std::get_if<uint64_t>(&value)) {
        geometry.Number(name, *number);
      } else {
        geometry.String(name, std::get<std::string>(value));
      }
    }
    geometry.End();
    object.Member("devices");
    absl::string_view separator = "[";
    for (const DeviceFacts& device : devices) {
      output.Append(separator);
      JsonObject object_of_device(output);
      object_of_device.String("kind", device.kind)
          .String("flush", device.flush)
          .Number("size", device.size)
          .Strings("tracking", device.tracking)
          .Member("no_tracking");
      JsonObject reasons(output);
      for (const auto& [name, why] : device.no_tracking) {
        reasons.String(name, why);
      }
      reasons.End();
      object_of_device.End();
      separator = ",";
    }
    output.Append("]");
    object.EndLine();
  }

  static void WriteText(const FilesystemInfo& info, const std::vector<DeviceFacts>& devices,
                        Output& output) {
    std::vector<std::pair<std::string, std::string>> lines = {
        {"format", info.backend},
        {"uuid", info.uuid},
        {"label", info.label},
        {"features", absl::StrJoin(info.features, " ")},
        {"block size", absl::StrCat(info.block_size)},
        {"size", absl::StrCat(info.size_bytes)},
        {"free", absl::StrCat(info.free_bytes)},
        {"inodes", absl::StrCat(info.inode_count)},
        {"free inodes", absl::StrCat(info.free_inode_count)},
        {"journal", std::string(JournalStateName(info.journal))},
    };
    for (const auto& [name, value] : info.geometry) {
      lines.emplace_back(
          absl::StrReplaceAll(name, {{"_", " "}}),
          std::visit([](const auto& any) -> std::string { return absl::StrCat(any); }, value));
    }
    for (size_t number = 0; number < devices.size(); ++number) {
      lines.emplace_back(absl::StrCat("device ", number),
                         absl::StrCat(devices[number].size, " bytes, ", devices[number].kind, ", ",
                                      devices[number].flush));
      if (!devices[number].tracking.empty()) {
        lines.emplace_back(absl::StrCat("tracking ", number),
                           absl::StrJoin(devices[number].tracking, " "));
      }
      for (const auto& [name, why] : devices[number].no_tracking) {
        lines.emplace_back(absl::StrCat("no tracking ", number), absl::StrCat(name, ": ", why));
      }
    }
    for (const auto& [name, value] : lines) {
      output.AppendLeft(absl::StrCat(name, ":"), kNameWidth);
      output.Append(absl::StrCat(value, "\n"));
    }
  }

  static constexpr size_t kNameWidth = 24;

  std::string image_;
  TextOrJson format_;
};

}  // namespace

std::unique_ptr<Command> MakeInfoCommand() { return std::make_unique<InfoCommand>(); }

}  // namespace iomap::tools
