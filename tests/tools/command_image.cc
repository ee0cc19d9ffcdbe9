#include "tests/tools/command_image.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "iomap/status_macros.h"

namespace iomap::tests {
namespace {

void MakeTree(const std::string& tree) {
  mkdir(tree.c_str(), 0755);
  mkdir((tree + "/dir").c_str(), 0755);
  std::ofstream(tree + "/dir/inside") << "inside\n";
  std::ofstream(tree + "/empty").flush();
  std::ofstream(tree + "/hello") << "hello\n";
  std::ofstream sparse(tree + "/sparse");
  sparse.seekp(1 << 20);
  sparse << std::string(8192, 'x');
  sparse.close();
  truncate((tree + "/sparse").c_str(), 4 << 20);
}

void AddWhatAProtofileCannotSay(const std::string& tree) {
  symlink("hello", (tree + "/link").c_str());
  link((tree + "/hello").c_str(), (tree + "/hard").c_str());
  std::ofstream(tree + "/bad\xFF") << "bad\n";
  std::ofstream(tree + "/old") << "old\n";
  const struct timespec times[2] = {{.tv_sec = 1, .tv_nsec = 0},
                                    {.tv_sec = -1, .tv_nsec = 500000000}};
  utimensat(AT_FDCWD, (tree + "/old").c_str(), times, 0);
}

std::string Protofile(const std::string& tree) {
  return absl::StrCat("/\n0 0\nd--755 0 0\n",                       //
                      "dir d--755 0 0\n",                           //
                      "inside ---644 0 0 ", tree, "/dir/inside\n",  //
                      "$\n",                                        //
                      "empty ---644 0 0 ", tree, "/empty\n",        //
                      "hello ---644 0 0 ", tree, "/hello\n",        //
                      "link l--777 0 0 hello\n",                    //
                      "sparse ---644 0 0 ", tree, "/sparse\n$\n$\n");
}

}  // namespace

absl::StatusOr<CommandResult> RunIomap(const Arguments& arguments) {
  Arguments all = {"env", IOMAP_COMMAND};
  all.insert(all.end(), arguments.begin(), arguments.end());
  return RunCommand(all);
}

absl::StatusOr<CommandResult> RunBash(const std::string& line) {
  return RunCommand({"env", absl::StrCat("IOMAP=", IOMAP_COMMAND), "bash", "-c", line});
}

absl::StatusOr<CommandImages> CommandImages::Make() {
  IOMAP_ASSIGN_OR_RETURN(TemporaryDirectory directory, TemporaryDirectory::Make());
  CommandImages images(std::move(directory));
  const std::string tree = images.directory_ / "tree";
  const std::string protofile = images.directory_ / "protofile";
  MakeTree(tree);
  std::ofstream(protofile) << Protofile(tree);
  IOMAP_RETURN_IF_ERROR(OutputOf({"mkfs.xfs", "-q", "-d",
                                  "name=" + images.xfs() + ",file,size=320m", "-p", protofile})
                            .status());
  AddWhatAProtofileCannotSay(tree);
  IOMAP_RETURN_IF_ERROR(
      OutputOf({"mkfs.ext4", "-q", "-b", "4096", "-d", tree, images.ext4(), "32m"}).status());
  return images;
}

}  // namespace iomap::tests
