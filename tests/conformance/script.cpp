#include "script.h"

#include <nlohmann/json.hpp>

#include "json/json.h"
#include "kube/features.h"
#include "transcript.h"

namespace vkb::test {
namespace {

using namespace std::chrono_literals;
using kube::kLeases;
using kube::kNamespaces;
using kube::kPods;
using kube::PatchType;

constexpr kube::Resource kConfigMaps{"", "v1", "configmaps", true};
constexpr const char* kNoUid = "00000000-0000-0000-0000-000000000000";

/// A pod that no scheduler and no kubelet touches.
Json podOf(const std::string& name, const Json& labels = Json::object(),
           const std::string& node = "") {
  Json pod{{"apiVersion", "v1"},
           {"kind", "Pod"},
           {"metadata", {{"name", name}, {"labels", labels}}},
           {"spec",
            {{"schedulerName", "nobody"},
             {"automountServiceAccountToken", false},
             {"containers", {{{"name", "c"}, {"image", "example/app:1"}}}}}}};
  if (!node.empty()) pod["spec"]["nodeName"] = node;
  return pod;
}

std::string uidOf(const Json& object) { return json::str(object, {"metadata", "uid"}); }
std::string versionOf(const Json& object) {
  return json::str(object, {"metadata", "resourceVersion"});
}

class Script {
 public:
  explicit Script(Subject& subject)
      : subject_(subject), client_(subject.client()), ns_(subject.newNamespace("conformance")) {}

  std::string run() {
    creates();
    refusedCreates();
    lists();
    patches();
    statuses();
    updates();
    deletes();
    finalizers();
    evictions();
    watchesWithSelector();
    watchFromNowhere();
    leases();
    terminatingNamespace();
    paths();
    return out_.text();
  }

 private:
  Json make(const Json& pod) {
    const auto made = json::parsed(client_.create(kPods, ns_, pod));
    out_.say("create " + json::str(pod, {"metadata", "name"}), made);
    return made.value_or(Json::object());
  }
  Result<std::optional<Json>> read(const std::string& name) {
    return client_.get(kPods, ns_, name);
  }
  Result<Json> merge(const std::string& name, const Json& patch, const std::string& sub = "") {
    return json::parsed(client_.patch(kPods, ns_, name, PatchType::kMerge, patch, sub));
  }
  Result<Json> strategic(const std::string& name, const Json& patch, const std::string& sub = "") {
    return json::parsed(client_.patch(kPods, ns_, name, PatchType::kStrategicMerge, patch, sub));
  }
  Result<void> remove(const std::string& name, kube::DeleteOptions options = {}) {
    return client_.remove(kPods, ns_, name, options);
  }

  void creates() {
    out_.section("create and get");
    const Json made = make(podOf("a", {{"app", "x"}}));
    out_.say("has uid and version", !uidOf(made).empty() && !versionOf(made).empty());
    out_.say("get", read("a"));
    out_.say("get of nothing", read("nosuch"));
    out_.say("the same name again", client_.create(kPods, ns_, podOf("a")));
    Json generated = podOf("a");
    generated["metadata"].erase("name");
    generated["metadata"]["generateName"] = "gen-";
    const auto first = json::parsed(client_.create(kPods, ns_, generated));
    out_.say("generateName", first);
    const auto second = json::parsed(client_.create(kPods, ns_, generated));
    out_.say("another name each time", first && second &&
                                           json::str(*first, {"metadata", "name"}) !=
                                               json::str(*second, {"metadata", "name"}));
    for (const auto& pod : {first, second}) {
      if (pod) (void)remove(json::str(*pod, {"metadata", "name"}), {.grace_period_seconds = 0});
    }
  }

  void refusedCreates() {
    out_.section("refused creates");
    Json bad = podOf("bad");
    bad["spec"]["containers"] = Json::array();
    out_.say("no containers", client_.create(kPods, ns_, bad));
    out_.say("name in capitals", client_.create(kPods, ns_, podOf("BAD")));
    bad = podOf("bad");
    bad["metadata"].erase("name");
    out_.say("no name", client_.create(kPods, ns_, bad));
    bad = podOf("bad");
    bad["metadata"]["namespace"] = "another";
    out_.say("another namespace in the body", client_.create(kPods, ns_, bad));
    bad = podOf("bad");
    bad["kind"] = "Node";
    out_.say("another kind in the body", client_.create(kPods, ns_, bad));
    out_.say("missing namespace", client_.create(kPods, "nosuch", podOf("bad")));
  }

