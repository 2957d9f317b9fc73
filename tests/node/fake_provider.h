#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "json/json.h"
#include "vkbridge/provider.h"

namespace vkb::test {

/// A provider in memory whose pods change only when a test says so, and whose every call can be
/// made to fail. Single-threaded.
class FakeProvider final : public PodLifecycleHandler, public PodNotifier {
 public:
  struct Pod {
    ProviderPod pod;
    Json status;
  };

  explicit FakeProvider(Clock& clock) : clock_(clock) {}

  // --- What a test does on the provider's side.
  void setStatus(const std::string& home_uid, Json status) {
    Pod& pod = pods.at(home_uid);
    pod.status = std::move(status);
    const std::string phase = json::str(pod.status, "phase");
    pod.pod.terminal = phase == "Succeeded" || phase == "Failed";
    pod.pod.observed = clock_.now();
    notify(home_uid);
  }
  void run(const std::string& home_uid) { setStatus(home_uid, running()); }
  static Json running() {
    return {{"phase", "Running"},
            {"podIP", "10.1.0.1"},
            {"podIPs", Json::array({{{"ip", "10.1.0.1"}}})},
            {"startTime", "2026-01-01T00:00:00Z"},
            {"conditions", Json::array({{{"type", "Ready"}, {"status", "True"}},
                                        {{"type", "ContainersReady"}, {"status", "True"}}})},
            {"containerStatuses",
             Json::array({{{"name", "c"},
                           {"image", "app:1"},
                           {"imageID", "sha"},
                           {"containerID", "containerd://1"},
                           {"ready", true},
                           {"restartCount", 0},
                           {"state", {{"running", {{"startedAt", "2026-01-01T00:00:00Z"}}}}}}})}};
  }
  /// The pod's orderly end, seen by the watch.
  void finish(const std::string& home_uid) {
    last_status[home_uid] = pods.at(home_uid).status;
    pods.erase(home_uid);
    gone_seen.insert(home_uid);
    notify(home_uid);
  }
  /// The pod is gone and nobody saw how.
  void vanish(const std::string& home_uid) {
    pods.erase(home_uid);
    notify(home_uid);
  }
  void notify(const std::string& home_uid) {
    ++versions[home_uid];
    if (changed_) changed_(home_uid);
  }
  int count(const std::string& verb) const {
    int result = 0;
    for (const auto& call : calls) result += call == verb;
    return result;
  }

  // --- What a test makes go wrong.
  std::optional<Status> place_error, create_error, update_error, delete_error, get_error;
  bool metadata_is_input = false;  ///< users' labels and annotations reach the provider's pod
  bool forgets_deletes = false;    ///< they succeed, and nothing comes of them
  bool lose_next_create = false;   ///< it takes effect, the answer is lost
  std::set<std::string> hidden;    ///< home UIDs whose pods the cache does not show
  std::set<std::string> foreign;   ///< "ns/name" of other people's pods
  std::function<void(const PodRecord&)> on_create;

  std::map<std::string, Pod> pods;  ///< by home UID
  std::map<std::string, Json> last_status;
  std::set<std::string> gone_seen;
  std::vector<std::string> calls;  ///< create, update, delete, get, forget
  std::vector<std::optional<std::int64_t>> graces;
  int made = 0;
  int status_asked = 0;
  Json status_asked_of{};           ///< the home pod that a status was last asked for
  std::string status_asked_inputs;  ///< inputs_hash of the record that came with it
  bool peeked_with_pod = false;     ///< the last peekPod() was given one
  bool reads_pods_whole = true;
  std::map<std::string, std::uint64_t> versions;  ///< by home UID: how often it was told to change
  bool tells_versions = false;                    ///< podVersion gives them

  // --- PodLifecycleHandler, PodNotifier
  Result<PodPlace> placePod(const Json& pod) override {
    if (place_error) return failure(*place_error);
    return PodPlace{json::str(pod, {"metadata", "namespace"}),
                    json::str(pod, {"metadata", "name"})};
  }
  std::string inputsHash(const Json& pod) override {
    std::string inputs = json::at(pod, "spec").dump();
    if (!metadata_is_input) return inputs;
    for (const char* kind : {"labels", "annotations"}) {
      for (const auto& [key, value] : json::object(pod, {"metadata", kind}).items()) {
        if (!key.starts_with("vk-bridge.io/")) inputs += key + "=" + value.dump();
      }
    }
    return inputs;
  }

  std::uint64_t podVersion(const std::string& home_uid) override {
    return tells_versions && pods.contains(home_uid) ? versions[home_uid] + 1 : 0;
  }

