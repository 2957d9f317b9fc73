#pragma once

#include <string>
#include <vector>

#include "world.h"

namespace vkb::sim {

/// Users, target-side actors, faults and crashes, drawn from the world's seed.
class Actions {
 public:
  explicit Actions(World& world) : world_(world) {}
  /// Does one thing and notes it.
  void step();
  const std::vector<std::string>& log() const { return log_; }

 private:
  std::uint64_t below(std::uint64_t bound) { return world_.runtime.random.below(bound); }
  std::string anyName();
  /// A pod of `cluster`, or null.
  test::VersionPtr anyPod(test::FakeCluster& cluster);
  void note(const std::string& what) { log_.push_back(what); }

  void createPod();
  void deletePod(bool force);
  void endContainers();
  void deleteDelegate(bool force);
  void relabelDelegate();
  void makeForeignPod();
  void fault();
  void crash();

  World& world_;
  std::vector<std::string> log_;
};

}  // namespace vkb::sim
