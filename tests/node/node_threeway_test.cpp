// The three-way merge against what upstream's own code does with the same nodes
// (tests/node/testdata/node_threeway_patch.jsonl: provider's node, server's node, patch, result).
#include <gmock/gmock.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "json/json.h"
#include "json/strategic_merge.h"
#include "node/node_patch.h"

namespace vkb::node {
namespace {

constexpr const char* kTheirMeta = "virtual-kubelet.io/last-applied-object-meta";
constexpr const char* kOurs = "vk-bridge.io/applied";
constexpr const char* kTheirStatus = "virtual-kubelet.io/last-applied-node-status";

/// Vectors whose recorded result is an upstream defect, and what is right instead.
const std::map<std::string, std::string> kPutRight{
    {"BUG_drop_all_own_labels_wipes_foreign_labels",
     "upstream sends labels: null; only our label goes, the foreign one stays"},
    {"BUG_drop_all_own_conditions_wipes_foreign_conditions",
     "upstream sends conditions: null; only our condition goes, the foreign one stays"},
    {"BUG_dual_stack_same_type_collapses",
     "upstream merges addresses by type and keeps one of two; the list is replaced"},
    {"BUG_back_to_one_address_deletes_all_of_type",
     "upstream deletes by type and leaves none; the list is replaced"}};

Json keysOf(const Json& map) {
  Json keys = Json::array();
  for (const auto& [key, value] : map.items()) keys.push_back(key);
  return keys;
}

/// The server's node with our record in place of upstream's two annotations. Upstream believes its
/// record only if both are there.
Json withOurRecord(Json node) {
  Json& annotations = node["metadata"]["annotations"];
  const std::string meta = json::str(annotations, kTheirMeta);
  const std::string status = json::str(annotations, kTheirStatus);
  if (annotations.is_object()) {
    annotations.erase(kTheirMeta);
    annotations.erase(kTheirStatus);
  }
  if (meta.empty() || status.empty()) return node;
  const Json their_meta = Json::parse(meta), their_status = Json::parse(status);
  Json types = Json::array();
  for (const Json& entry : json::array(their_status, {"conditions"})) {
    types.push_back(json::str(entry, "type"));
  }
  annotations[kOurs] = Json{
      {"labels", keysOf(json::object(their_meta, {"labels"}))},
      {"annotations", keysOf(json::object(their_meta, {"annotations"}))},
      {"resources", Json::array()},
      {"conditions",
       types}}.dump();
  return node;
}

/// What the two have in common: everything but the records and the times, which upstream's
/// providers set themselves.
Json comparable(const Json& node) {
  Json annotations = json::object(node, {"metadata", "annotations"});
  for (const char* record : {kTheirMeta, kTheirStatus, kOurs}) annotations.erase(record);
  Json conditions = Json::object();
  for (const Json& entry : json::array(node, {"status", "conditions"})) {
    conditions[json::str(entry, "type")] = json::str(entry, "status");
  }
  return {{"labels", json::object(node, {"metadata", "labels"})},
          {"annotations", annotations},
          {"conditions", conditions},
          {"addresses", json::array(node, {"status", "addresses"})},
          {"taints", json::array(node, {"spec", "taints"})}};
}

/// The provider's node of a vector. Go does not tell an empty map from none.
Json providedOf(const Json& vector) {
  Json provided = vector["provider"];
  for (const char* map : {"labels", "annotations"}) {
    if (!provided["metadata"].contains(map)) provided["metadata"][map] = Json::object();
  }
  return provided;
}

std::optional<Json> patchOf(const Json& vector) {
  const Json server = withOurRecord(vector["server"]);
  const Json provided = providedOf(vector);
  const Json& conditions = json::array(provided, {"status", "conditions"});
  std::string beat = "2024-01-01T00:01:00Z";
  bool heartbeat = false;
  for (const Json& entry : conditions) {
    beat = json::str(entry, "lastHeartbeatTime");
    const Json* present = json::findBy(json::array(server, {"status", "conditions"}), "type",
                                       json::str(entry, "type"));
    heartbeat = heartbeat || (present && json::str(*present, "lastHeartbeatTime") != beat);
  }
  return nodePatch(server, provided, conditions, beat, heartbeat);
}

Json resultOf(const Json& vector) {
  Json node = withOurRecord(vector["server"]);
  const auto patch = patchOf(vector);
  if (patch && !json::applyStrategicMerge(node, *patch)) ADD_FAILURE() << "no patch: " << *patch;
  return node;
}

/// The recorded result, or with the defect taken out what it should have been.
Json rightResult(const Json& vector) {
  const std::string name = vector["name"];
  Json right = vector["result"];
  if (name == "BUG_drop_all_own_labels_wipes_foreign_labels") {
    right["metadata"]["labels"] = {{"ext", "1"}};
  } else if (name == "BUG_drop_all_own_conditions_wipes_foreign_conditions") {
    right["status"]["conditions"] = {{{"type", "C"}, {"status", "True"}}};
  } else if (name.starts_with("BUG_")) {
    right["status"]["addresses"] = vector["provider"]["status"]["addresses"];
  }
  return right;
}

std::vector<Json> vectors() {
  std::ifstream file(std::string(VKB_SOURCE_DIR) +
                     "/tests/node/testdata/node_threeway_patch.jsonl");
  std::vector<Json> all;
  for (std::string line; std::getline(file, line);) all.push_back(Json::parse(line));
  return all;
}

TEST(NodeThreeWay, TheNodeEndsAsWithUpstreamButForItsDefects) {
  std::size_t put_right = 0;
  for (const Json& vector : vectors()) {
    SCOPED_TRACE(vector["name"].get<std::string>());
    const Json now = comparable(resultOf(vector));
    EXPECT_EQ(now, comparable(rightResult(vector)));
    const auto defect = kPutRight.find(vector["name"]);
    if (defect == kPutRight.end()) continue;
    ++put_right;
    EXPECT_NE(now, comparable(vector["result"])) << "no longer a defect: " << defect->second;
  }
  EXPECT_EQ(vectors().size(), 14u);
  EXPECT_EQ(put_right, kPutRight.size());
}

TEST(NodeThreeWay, NothingIsSentWhereUpstreamSendsNothing) {
  for (const Json& vector : vectors()) {
    if (vector["name"] != "noop_same_heartbeat") continue;
    // The times of what a vector's server holds are the provider's: all is as wanted.
    const auto patch = patchOf(vector);
    EXPECT_FALSE(patch) << *patch;
  }
}

TEST(NodeThreeWay, NoWholeMapOrListIsEverNull) {
  for (const Json& vector : vectors()) {
    const auto patch = patchOf(vector);
    if (!patch) continue;
    for (const char* part : {"metadata", "status"}) {
      for (const auto& [key, value] : json::object(*patch, {part}).items()) {
        EXPECT_FALSE(value.is_null()) << vector["name"] << " " << key;
      }
    }
  }
}

TEST(NodeThreeWay, WhatWasAppliedOnceIsNotSentAgain) {
  for (const Json& vector : vectors()) {
    const Json provided = providedOf(vector);
    EXPECT_FALSE(nodePatch(resultOf(vector), provided,
                           json::array(provided, {"status", "conditions"}), "later", false))
        << vector["name"];
  }
}

}  // namespace
}  // namespace vkb::node
