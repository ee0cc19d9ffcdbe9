#include <fcntl.h>
#include <linux/fscrypt.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "iomap/for_each_mapping.h"
#include "iomap/path.h"
#include "tests/support/file_comparison.h"
#include "tests/support/file_descriptor.h"
#include "tests/support/loop_mount.h"
#include "tests/support/recipe.h"
#include "tests/support/recipe_image.h"
#include "tests/support/rerun.h"
#include "tests/support/skip.h"
#include "tests/support/status_matchers.h"
#include "tests/support/system_error.h"

namespace iomap::tests {
namespace {

constexpr char kKey[] = "sixty-four bytes that are the key of one directory in one test..";
static_assert(sizeof kKey - 1 == 64);

// Gives the kernel the key, and `directory` a policy that asks for it.
absl::Status Encrypt(const std::string& mount_path, const std::string& directory) {
  std::vector<char> buffer(sizeof(fscrypt_add_key_arg) + sizeof kKey - 1);
  auto* const key = reinterpret_cast<fscrypt_add_key_arg*>(buffer.data());
  key->key_spec.type = FSCRYPT_KEY_SPEC_TYPE_IDENTIFIER;
  key->raw_size = sizeof kKey - 1;
  std::memcpy(key->raw, kKey, sizeof kKey - 1);
  const FileDescriptor root(open(mount_path.c_str(), O_RDONLY | O_CLOEXEC));
  if (ioctl(root.get(), FS_IOC_ADD_ENCRYPTION_KEY, key) != 0) {
    return SystemError("add a key to ", mount_path);
  }
  fscrypt_policy_v2 policy = {};
  policy.version = FSCRYPT_POLICY_V2;
  policy.contents_encryption_mode = FSCRYPT_MODE_AES_256_XTS;
  policy.filenames_encryption_mode = FSCRYPT_MODE_AES_256_CTS;
  policy.flags = FSCRYPT_POLICY_FLAGS_PAD_32;
  std::memcpy(policy.master_key_identifier, key->key_spec.u.identifier,
              sizeof policy.master_key_identifier);
  const FileDescriptor folder(open(directory.c_str(), O_RDONLY | O_CLOEXEC));
  if (ioctl(folder.get(), FS_IOC_SET_ENCRYPTION_POLICY, &policy) != 0) {
    return SystemError("encrypt ", directory);
  }
  return absl::OkStatus();
}

absl::Status MakeFile(const std::string& path) {
  const FileDescriptor file(open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600));
  const std::string bytes(20000, 'p');
  return file.is_open() && write(file.get(), bytes.data(), bytes.size()) == 20000
             ? absl::OkStatus()
             : SystemError(path);
}

TEST(EncryptedFiles, AreRefusedByNameAndTheOthersServed) {
  IOMAP_SKIP_IF(WhyNoMount());
  SCOPED_TRACE(RerunLine());
  Recipe recipe;
  recipe.type = "ext4";
  recipe.mkfs = {"mkfs.ext4", "-q", "-F", "-b", "4096", "-O", "encrypt"};
  const absl::StatusOr<Workshop> workshop = Workshop::Make();
  ASSERT_THAT(workshop, IsOk());
  ASSERT_THAT(MakeEmptyImage(recipe, *workshop), IsOk());
  const std::string mount_path = workshop->mount_path();
  absl::StatusOr<std::unique_ptr<LoopMount>> mount = LoopMount::Make(
      workshop->image_path(), mount_path, recipe.type, MountMode::kReadWrite, /*options=*/"");
  ASSERT_THAT(mount, IsOk());
  const std::string secret = mount_path + "/secret";
  ASSERT_EQ(mkdir(secret.c_str(), 0755), 0);
  ASSERT_THAT(Encrypt(mount_path, secret), IsOk());
  ASSERT_THAT(MakeFile(secret + "/file"), IsOk());
  ASSERT_EQ(symlink("a target", (secret + "/link").c_str()), 0);
  ASSERT_THAT(MakeFile(mount_path + "/plain"), IsOk());
  const absl::StatusOr<Attributes> file_attributes = StatAttributes(secret + "/file");
  const absl::StatusOr<Attributes> link_attributes = StatAttributes(secret + "/link");
  ASSERT_THAT(file_attributes, IsOk());
  ASSERT_THAT(link_attributes, IsOk());
  ASSERT_THAT((*mount)->Unmount(), IsOk());

  const absl::StatusOr<std::unique_ptr<dax::Filesystem>> opened = OpenImage(workshop->image_path());
  ASSERT_THAT(opened, IsOk());
  dax::Filesystem& filesystem = **opened;
  const auto refused =
      StatusIs(absl::StatusCode::kFailedPrecondition, testing::HasSubstr("encrypted"));

  const absl::StatusOr<std::shared_ptr<dax::File>> file =
      filesystem.OpenFile(file_attributes->inode);
  ASSERT_THAT(file, IsOk());
  EXPECT_EQ((*file)->attributes()->size, file_attributes->size);
  EXPECT_THAT(MappingAt(**file, &File::MapForRead, 0), refused);
  EXPECT_THAT(filesystem.ReadLink(link_attributes->inode), refused);

  const absl::StatusOr<InodeNumber> plain = ResolvePath(filesystem, "/plain", LastLink::kFollow);
  ASSERT_THAT(plain, IsOk());
  const absl::StatusOr<std::shared_ptr<dax::File>> plain_file = filesystem.OpenFile(*plain);
  ASSERT_THAT(plain_file, IsOk());
  mount = LoopMount::Make(workshop->image_path(), mount_path, recipe.type, MountMode::kReadOnly,
                          /*options=*/"");
  ASSERT_THAT(mount, IsOk());
  const absl::StatusOr<KernelFile> kernel_file = KernelFile::Open(mount_path + "/plain");
  ASSERT_THAT(kernel_file, IsOk());
  std::mt19937_64 random(Seed());
  EXPECT_THAT(
      CompareMappings(**plain_file, *(*plain_file)->attributes(), 4096, *kernel_file, random),
      IsOk());
  EXPECT_THAT(CompareContents(**plain_file, 20000, *kernel_file), IsOk());
}

}  // namespace
}  // namespace iomap::tests
