// Replays requests that were made to real API servers and compares codes, reasons, causes and watch
// lines: what the fake cluster says is what a real server said.

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "json/json.h"
#include "support/api_errors.h"
#include "support/fake_cluster.h"

namespace vkb::test {
namespace {

struct Target {
  std::string group, version, plural, ns, name, subresource, query;
  bool namespaced = false;
  kube::Resource resource() const { return {group, version, plural, namespaced}; }
  std::string parameter(const std::string& key) const {
    const auto at = query.find(key + "=");
    if (at == std::string::npos) return "";
    const auto start = at + key.size() + 1;
    std::string value = query.substr(start, query.find('&', start) - start);
    for (std::size_t p; (p = value.find("%3D")) != std::string::npos;) value.replace(p, 3, "=");
    return value;
  }
};

Target parsePath(const std::string& path) {
  Target out;
  const auto mark = path.find('?');
  if (mark != std::string::npos) out.query = path.substr(mark + 1);
  std::vector<std::string> parts;
  std::stringstream text(path.substr(1, mark == std::string::npos ? mark : mark - 1));
  for (std::string part; std::getline(text, part, '/');) parts.push_back(part);
  std::size_t i = 0;
  if (parts.at(i++) == "apis") out.group = parts.at(i++);
  out.version = parts.at(i++);
  if (parts.at(i) == "namespaces" && parts.size() > i + 2) {
    out.namespaced = true;
    out.ns = parts.at(i + 1);
    i += 2;
  }
  out.plural = parts.at(i++);
  if (i < parts.size()) out.name = parts.at(i++);
  if (i < parts.size()) out.subresource = parts.at(i++);
  return out;
}

struct Line {
  std::string type;
  Json object;
};

class Collector final : public kube::WatchHandler {
 public:
  void onEvent(json::RawEvent event) override {
    if (event.type != "BOOKMARK") lines.push_back({event.type, event.object->parse()});
  }
  void onClosed(Status) override {}
  std::vector<Line> lines;
};

class RecordedTraffic : public ::testing::TestWithParam<const char*> {
 protected:
  RecordedTraffic() {
    std::ifstream file(std::string(VKB_SOURCE_DIR "/tests/support/testdata/") + GetParam() +
                       ".json");
    recording_ = Json::parse(file);
    cluster_.addNamespace("t1");
  }

  // Recorded UIDs and resourceVersions -> those of this run.
  Json translate(const Json& value) const {
    if (value.is_string()) {
      const auto it = known_.find(value.get<std::string>());
      return it == known_.end() ? value : Json(it->second);
    }
    Json out = value;
    if (out.is_structured())
      for (Json& child : out) child = translate(child);
    return out;
  }

  void learn(const Json& recorded, const Json& ours) {
    for (const char* key : {"uid", "resourceVersion"}) {
      const std::string theirs = json::str(recorded, {"metadata", key});
      const std::string mine = json::str(ours, {"metadata", key});
      if (!theirs.empty() && !mine.empty()) known_.emplace(theirs, mine);
    }
  }

  Result<Json> send(const Json& request) {
    const Target t = parsePath(request["path"]);
    const std::string method = request["method"];
    const Json body = translate(request.value("body", Json()));
    if (method == "POST") {
      return json::parsed(client_->create(t.resource(), t.ns, body, t.name, t.subresource));
    }
    if (method == "PUT") {
      return json::parsed(client_->update(t.resource(), t.ns, t.name, body));
    }
    if (method == "PATCH") {
      const bool merge = request["contentType"] == "application/merge-patch+json";
      return json::parsed(client_->patch(
          t.resource(), t.ns, t.name,
          merge ? kube::PatchType::kMerge : kube::PatchType::kStrategicMerge, body, t.subresource));
    }
    if (method == "DELETE") return remove(t, body);
    if (t.name.empty()) {
      const auto list =
          client_->list(t.resource(), {.ns = t.ns, .label_selector = t.parameter("labelSelector")});
      if (!list) return failure(list.error());
      return Json{{"metadata", {{"resourceVersion", list->resource_version}}}};
    }
    const auto got = client_->get(t.resource(), t.ns, t.name);
    if (!got) return failure(got.error());
    if (!*got) return failure(notFound(t.resource(), t.name));
    return **got;
  }

