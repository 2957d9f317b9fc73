#include "kube/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

extern "C" char** environ;

namespace vkb::kube {
namespace {

constexpr std::size_t kMaxOut = 1u << 20;
constexpr std::size_t kMaxErr = 2048;

class Fd {
 public:
  explicit Fd(int fd = -1) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd() { reset(); }
  void reset() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

struct Pipe {
  Fd read, write;
  bool open() {
    int fds[2];
    if (::pipe2(fds, O_CLOEXEC) != 0) return false;
    read = Fd(fds[0]);
    write = Fd(fds[1]);
    // Only our end: the child's must block as any program expects.
    ::fcntl(fds[0], F_SETFL, O_NONBLOCK);
    return true;
  }
};

/// What is there to read now; false once the writer is gone.
bool drain(int fd, std::string& into, std::size_t keep, bool keep_end) {
  char buffer[8192];
  while (true) {
    const ssize_t got = ::read(fd, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return got < 0 && errno == EAGAIN;
    into.append(buffer, static_cast<std::size_t>(got));
    if (into.size() > keep) {
      if (keep_end) {
        into.erase(0, into.size() - keep);
      } else {
        into.resize(keep);
      }
    }
  }
}

/// This process's environment with `env` over it.
std::vector<std::string> environmentWith(const std::map<std::string, std::string>& env) {
  std::vector<std::string> out;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string text = *entry;
    if (!env.contains(text.substr(0, text.find('=')))) out.push_back(text);
  }
  for (const auto& [name, value] : env) out.push_back(name + "=" + value);
  return out;
}

std::vector<char*> pointersTo(std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (std::string& text : texts) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

/// posix_spawn attributes and file actions of a child: own process group (so that all of it can be
/// killed), signals as a fresh process has them (Poco blocks SIGPIPE in every thread, and a mask
/// outlives exec), stdin empty, no other file of ours.
class Spawn {
 public:
  Spawn(int out, int err) {
    posix_spawnattr_init(&attributes_);
    posix_spawn_file_actions_init(&actions_);
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    sigdelset(&all, SIGKILL);
    sigdelset(&all, SIGSTOP);
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawnattr_setsigdefault(&attributes_, &all);
    posix_spawnattr_setpgroup(&attributes_, 0);
    posix_spawnattr_setflags(
        &attributes_, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    posix_spawn_file_actions_addopen(&actions_, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions_, out, 1);
    posix_spawn_file_actions_adddup2(&actions_, err, 2);
    posix_spawn_file_actions_addclosefrom_np(&actions_, 3);
  }
  Spawn(const Spawn&) = delete;
  Spawn& operator=(const Spawn&) = delete;
  ~Spawn() {
    posix_spawnattr_destroy(&attributes_);
    posix_spawn_file_actions_destroy(&actions_);
  }
  int run(pid_t& pid, const std::string& command, std::vector<std::string> args,
          std::vector<std::string> env) {
    args.insert(args.begin(), command);
    return posix_spawnp(&pid, command.c_str(), &actions_, &attributes_, pointersTo(args).data(),
                        pointersTo(env).data());
  }

 private:
  posix_spawnattr_t attributes_;
  posix_spawn_file_actions_t actions_;
};

/// Reads both pipes until the child ended or the deadline is over. What a grandchild writes after
/// the child's end is not waited for.
void follow(int process, const Pipe& out, const Pipe& err,
            std::chrono::steady_clock::time_point end, ChildOutcome& outcome) {
  bool out_open = true, err_open = true;
  while (true) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
    if (left.count() <= 0) {
      outcome.timed_out = true;
      return;
    }
    std::array<pollfd, 3> fds{pollfd{process, POLLIN, 0},
                              pollfd{out_open ? out.read.get() : -1, POLLIN, 0},
                              pollfd{err_open ? err.read.get() : -1, POLLIN, 0}};
    if (::poll(fds.data(), fds.size(), static_cast<int>(left.count())) < 0 && errno != EINTR) {
      return;
    }
    if (out_open) out_open = drain(out.read.get(), outcome.out, kMaxOut, false);
    if (err_open) err_open = drain(err.read.get(), outcome.err, kMaxErr, true);
    if ((fds[0].revents & POLLIN) != 0) {
      if (out_open) drain(out.read.get(), outcome.out, kMaxOut, false);
      if (err_open) drain(err.read.get(), outcome.err, kMaxErr, true);
      return;
    }
  }
}

}  // namespace

Result<ChildOutcome> runChild(const std::string& command, const std::vector<std::string>& args,
                              const std::map<std::string, std::string>& env,
                              std::chrono::milliseconds deadline) {
  const auto end = std::chrono::steady_clock::now() + deadline;
  Pipe out, err;
  if (!out.open() || !err.open()) return invalid(std::strerror(errno));
  pid_t pid = 0;
  const int error =
      Spawn(out.write.get(), err.write.get()).run(pid, command, args, environmentWith(env));
  out.write.reset();
  err.write.reset();
  if (error != 0) return invalid(std::strerror(error));

  ChildOutcome outcome;
  // Before the child is waited for its pid cannot be another's.
  // (By number: glibc 2.36 declares pidfd_open without C linkage.)
  const Fd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (process.get() >= 0) follow(process.get(), out, err, end, outcome);
  // Also after an orderly end: what it left running in its group has no business any more.
  ::kill(-pid, SIGKILL);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (!outcome.timed_out && WIFEXITED(status)) outcome.exit_code = WEXITSTATUS(status);
  return outcome;
}

}  // namespace vkb::kube
