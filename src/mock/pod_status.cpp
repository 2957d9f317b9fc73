#include "mock/pod_status.h"

#include <nlohmann/json.hpp>

#include "json/json.h"
#include "json/time.h"

namespace vkb::mock {
namespace {

using Stage = PodState::Stage;

bool hasEnded(Stage stage) { return stage == Stage::kExited || stage == Stage::kEvicted; }

std::string phaseOf(const PodState& state) {
  if (state.stage == Stage::kPending) return "Pending";
  if (state.stage == Stage::kEvicted) return "Failed";
  if (state.stage == Stage::kExited) return state.exit_code == 0 ? "Succeeded" : "Failed";
  return "Running";
}

Json terminated(const PodState& state, int exit_code) {
  return {{"terminated",
           {{"exitCode", exit_code},
            {"reason", exit_code == 0 ? "Completed" : "Error"},
            {"startedAt", json::formatTime(state.started)},
            {"finishedAt", json::formatTime(state.ended)}}}};
}

Json containerState(const PodState& state) {
  if (hasEnded(state.stage)) return terminated(state, state.exit_code);
  if (state.stage == Stage::kPending) {
    return {{"waiting", {{"reason", state.waiting.empty() ? "ContainerCreating" : state.waiting}}}};
  }
  return {{"running", {{"startedAt", json::formatTime(state.started)}}}};
}

Json containerStatuses(const Json& pod, const PodState& state) {
  const std::string uid = json::str(pod, {"metadata", "uid"});
  const bool started = state.stage != Stage::kPending;
  Json list = Json::array();
  for (const auto& container : json::array(pod, {"spec", "containers"})) {
    const std::string name = json::str(container, "name");
    list.push_back({{"name", name},
                    {"image", json::str(container, "image")},
                    {"imageID", started ? "mock://" + json::str(container, "image") : ""},
                    {"containerID", started ? "mock://" + uid + "/" + name : ""},
                    {"ready", state.stage == Stage::kReady},
                    {"started", started && !hasEnded(state.stage)},
                    {"restartCount", state.restarts},
                    {"state", containerState(state)}});
    if (!started) list.back().erase("containerID");
  }
  return list;
}

Json initStatuses(const Json& pod, const PodState& state) {
  Json list = Json::array();
  for (const auto& container : json::array(pod, {"spec", "initContainers"})) {
    list.push_back({{"name", json::str(container, "name")},
                    {"image", json::str(container, "image")},
                    {"imageID", "mock://" + json::str(container, "image")},
                    {"ready", true},
                    {"restartCount", 0},
                    {"state", terminated(state, 0)}});
  }
  return list;
}

Json conditions(const PodState& state) {
  const bool ready = state.stage == Stage::kReady;
  const std::string reason = hasEnded(state.stage) ? "PodCompleted" : "ContainersNotReady";
  const WallTime since = hasEnded(state.stage)            ? state.ended
                         : state.stage == Stage::kPending ? state.created
                                                          : state.started;
  const auto condition = [](const char* type, bool value, WallTime at) {
    return Json{{"type", type},
                {"status", value ? "True" : "False"},
                {"lastProbeTime", nullptr},
                {"lastTransitionTime", json::formatTime(at)}};
  };
  Json list =
      Json::array({condition("Initialized", true, state.created),
                   condition("ContainersReady", ready, since), condition("Ready", ready, since)});
  for (auto& entry : list) {
    if (json::str(entry, "status") == "False") entry["reason"] = reason;
  }
  return list;
}

}  // namespace

Json podStatus(const Json& pod, const PodState& state, const std::string& host_ip) {
  Json status{{"phase", phaseOf(state)},
              {"conditions", conditions(state)},
              {"hostIP", host_ip},
              {"startTime", json::formatTime(state.created)},
              {"containerStatuses", containerStatuses(pod, state)}};
  if (state.stage != Stage::kPending) {
    status["podIP"] = state.ip;
    status["podIPs"] = Json::array({{{"ip", state.ip}}});
    Json init = initStatuses(pod, state);
    if (!init.empty()) status["initContainerStatuses"] = std::move(init);
  }
  if (state.stage == Stage::kEvicted) {
    status["reason"] = "Evicted";
    status["message"] = "The node was told to evict this pod.";
  }
  return status;
}

PodState stateFrom(const Json& pod) {
  PodState state;
  const auto time = [&](const Json& text) {
    return text.is_string() ? json::parseTime(text.get<std::string>()).value_or(WallTime{})
                            : WallTime{};
  };
  if (json::str(pod, {"status", "phase"}) != "Running") return state;
  state.created = time(json::at(pod, {"status", "startTime"}));
  state.ip = json::str(pod, {"status", "podIP"});
  const Json& statuses = json::array(pod, {"status", "containerStatuses"});
  if (statuses.empty()) return state;
  state.stage = json::boolean(statuses[0], {"ready"}) ? Stage::kReady : Stage::kRunning;
  state.started = time(json::at(statuses[0], {"state", "running", "startedAt"}));
  state.restarts = json::integer(statuses[0], {"restartCount"}).value_or(0);
  return state;
}

}  // namespace vkb::mock
