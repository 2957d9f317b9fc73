#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "bridge/names.h"
#include "bridge/target_nodes.h"
#include "bridge/target_pods.h"
#include "support/fake_runtime.h"

// What the caches add up event by event is what counting everything anew gives, over any sequence
// of events, some of which no watch told of until the next list. A sequence that breaks this is
// reduced to the events that do it, and printed with its seed.

namespace vkb::bridge {
namespace {

enum class What {
  kNode,         ///< made, or another size
  kCordon,       ///< or uncordoned
  kReady,        ///< or not, or unknown
  kRelabelNode,  ///< in or out of the operator's selection
  kNodeGone,
  kPod,  ///< made, bound or not; or resized
  kBind,
  kPodEnds,
  kPodGone,
  kLabelPod,  ///< our labels put on, or taken off
  kRemember,  ///< recorded as ours
  kListNodes,
  kListPods,
};
constexpr int kWhats = 13;
constexpr const char* kNames[] = {"node",     "cordon",     "ready",    "relabel node", "node gone",
                                  "pod",      "bind",       "pod ends", "pod gone",     "label pod",
                                  "remember", "list nodes", "list pods"};

struct Event {
  What what;
  std::uint64_t which = 0, how = 0;
  bool unseen = false;  ///< no watch tells of it

  std::string text() const {
    return std::string(kNames[static_cast<int>(what)]) + " " + std::to_string(which) + " how " +
           std::to_string(how) + (unseen ? " unseen" : "");
  }
};

std::vector<Event> eventsOf(std::uint64_t seed) {
  test::FakeRandom random(seed);
  std::vector<Event> events;
  for (std::uint64_t left = 20 + random.below(120); left > 0; --left) {
    events.push_back({.what = static_cast<What>(random.below(kWhats)),
                      .which = random.below(6),
                      .how = random.below(1000),
                      .unseen = random.below(8) == 0});
  }
  return events;
}

/// A target and the caches that hear of it.
class Run {
 public:
  /// Empty, or what was wrong after which event.
  std::string over(const std::vector<Event>& events) {
    for (const Event& event : events) {
      apply(event);
      if (nodes_behind_ || pods_behind_) continue;
      const Json told = toCapacity(view().offered), counted = toCapacity(countAnew());
      if (told == counted) continue;
      return "after [" + event.text() + "] " + told.dump() + " instead of " + counted.dump();
    }
    return {};
  }

 private:
  static Json quantities(std::uint64_t how) {
    Json result = {{"cpu", std::to_string(how % 7 * 250) + "m"},
                   {"memory", std::to_string(how % 11) + "Mi"}};
    if (how % 3 == 0) result["example.com/gpu"] = std::to_string(how % 5);
    if (how % 13 == 0) result["cpu"] = "not a number";
    return result;
  }
  static Json container(std::uint64_t how, bool sidecar = false) {
    Json result = {{"resources", {{"requests", quantities(how)}}}};
    if (sidecar) result["restartPolicy"] = "Always";
    return result;
  }
  static Json podSpec(std::uint64_t how) {
    Json spec = {{"containers", {container(how), container(how / 3)}}};
    if (how % 2 == 0) {
      spec["initContainers"] = {container(how / 5), container(how / 7, true), container(how / 2)};
    }
    if (how % 5 == 0) spec["overhead"] = {{"cpu", "30m"}};
    if (how % 17 == 0) spec["resources"] = {{"requests", {{"cpu", "3"}}}};
    return spec;
  }
  static std::string nodeName(std::uint64_t which) { return "n" + std::to_string(which % 4); }

  void apply(const Event& event) {
    switch (event.what) {
      case What::kListNodes:
        return listNodes();
      case What::kListPods:
        return listPods();
      case What::kNode:
      case What::kCordon:
      case What::kReady:
      case What::kRelabelNode:
      case What::kNodeGone:
        return applyToNode(event);
      case What::kRemember:
        if (const auto pod = pods_now_.find(event.which); pod != pods_now_.end()) {
          // As after a create: the next event or list of it counts it as ours.
          pods_.remember(uidOf(pod->second), "h");
          ours_.insert(uidOf(pod->second));
          pods_behind_ = true;
        }
        return;
      default:
        return applyToPod(event);
    }
  }

  void applyToNode(const Event& event) {
    const std::string name = nodeName(event.which);
    if (event.what == What::kNode) {
      Json& node = nodes_now_[name];
      if (node.is_null()) {
        node = {{"metadata",
                 {{"name", name},
                  {"uid", "node-" + std::to_string(++made_)},
                  {"labels", {{"pool", "a"}}}}},
                {"spec", Json::object()},
                {"status", {{"conditions", {{{"type", "Ready"}, {"status", "True"}}}}}}};
      }
      node["status"]["allocatable"] = quantities(event.how + 3);
      node["status"]["allocatable"]["pods"] = "5";
    }
    const auto found = nodes_now_.find(name);
    if (found == nodes_now_.end()) return;
    Json& node = found->second;
    if (event.what == What::kCordon) node["spec"]["unschedulable"] = event.how % 2 == 0;
    if (event.what == What::kRelabelNode) {
      node["metadata"]["labels"]["pool"] = event.how % 2 == 0 ? "a" : "b";
    }
    if (event.what == What::kReady) {
      constexpr const char* kStates[] = {"True", "False", "Unknown"};
      node["status"]["conditions"][0]["status"] = kStates[event.how % 3];
    }
    const json::ObjectPtr object = json::makeObject(node);
    const bool gone = event.what == What::kNodeGone;
    if (gone) nodes_now_.erase(found);
    nodes_behind_ |= event.unseen;
    if (!event.unseen) gone ? nodes_.remove(object) : nodes_.upsert(object);
  }

