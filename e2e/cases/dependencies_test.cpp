// What pods refer to: ConfigMaps, Secrets and tokens follow them into the target, stay in step with
// home, and go with them.

#include <nlohmann/json.hpp>
#include <tuple>

#include "json/json.h"
#include "support/names.h"
#include "support/world.h"

namespace vkb::e2e {
namespace {

/// A kubelet refreshes the volumes of running pods about once a minute.
constexpr seconds kRefresh{200};
constexpr const char* kReadyFile = "/tmp/ready";

Json makeObject(const char* kind, const std::string& ns, const std::string& name,
                const Json& data) {
  const bool secret = std::string_view(kind) == "Secret";
  return {{"apiVersion", "v1"},
          {"kind", kind},
          {"metadata", {{"name", name}, {"namespace", ns}}},
          {secret ? "stringData" : "data", data}};
}

/// Becomes Ready once `condition`, a shell test, holds in its container.
Shape readyOnce(const std::string& condition) {
  return {.script = "trap 'exit 0' TERM; until " + condition +
                    "; do sleep 1 & wait $!; done; touch " + kReadyFile + "; sleep 100000 & wait",
          .ready_file = kReadyFile};
}

class Dependencies : public WorldTest {
 protected:
  static void SetUpTestSuite() { openWorld({.name = "deps"}); }

  static testing::AssertionResult waitGoneInTarget(const std::string& resource,
                                                   const std::string& ns, const std::string& name) {
    return waitGone(world().target, resource, ns, name);
  }
};

TEST_F(Dependencies, ConfigMapAndSecretInVolumeEnvAndEnvFromAndTheirUpdates) {
  World& w = world();
  const std::string ns = w.newNamespace("refs");
  w.home.create(makeObject("ConfigMap", ns, "settings", {{"key", "one"}}));
  w.home.create(makeObject("Secret", ns, "password", {{"key", "hush"}}));
  const std::string in_env = "[ \"$MAP/$SECRET/$M_key/$S_key/$NOT_THERE\" = one/hush/one/hush/ ]";
  const auto holds = [](const std::string& map, const std::string& secret) {
    return "[ \"$(cat /map/key)/$(cat /secret/key)/$(cat /both/m)/$(cat /both/s)\" = " + map + "/" +
           secret + "/" + map + "/" + secret + " ]";
  };
  // One says that it saw the first state, the other that it saw the second after the first.
  Json pod = makePod(
      ns, "reader", w.node,
      readyOnce("{ [ -f /tmp/first ] || { " + in_env + " && " + holds("one", "hush") +
                " && touch /tmp/first; }; [ -f /tmp/first ] && " + holds("two", "hush2") + "; }"));
  Json first = makePod(ns, "first", w.node, readyOnce(in_env + " && " + holds("one", "hush")));
  for (Json* each : {&pod, &first}) {
    Json& spec = (*each)["spec"];
    spec["volumes"] = R"([
      {"name": "map", "configMap": {"name": "settings"}},
      {"name": "secret", "secret": {"secretName": "password"}},
      {"name": "both", "projected": {"sources": [
        {"configMap": {"name": "settings", "items": [{"key": "key", "path": "m"}]}},
        {"secret": {"name": "password", "items": [{"key": "key", "path": "s"}]}},
        {"configMap": {"name": "not-there", "optional": true}}]}},
      {"name": "none", "secret": {"secretName": "not-there", "optional": true}}])"_json;
    spec["containers"][0]["volumeMounts"] = R"([{"name": "map", "mountPath": "/map"},
      {"name": "secret", "mountPath": "/secret"}, {"name": "both", "mountPath": "/both"},
      {"name": "none", "mountPath": "/none"}])"_json;
    spec["containers"][0]["env"] = R"([
      {"name": "MAP", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "key"}}},
      {"name": "SECRET", "valueFrom": {"secretKeyRef": {"name": "password", "key": "key"}}},
      {"name": "NOT_THERE", "valueFrom": {"configMapKeyRef": {"name": "not-there", "key": "key",
        "optional": true}}}])"_json;
    spec["containers"][0]["envFrom"] = R"([{"prefix": "M_", "configMapRef": {"name": "settings"}},
      {"prefix": "S_", "secretRef": {"name": "password"}}])"_json;
  }
  w.home.create(pod);
  w.home.create(first);
  ASSERT_TRUE(w.waitReady(ns, "first"));
  EXPECT_EQ(label(w.target.get("secrets", ns, "password"), kHomeClusterLabel), w.home_id);
  EXPECT_FALSE(w.target.find("configmaps", ns, "not-there"));

  w.home.must({"patch", "configmap/settings", "--namespace", ns, "--type=merge", "-p",
               R"({"data": {"key": "two"}})"});
  w.home.must({"patch", "secret/password", "--namespace", ns, "--type=merge", "-p",
               R"({"stringData": {"key": "hush2"}})"});
  for (const auto& [resource, name, value] :
       {std::tuple{"configmaps", "settings", "two"}, {"secrets", "password", "aHVzaDI="}}) {
    EXPECT_TRUE(waitForOne(w.target, resource, ns, name, value, [&](const Json& copy) {
      return json::str(copy, {"data", "key"}) == value;
    }));
  }
  // A kubelet looks at a pod that changes at once; else it takes its time.
  w.home.must({"annotate", "pod/reader", "--namespace", ns, "example.com/touched=1"});
  EXPECT_TRUE(waitForOne(w.home, "pods", ns, "reader", "the new values in the running container",
                         isRunningAndReady, nullptr, kRefresh));

  w.home.remove("pods", ns, "first");
  w.home.remove("pods", ns, "reader");
  ASSERT_TRUE(w.waitGoneOrHasten({"pods", ns}));
  EXPECT_TRUE(waitGoneInTarget("configmaps", ns, "settings"));
  EXPECT_TRUE(waitGoneInTarget("secrets", ns, "password"));
}

