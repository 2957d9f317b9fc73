#pragma once

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <string>

#include "state/state_folder.h"
#include "vkbridge/pod_record.h"

namespace vkb::state::test {

/// An empty folder of this test alone, 0700; gone at the end.
class TempFolder {
 public:
  TempFolder();
  ~TempFolder();
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }
  /// Opens `path()/state`, which must work.
  StateFolder open() const;

 private:
  std::filesystem::path path_;
};

/// A forked process that runs `body`, then waits to be killed or, when `body` returns, ends at once
/// without any clean-up, as a crash does. Both ends may talk through lines.
class Child {
 public:
  class Pipe {
   public:
    explicit Pipe(int fd) : fd_(fd) {}
    void say(const std::string& line) const;

   private:
    int fd_;
  };
  explicit Child(const std::function<void(const Pipe&)>& body);
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  pid_t pid() const { return pid_; }
  /// The next line that it said; empty when it ended.
  std::string line();
  /// SIGKILL, and gone when this returns.
  void kill();

 private:
  pid_t pid_ = -1;
  int fd_ = -1;
};

std::string slurp(const std::filesystem::path& path);
void spill(const std::filesystem::path& path, const std::string& content);
unsigned modeOf(const std::filesystem::path& path);

/// A record in which every field differs from its default.
PodRecord fullRecord(const std::string& uid, const std::string& node = "gpu-eu");

}  // namespace vkb::state::test
