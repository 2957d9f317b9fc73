#include "support/world.h"

#include <iostream>
#include <stdexcept>

#include <nlohmann/json.hpp>

#include "json/json.h"
#include "support/kubeconfig.h"
#include "support/names.h"

namespace vkb::e2e {

namespace {

void require(const testing::AssertionResult& result) {
  if (!result) throw std::runtime_error(result.message());
}

/// Until a controller has made it, the namespace's pods are refused.
void waitDefaultAccount(const Cluster& cluster, const std::string& ns) {
  require(waitForOne(cluster, "serviceaccounts", ns, "default", "the default ServiceAccount",
                     [](const Json& account) { return account.is_object(); }));
}

/// Asks for the deletion of all of them at once; gone already is fine.
void deletePods(const Cluster& cluster, const Objects& pods,
                const std::vector<std::string>& how = {}) {
  std::map<std::string, std::vector<std::string>> names;
  for (const auto& [key, pod] : pods) {
    names[json::str(pod, {"metadata", "namespace"})].push_back(nameOf(pod));
  }
  for (const auto& [ns, list] : names) {
    std::vector<std::string> arguments{"delete", "pod",          "--namespace",
                                       ns,       "--wait=false", "--ignore-not-found"};
    arguments.insert(arguments.end(), how.begin(), how.end());
    arguments.insert(arguments.end(), list.begin(), list.end());
    cluster.run(arguments);
  }
}

const std::vector<std::string> kAtOnce{"--force", "--grace-period=0"};

}  // namespace

Environment World::environmentFor(const WorldOptions& options) {
  Environment environment = Environment::read();
  if (options.home_is_other) environment.home_kubeconfig = environment.other_kubeconfig;
  return environment;
}

World::World(WorldOptions options)
    : environment(environmentFor(options)),
      home(environment.home()),
      target(environment.target()),
      node("e2e-" + options.name + "-" + randomSuffix()),
      home_id(home.id()),
      bridge(environment, folder.path()),
      delegates(target, ours()),
      options_(std::move(options)) {
  if (home_id == target.id()) {
    throw std::runtime_error(
        "E2E_HOME_KUBECONFIG and E2E_TARGET_KUBECONFIG name the same cluster: two are needed");
  }
  Json config = readKubeconfig(target);
  if (options_.through_relay) {
    const Endpoint endpoint = endpointOf(config);
    relay = std::make_unique<Relay>(endpoint.host, endpoint.port);
    pointAtLoopback(config, relay->port());
  }
  writeKubeconfig(targetKubeconfig(), config);
  if (options_.run) require(ensureServing());
}

World::~World() {
  try {
    bridge.killHard();
  } catch (const std::exception&) {  // its process is killed by the destructor all the same
  }
}

Outcome World::join(const std::vector<std::string>& more) const {
  std::vector<std::string> arguments{"join", node, "--kubeconfig", targetKubeconfig().string()};
  arguments.insert(arguments.end(), options_.join_flags.begin(), options_.join_flags.end());
  arguments.insert(arguments.end(), more.begin(), more.end());
  return bridge.command(arguments);
}

testing::AssertionResult World::ensureServing() {
  if (!isJoined()) {
    const Outcome joined = join();
    if (!joined.ok()) return testing::AssertionFailure() << joined.describe();
  }
  if (!bridge.isRunning()) bridge.start();
  return waitNodeReady();
}

testing::AssertionResult World::waitNodeReady() const {
  return waitForOne(home, "nodes", "", node, "node " + node + " to be Ready",
                    [](const Json& object) { return conditionOf(object, "Ready") == "True"; });
}

std::string World::newNamespace(const std::string& hint) {
  std::string ns = "e2e-" + hint + "-" + randomSuffix();
  makeHomeNamespace(ns);
  return ns;
}

void World::makeHomeNamespace(const std::string& name) {
  home.create(makeNamespace(name));
  namespaces_.push_back(name);
  target_namespaces_.push_back(name);
  waitDefaultAccount(home, name);
}

void World::makeForeignNamespace(const std::string& name) {
  target.create(makeNamespace(name));
  target_namespaces_.push_back(name);
  waitDefaultAccount(target, name);
}

void World::removeNamespaces() {
  for (const std::string& ns : namespaces_) home.remove("namespaces", "", ns);
  namespaces_.clear();
}

testing::AssertionResult World::waitReady(const std::string& ns, const std::string& pod,
                                          Json* last) const {
  return waitForOne(home, "pods", ns, pod, "home pod " + pod + " to be Running and Ready",
                    isRunningAndReady, last);
}

testing::AssertionResult World::waitReady(const std::string& ns, std::size_t count,
                                          Objects* last) const {
  return waitFor(
      home, {"pods", ns}, "exactly " + std::to_string(count) + " home pods, Running and Ready",
      [count](const Objects& pods) {
        for (const auto& [key, pod] : pods) {
          if (!isRunningAndReady(pod)) return false;
        }
        return pods.size() == count;
      },
      last);
}

testing::AssertionResult World::waitEvent(const Json& home_pod, const std::string& reason) const {
  return waitFor(
      home,
      {"events", json::str(home_pod, {"metadata", "namespace"}), "",
       "involvedObject.uid=" + uidOf(home_pod)},
      "a Warning event " + reason, [&](const Objects& events) {
        for (const auto& [key, event] : events) {
          if (json::str(event, "reason") == reason && json::str(event, "type") == "Warning") {
            return true;
          }
        }
        return false;
      });
}

testing::AssertionResult World::waitAskedToGo(const Selection& delegates_there) const {
  return waitFor(target, delegates_there, "all of them to be being deleted",
                 [](const Objects& pods) {
                   for (const auto& [key, pod] : pods) {
                     if (json::str(pod, {"metadata", "deletionTimestamp"}).empty()) return false;
                   }
                   return true;
                 });
}

void World::hasten(const Selection& delegates_there) const {
  deletePods(target, target.list(delegates_there), kAtOnce);
}

testing::AssertionResult World::waitGoneOrHasten(const Selection& delegates_there) const {
  const auto none = [](const Objects& pods) { return pods.empty(); };
  const testing::AssertionResult asked = waitAskedToGo(delegates_there);
  if (!asked) return asked;
  if (waitFor(target, delegates_there, "them to go", none, nullptr, seconds(15))) {
    return testing::AssertionSuccess();
  }
  hasten(delegates_there);
  return waitFor(target, delegates_there, "them to go", none);
}

Objects World::delegatesOf(const std::string& home_uid) const {
  return target.list({"pods", "", kHomeUidLabel + ("=" + home_uid)});
}

Json World::delegateOf(const Json& home_pod) const {
  const Objects found = delegatesOf(uidOf(home_pod));
  if (found.size() != 1) {
    throw std::runtime_error(std::to_string(found.size()) + " delegates of home pod " +
                             keyOf(home_pod));
  }
  return found.begin()->second;
}

Selection World::bound() const { return {"pods", "", "", "spec.nodeName=" + node}; }

Selection World::ours() const {
  return {"pods", "", kHomeClusterLabel + ("=" + home_id + ",") + kNodeLabel + "=" + node};
}

std::vector<std::string> World::close() {
  std::vector<std::string> problems;
  try {
    problems = leaveInOrder();
    const std::vector<std::string> left = leftovers();
    problems.insert(problems.end(), left.begin(), left.end());
  } catch (const std::exception& error) {
    problems.emplace_back(error.what());
  }
  removeByForce();
  return problems;
}

std::vector<std::string> World::leaveInOrder() {
  std::vector<std::string> problems;
  removeNamespaces();
  if (isJoined()) {
    if (!bridge.isRunning()) bridge.start();
    const testing::AssertionResult emptied = waitEmptied();
    if (!emptied) problems.emplace_back(emptied.message());
    const Outcome left = bridge.command({"leave", node, "--drain", "--timeout", "30s"});
    if (!left.ok()) problems.push_back(left.describe());
  }
  if (bridge.isRunning() && bridge.stop() != Exit{0, 0}) {
    problems.emplace_back("the bridge did not exit 0 on SIGTERM");
  }
  for (const auto& [home_uid, made] : delegatesByHomeUid(delegates.history())) {
    if (made.size() != 1 && remade_.count(home_uid) == 0) {
      problems.push_back("home UID " + home_uid + " had " + std::to_string(made.size()) +
                         " delegates over time, not one");
    }
  }
  return problems;
}

testing::AssertionResult World::waitEmptied() const {
  // Their namespaces are being deleted, so nothing comes after them; that would take its time.
  deletePods(home, home.list(bound()));
  const testing::AssertionResult asked = waitAskedToGo(ours());
  if (!asked) return asked;
  hasten(ours());
  return waitFor(home, bound(), "their home pods to go",
                 [](const Objects& pods) { return pods.empty(); });
}

std::vector<std::string> World::leftovers() const {
  std::vector<std::string> problems;
  if (home.find("nodes", "", node)) problems.push_back("node " + node + " is still in home");
  if (isJoined()) problems.push_back("the state folder still has cluster " + node);
  for (const auto& [key, pod] : target.list(ours())) {
    problems.push_back("delegate " + key + " is still in the target");
  }
  return problems;
}

void World::removeByForce() {
  try {
    bridge.killHard();
  } catch (const std::exception&) {
  }
  // Whatever fails here has been taken away before, or was told of by leftovers().
  deletePods(home, home.list(bound()), kAtOnce);
  home.run({"delete", "node", node, "--ignore-not-found", "--wait=false"});
  deletePods(target, target.list(ours()), kAtOnce);
  std::vector<std::string> arguments{"delete", "namespace", "--ignore-not-found", "--wait=false"};
  arguments.insert(arguments.end(), target_namespaces_.begin(), target_namespaces_.end());
  if (!target_namespaces_.empty()) target.run(arguments);
}

void WorldTest::openWorld(WorldOptions options) {
  try {
    problem_.clear();
    world_ = std::make_unique<World>(std::move(options));
  } catch (const std::exception& error) {
    problem_ = error.what();
  }
}

bool WorldTest::hasRig() {
  try {
    return Environment::read().hasRig();
  } catch (const std::exception&) {
    return true;  // opening a world says what is missing
  }
}

void WorldTest::TearDownTestSuite() {
  if (!world_) return;
  for (const std::string& problem : world_->close()) {
    ADD_FAILURE() << problem << "\nend of the bridge's log:\n" << world_->bridge.logTail();
  }
  world_.reset();
}

void WorldTest::SetUp() { ASSERT_TRUE(world_ != nullptr) << "set-up failed: " << problem_; }

void WorldTest::TearDown() {
  if (!world_) return;
  if (HasFailure()) {
    std::cerr << "end of the bridge's log:\n" << world_->bridge.logTail() << '\n';
  }
  world_->removeNamespaces();
}

}  // namespace vkb::e2e
