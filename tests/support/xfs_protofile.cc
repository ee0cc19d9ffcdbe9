#include "tests/support/xfs_protofile.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "iomap/status_macros.h"
#include "tests/support/system_error.h"

namespace iomap::tests {
namespace {

absl::Status WriteEntries(const std::filesystem::path& folder, std::ostream& out) {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  for (const std::filesystem::path& path : paths) {
    struct stat status;
    if (lstat(path.c_str(), &status) != 0) {
      return SystemError(path.string());
    }
    const std::string attributes =
        absl::StrFormat("--%03o %d %d", status.st_mode & 0777, status.st_uid, status.st_gid);
    const std::string name = path.filename().string();
    if (S_ISSOCK(status.st_mode)) {
      std::filesystem::remove(path);
    } else if (S_ISDIR(status.st_mode)) {
      out << name << " d" << attributes << "\n";
      IOMAP_RETURN_IF_ERROR(WriteEntries(path, out));
      out << "$\n";
    } else if (S_ISLNK(status.st_mode)) {
      out << name << " l" << attributes << " " << std::filesystem::read_symlink(path).string()
          << "\n";
    } else if (S_ISFIFO(status.st_mode)) {
      out << name << " p" << attributes << "\n";
    } else {
      out << name << " -" << attributes << " " << path.string() << "\n";
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status WriteProtofile(const std::string& source_path, const std::string& protofile_path) {
  std::ofstream out(protofile_path);
  out << "/no-boot-file\n0 0\nd--755 0 0\n";
  IOMAP_RETURN_IF_ERROR(WriteEntries(source_path, out));
  out << "$\n";
  return out.good() ? absl::OkStatus() : SystemError(protofile_path);
}

}  // namespace iomap::tests
