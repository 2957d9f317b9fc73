#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "support/environment.h"

namespace vkb::e2e {

/// The program under test with one state folder and one home: its commands, and its `run` as a
/// process that never outlives this object.
class Bridge {
 public:
  Bridge(const Environment& environment, std::filesystem::path folder);

  const std::filesystem::path& stateDir() const { return state_; }
  std::filesystem::path clusterDir(const std::string& name) const {
    return state_ / "clusters" / name;
  }

  /// Any subcommand, with --home-kubeconfig and --state-dir behind it.
  Outcome command(std::vector<std::string> arguments, seconds patience = seconds(60)) const;
  /// `status -o json`; throws when that fails.
  Json status(const std::vector<std::string>& more = {}) const;

  /// Starts `run` and returns at once. It must not be running.
  void start();
  bool isRunning();
  pid_t pid() const { return child_ ? child_->pid() : -1; }
  void signal(int number);
  /// Waits for `run` to end and forgets it; throws when it still runs after `patience`.
  Exit waitExit(seconds patience = seconds(20));
  /// SIGTERM and wait.
  Exit stop();
  /// SIGKILL and wait.
  void killHard();

  /// GET of a path of its --listen address (through kubectl, which speaks HTTP).
  Outcome http(const std::string& path) const;
  /// Everything that `run` has written, over all its starts.
  std::string log() const;
  std::string logTail(std::size_t lines = 150) const;

 private:
  std::string program_, home_kubeconfig_, kubectl_;
  std::filesystem::path state_, log_;
  std::uint16_t port_;
  std::unique_ptr<Child> child_;
};

}  // namespace vkb::e2e