  Result<Json> remove(const Target& t, const Json& body) {
    kube::DeleteOptions options;
    options.grace_period_seconds = json::integer(body, {"gracePeriodSeconds"});
    options.uid = json::str(body, {"preconditions", "uid"});
    if (const std::string grace = t.parameter("gracePeriodSeconds"); !grace.empty())
      options.grace_period_seconds = std::stoi(grace);
    const auto done = client_->remove(t.resource(), t.ns, t.name, options);
    if (!done) return failure(done.error());
    const VersionPtr left = cluster_.find(t.resource(), t.ns, t.name);
    return left ? left->json() : Json::object();
  }

  void check(const Json& step, const Result<Json>& ours) {
    const Json& response = step["response"];
    const int code = response["code"];
    if (code < 400) {
      ASSERT_TRUE(ours) << ours.error().message;
      learn(response, *ours);
      if (step["request"]["method"] == "DELETE") return;
      for (const char* key : {"labels", "annotations"}) {
        const Json& recorded = json::object(response, {"metadata", key});
        EXPECT_EQ(json::object(*ours, {"metadata", key}), recorded) << key;
      }
      for (const char* part : {"status", "spec"})
        for (const auto& [key, value] : json::object(response, {part}).items())
          EXPECT_EQ(json::at(*ours, {part, key}), value) << part << "." << key;
      return;
    }
    ASSERT_FALSE(ours);
    EXPECT_EQ(ours.error().code, code);
    EXPECT_EQ(ours.error().reason, json::str(response, "reason"));
    std::set<std::string> fields, recorded;
    for (const StatusCause& cause : ours.error().causes) fields.insert(cause.field);
    for (const Json& field : json::array(response, {"causes"})) recorded.insert(field);
    EXPECT_EQ(fields, recorded) << ours.error().message;
  }

  void checkLines(const Json& recorded, const std::vector<Line>& ours) {
    ASSERT_EQ(ours.size(), recorded.size());
    for (std::size_t i = 0; i < ours.size(); ++i) {
      SCOPED_TRACE("watch line " + std::to_string(i));
      EXPECT_EQ(ours[i].type, json::str(recorded[i], "type"));
      EXPECT_EQ(json::str(ours[i].object, {"metadata", "name"}), json::str(recorded[i], "name"));
      EXPECT_EQ(json::integer(ours[i].object, {"metadata", "deletionGracePeriodSeconds"}),
                json::integer(recorded[i], {"deletionGracePeriodSeconds"}));
      EXPECT_EQ(json::object(ours[i].object, {"metadata", "labels"}),
                json::object(recorded[i], {"labels"}));
      EXPECT_EQ(json::str(ours[i].object, {"status", "phase"}), json::str(recorded[i], "phase"));
      if (i == 0) continue;
      // Versions rise; a line never repeats the one before it.
      EXPECT_GT(std::stoi(json::str(ours[i].object, {"metadata", "resourceVersion"})),
                std::stoi(json::str(ours[i - 1].object, {"metadata", "resourceVersion"})));
    }
  }

  FakeRuntime rt_;
  FakeCluster cluster_{rt_, {.taint_new_nodes = true}};
  std::unique_ptr<kube::Client> client_ = cluster_.client("test");
  Json recording_;
  std::map<std::string, std::string> known_;
};

TEST_P(RecordedTraffic, IsAnsweredAsTheRealServerDid) {
  Collector lines;
  std::unique_ptr<kube::WatchHandle> watch;
  Json recorded_lines;
  for (const Json& step : recording_["steps"]) {
    SCOPED_TRACE(step.dump().substr(0, 300));
    if (step.contains("watch")) {
      const Target t = parsePath(step["watch"]);
      watch = client_->watch(t.resource(),
                             {.ns = t.ns,
                              .label_selector = t.parameter("labelSelector"),
                              .field_selector = t.parameter("fieldSelector"),
                              .resource_version = std::to_string(cluster_.resourceVersion())},
                             lines);
      recorded_lines = step["lines"];
      continue;
    }
    check(step, send(step["request"]));
    rt_.settle();
  }
  if (watch) checkLines(recorded_lines, lines.lines);
}

INSTANTIATE_TEST_SUITE_P(Servers, RecordedTraffic,
                         ::testing::Values("pod-life-1.20", "pod-life-1.36",
                                           "label-edit-watch-1.20", "label-edit-watch-1.36",
                                           "conflict-bodies-1.20", "conflict-bodies-1.36",
                                           "status-refused-1.36", "node-lease-1.20",
                                           "node-lease-1.36"),
                         [](const auto& test) {
                           std::string name = test.param;
                           for (char& c : name)
                             if (c == '-' || c == '.') c = '_';
                           return name;
                         });

}  // namespace
}  // namespace vkb::test