TEST_F(Dependencies, PullSecretComesWithTheFirstPodAndGoesWithTheLast) {
  World& w = world();
  const std::string ns = w.newNamespace("pull");
  Json secret = makeObject("Secret", ns, "registry",
                           {{".dockerconfigjson", R"({"auths": {"registry.example": {}}})"}});
  secret["type"] = "kubernetes.io/dockerconfigjson";
  w.home.create(secret);
  for (const char* name : {"one", "two"}) {
    Json pod = makePod(ns, name, w.node);
    pod["spec"]["imagePullSecrets"] = R"([{"name": "registry"}])"_json;
    w.home.create(pod);
  }
  ASSERT_TRUE(w.waitReady(ns, 2));
  const Json copy = w.target.get("secrets", ns, "registry");
  EXPECT_EQ(json::str(copy, "type"), "kubernetes.io/dockerconfigjson");
  EXPECT_EQ(json::at(copy, "data"), json::at(w.home.get("secrets", ns, "registry"), "data"));
  w.home.remove("pods", ns, "one");
  ASSERT_TRUE(w.waitGoneOrHasten({"pods", ns, "", "metadata.name=one"}));
  ASSERT_TRUE(waitGone(w.home, "pods", ns, "one"));
  EXPECT_EQ(w.target.uid("secrets", ns, "registry"), uidOf(copy));
  // With a namespace, home's goes before the pod that needs it.
  w.home.remove("namespaces", "", ns);
  ASSERT_TRUE(waitGone(w.home, "secrets", ns, "registry"));
  ASSERT_TRUE(w.waitGoneOrHasten({"pods", ns}));
  EXPECT_TRUE(waitGoneInTarget("secrets", ns, "registry"));
}

