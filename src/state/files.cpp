#include "state/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <system_error>
#include <utility>

namespace vkb::state {
namespace fs = std::filesystem;

namespace {

constexpr std::size_t kMaxFileBytes = 16U << 20U;

const char* advice(int error) {
  switch (error) {
    case ENOSPC:
    case EDQUOT:
      return "free some space and try again";
    case EROFS:
    case EACCES:
    case EPERM:
      return "run as the user that owns it, or choose another folder with --state-dir";
    case EMFILE:
    case ENFILE:
      return "raise the limit of open files";
    default:
      return "check the disk, or choose another folder with --state-dir";
  }
}

UniqueFd openRetry(const fs::path& path, int flags, mode_t mode = 0) {
  int fd = -1;
  do {
    fd = ::open(path.c_str(), flags | O_CLOEXEC, mode);
  } while (fd < 0 && errno == EINTR);
  return UniqueFd(fd);
}

/// Makes the names in a folder durable.
Result<void> syncFolder(const fs::path& folder) {
  const UniqueFd fd = openRetry(folder, O_RDONLY | O_DIRECTORY);
  if (!fd) return failure(fileError("open", folder, errno));
  // Some file systems cannot sync a folder and say EINVAL; there the rename itself is all there is.
  if (::fsync(fd.get()) != 0 && errno != EINVAL) return failure(fileError("write", folder, errno));
  return {};
}

int writeAll(int fd, std::string_view content) {
  while (!content.empty()) {
    const ssize_t n = ::write(fd, content.data(), content.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno;
    content.remove_prefix(static_cast<std::size_t>(n));
  }
  return 0;
}

/// A synced 0600 file beside `path`, under a name that no other writer uses. One that a crash
/// leaves behind is as private as the file itself, and goes with its folder.
Result<fs::path> writeTemporary(const fs::path& path, std::string_view content) {
  static std::atomic<unsigned> counter{0};
  const fs::path temporary =
      path.parent_path() / ("." + path.filename().string() + ".new-" + std::to_string(::getpid()) +
                            "-" + std::to_string(counter.fetch_add(1)));
  (void)::unlink(temporary.c_str());  // of a dead process that had our pid
  const UniqueFd fd = openRetry(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
  if (!fd) return failure(fileError("write", path, errno));
  int error = ::fchmod(fd.get(), 0600) == 0 ? 0 : errno;
  if (error == 0) error = writeAll(fd.get(), content);
  if (error == 0 && ::fsync(fd.get()) != 0) error = errno;
  if (error != 0) {
    (void)::unlink(temporary.c_str());
    return failure(fileError("write", path, error));
  }
  return temporary;
}

}  // namespace

UniqueFd& UniqueFd::operator=(UniqueFd&& other) noexcept {
  if (this != &other) {
    reset();
    fd_ = other.release();
  }
  return *this;
}

int UniqueFd::release() { return std::exchange(fd_, -1); }

void UniqueFd::reset() {
  if (fd_ >= 0) (void)::close(fd_);
  fd_ = -1;
}

Status fileError(std::string_view action, const fs::path& path, int error) {
  const std::string why =
      error == ENOSPC ? "the disk is full" : std::generic_category().message(error);
  return {.code = 0,
          .reason = reasons::kInternal,
          .message = "cannot " + std::string(action) + " " + path.string() + ": " + why + "; " +
                     advice(error),
          .retry = Retry::kSlow};
}

Result<void> makePrivateFolder(const fs::path& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) == 0) return {};
  if (errno != ENOENT) return failure(fileError("open", path, errno));
  const fs::path parent = path.parent_path();
  if (!parent.empty() && parent != path) {
    if (auto made = makePrivateFolder(parent); !made) return made;
  }
  if (::mkdir(path.c_str(), 0700) != 0) {
    if (errno == EEXIST) return {};  // another process was faster
    return failure(fileError("make", path, errno));
  }
  if (::chmod(path.c_str(), 0700) != 0) return failure(fileError("make", path, errno));
  return parent.empty() ? Result<void>{} : syncFolder(parent);
}

Result<void> requirePrivateFolder(const fs::path& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return failure(fileError("open", path, errno));
  if (!S_ISDIR(info.st_mode)) {
    return invalid(path.string() + " is not a folder; choose another one with --state-dir");
  }
  if ((info.st_mode & 0077U) != 0) {
    return invalid("the state folder " + path.string() +
                   " holds credentials but is open to other users; run: chmod 700 " +
                   path.string());
  }
  return {};
}

Result<std::optional<std::string>> readFile(const fs::path& path) {
  const UniqueFd fd = openRetry(path, O_RDONLY);
  if (!fd) {
    // A folder on the way that is no folder or is gone: then the file is not there either.
    if (errno == ENOENT || errno == ENOTDIR) return std::optional<std::string>{};
    return failure(fileError("read", path, errno));
  }
  std::string content;
  char buffer[16384];
  for (;;) {
    const ssize_t n = ::read(fd.get(), buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return failure(fileError("read", path, errno));
    if (n == 0) return std::optional<std::string>{std::move(content)};
    content.append(buffer, static_cast<std::size_t>(n));
    if (content.size() > kMaxFileBytes) {
      return invalid(path.string() + " is larger than 16 MiB and was not written by vk-bridge");
    }
  }
}

Result<void> writeFile(const fs::path& path, std::string_view content) {
  auto temporary = writeTemporary(path, content);
  if (!temporary) return failure(temporary.error());
  if (::rename(temporary->c_str(), path.c_str()) != 0) {
    const int error = errno;
    (void)::unlink(temporary->c_str());
    return failure(fileError("write", path, error));
  }
  return syncFolder(path.parent_path());
}

Result<bool> createFileOnce(const fs::path& path, std::string_view content) {
  auto temporary = writeTemporary(path, content);
  if (!temporary) return failure(temporary.error());
  const int error = ::link(temporary->c_str(), path.c_str()) == 0 ? 0 : errno;
  (void)::unlink(temporary->c_str());
  if (error == EEXIST) return false;
  if (error != 0) return failure(fileError("write", path, error));
  if (auto synced = syncFolder(path.parent_path()); !synced) return failure(synced.error());
  return true;
}

Result<void> removeFile(const fs::path& path) {
  if (::unlink(path.c_str()) == 0 || errno == ENOENT || errno == ENOTDIR) return {};
  return failure(fileError("remove", path, errno));
}

}  // namespace vkb::state