  Result<ProviderPod> createPod(const Json& pod, const PodRecord& record) override {
    calls.push_back("create");
    if (on_create) on_create(record);
    if (create_error) return failure(*create_error);
    const ProviderPod present = at(record);
    if (present.ownership == ProviderPod::Ownership::kForeign) {
      return failure(
          {.code = 409, .reason = "NameTaken", .message = "taken", .retry = Retry::kNever});
    }
    if (present.ownership == ProviderPod::Ownership::kPredecessor) {
      return failure({.code = 409, .reason = "PredecessorExists", .message = "wait"});
    }
    if (present.ownership == ProviderPod::Ownership::kAbsent) {
      ++made;
      pods[record.uid] = {{.ownership = ProviderPod::Ownership::kMine,
                           .place = {record.place_ns, record.place_name},
                           .uid = "delegate-" + std::to_string(made),
                           .home_uid = record.uid,
                           .home_ns = record.ns,
                           .home_name = record.name,
                           .inputs_hash = inputsHash(pod)},
                          {{"phase", "Pending"}}};
    }
    if (std::exchange(lose_next_create, false)) {
      return failure({.reason = reasons::kUnanswered, .message = "no answer"});
    }
    return pods.at(record.uid).pod;
  }

  Result<void> updatePod(const Json& pod, const PodRecord& record) override {
    calls.push_back("update");
    if (update_error) return failure(*update_error);
    pods.at(record.uid).pod.inputs_hash = inputsHash(pod);
    return {};
  }

  Result<void> deletePod(const PodRecord& record, std::optional<std::int64_t> grace) override {
    calls.push_back("delete");
    graces.push_back(grace);
    if (delete_error) return failure(*delete_error);
    if (forgets_deletes) return {};
    const auto found = pods.find(record.uid);
    if (found == pods.end() || found->second.pod.uid != record.provider_uid) return {};
    found->second.pod.deleting = true;
    found->second.pod.grace_seconds = grace.value_or(30);
    notify(record.uid);
    return {};
  }

  ProviderPod peekPod(const Json* pod, const std::string& home_uid,
                      const PodRecord* record) override {
    peeked_with_pod = pod != nullptr;
    const auto found = pods.find(home_uid);
    if (found != pods.end() && !hidden.contains(home_uid)) return found->second.pod;
    if (gone_seen.contains(home_uid)) return {.gone_seen = true};
    if (!pod) return {};
    PodRecord place = record ? *record : PodRecord{};
    place.uid = home_uid;
    if (place.place_name.empty()) {
      place.place_ns = json::str(*pod, {"metadata", "namespace"});
      place.place_name = json::str(*pod, {"metadata", "name"});
    }
    const ProviderPod present = at(place);
    return present.ownership == ProviderPod::Ownership::kMine ? ProviderPod{} : present;
  }

  Result<ProviderPod> getPod(const PodRecord& record) override {
    calls.push_back("get");
    if (get_error) return failure(*get_error);
    return at(record);
  }

  Result<Json> getPodStatus(const Json& pod, const PodRecord& record) override {
    ++status_asked;
    status_asked_of = pod;
    status_asked_inputs = record.inputs_hash;
    if (const auto found = pods.find(record.uid); found != pods.end()) return found->second.status;
    if (const auto last = last_status.find(record.uid); last != last_status.end()) {
      return last->second;
    }
    return json::object(pod, {"status"});
  }

  bool readsPodsWhole() const override { return reads_pods_whole; }
  std::vector<ProviderPod> getPods() override {
    std::vector<ProviderPod> result;
    for (const auto& [uid, pod] : pods) {
      if (!hidden.contains(uid)) result.push_back(pod.pod);
    }
    return result;
  }
  void forgetPod(const PodRecord& record) override {
    calls.push_back("forget");
    gone_seen.erase(record.uid);
    last_status.erase(record.uid);
  }
  std::string podNode(const PodRecord&) override { return "worker-1"; }
  void notifyPods(std::function<void(const std::string&)> changed) override {
    changed_ = std::move(changed);
  }

 private:
  /// The truth about a place.
  ProviderPod at(const PodRecord& record) const {
    for (const auto& [uid, pod] : pods) {
      if (pod.pod.place.ns != record.place_ns || pod.pod.place.name != record.place_name) continue;
      ProviderPod result = pod.pod;
      if (uid != record.uid) result.ownership = ProviderPod::Ownership::kPredecessor;
      return result;
    }
    if (foreign.contains(record.place_ns + "/" + record.place_name)) {
      return {.ownership = ProviderPod::Ownership::kForeign,
              .place = {record.place_ns, record.place_name},
              .uid = "foreign"};
    }
    return {};
  }

  Clock& clock_;
  std::function<void(const std::string&)> changed_;
};

}  // namespace vkb::test