  void lists() {
    out_.section("lists");
    for (const char* name : {"l1", "l2", "l3", "l4", "l5"}) {
      (void)client_.create(kPods, ns_, podOf(name, {{"set", "list"}, {"n", name}}));
    }
    const auto list = [&](const std::string& what, kube::ListOptions options) {
      options.ns = ns_;
      auto page = client_.list(kPods, options);
      out_.say(what, page);
      return page;
    };
    list("by label", {.label_selector = "set=list,n in (l2,l3)"});
    list("by missing label", {.label_selector = "set,!n"});
    list("by name", {.field_selector = "metadata.name=l4"});
    list("by node", {.label_selector = "set=list", .field_selector = "spec.nodeName=nosuch"});
    kube::ListOptions options{.label_selector = "set=list", .limit = 2};
    auto page = list("page 1", options);
    const std::string version = page ? page->resource_version : "";
    (void)client_.create(kPods, ns_, podOf("l0", {{"set", "list"}}));
    for (int i = 2; page && !page->continue_token.empty(); ++i) {
      options.continue_token = page->continue_token;
      page = list("page " + std::to_string(i) + ", without what came meanwhile", options);
      out_.say("of the same version", page && page->resource_version == version);
    }
    list("field that is not supported", {.field_selector = "spec.nosuch=x"});
    list("label selector that is none", {.label_selector = "a b"});
    list("continue token that is none", {.limit = 2, .continue_token = "nosuch"});
  }

  void patches() {
    out_.section("patches");
    const Json pod = make(podOf("p", {{"keep", "1"}, {"drop", "1"}}));
    out_.say("merge", merge("p", {{"metadata", {{"labels", {{"drop", nullptr}, {"new", "1"}}}}}}));
    out_.say("strategic merge, containers by name",
             strategic(
                 "p", {{"spec", {{"containers", {{{"name", "c"}, {"image", "example/app:2"}}}}}}}));
    out_.say("nothing changes", merge("p", {{"metadata", {{"labels", {{"new", "1"}}}}}}));
    out_.say("a field that may not change", merge("p", {{"spec", {{"nodeName", "other"}}}}));
    out_.say("its uid", merge("p", {{"metadata", {{"uid", uidOf(pod)}}}}));
    out_.say("another uid", merge("p", {{"metadata", {{"uid", kNoUid}}}}));
    out_.say("an old version",
             merge("p", {{"metadata",
                          {{"resourceVersion", versionOf(pod)}, {"labels", {{"z", "1"}}}}}}));
    out_.say("of nothing", merge("nosuch", Json::object()));
    out_.say("its status, past the subresource", merge("p", {{"status", {{"phase", "Failed"}}}}));
  }

  void statuses() {
    out_.section("status subresource");
    make(podOf("s", {{"l", "1"}}, "nosuch-node"));
    const auto condition = [](const char* type, const char* value) {
      return Json{{"type", type}, {"status", value}};
    };
    out_.say(
        "phase and a condition",
        strategic("s",
                  {{"status", {{"phase", "Running"}, {"conditions", {condition("A", "True")}}}}},
                  "status"));
    out_.say("conditions merge by type",
             strategic("s", {{"status", {{"conditions", {condition("B", "False")}}}}}, "status"));
    out_.say("one goes by $patch",
             strategic("s", {{"status", {{"conditions", {{{"type", "A"}, {"$patch", "delete"}}}}}}},
                       "status"));
    out_.say("annotations go along, the spec does not",
             strategic("s",
                       {{"metadata", {{"annotations", {{"x", "y"}}}}},
                        {"spec", {{"activeDeadlineSeconds", 7}}},
                        {"status", {{"message", "m"}}}},
                       "status"));
    out_.say("another uid", strategic("s", {{"metadata", {{"uid", kNoUid}}}}, "status"));
    out_.say("of nothing", strategic("nosuch", {{"status", {{"phase", "Running"}}}}, "status"));
  }

