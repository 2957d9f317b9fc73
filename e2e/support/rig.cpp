#include "support/rig.h"

#include <csignal>
#include <stdexcept>

#include <nlohmann/json.hpp>

#include "support/names.h"
#include "support/shapes.h"
#include "support/watch.h"

namespace vkb::e2e {

void Rig::must(const std::vector<std::string>& arguments) const {
  std::vector<std::string> argv{script_};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  const Outcome outcome = runCommand(argv, "", in(seconds(180)));
  if (!outcome.ok()) throw std::runtime_error(outcome.describe());
}

void Rig::save(const std::string& cluster, const std::filesystem::path& folder) const {
  must({"save", cluster, folder.string()});
}

void Rig::restore(const std::string& cluster, const std::filesystem::path& folder) const {
  must({"restore", cluster, folder.string()});
}

void Rig::replaceByNewCluster(const std::string& cluster) const { must({"restore", cluster}); }

MockNode::MockNode(const Environment& environment, const Cluster& cluster,
                   const std::string& prefix, const std::vector<std::string>& flags)
    : cluster_(cluster),
      name_(prefix + "-0"),
      argv_{environment.mock_program,
            "--kubeconfig",
            cluster.kubeconfig(),
            "--name-prefix",
            prefix,
            "--nodes",
            "1",
            "--threads",
            "8"} {
  argv_.insert(argv_.end(), flags.begin(), flags.end());
  start();
}

MockNode::~MockNode() {
  child_.reset();
  cluster_.run({"delete", "node", name_, "--ignore-not-found", "--wait=false"});
}

void MockNode::start() { child_ = std::make_unique<Child>(argv_, Child::Streams{-1, -1, -1}); }

testing::AssertionResult MockNode::waitReady() const {
  return waitForOne(cluster_, "nodes", "", name_, "node " + name_ + " to be Ready",
                    [](const Json& node) { return conditionOf(node, "Ready") == "True"; });
}

void MockNode::vanish() {
  child_.reset();
  cluster_.remove("nodes", "", name_);
}

}  // namespace vkb::e2e
