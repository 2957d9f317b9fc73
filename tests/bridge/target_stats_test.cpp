// Statistics of delegates under home's names.
#include "bridge/target_stats.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "json/json.h"
#include "support/fake_runtime.h"

namespace vkb::bridge {
namespace {

using std::chrono::seconds;

/// A target of which only metrics are read.
class MetricsClient final : public kube::Client {
 public:
  Result<json::RawList> list(const kube::Resource& resource,
                             const kube::ListOptions& options) override {
    EXPECT_EQ(resource.group, "metrics.k8s.io");
    selector = options.label_selector;
    if (failure_) return failure(*failure_);
    return json::splitList(Json{{"metadata", Json::object()}, {"items", items}}.dump());
  }
  Result<std::string> getRaw(const std::string& path) override {
    paths.push_back(path);
    if (failure_) return failure(*failure_);
    return summary.dump();
  }
  Result<std::optional<Json>> get(const kube::Resource&, const std::string&,
                                  const std::string&) override {
    return std::optional<Json>();
  }
  Result<json::ObjectPtr> create(const kube::Resource&, const std::string&, const Json&,
                                 const std::string&, const std::string&) override {
    return json::ObjectPtr();
  }
  Result<json::ObjectPtr> patch(const kube::Resource&, const std::string&, const std::string&,
                                kube::PatchType, const Json&, const std::string&) override {
    return json::ObjectPtr();
  }
  Result<json::ObjectPtr> update(const kube::Resource&, const std::string&, const std::string&,
                                 const Json&) override {
    return json::ObjectPtr();
  }
  Result<void> remove(const kube::Resource&, const std::string&, const std::string&,
                      const kube::DeleteOptions&) override {
    return {};
  }
  std::unique_ptr<kube::WatchHandle> watch(const kube::Resource&, const kube::WatchOptions&,
                                           kube::WatchHandler&) override {
    return nullptr;
  }

  Json items = Json::array();
  Json summary = Json::object();
  std::optional<Status> failure_;
  std::string selector;
  std::vector<std::string> paths;
};

class TargetStatsTest : public ::testing::Test {
 protected:
  TargetStats make(bool from_nodes = false) {
    return TargetStats(
        {.clock = runtime_.clock,
         .target = client_,
         .delegate_at = [this](const PodPlace& place) -> std::optional<TargetPods::Delegate> {
           if (place.ns != "vkb-work" || place.name != "web-1") return std::nullopt;
           return delegate_;
         },
         .for_each_delegate = [this](const auto& visit) { visit(delegate_); },
         .home_pod =
             [this](const std::string& uid) {
               return uid == "h1" ? home_pod_ : json::ObjectPtr();
             }},
        {.home_id = "home-1", .node = "gpu-eu", .from_nodes = from_nodes});
  }
  static Json podMetrics(const std::string& name, const std::string& time, const std::string& cpu) {
    return {{"metadata", {{"name", name}, {"namespace", "vkb-work"}}},
            {"timestamp", time},
            {"window", "10s"},
            {"containers",
             Json::array({{{"name", "main"}, {"usage", {{"cpu", cpu}, {"memory", "2Mi"}}}}})}};
  }
  static std::int64_t cpuOf(const Json& summary) {
    return json::integer(summary["pods"][0]["containers"][0], {"cpu", "usageCoreNanoSeconds"})
        .value_or(-1);
  }

