#include "json/json.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace vkb::json {
namespace {

const Json kPod = R"({
  "metadata": {"name": "web", "labels": {"app": "web", "tier": "front"}, "generation": 3},
  "spec": {"containers": [{"name": "a"}, {"name": "b", "tty": true}], "hostNetwork": "yes"}
})"_json;

TEST(Access, MissingAndWronglyTypedFieldsAreEmptyNotFatal) {
  EXPECT_EQ(str(kPod, {"metadata", "name"}), "web");
  EXPECT_EQ(str(kPod, {"metadata", "generation"}), "");
  EXPECT_EQ(str(kPod, {"metadata", "name", "deeper"}), "");
  EXPECT_EQ(str(kPod, "kind"), "");
  EXPECT_TRUE(at(kPod, {"spec", "containers", "name"}).is_null());
  EXPECT_TRUE(at(kPod, {"no", "such", "path"}).is_null());
  EXPECT_EQ(&at(kPod, Path{}), &kPod);
  EXPECT_EQ(integer(kPod, {"metadata", "generation"}), 3);
  EXPECT_FALSE(integer(kPod, {"metadata", "name"}));
  EXPECT_FALSE(integer(R"({"n": 18446744073709551615})"_json, {"n"}));
  EXPECT_FALSE(integer(R"({"n": 1.5})"_json, {"n"}));
  EXPECT_TRUE(boolean(kPod["spec"]["containers"][1], {"tty"}));
  EXPECT_FALSE(boolean(kPod, {"spec", "hostNetwork"}));
  EXPECT_TRUE(boolean(kPod, {"spec", "hostIPC"}, true));
  EXPECT_TRUE(array(kPod, {"metadata", "labels"}).empty());
  EXPECT_TRUE(object(kPod, {"spec", "containers"}).empty());
  EXPECT_EQ(array(kPod, {"spec", "containers"}).size(), 2U);
  EXPECT_TRUE(at(Json(nullptr), "x").is_null());
}

TEST(Access, FindByLooksThroughAListOfObjects) {
  const Json& containers = array(kPod, {"spec", "containers"});
  ASSERT_NE(findBy(containers, "name", "b"), nullptr);
  EXPECT_TRUE((*findBy(containers, "name", "b"))["tty"]);
  EXPECT_EQ(findBy(containers, "name", "c"), nullptr);
  EXPECT_EQ(findBy(R"([1, null, {"name": 5}])"_json, "name", "5"), nullptr);
  EXPECT_EQ(findBy(kPod, "name", "b"), nullptr);
}

TEST(Access, LabelsMatchWhenEveryWantedPairIsThere) {
  const Json& labels = kPod["metadata"]["labels"];
  EXPECT_TRUE(hasAll(labels, R"({"app": "web"})"_json));
  EXPECT_TRUE(hasAll(labels, Json::object()));
  EXPECT_TRUE(hasAll(labels, Json(nullptr)));
  EXPECT_FALSE(hasAll(labels, R"({"app": "db"})"_json));
  EXPECT_FALSE(hasAll(labels, R"({"app": "web", "zone": "a"})"_json));
  EXPECT_FALSE(hasAll(Json(nullptr), R"({"app": "web"})"_json));
}

TEST(Parse, ErrorsNameTheByteAndNeverTheContent) {
  const auto broken = parse(R"({"password": "hunter2", oops})");
  ASSERT_FALSE(broken);
  EXPECT_NE(broken.error().message.find("byte 25"), std::string::npos) << broken.error().message;
  EXPECT_EQ(broken.error().message.find("hunter2"), std::string::npos);
  EXPECT_FALSE(parse(""));
  EXPECT_FALSE(parse("{\"a\": \"\xff\"}"));
  EXPECT_FALSE(parse("[1e999]"));
  EXPECT_FALSE(parse("{} {}"));
  EXPECT_EQ(*parse(" [1, 2] "), R"([1, 2])"_json);
}

TEST(Parse, BottomlessNestingIsRefused) {
  EXPECT_TRUE(parse(std::string(1000, '[') + std::string(1000, ']')));
  EXPECT_FALSE(parse(std::string(1001, '[') + std::string(1001, ']')));
  EXPECT_FALSE(parse(std::string(1'000'000, '[')));
  EXPECT_TRUE(parse("\"" + std::string(5000, '[') + "\""));
}

}  // namespace
}  // namespace vkb::json
