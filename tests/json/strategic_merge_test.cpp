#include "json/strategic_merge.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace vkb::json {
namespace {

struct Case {
  const char *what, *target, *patch, *result;
};

class StrategicMerge : public testing::TestWithParam<Case> {};

TEST_P(StrategicMerge, DoesWhatTheApiServerDoes) {
  Json target = Json::parse(GetParam().target);
  const auto done = applyStrategicMerge(target, Json::parse(GetParam().patch));
  ASSERT_TRUE(done) << GetParam().what << ": " << done.error().message;
  EXPECT_EQ(target, Json::parse(GetParam().result)) << GetParam().what;
}

INSTANTIATE_TEST_SUITE_P(
    Objects, StrategicMerge,
    testing::Values(
        Case{"objects merge, null deletes, other lists are replaced",
             R"({"metadata":{"labels":{"a":"1","b":"2"}},"spec":{"args":[1,2]}})",
             R"({"metadata":{"labels":{"a":"3","b":null,"c":"4","d":null}},"spec":{"args":[3]}})",
             R"({"metadata":{"labels":{"a":"3","c":"4"}},"spec":{"args":[3]}})"},
        Case{"what is new comes without nulls and directives", R"({})",
             R"({"spec":{"a":null,"b":{"c":null,"d":1},"containers":[{"name":"x","e":null},
                {"$patch":"delete","name":"y"}],"$retainKeys":["a"]}})",
             R"({"spec":{"b":{"d":1},"containers":[{"name":"x"}]}})"},
        Case{"$patch replace in an object", R"({"spec":{"a":1,"b":2}})",
             R"({"spec":{"$patch":"replace","c":3}})", R"({"spec":{"c":3}})"},
        Case{"$patch delete of an object", R"({"spec":{"a":{"b":1},"c":2}})",
             R"({"spec":{"a":{"$patch":"delete"}}})", R"({"spec":{"c":2}})"},
        Case{"$patch merge says nothing new", R"({"spec":{"a":1}})",
             R"({"spec":{"$patch":"merge","b":2}})", R"({"spec":{"a":1,"b":2}})"},
        Case{"$retainKeys keeps one source of a volume",
             R"({"spec":{"volumes":[{"name":"v","emptyDir":{}}]}})",
             R"({"spec":{"volumes":[{"$retainKeys":["name","hostPath"],"name":"v",
                "hostPath":{"path":"/x"}}]}})",
             R"({"spec":{"volumes":[{"name":"v","hostPath":{"path":"/x"}}]}})"},
        Case{"a set of plain values grows and shrinks", R"({"metadata":{"finalizers":["a","b"]}})",
             R"({"metadata":{"finalizers":["b","c"],"$deleteFromPrimitiveList/finalizers":["a"]}})",
             R"({"metadata":{"finalizers":["b","c"]}})"},
        Case{"a wrong type is replaced", R"({"spec":{"containers":{"no":"list"}}})",
             R"({"spec":{"containers":[{"name":"a"}]}})",
             R"({"spec":{"containers":[{"name":"a"}]}})"}));

INSTANTIATE_TEST_SUITE_P(
    Pods, StrategicMerge,
    testing::Values(
        Case{"containers and their lists merge by their keys",
             R"({"spec":{"containers":[{"name":"a","image":"i:1","env":[{"name":"X","value":"1"}],
                "ports":[{"containerPort":80,"name":"web"}],"volumeMounts":[{"mountPath":"/d",
                "name":"v"}]},{"name":"b","image":"j"}]}})",
             R"({"spec":{"containers":[{"name":"a","image":"i:2","env":[{"name":"X","value":"2"}],
                "ports":[{"containerPort":80,"name":"http"}],"volumeMounts":[{"mountPath":"/d",
                "readOnly":true}]}]}})",
             R"({"spec":{"containers":[{"name":"a","image":"i:2","env":[{"name":"X","value":"2"}],
                "ports":[{"containerPort":80,"name":"http"}],"volumeMounts":[{"mountPath":"/d",
                "name":"v","readOnly":true}]},{"name":"b","image":"j"}]}})"},
        Case{"a new element goes before the others", R"({"spec":{"containers":[{"name":"a"}]}})",
             R"({"spec":{"containers":[{"name":"b"}]}})",
             R"({"spec":{"containers":[{"name":"b"},{"name":"a"}]}})"},
        Case{"$setElementOrder is honoured",
             R"({"spec":{"containers":[{"name":"a"},{"name":"s"}]}})",
             R"({"spec":{"$setElementOrder/containers":[{"name":"a"},{"name":"b"}],
                "containers":[{"name":"b"}]}})",
             R"({"spec":{"containers":[{"name":"a"},{"name":"b"},{"name":"s"}]}})"},
        Case{"$setElementOrder alone reorders",
             R"({"spec":{"containers":[{"name":"a"},{"name":"b"}]}})",
             R"({"spec":{"$setElementOrder/containers":[{"name":"b"},{"name":"a"}]}})",
             R"({"spec":{"containers":[{"name":"b"},{"name":"a"}]}})"},
        Case{
            "an element is deleted by its key",
            R"({"spec":{"volumes":[{"name":"a"},{"name":"b"}]}})",
            R"({"spec":{"volumes":[{"$patch":"delete","name":"a"},{"$patch":"delete","name":"c"}]}})",
            R"({"spec":{"volumes":[{"name":"b"}]}})"},
        Case{"podIPs are replaced by directive",
             R"({"status":{"podIPs":[{"ip":"10.0.0.1"},{"ip":"fd00::1"}]}})",
             R"({"status":{"podIPs":[{"$patch":"replace"},{"ip":"10.0.0.2"}]}})",
             R"({"status":{"podIPs":[{"ip":"10.0.0.2"}]}})"},
        Case{"podIPs otherwise pile up", R"({"status":{"podIPs":[{"ip":"10.0.0.1"}]}})",
             R"({"status":{"podIPs":[{"ip":"10.0.0.2"}]}})",
             R"({"status":{"podIPs":[{"ip":"10.0.0.2"},{"ip":"10.0.0.1"}]}})"},
        Case{"conditions: one changed, one deleted, one left",
             R"({"status":{"conditions":[{"type":"A","status":"True"},{"type":"B","status":"True"},
                {"type":"C","status":"True"}]}})",
             R"({"status":{"conditions":[{"type":"A","status":"False","reason":"r"},
                {"$patch":"delete","type":"B"}]}})",
             R"({"status":{"conditions":[{"type":"A","status":"False","reason":"r"},
                {"type":"C","status":"True"}]}})"},
        Case{"container statuses are replaced as a whole",
             R"({"status":{"containerStatuses":[{"name":"a","ready":true},{"name":"b"}]}})",
             R"({"status":{"containerStatuses":[{"name":"a"}]}})",
             R"({"status":{"containerStatuses":[{"name":"a"}]}})"},
        Case{"tolerations are replaced as a whole", R"({"spec":{"tolerations":[{"key":"a"}]}})",
             R"({"spec":{"tolerations":[{"key":"b"}]}})",
             R"({"spec":{"tolerations":[{"key":"b"}]}})"},
        Case{"pull secrets and owners merge by name and uid",
             R"({"metadata":{"ownerReferences":[{"uid":"1","name":"x"}]},
                "spec":{"imagePullSecrets":[{"name":"a"}]}})",
             R"({"metadata":{"ownerReferences":[{"uid":"1","controller":true}]},
                "spec":{"imagePullSecrets":[{"name":"a"}]}})",
             R"({"metadata":{"ownerReferences":[{"uid":"1","name":"x","controller":true}]},
                "spec":{"imagePullSecrets":[{"name":"a"}]}})"}));

