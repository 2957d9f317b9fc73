#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "world.h"

namespace vkb::sim {

/// Watches every write of both servers as it happens and checks design §4's invariants over the
/// history: a violation that heals itself is still a violation.
class Checker {
 public:
  explicit Checker(World& world);
  /// What must hold once nothing moves any more.
  void checkSettled();
  const std::vector<std::string>& violations() const { return violations_; }

 private:
  void onTarget(const test::Change& change);
  void onHome(const test::Change& change);
  void created(const test::Change& change);
  void violate(const std::string& invariant, const std::string& what);

  World& world_;
  std::vector<std::string> violations_;
  std::map<std::string, std::set<std::string>> live_;  ///< home UID -> its live delegates' UIDs
  std::map<std::string, int> made_;                    ///< home UID -> delegates ever made
  std::set<std::string> taken_;     ///< home UIDs whose delegate somebody else deleted
  std::set<std::string> ours_;      ///< UIDs of target pods made by the bridge
  std::set<std::string> released_;  ///< home UIDs whose object the bridge removed
  std::set<std::string> ended_;     ///< home UIDs that were terminal at home
};

}  // namespace vkb::sim
