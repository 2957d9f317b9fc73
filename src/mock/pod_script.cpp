#include "mock/pod_script.h"

#include <charconv>
#include <cmath>
#include <cstdlib>
#include <map>
#include <nlohmann/json.hpp>

#include "json/json.h"
#include "vkbridge/errors.h"

namespace vkb::mock {
namespace {

const std::string kPrefix = "mock.vk-bridge.io/";

std::optional<int> parseInteger(const std::string& text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// Reads one annotation after the other; the first that cannot be read is kept.
class Annotations {
 public:
  explicit Annotations(const Json& pod) : all_(json::object(pod, {"metadata", "annotations"})) {}

  std::string text(const char* name) const { return json::str(all_, kPrefix + name); }

  template <typename Target>
  void duration(const char* name, Target& target) {
    if (!all_.contains(kPrefix + name)) return;
    const auto value = parseDuration(text(name));
    if (value) {
      target = *value;
    } else {
      fail(name, value.error().message);
    }
  }
  void integer(const char* name, int& target) {
    if (!all_.contains(kPrefix + name)) return;
    const auto value = parseInteger(text(name));
    if (value) {
      target = *value;
    } else {
      fail(name, "not a number");
    }
  }
  void fail(const char* name, const std::string& why) {
    if (!error) error = errors::invalidInput("annotation " + kPrefix + name + ": " + why);
  }

  std::optional<Status> error;

 private:
  const Json& all_;
};

}  // namespace

Result<Duration> parseDuration(const std::string& text) {
  static const std::map<std::string, double> kUnits{
      {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}, {"us", 1e3}};
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const auto unit = kUnits.find(std::string(end, text.data() + text.size()));
  const bool good = error == std::errc() && number >= 0 && std::isfinite(number) && number < 1e6 &&
                    (unit != kUnits.end() || text == "0");
  if (!good) return invalid("\"" + text + "\" is no duration such as 200ms, 1.5s or 2m");
  return Duration(static_cast<std::int64_t>(text == "0" ? 0 : number * unit->second));
}

Result<PodScript> scriptOf(const Json& pod, const PodScript& defaults) {
  PodScript script = defaults;
  Annotations annotations(pod);
  annotations.duration("run-after", script.run_after);
  annotations.duration("ready-after", script.ready_after);
  annotations.duration("exit-after", script.exit_after);
  annotations.integer("exit-code", script.exit_code);
  annotations.duration("evict-after", script.evict_after);
  annotations.duration("vanish-after", script.vanish_after);
  annotations.duration("delete-after", script.delete_after);
  if (const auto waiting = annotations.text("waiting"); !waiting.empty()) script.waiting = waiting;
  const std::string error = annotations.text("create-error");
  script.create_error = error.substr(0, error.find(':'));
  if (const auto colon = error.find(':'); colon != std::string::npos) {
    const auto times = parseInteger(error.substr(colon + 1));
    if (times) script.create_errors = *times;
    if (!times || *times < 1) annotations.fail("create-error", "not a number of times");
  }
  if (annotations.error) return failure(*annotations.error);
  return script;
}

Status scriptedError(const PodScript& script) {
  const std::string message = "annotation " + kPrefix + "create-error asks for this failure";
  if (script.create_error == "permanent") return errors::permanent(message, "MockRefused");
  if (script.create_error == "invalid") return errors::invalidInput(message);
  if (script.create_error == "throttled") {
    return errors::throttled(message, std::chrono::seconds(1));
  }
  if (script.create_error == "waiting") return errors::waiting(message, "MockWaiting");
  return errors::retryable(message);
}

}  // namespace vkb::mock