// The node cases are the recorded requests and answers of API servers 1.20.2 and 1.36.2.
INSTANTIATE_TEST_SUITE_P(
    OtherKinds, StrategicMerge,
    testing::Values(
        Case{"node conditions and addresses merge by type",
             R"({"status":{"conditions":[{"type":"Ready","status":"True","lastHeartbeatTime":"07"},
                {"type":"MemoryPressure","status":"False"}],"addresses":[{"type":"InternalIP",
                "address":"192.0.2.12"},{"type":"Hostname","address":"vn2"}]}})",
             R"({"status":{"conditions":[{"type":"Ready","lastHeartbeatTime":"17"},
                {"type":"DiskPressure","status":"False"}],
                "addresses":[{"type":"InternalIP","address":"192.0.2.13"}]}})",
             R"({"status":{"conditions":[{"type":"Ready","status":"True","lastHeartbeatTime":"17"},
                {"type":"DiskPressure","status":"False"},{"type":"MemoryPressure","status":"False"}],
                "addresses":[{"type":"InternalIP","address":"192.0.2.13"},
                {"type":"Hostname","address":"vn2"}]}})"},
        Case{"node taints are replaced as a whole",
             R"({"spec":{"taints":[{"key":"example.com/virtual","value":"yes"},{"key":"b"}]}})",
             R"({"spec":{"unschedulable":true,"taints":[{"key":"example.com/second"}]}})",
             R"({"spec":{"unschedulable":true,"taints":[{"key":"example.com/second"}]}})"},
        Case{"a capacity entry goes by null",
             R"({"status":{"capacity":{"cpu":"4","memory":"8Gi"}}})",
             R"({"status":{"capacity":{"cpu":null,"example.com/dev":"2"}}})",
             R"({"status":{"capacity":{"memory":"8Gi","example.com/dev":"2"}}})"},
        Case{"service ports merge by port", R"({"kind":"Service","spec":{"ports":[{"port":80}]}})",
             R"({"spec":{"ports":[{"port":80,"name":"web"}]}})",
             R"({"kind":"Service","spec":{"ports":[{"port":80,"name":"web"}]}})"},
        Case{"secrets of a service account merge by name",
             R"({"kind":"ServiceAccount","secrets":[{"name":"a"}]})",
             R"({"secrets":[{"name":"b"}]})",
             R"({"kind":"ServiceAccount","secrets":[{"name":"b"},{"name":"a"}]})"},
        Case{"a template's pod spec merges like a pod's",
             R"({"kind":"Deployment","spec":{"template":{"spec":{"containers":[{"name":"a",
                "image":"1"},{"name":"b"}]}}}})",
             R"({"spec":{"template":{"spec":{"containers":[{"name":"a","image":"2"}]}}}})",
             R"({"kind":"Deployment","spec":{"template":{"spec":{"containers":[{"name":"a",
                "image":"2"},{"name":"b"}]}}}})"}));

TEST(StrategicMergeErrors, LeaveTheTargetAsItWas) {
  const Json before = R"({"spec":{"containers":[{"name":"a"}],"x":1}})"_json;
  for (const char* patch : {R"({"spec":{"x":2,"containers":[{"image":"i"}]}})",
                            R"({"spec":{"x":2,"$patch":"upsert"}})", R"([])", R"(null)"}) {
    Json target = before;
    const auto done = applyStrategicMerge(target, Json::parse(patch));
    ASSERT_FALSE(done) << patch;
    EXPECT_EQ(done.error().code, 400);
    EXPECT_EQ(target, before);
  }
}

}  // namespace
}  // namespace vkb::json
