#include "bridge/capacity.h"

#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>

namespace vkb::bridge {
namespace {

Json shown(const Resources& amounts) {
  Json result = Json::object();
  for (const auto& [name, amount] : amounts) result[name] = amount.toString();
  return result;
}

Json node(const char* ready = "True", bool unschedulable = false) {
  return {{"spec", {{"unschedulable", unschedulable}}},
          {"status",
           {{"capacity", {{"cpu", "8"}, {"memory", "16Gi"}}},
            {"allocatable",
             {{"cpu", "7500m"}, {"memory", "15Gi"}, {"pods", "110"}, {"nvidia.com/gpu", "2"}}},
            {"conditions", {{{"type", "Ready"}, {"status", ready}}}}}}};
}

TEST(Allocatable, OnlyReadySchedulableNodesCount) {
  EXPECT_EQ(shown(allocatableOf(node())),
            R"({"cpu": "7500m", "memory": "15Gi", "pods": "110", "nvidia.com/gpu": "2"})"_json);
  EXPECT_TRUE(allocatableOf(node("True", true)).empty());
  EXPECT_TRUE(allocatableOf(node("False")).empty());
  EXPECT_TRUE(allocatableOf(node("Unknown")).empty());
  EXPECT_TRUE(allocatableOf(Json()).empty());
  EXPECT_TRUE(allocatableOf(R"({"status": {"allocatable": {"cpu": "1"}}})"_json).empty());
}

TEST(Allocatable, AnEntryThatCannotBeReadHidesNoOther) {
  Json odd = node();
  odd["status"]["allocatable"] = R"({"cpu": "1", "memory": "lots", "pods": 5})"_json;
  EXPECT_EQ(shown(allocatableOf(odd)), R"({"cpu": "1"})"_json);
}

struct RequestCase {
  const char *what, *spec, *wanted;
};

class Requests : public testing::TestWithParam<RequestCase> {};

TEST_P(Requests, AreWhatTheSchedulerReserves) {
  EXPECT_EQ(shown(requestsOf({{"spec", Json::parse(GetParam().spec)}})),
            Json::parse(GetParam().wanted))
      << GetParam().what;
}

INSTANTIATE_TEST_SUITE_P(
    Pods, Requests,
    testing::Values(
        RequestCase{"no requests", R"({"containers": [{"name": "a"}]})", R"({"pods": "1"})"},
        RequestCase{"containers add up",
                    R"({"containers": [{"resources": {"requests": {"cpu": "1", "memory": "1Gi"}}},
                        {"resources": {"requests": {"cpu": "500m"}}}]})",
                    R"({"cpu": "1500m", "memory": "1Gi", "pods": "1"})"},
        RequestCase{"limits alone reserve nothing (the API server makes them requests)",
                    R"({"containers": [{"resources": {"limits": {"cpu": "1"}}}]})",
                    R"({"pods": "1"})"},
        RequestCase{"the largest init container counts where it is above them",
                    R"({"initContainers": [{"resources": {"requests": {"cpu": "2"}}},
                        {"resources": {"requests": {"cpu": "3", "memory": "1Mi"}}}],
                        "containers": [{"resources": {"requests": {"cpu": "1"}}}]})",
                    R"({"cpu": "3", "memory": "1Mi", "pods": "1"})"},
        RequestCase{"sidecars run beside the containers",
                    R"({"initContainers": [{"restartPolicy": "Always",
                        "resources": {"requests": {"cpu": "1"}}}],
                        "containers": [{"resources": {"requests": {"cpu": "1"}}}]})",
                    R"({"cpu": "2", "pods": "1"})"},
        RequestCase{"an init container runs beside the sidecars before it",
                    R"({"initContainers": [
                        {"restartPolicy": "Always", "resources": {"requests": {"cpu": "1"}}},
                        {"resources": {"requests": {"cpu": "3"}}},
                        {"restartPolicy": "Always", "resources": {"requests": {"cpu": "1"}}}],
                        "containers": [{"resources": {"requests": {"cpu": "500m"}}}]})",
                    R"({"cpu": "4", "pods": "1"})"},
        RequestCase{"overhead comes on top",
                    R"({"overhead": {"cpu": "250m", "memory": "120Mi"},
                        "containers": [{"resources": {"requests": {"cpu": "1"}}}]})",
                    R"({"cpu": "1250m", "memory": "120Mi", "pods": "1"})"},
        RequestCase{"requests of the pod go before those of its containers",
                    R"({"resources": {"requests": {"cpu": "4"}}, "overhead": {"cpu": "1"},
                        "containers": [{"resources": {"requests": {"cpu": "1", "memory": "2Mi"}}}]})",
                    R"({"cpu": "5", "memory": "2Mi", "pods": "1"})"},
        RequestCase{"odd shapes", R"({"containers": {"a": 1}, "initContainers": [null, 3]})",
                    R"({"pods": "1"})"}));

TEST(Requests, ATerminalPodReservesNothing) {
  for (const auto& [phase, entries] : std::map<std::string, std::size_t>{
           {"Succeeded", 0}, {"Failed", 0}, {"Running", 1}, {"Pending", 1}}) {
    EXPECT_EQ(requestsOf({{"status", {{"phase", phase}}}}).size(), entries) << phase;
  }
}

TEST(Capacity, IsClampedWholeAndOnlyOfWhatNodesOffer) {
  Resources total = allocatableOf(node());
  add(total, allocatableOf(node()));
  subtract(total, requestsOf(R"({"spec": {"containers": [{"resources": {"requests": {
    "cpu": "20", "memory": "1500m", "nvidia.com/gpu": "1", "example.com/fpga": "1"}}}]}})"_json));
  EXPECT_EQ(toCapacity(total), R"({"cpu": "0", "memory": "32212254718", "pods": "219",
    "nvidia.com/gpu": "3"})"_json);
}

TEST(Capacity, ExtendedResourcesComeInWholeUnitsAndCpuInParts) {
  Resources total;
  total["cpu"] = *json::Quantity::parse("1500m");
  total["nvidia.com/gpu"] = *json::Quantity::parse("1500m");
  total["hugepages-2Mi"] = *json::Quantity::parse("4Mi");
  EXPECT_EQ(toCapacity(total),
            R"({"cpu": "1500m", "nvidia.com/gpu": "1", "hugepages-2Mi": "4Mi"})"_json);
}

TEST(Capacity, ALimitCapsWhatItNamesAndOffersNothingThatIsNotThere) {
  Resources total = allocatableOf(node());
  capAt(total, {{"cpu", json::Quantity::fromUnits(2)},
                {"memory", *json::Quantity::parse("1Ti")},
                {"example.com/fpga", json::Quantity::fromUnits(3)}});
  EXPECT_EQ(shown(total),
            R"({"cpu": "2", "memory": "15Gi", "pods": "110", "nvidia.com/gpu": "2"})"_json);
}

}  // namespace
}  // namespace vkb::bridge