  void updates() {
    out_.section("updates");
    const auto made = json::parsed(
        client_.create(kConfigMaps, ns_, {{"metadata", {{"name", "u"}}}, {"data", {{"k", "1"}}}}));
    out_.say("create", made);
    if (!made) return;
    Json next = *made;
    next["data"]["k"] = "2";
    const auto updated = json::parsed(client_.update(kConfigMaps, ns_, "u", next));
    out_.say("update", updated);
    out_.say("its version went on", updated && versionOf(*updated) != versionOf(*made));
    next["data"]["k"] = "3";
    out_.say("update of an old version", client_.update(kConfigMaps, ns_, "u", next));
    next["metadata"].erase("resourceVersion");
    out_.say("update without a version", client_.update(kConfigMaps, ns_, "u", next));
    next["metadata"]["uid"] = kNoUid;
    out_.say("update under another uid", client_.update(kConfigMaps, ns_, "u", next));
    next["metadata"]["uid"] = uidOf(*made);
    next["metadata"]["name"] = "v";
    out_.say("update under another name", client_.update(kConfigMaps, ns_, "u", next));
  }

  void deletes() {
    out_.section("deletes");
    make(podOf("free"));
    out_.say("of a pod without a node", remove("free"));
    out_.say("is gone", read("free"));
    const Json bound = make(podOf("bound", Json::object(), "nosuch-node"));
    out_.say("under another uid", remove("bound", {.uid = kNoUid}));
    out_.say("under its uid", remove("bound", {.uid = uidOf(bound)}));
    out_.say("waits for its node", read("bound"));
    out_.say("again", remove("bound"));
    out_.say("no sooner", read("bound"));
    out_.say("with less grace", remove("bound", {.grace_period_seconds = 5}));
    out_.say("sooner", read("bound"));
    out_.say("with more grace", remove("bound", {.grace_period_seconds = 60}));
    out_.say("not later", read("bound"));
    out_.say("at once", remove("bound", {.grace_period_seconds = 0, .uid = uidOf(bound)}));
    out_.say("is gone", read("bound"));
    out_.say("of nothing", remove("bound"));
  }

  void finalizers() {
    out_.section("finalizers");
    Json held = podOf("held");
    held["metadata"]["finalizers"] = {"example.com/hold"};
    make(held);
    out_.say("delete", remove("held", {.grace_period_seconds = 0}));
    out_.say("is held", read("held"));
    out_.say(
        "a new one",
        merge("held", {{"metadata", {{"finalizers", {"example.com/hold", "example.com/more"}}}}}));
    out_.say("let go", merge("held", {{"metadata", {{"finalizers", nullptr}}}}));
    out_.say("is gone", read("held"));
  }

  void evictions() {
    out_.section("evictions");
    const auto features = kube::readServerFeatures(client_);
    out_.say("features", features.has_value());
    if (!features) return;
    const Json pod = make(podOf("e", Json::object(), "nosuch-node"));
    // Under another uid: 1.20 tries that over and over, 409 or 504 in the end, whichever is first.
    out_.say("evict", kube::evict(client_, *features, ns_, "e", uidOf(pod), 20));
    out_.say("ends", read("e"));
    out_.say("again", kube::evict(client_, *features, ns_, "e", uidOf(pod)));
    out_.say("of nothing",
             client_.create(kPods, ns_, kube::evictionOf(*features, ns_, "nosuch", ""), "nosuch",
                            "eviction"));
  }

  void watchesWithSelector() {
    out_.section("watch with a selector");
    const auto before = client_.list(kPods, {.ns = ns_, .limit = 1});
    if (!before) return out_.say("list", before);
    WatchLog log;
    const auto watch = client_.watch(kPods,
                                     {.ns = ns_,
                                      .label_selector = "w=1",
                                      .resource_version = before->resource_version,
                                      .timeout = 4s},
                                     log);
    (void)client_.create(kPods, ns_, podOf("w", {{"w", "1"}}));
    (void)client_.create(kPods, ns_, podOf("unseen"));
    (void)merge("w", {{"metadata", {{"labels", {{"x", "1"}}}}}});
    (void)merge("w", {{"metadata", {{"labels", {{"w", nullptr}}}}}});
    (void)merge("w", {{"metadata", {{"labels", {{"y", "1"}}}}}});
    (void)merge("w", {{"metadata", {{"labels", {{"w", "1"}}}}}});
    (void)remove("w", {.grace_period_seconds = 0});
    const bool all =
        subject_.waitUntil(log, [](const auto& events) { return count(events, "DELETED") == 2; });
    out_.say("all came", all);
    subject_.pass(5s);
    subject_.settle();
    const auto end = log.waitForEnd();
    out_.say("lines", log.events());
    out_.say("ends", end ? Transcript::show(*end) : "not");
    out_.say("versions rise", rising(log.events()));
  }

