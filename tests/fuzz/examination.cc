#include "tests/fuzz/examination.h"

#include <ctime>
#include <memory>
#include <optional>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "backends/registry.h"
#include "dax/memory_device.h"
#include "iomap/status_macros.h"
#include "tests/fuzz/base_image.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/support/answers.h"

namespace iomap::tests {
namespace {

constexpr double kMostSeconds = 2;
constexpr uint64_t kMostContents = 1 << 20;  // bytes
// No record that tells a mapping or an entry is smaller.
constexpr uint64_t kLeastRecordBytes = 8;
// The longest line that may tell an image; what is longer is one.
constexpr size_t kMostTextBytes = 1 << 16;

using DeviceMaker = absl::FunctionRef<absl::StatusOr<std::unique_ptr<dax::Device>>()>;

absl::StatusOr<std::unique_ptr<dax::Filesystem>> Open(DeviceMaker make_device,
                                                      backends::DirtyJournal dirty_journal) {
  dax::DeviceSet devices;
  IOMAP_ASSIGN_OR_RETURN(std::unique_ptr<dax::Device> device, make_device());
  devices.push_back(std::move(device));
  return backends::OpenFilesystem(
      backends::BuiltInBackends(), std::move(devices), /*name=*/"",
      {.dirty_journal = dirty_journal, .on_replay = [](const backends::ReplayAction&) {}});
}

std::vector<std::string> ExamineImage(DeviceMaker make_device, uint64_t most_work) {
  std::vector<std::string> faults;
  for (const auto journal : {backends::DirtyJournal::kReplay, backends::DirtyJournal::kIgnore}) {
    const absl::StatusOr<std::unique_ptr<dax::Filesystem>> filesystem = Open(make_device, journal);
    if (filesystem.ok()) {
      const Answers answers =
          AskEverything(**filesystem, {.most = most_work, .most_contents = kMostContents});
      faults.insert(faults.end(), answers.faults.begin(), answers.faults.end());
      return faults;
    }
    if (std::string fault = FaultOf(filesystem.status()); !fault.empty()) {
      faults.push_back(std::move(fault));
    }
  }
  return faults;
}

}  // namespace

std::vector<std::string> Examine(absl::Span<const std::byte> input) {
  const absl::string_view text(reinterpret_cast<const char*>(input.data()), input.size());
  const std::optional<FuzzInput> parsed =
      text.size() > kMostTextBytes ? std::nullopt : FuzzInput::Parse(text);
  const absl::StatusOr<const BaseImage*> base =
      BaseImage::Get(parsed.has_value() ? parsed->base : "");
  if (parsed.has_value() && !base.ok()) {
    return {base.status().ToString()};
  }
  const std::clock_t begin = std::clock();
  std::vector<std::string> faults =
      parsed.has_value()
          ? ExamineImage([&] { return MakeDevice(*parsed, **base); }, (*base)->most_work())
          : ExamineImage(
                [&]() -> absl::StatusOr<std::unique_ptr<dax::Device>> {
                  return std::make_unique<dax::MemoryDevice>(
                      std::vector<std::byte>(input.begin(), input.end()));
                },
                input.size() / kLeastRecordBytes);
  const double seconds = static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
  if (seconds > kMostSeconds) {
    faults.push_back(absl::StrCat("took ", seconds, " seconds"));
  }
  return faults;
}

}  // namespace iomap::tests
