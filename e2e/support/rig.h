#pragma once

#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "support/environment.h"

namespace vkb::e2e {

/// Faults in the clusters themselves, by scripts/rig/cluster.sh. Each method returns when it has
/// taken effect and throws std::runtime_error with the script's words when it could not.
class Rig {
 public:
  explicit Rig(const Environment& environment) : script_(environment.rig) {}

  /// Of etcd's data into a folder that does not exist yet. The API server has no etcd for a moment.
  void save(const std::string& cluster, const std::filesystem::path& folder) const;
  /// Back to such a copy, of this cluster or of another; all components start anew.
  void restore(const std::string& cluster, const std::filesystem::path& folder) const;
  /// Another, new cluster under this one's address and certificates.
  void replaceByNewCluster(const std::string& cluster) const;

 private:
  void must(const std::vector<std::string>& arguments) const;

  const std::string script_;
};

/// A node in memory in any cluster (`vk-mock-node`): pods bound to it are Running and Ready at once
/// and go at once. The node is deleted with this object.
class MockNode {
 public:
  MockNode(const Environment& environment, const Cluster& cluster, const std::string& prefix,
           const std::vector<std::string>& flags = {});
  MockNode(const MockNode&) = delete;
  ~MockNode();

  const std::string& name() const { return name_; }
  /// Waits until the cluster has it and it is Ready.
  testing::AssertionResult waitReady() const;
  /// The machine is gone: nobody speaks for the node any more, and its object is deleted.
  void vanish();
  /// While its cluster's data is exchanged; it remembers nothing.
  void stop() { child_.reset(); }
  void start();

 private:
  const Cluster cluster_;
  const std::string name_;
  std::vector<std::string> argv_;
  std::unique_ptr<Child> child_;
};

}  // namespace vkb::e2e