  void watchFromNowhere() {
    out_.section("watch without a version");
    WatchLog now;
    const auto present =
        client_.watch(kPods, {.ns = ns_, .label_selector = "n in (l1,l2)", .timeout = 60s}, now);
    subject_.waitUntil(now, [](const auto& events) { return events.size() >= 2; });
    auto events = now.events();
    std::sort(events.begin(), events.end(), [](const auto& a, const auto& b) {
      return a.object->name < b.object->name;  // servers send it in no order
    });
    out_.say("what is there comes first", events);
  }

  void leases() {
    out_.section("leases");
    Json lease{{"metadata", {{"name", "lease"}}},
               {"spec", {{"holderIdentity", "me"}, {"renewTime", "2026-01-01T00:00:00.000000Z"}}}};
    const auto made = json::parsed(client_.create(kLeases, ns_, lease));
    out_.say("create", made);
    lease["metadata"]["name"] = "coarse";
    lease["spec"]["renewTime"] = "2026-01-01T00:00:00Z";
    out_.say("a time without its fraction", client_.create(kLeases, ns_, lease));
    if (!made) return;
    Json next = *made;
    next["spec"]["holderIdentity"] = "you";
    out_.say("update", client_.update(kLeases, ns_, "lease", next));
    out_.say("update of an old version", client_.update(kLeases, ns_, "lease", next));
    next["metadata"].erase("resourceVersion");
    out_.say("update without a version", client_.update(kLeases, ns_, "lease", next));
  }

  void terminatingNamespace() {
    out_.section("a namespace that ends");
    const std::string ns = subject_.newNamespace("ending");
    Json held = podOf("held");
    held["metadata"]["finalizers"] = {"example.com/hold"};
    out_.say("a pod that holds it", client_.create(kPods, ns, held));
    const auto space = client_.get(kNamespaces, "", ns);
    if (!space || !*space) return;
    WatchLog log;
    const auto watch = client_.watch(kNamespaces,
                                     {.field_selector = "metadata.name=" + ns,
                                      .resource_version = versionOf(**space),
                                      .timeout = 60s},
                                     log);
    out_.say("delete", client_.remove(kNamespaces, "", ns, {}));
    const auto phase = client_.get(kNamespaces, "", ns);
    out_.say("phase", phase && *phase ? json::str(**phase, {"status", "phase"}) : "none");
    out_.say("a new pod", client_.create(kPods, ns, podOf("late")));
    out_.say("let go", client_
                           .patch(kPods, ns, "held", PatchType::kMerge,
                                  {{"metadata", {{"finalizers", nullptr}}}})
                           .has_value());
    const bool gone =
        subject_.waitUntil(log, [](const auto& events) { return count(events, "DELETED") == 1; });
    out_.say("is gone", gone);
  }

  void paths() {
    out_.section("paths");
    for (const char* path : {"/readyz", "/healthz"}) {
      const auto text = client_.getRaw(path);
      out_.say(path, text ? *text : Transcript::show(text.error()));
    }
    const auto version = kube::readServerVersion(client_);
    out_.say("/version", version && !version->git_version.empty());
    const auto missing = client_.getRaw("/nosuch");
    out_.say("a path that is missing", missing ? "there" : std::to_string(missing.error().code));
  }

  static std::size_t count(const std::vector<json::RawEvent>& events, const std::string& type) {
    return static_cast<std::size_t>(std::count_if(
        events.begin(), events.end(), [&](const auto& event) { return event.type == type; }));
  }
  static bool rising(const std::vector<json::RawEvent>& events) {
    return std::is_sorted(events.begin(), events.end(), [](const auto& a, const auto& b) {
      return std::stoull(a.object->resource_version) < std::stoull(b.object->resource_version);
    });
  }

  Subject& subject_;
  kube::Client& client_;
  const std::string ns_;
  Transcript out_;
};

}  // namespace

std::string runScript(Subject& subject) { return Script(subject).run(); }

}  // namespace vkb::test
