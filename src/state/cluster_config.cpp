#include "state/cluster_config.h"

#include <chrono>
#include <nlohmann/json.hpp>

#include "json/json.h"
#include "json/quantity.h"

namespace vkb::state {
namespace {

constexpr std::int64_t kFormat = 1;

bool isNameChar(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; }

tl::unexpected<Status> unreadable(const std::string& file, const std::string& why) {
  return invalid(file + " cannot be used (" + why +
                 "); join the cluster again under the same name, or remove that folder");
}

}  // namespace

Result<void> checkClusterName(const std::string& name) {
  bool good = !name.empty() && name.size() <= 40 && name.front() != '-' && name.back() != '-';
  for (const char c : name) good = good && isNameChar(c);
  if (good) return {};
  return invalid("\"" + name +
                 "\" cannot name a cluster: use at most 40 lower case letters, digits and '-', "
                 "with a letter or digit at both ends");
}

std::string formatClusterConfig(const ClusterConfig& config) {
  Json value{
      {"format", kFormat},
      {"name", config.name},
      {"targetId", config.target_id},
      {"identityNamespace", config.identity_namespace},
      {"formerTargetIds", config.former_target_ids},
      {"server", config.server},
      {"joinedAt", config.joined_at.time_since_epoch().count()},
      {"leaving", config.leaving},
      {"forgetTarget", config.forget_target},
      {"lossesConfirmedAt", config.losses_confirmed_at.time_since_epoch().count()},
      {"options",
       {{"allowNamespaces", config.options.allow_namespaces},
        {"keepLabels", config.options.keep_labels},
        {"claimNamespace", config.options.claim_namespace},
        {"onDelegateLost", config.options.recreate_lost ? "recreate" : "fail"},
        {"whenUnreachable", config.options.hold_unreachable ? "hold" : "not-ready"},
        {"metrics", config.options.metrics_from_nodes ? "nodes" : "api"},
        {"limits", config.options.limits},
        {"oneNamespace", config.options.one_namespace}}},
  };
  writePodOptions(config.options.pods, value["options"]);
  // Bytes that are not UTF-8 can only come from a user's flag; they must not throw.
  return value.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<ClusterConfig> parseClusterConfig(std::string_view text, const std::string& file) {
  const Result<Json> value = json::parse(text);
  if (!value || !value->is_object()) return unreadable(file, "it is not a JSON object");
  const auto format = json::integer(*value, {"format"});
  if (!format) return unreadable(file, "it has no format number");
  if (*format != kFormat) {
    return invalid(file + " was written by a newer vk-bridge; use that version");
  }
  ClusterConfig config;
  config.name = json::str(*value, "name");
  config.target_id = json::str(*value, "targetId");
  if (config.name.empty() || config.target_id.empty()) {
    return unreadable(file, "name or targetId is missing");
  }
  const std::string identity_namespace = json::str(*value, "identityNamespace");
  if (!identity_namespace.empty()) config.identity_namespace = identity_namespace;
  for (const Json& entry : json::array(*value, {"formerTargetIds"})) {
    if (!entry.is_string()) return unreadable(file, "formerTargetIds holds more than strings");
    config.former_target_ids.push_back(entry.get<std::string>());
  }
  config.server = json::str(*value, "server");
  config.joined_at =
      WallTime(std::chrono::microseconds(json::integer(*value, {"joinedAt"}).value_or(0)));
  config.losses_confirmed_at =
      WallTime(std::chrono::microseconds(json::integer(*value, {"lossesConfirmedAt"}).value_or(0)));
  config.leaving = json::boolean(*value, {"leaving"});
  config.forget_target = json::boolean(*value, {"forgetTarget"});
  for (const Json& entry : json::array(*value, {"options", "allowNamespaces"})) {
    if (!entry.is_string()) return unreadable(file, "allowNamespaces holds more than strings");
    config.options.allow_namespaces.push_back(entry.get<std::string>());
  }
  config.options.keep_labels = json::boolean(*value, {"options", "keepLabels"});
  auto pods = readPodOptions(json::object(*value, {"options"}));
  if (!pods) return unreadable(file, pods.error().message);
  config.options.pods = std::move(*pods);
  const std::string claim_namespace = json::str(*value, {"options", "claimNamespace"});
  if (!claim_namespace.empty()) config.options.claim_namespace = claim_namespace;
  config.options.recreate_lost = json::str(*value, {"options", "onDelegateLost"}) == "recreate";
  config.options.hold_unreachable = json::str(*value, {"options", "whenUnreachable"}) == "hold";
  config.options.metrics_from_nodes = json::str(*value, {"options", "metrics"}) == "nodes";
  for (const auto& [resource, amount] : json::object(*value, {"options", "limits"}).items()) {
    if (!amount.is_string() || !json::Quantity::parse(amount.get<std::string>())) {
      return unreadable(file, "the limit of " + resource + " is no quantity");
    }
    config.options.limits[resource] = amount.get<std::string>();
  }
  config.options.one_namespace = json::boolean(*value, {"options", "oneNamespace"});
  return config;
}

}  // namespace vkb::state
