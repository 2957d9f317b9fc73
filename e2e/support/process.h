#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vkb::e2e {

using Clock = std::chrono::steady_clock;
using Deadline = Clock::time_point;
using std::chrono::milliseconds;
using std::chrono::seconds;

inline Deadline in(milliseconds time) { return Clock::now() + time; }
/// What is left until `deadline` as poll() wants it: rounded up, never negative.
int pollTimeout(Deadline deadline);

/// A file descriptor that closes itself.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(other.release()) {}
  Fd& operator=(Fd&& other) noexcept;
  ~Fd() { reset(); }
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int release();
  void reset(int fd = -1);

 private:
  int fd_ = -1;
};

/// How a process ended.
struct Exit {
  int code = -1;   ///< exit code; -1 when a signal ended it
  int signal = 0;  ///< 0 when it exited by itself
  bool operator==(const Exit&) const = default;
};
std::ostream& operator<<(std::ostream& out, const Exit& exit);  // for failure messages

/// A child process: killed and reaped by the destructor at the latest, and killed by the kernel
/// when the thread that started it ends (so a test that crashes or is stopped by ctest leaves no
/// process behind). Start it from a thread that lives as long as the child should.
class Child {
 public:
  struct Streams {
    int in = -1, out = -1, err = -1;  ///< -1: /dev/null
  };
  /// Throws std::runtime_error when the program cannot be started at all.
  Child(std::vector<std::string> argv, Streams streams);
  Child(const Child&) = delete;
  ~Child();

  pid_t pid() const { return pid_; }
  /// Nothing once it has been reaped. Any thread.
  void signal(int number) const;
  /// Waits for the end; nothing when it still runs at the deadline. Once ended: at once, again.
  std::optional<Exit> wait(Deadline deadline);
  bool isRunning() { return !wait(Clock::now()).has_value(); }

 private:
  pid_t pid_ = -1;
  Fd pidfd_;
  std::optional<Exit> exit_;
};

/// What a command that ran to its end said.
struct Outcome {
  std::string command;
  Exit exit;
  bool timed_out = false;  ///< it was killed at the deadline
  std::string out, err;
  bool ok() const { return !timed_out && exit.code == 0; }
  /// For failure messages: command, end, both outputs.
  std::string describe() const;
};

/// Runs a command to its end with `input` as its stdin; kills it at the deadline.
Outcome runCommand(const std::vector<std::string>& argv, std::string_view input, Deadline deadline);

/// An anonymous file that holds `text`, positioned at its start.
Fd memoryFile(std::string_view text = {});
/// All of a file, from its start.
std::string readAll(int fd);

}  // namespace vkb::e2e
