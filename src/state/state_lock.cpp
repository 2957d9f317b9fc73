#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <string>
#include <utility>

#include "state/files.h"
#include "state/state_folder.h"

namespace vkb::state {
namespace {

// Open file description locks: like flock() they belong to the open file and die with it, but
// unlike flock() they can be asked for without being taken, so that a `status` that looks who
// holds the lock never makes a starting `run` believe that another one does.
struct flock wholeFile() {
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  return lock;
}

std::filesystem::path lockPath(const StateFolder& folder) { return folder.path() / "lock"; }

std::optional<pid_t> readPid(int fd) {
  char buffer[32];
  const ssize_t n = ::pread(fd, buffer, sizeof buffer, 0);
  if (n <= 0) return std::nullopt;
  pid_t pid = 0;
  const auto [end, error] = std::from_chars(buffer, buffer + n, pid);
  if (error != std::errc() || end == buffer + n || *end != '\n' || pid <= 0) return std::nullopt;
  return pid;
}

}  // namespace

Result<StateLock> StateLock::acquire(const StateFolder& folder) {
  const auto path = lockPath(folder);
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd || ::fchmod(fd.get(), 0600) != 0) return failure(fileError("open", path, errno));
  struct flock lock = wholeFile();
  if (::fcntl(fd.get(), F_OFD_SETLK, &lock) != 0) {
    if (errno != EAGAIN && errno != EACCES) return failure(fileError("lock", path, errno));
    const auto pid = holder(folder);
    return invalid("another vk-bridge run" +
                   (pid ? " (pid " + std::to_string(*pid) + ")" : std::string()) +
                   " already serves the state folder " + folder.path().string() +
                   "; stop it first, or give this one another --state-dir");
  }
  // Written over the last holder's, then cut: no reader ever sees half a number.
  const std::string text = std::to_string(::getpid()) + "\n";
  const auto size = static_cast<ssize_t>(text.size());
  if (::pwrite(fd.get(), text.data(), text.size(), 0) != size ||
      ::ftruncate(fd.get(), static_cast<off_t>(size)) != 0) {
    return failure(fileError("write", path, errno));
  }
  return StateLock(fd.release());
}

std::optional<pid_t> StateLock::holder(const StateFolder& folder) {
  const UniqueFd fd(::open(lockPath(folder).c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  if (!fd) return std::nullopt;
  // A holder that has just locked a new file has not written its pid yet: it is about to.
  for (int attempt = 0; attempt < 1000; ++attempt) {
    struct flock lock = wholeFile();
    if (::fcntl(fd.get(), F_OFD_GETLK, &lock) != 0 || lock.l_type == F_UNLCK) return std::nullopt;
    if (const auto pid = readPid(fd.get())) return pid;
    (void)::sched_yield();
  }
  return std::nullopt;
}

StateLock::StateLock(StateLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

StateLock::~StateLock() {
  if (fd_ >= 0) (void)::close(fd_);
}

}  // namespace vkb::state
