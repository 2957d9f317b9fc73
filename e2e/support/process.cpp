#include "support/process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <ostream>
#include <sstream>
#include <stdexcept>
#include <utility>

extern "C" {  // glibc 2.36 forgets to say so itself
#include <sys/pidfd.h>
}

namespace vkb::e2e {

int pollTimeout(Deadline deadline) {
  const auto left = std::chrono::ceil<milliseconds>(deadline - Clock::now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, 3'600'000));
}

Fd& Fd::operator=(Fd&& other) noexcept {
  if (this != &other) reset(other.release());
  return *this;
}

int Fd::release() { return std::exchange(fd_, -1); }

void Fd::reset(int fd) {
  if (fd_ >= 0) ::close(fd_);
  fd_ = fd;
}

namespace {

[[noreturn]] void failed(const std::string& what) {
  throw std::runtime_error(what + ": " + std::strerror(errno));
}

/// In the child between fork and exec: async-signal-safe calls only.
[[noreturn]] void become(char* const* argv, const Child::Streams& streams, pid_t parent,
                         int error) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(127);  // the parent died before prctl
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::signal(SIGPIPE, SIG_DFL);
  const int null = ::open("/dev/null", O_RDWR);
  const std::array<int, 3> wanted{streams.in, streams.out, streams.err};
  for (int fd = 0; fd < 3; ++fd) {
    const int from = wanted[static_cast<std::size_t>(fd)];
    ::dup2(from < 0 ? null : from, fd);
  }
  if (null > 2) ::close(null);
  ::execvp(argv[0], argv);
  const int cause = errno;
  [[maybe_unused]] const auto written = ::write(error, &cause, sizeof cause);
  ::_exit(127);
}

}  // namespace

// fork and exec by hand rather than posix_spawn: only so can the child ask for PR_SET_PDEATHSIG.
Child::Child(std::vector<std::string> argv, Streams streams) {
  std::vector<char*> pointers;
  for (std::string& argument : argv) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) failed("pipe2");
  Fd error_in(ends[0]), error_out(ends[1]);
  const pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ < 0) failed("fork");
  if (pid_ == 0) become(pointers.data(), streams, parent, error_out.get());
  error_out.reset();
  int cause = 0;
  if (::read(error_in.get(), &cause, sizeof cause) == sizeof cause) {
    ::waitpid(pid_, nullptr, 0);
    throw std::runtime_error("cannot run " + argv[0] + ": " + std::strerror(cause));
  }
  pidfd_ = Fd(::pidfd_open(pid_, 0));
  if (!pidfd_) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    failed("pidfd_open");
  }
}

Child::~Child() {
  if (exit_) return;
  signal(SIGKILL);
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
}

void Child::signal(int number) const {
  // By pidfd: once reaped it can hit no other process that was given the same number.
  ::pidfd_send_signal(pidfd_.get(), number, nullptr, 0);
}

std::optional<Exit> Child::wait(Deadline deadline) {
  if (exit_) return exit_;
  pollfd ended{pidfd_.get(), POLLIN, 0};
  while (::poll(&ended, 1, pollTimeout(deadline)) < 0 && errno == EINTR) {
  }
  int status = 0;
  if (::waitpid(pid_, &status, WNOHANG) != pid_) return std::nullopt;
  exit_ = WIFEXITED(status) ? Exit{WEXITSTATUS(status), 0} : Exit{-1, WTERMSIG(status)};
  return exit_;
}

std::ostream& operator<<(std::ostream& out, const Exit& exit) {
  if (exit.signal != 0) return out << "ended by signal " << exit.signal;
  return out << "exited " << exit.code;
}

std::string Outcome::describe() const {
  std::ostringstream text;
  text << "`" << command << "` ";
  if (timed_out) {
    text << "was killed at its deadline";
  } else {
    text << exit;
  }
  text << "\nstdout: " << out << "\nstderr: " << err;
  return text.str();
}

Outcome runCommand(const std::vector<std::string>& argv, std::string_view input,
                   Deadline deadline) {
  const Fd in = memoryFile(input), out = memoryFile(), err = memoryFile();
  Outcome outcome;
  for (const std::string& argument : argv) {
    if (!outcome.command.empty()) outcome.command += ' ';
    outcome.command += argument;
  }
  Child child(argv, {in.get(), out.get(), err.get()});
  std::optional<Exit> exit = child.wait(deadline);
  if (!exit) {
    outcome.timed_out = true;
    child.signal(SIGKILL);
    exit = child.wait(e2e::in(seconds(10)));
  }
  outcome.exit = exit.value_or(Exit{});
  outcome.out = readAll(out.get());
  outcome.err = readAll(err.get());
  return outcome;
}

Fd memoryFile(std::string_view text) {
  Fd file(::memfd_create("vkb-e2e", MFD_CLOEXEC));
  if (!file) failed("memfd_create");
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t n = ::write(file.get(), text.data() + done, text.size() - done);
    if (n < 0) failed("write");
    done += static_cast<std::size_t>(n);
  }
  ::lseek(file.get(), 0, SEEK_SET);
  return file;
}

std::string readAll(int fd) {
  std::string text;
  std::array<char, 65536> buffer{};
  for (;;) {
    const ssize_t n = ::pread(fd, buffer.data(), buffer.size(), static_cast<off_t>(text.size()));
    if (n <= 0) return text;
    text.append(buffer.data(), static_cast<std::size_t>(n));
  }
}

}  // namespace vkb::e2e