TEST_F(Dependencies, APodWaitsForItsConfigMapAndIsNotServedAnotherOfThatName) {
  World& w = world();
  const std::string ns = w.newNamespace("wait");
  const auto settings = [&](const char* value) {
    return makeObject("ConfigMap", ns, "settings", {{"key", value}});
  };
  const auto pod = [&](const char* name, bool optional) {
    Json made =
        makePod(ns, name, w.node,
                readyOnce(optional ? "[ ! -e /map/key ]" : "[ \"$(cat /map/key)\" = ours ]"));
    made["spec"]["volumes"] = R"([{"name": "map", "configMap": {"name": "settings"}}])"_json;
    if (optional) made["spec"]["volumes"][0]["configMap"]["optional"] = true;
    made["spec"]["containers"][0]["volumeMounts"] =
        R"([{"name": "map", "mountPath": "/map"}])"_json;
    return made;
  };
  const Json waits = w.home.create(pod("waits", false));
  ASSERT_TRUE(w.waitEvent(waits, "DependencyMissing"));
  EXPECT_TRUE(w.delegatesOf(uidOf(waits)).empty());
  // Makes the target's namespace; then somebody puts an object of that name there.
  ASSERT_TRUE((w.home.create(makePod(ns, "opener", w.node)), w.waitReady(ns, "opener")));
  w.target.create(settings("theirs"));
  w.home.create(pod("without", true));
  EXPECT_TRUE(w.waitReady(ns, "without"));

  w.home.create(settings("ours"));
  ASSERT_TRUE(w.waitEvent(waits, "DependencyTaken"));
  EXPECT_TRUE(w.delegatesOf(uidOf(waits)).empty());
  EXPECT_EQ(json::str(w.target.get("configmaps", ns, "settings"), {"data", "key"}), "theirs");
  w.target.remove("configmaps", ns, "settings");
  // Who asks anew need not wait for the next attempt.
  w.home.must({"annotate", "pod/waits", "--namespace", ns, "example.com/asked=anew"});
  EXPECT_TRUE(waitForOne(w.home, "pods", ns, "waits", "its own settings, where the name is free",
                         isRunningAndReady, nullptr, seconds(400)));
}

/// Delegates that are home's service accounts at home's API server.
class HomeAccounts : public WorldTest {
 protected:
  static void SetUpTestSuite() {
    openWorld({.name = "accounts", .join_flags = {"--service-accounts=home"}});
  }
};

TEST_F(HomeAccounts, APodInTheTargetListsItsOwnPodAtHomesApi) {
  World& w = world();
  const std::string ns = w.newNamespace("agent");
  w.home.must({"create", "serviceaccount", "agent", "--namespace", ns});
  w.home.must({"create", "role", "agent", "--verb=get,list", "--resource=pods", "--namespace", ns});
  w.home.must({"create", "rolebinding", "agent", "--role=agent",
               "--serviceaccount=" + ns + ":agent", "--namespace", ns});
  Json ca;
  ASSERT_TRUE(waitForOne(
      w.home, "configmaps", ns, "kube-root-ca.crt", "home's CA",
      [](const Json& map) { return map.is_object(); }, &ca));
  // busybox's wget does not verify certificates; the CA is compared instead.
  const std::string script =
      "T=/var/run/secrets/kubernetes.io/serviceaccount; "
      "[ \"$(cat $T/ca.crt)\" = \"$(echo \"$CA\")\" ] && [ \"$(cat $T/namespace)\" = " +
      ns +
      " ] && wget -q -O /tmp/pods --header \"Authorization: Bearer $(cat $T/token)\" "
      "https://$KUBERNETES_SERVICE_HOST:$KUBERNETES_SERVICE_PORT/api/v1/namespaces/" +
      ns + "/pods && grep -q '\"nodeName\": *\"" + w.node + "\"' /tmp/pods";
  Json pod = makePod(ns, "agent", w.node, readyOnce("{ " + script + "; }"));
  pod["spec"]["serviceAccountName"] = "agent";
  pod["spec"]["containers"][0]["env"] =
      Json::array({{{"name", "CA"}, {"value", json::str(ca, {"data", "ca.crt"})}}});
  w.home.create(pod);
  Json running;
  ASSERT_TRUE(w.waitReady(ns, "agent", &running));
  const Json delegate = w.delegateOf(running);
  EXPECT_NE(json::str(delegate, {"spec", "serviceAccountName"}), "agent");
  Objects secrets = w.target.list({"secrets", ns, std::string(kNodeLabel) + "=" + w.node});
  ASSERT_EQ(secrets.size(), 1U);
  EXPECT_EQ(json::str(secrets.begin()->second, "type"), "Opaque");

  w.home.remove("pods", ns, "agent");
  ASSERT_TRUE(w.waitGoneOrHasten({"pods", ns}));
  EXPECT_TRUE(waitFor(w.target, {"secrets", ns, std::string(kNodeLabel) + "=" + w.node},
                      "the token to be gone", [](const Objects& found) { return found.empty(); }));
}

}  // namespace
}  // namespace vkb::e2e