  test::FakeRuntime runtime_;
  MetricsClient client_;
  json::ObjectPtr home_pod_ =
      json::makeObject(Json{{"metadata", {{"name", "web"}, {"namespace", "work"}, {"uid", "h1"}}}});
  TargetPods::Delegate delegate_{
      .pod = json::makeObject(
          Json{{"metadata", {{"name", "web-1"}, {"namespace", "vkb-work"}, {"uid", "d1"}}},
               {"spec", {{"nodeName", "worker-1"}}},
               {"status",
                {{"startTime", "2026-01-01T00:00:00Z"},
                 {"containerStatuses",
                  {{{"name", "main"},
                    {"state", {{"running", {{"startedAt", "2026-01-01T00:00:01Z"}}}}}}}}}}}),
      .home_uid = "h1"};
};

TEST_F(TargetStatsTest, ShowsTheDelegatesUsageUnderHomesNames) {
  client_.items = {podMetrics("web-1", "2026-01-01T00:10:00Z", "250m"),
                   podMetrics("somebody-elses", "2026-01-01T00:10:00Z", "3")};
  TargetStats stats = make();
  const auto summary = stats.getStatsSummary({});
  ASSERT_TRUE(summary) << summary.error().message;
  EXPECT_EQ(client_.selector, "vk-bridge.io/home-cluster=home-1,vk-bridge.io/node=gpu-eu");
  ASSERT_EQ((*summary)["pods"].size(), 1U);
  const Json& pod = (*summary)["pods"][0];
  EXPECT_EQ(pod["podRef"], (Json{{"name", "web"}, {"namespace", "work"}, {"uid", "h1"}}));
  const Json& container = pod["containers"][0];
  EXPECT_EQ(container["name"], "main");
  EXPECT_EQ(container["startTime"], "2026-01-01T00:00:01Z");
  EXPECT_EQ(container["cpu"]["time"], "2026-01-01T00:10:00Z");
  EXPECT_EQ(container["cpu"]["usageNanoCores"], 250'000'000);
  EXPECT_EQ(container["memory"]["workingSetBytes"], 2 << 20);
  EXPECT_EQ((*summary)["node"]["nodeName"], "gpu-eu");
  EXPECT_EQ((*summary)["node"]["memory"]["workingSetBytes"], 2 << 20);
}

TEST_F(TargetStatsTest, RatesAddUpToACounterThatNeverGoesBack) {
  TargetStats stats = make();
  const auto at = [&](const std::string& time, const std::string& cpu) {
    client_.items = {podMetrics("web-1", time, cpu)};
    return cpuOf(*stats.getStatsSummary({}));
  };
  EXPECT_EQ(at("2026-01-01T00:10:00Z", "500m"), 5'000'000'000) << "its window of 10 s";
  EXPECT_EQ(at("2026-01-01T00:10:00Z", "500m"), 5'000'000'000) << "the same sample again";
  EXPECT_EQ(at("2026-01-01T00:10:20Z", "1"), 25'000'000'000);
  EXPECT_EQ(at("2026-01-01T00:10:10Z", "4"), 25'000'000'000) << "an older one";
}

TEST_F(TargetStatsTest, ATargetWithoutMetricsIsNoError) {
  TargetStats stats = make();
  for (const int code : {404, 403, 503}) {
    client_.failure_ = Status{.code = code, .reason = "", .message = ""};
    const auto summary = stats.getStatsSummary({});
    ASSERT_TRUE(summary) << code;
    EXPECT_TRUE((*summary)["pods"].empty());
  }
  client_.failure_ = Status{.code = 0, .reason = reasons::kUnreachable, .message = "down"};
  EXPECT_FALSE(stats.getStatsSummary({}));
}

TEST_F(TargetStatsTest, ItsNodesSummariesAreReadOnlyWhenAskedForAndOnlyOurPodsAreShown) {
  client_.summary = {
      {"pods",
       {{{"podRef", {{"name", "web-1"}, {"namespace", "vkb-work"}, {"uid", "d1"}}},
         {"network", {{"rxBytes", 7}}}},
        {{"podRef", {{"name", "web-1"}, {"namespace", "vkb-work"}, {"uid", "another"}}}}}}};
  TargetStats stats = make(/*from_nodes=*/true);
  const auto summary = stats.getStatsSummary({});
  ASSERT_TRUE(summary);
  EXPECT_EQ(client_.paths, std::vector<std::string>{"/api/v1/nodes/worker-1/proxy/stats/summary"});
  ASSERT_EQ((*summary)["pods"].size(), 1U);
  EXPECT_EQ((*summary)["pods"][0]["podRef"]["uid"], "h1");
  EXPECT_EQ((*summary)["pods"][0]["network"]["rxBytes"], 7);
}

TEST(CpuIntegratorTest, ForgetsWhoIsGone) {
  CpuIntegrator cpu;
  const WallTime start{seconds(1000)};
  cpu.add("a", start, seconds(10), 1);
  cpu.add("b", start + seconds(60), seconds(10), 1);
  cpu.dropBefore(start + seconds(30));
  EXPECT_EQ(cpu.size(), 1U);
}

}  // namespace
}  // namespace vkb::bridge