  void applyToPod(const Event& event) {
    if (event.what == What::kPod) {
      Json& pod = pods_now_[event.which];
      if (pod.is_null()) {
        pod = {{"metadata",
                {{"name", "p" + std::to_string(event.which)},
                 {"namespace", "work"},
                 {"uid", "00000000-0000-4000-8000-" + std::to_string(100000000000 + ++made_)},
                 {"labels", Json::object()}}},
               {"status", {{"phase", "Running"}}}};
        pod["spec"] = podSpec(event.how);
        if (event.how % 4 != 0) pod["spec"]["nodeName"] = nodeName(event.how);
      } else {
        pod["spec"]["containers"] = podSpec(event.how)["containers"];
      }
    }
    const auto found = pods_now_.find(event.which);
    if (found == pods_now_.end()) return;
    Json& pod = found->second;
    if (event.what == What::kBind && !pod["spec"].contains("nodeName")) {
      pod["spec"]["nodeName"] = nodeName(event.how);
    }
    if (event.what == What::kPodEnds)
      pod["status"]["phase"] = event.how % 2 ? "Failed" : "Succeeded";
    if (event.what == What::kLabelPod) {
      Json& labels = pod["metadata"]["labels"] = Json::object();
      if (event.how % 2 == 0) {
        labels = {{kLabelHomeCluster, "home"}, {kLabelNode, "t"}, {kLabelHomeUid, "h"}};
      }
    }
    const Json last = pod;
    const bool gone = event.what == What::kPodGone;
    if (gone) pods_now_.erase(found);
    pods_behind_ |= event.unseen;
    if (event.unseen) return;
    gone ? pods_.remove(json::makeObject(last)) : see(last);
  }

  void see(const Json& pod) {
    noteOurs(pod);
    pods_.upsert(json::makeObject(pod));
  }
  void listNodes() {
    std::vector<json::ObjectPtr> items;
    for (const auto& [name, node] : nodes_now_) items.push_back(json::makeObject(node));
    nodes_.replace(std::move(items));
    nodes_behind_ = false;
  }
  void listPods() {
    std::vector<json::ObjectPtr> items;
    for (const auto& [which, pod] : pods_now_) {
      noteOurs(pod);
      items.push_back(json::makeObject(pod));
    }
    pods_.replace(std::move(items));
    pods_behind_ = false;
  }
  static std::string uidOf(const Json& pod) { return pod["metadata"]["uid"].get<std::string>(); }
  /// Once seen with our labels it is ours, whoever edits them.
  void noteOurs(const Json& pod) {
    if (!pod["metadata"]["labels"].empty()) ours_.insert(uidOf(pod));
  }

  TargetNodes::View view() const {
    return nodes_.view(
        [this](const std::string& node, Resources& of) { pods_.subtractForeign(node, of); });
  }
  Resources countAnew() const {
    Resources total;
    for (const char* always : {"cpu", "memory", "pods"}) total[always] = {};
    for (const auto& [name, node] : nodes_now_) {
      if (node["metadata"]["labels"]["pool"] != "a") continue;
      Resources free = allocatableOf(node);
      for (const auto& [which, pod] : pods_now_) {
        if (ours_.contains(uidOf(pod)) || pod["spec"].value("nodeName", "") != name) continue;
        subtract(free, requestsOf(pod));
      }
      clampAtZero(free);
      add(total, free);
    }
    return total;
  }

  test::FakeClock clock_;
  TargetNodes nodes_{{.selector = {{"pool", "a"}}}};
  TargetPods pods_{clock_,
                   {.home_id = "home",
                    .node = "t",
                    .on_delegate = [](const std::string&) {},
                    .on_foreign_usage = [] {}}};
  std::map<std::string, Json> nodes_now_;
  std::map<std::uint64_t, Json> pods_now_;
  std::set<std::string> ours_;
  std::uint64_t made_ = 0;
  bool nodes_behind_ = false, pods_behind_ = false;
};

std::string failureOf(const std::vector<Event>& events) { return Run().over(events); }

/// Leaves out what it fails without: halves first, then ever smaller parts.
std::vector<Event> reduced(std::vector<Event> events) {
  for (std::size_t part = events.size() / 2; part > 0; part /= 2) {
    for (std::size_t from = 0; from + part <= events.size();) {
      std::vector<Event> fewer = events;
      const auto begin = fewer.begin() + static_cast<std::ptrdiff_t>(from);
      fewer.erase(begin, begin + static_cast<std::ptrdiff_t>(part));
      if (failureOf(fewer).empty()) {
        from += part;
      } else {
        events = std::move(fewer);
      }
    }
  }
  return events;
}

TEST(CapacityProperty, WhatEventsAddUpToIsWhatCountingAnewGives) {
  for (std::uint64_t seed = 1; seed <= 400; ++seed) {
    const std::vector<Event> events = eventsOf(seed);
    if (failureOf(events).empty()) continue;
    const std::vector<Event> fewest = reduced(events);
    std::ostringstream list;
    for (const Event& event : fewest) list << "\n  " << event.text();
    FAIL() << "seed " << seed << ", reduced to " << fewest.size() << " events:" << list.str()
           << "\n"
           << failureOf(fewest);
  }
}

}  // namespace
}  // namespace vkb::bridge
