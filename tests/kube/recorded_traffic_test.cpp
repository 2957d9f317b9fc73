// Lists, pages, watch lines and refusals of real servers through the REST client: URLs are compared
// with what those servers were asked, answers with what a caller must make of them.
#include <gmock/gmock.h>

#include "json/json.h"
#include "kube/list_all.h"
#include "recorded_server.h"
#include "support/watch_log.h"

namespace vkb::kube {
namespace {

using test::RecordedServer;
using test::WatchLog;
using ::testing::IsEmpty;

class RecordedTraffic : public ::testing::TestWithParam<std::string> {
 protected:
  /// What the client makes of the `index`-th recorded watch; how it ended.
  Status play(RecordedServer& server, std::size_t index, WatchLog& log) {
    server.playWatch(index);
    const auto watch = server.client().watch(kPods, {}, log);
    return log.waitForEnd().value_or(Status());
  }
  /// The recorded lines that are events.
  static std::vector<Json> eventsOf(const RecordedServer& server, std::size_t index) {
    std::vector<Json> out;
    for (const Json& line : server.step("watch", index)["lines"]) {
      if (line.value("type", "") != "ERROR") out.push_back(line);
    }
    return out;
  }
};

TEST_P(RecordedTraffic, AListComesPageByPageAndWhole) {
  RecordedServer server("list-paging", GetParam());
  const auto all =
      listAll(server.client(), kPods, {.ns = "t1", .label_selector = "set=paging", .limit = 10});
  ASSERT_TRUE(all) << all.error().message;
  ASSERT_EQ(all->items.size(), 25u);
  EXPECT_EQ(all->items.front()->name, "p00");
  EXPECT_EQ(all->items.back()->name, "p24");
  EXPECT_FALSE(all->items.front()->uid.empty());
  EXPECT_EQ(all->resource_version,
            json::str(server.body("page 1"), {"metadata", "resourceVersion"}));
  EXPECT_THAT(server.unknown, IsEmpty());
}

TEST_P(RecordedTraffic, RefusedListsKeepTheirCodes) {
  RecordedServer server("list-refused", GetParam());
  const auto code = [&](ListOptions options) {
    options.ns = "t1";
    const auto page = server.client().list(kPods, options);
    return page ? 200 : page.error().code;
  };
  const ListOptions refused{.label_selector = "set=refused", .limit = 1};
  EXPECT_EQ(code(refused), 200);
  ListOptions unreadable = refused;
  unreadable.continue_token = "nosuch";
  EXPECT_EQ(code(unreadable), 400);
  EXPECT_EQ(code({.field_selector = "spec.nosuch=x", .limit = 0}), 400);
  EXPECT_THAT(server.unknown, IsEmpty());
}

TEST_P(RecordedTraffic, AnExpiredContinueTokenIsKnownAsSuch) {
  RecordedServer server("list-refused", GetParam());
  const int recorded =
      server.step("the store was compacted: continue token of page 1")["response"]["code"];
  ListOptions options{.ns = "t1", .label_selector = "set=refused", .limit = 1};
  const auto page = server.client().list(kPods, options);
  ASSERT_TRUE(page);
  options.continue_token = page->continue_token;
  const auto next = server.client().list(kPods, options);
  EXPECT_EQ(next ? 200 : next.error().code, recorded);  // 1.36 may answer from its cache
  EXPECT_THAT(server.unknown, IsEmpty());
  if (recorded != 410) return;
  EXPECT_EQ(next.error().reason, "Expired");
  // It starts over once; the server says the same of the second token.
  const auto all =
      listAll(server.client(), kPods, {.ns = "t1", .label_selector = "set=refused", .limit = 1});
  ASSERT_FALSE(all);
  EXPECT_EQ(all.error().code, 410);
}

TEST_P(RecordedTraffic, WatchLinesArriveAsTheyWereSent) {
  for (const char* scenario : {"pod-life", "label-edit-watch"}) {
    RecordedServer server(scenario, GetParam());
    WatchLog log;
    const Status end = play(server, 0, log);
    EXPECT_EQ(end.code, 200) << end.message;
    const auto sent = eventsOf(server, 0);
    const auto heard = log.events();
    ASSERT_EQ(heard.size(), sent.size());
    for (std::size_t i = 0; i < sent.size(); ++i) {
      const Json& metadata = sent[i]["object"]["metadata"];
      EXPECT_EQ(heard[i].type, sent[i]["type"]);
      EXPECT_EQ(heard[i].object->name, json::str(metadata, "name"));
      EXPECT_EQ(heard[i].object->uid, json::str(metadata, "uid"));
      EXPECT_EQ(heard[i].object->resource_version, json::str(metadata, "resourceVersion"));
      EXPECT_EQ(heard[i].object->parse(), sent[i]["object"]);
    }
  }
}

TEST_P(RecordedTraffic, ALabelTakenAwayIsADeletedLine) {
  RecordedServer server("label-edit-watch", GetParam());
  WatchLog log;
  (void)play(server, 0, log);
  EXPECT_EQ(log.lines(), (std::vector<std::string>{"ADDED le", "MODIFIED le", "DELETED le",
                                                   "ADDED le", "MODIFIED le", "DELETED le"}));
}

TEST_P(RecordedTraffic, EveryErrorLineOfTooOldAWatchIs410) {
  RecordedServer server("list-refused", GetParam());
  std::size_t played = 0;
  for (std::size_t i = 0;; ++i) {
    const Json* step = nullptr;
    try {
      step = &server.step("watch", i);
    } catch (const std::runtime_error&) {
      break;
    }
    if ((*step)["lines"].empty()) continue;  // from the future: silent
    WatchLog log;
    const Status end = play(server, i, log);
    EXPECT_EQ(end.code, 410) << end.message;
    EXPECT_EQ(end.reason, "Expired");
    EXPECT_THAT(log.events(), IsEmpty());
    ++played;
  }
  EXPECT_GE(played, 2u);
}

TEST_P(RecordedTraffic, BookmarksOfBothFormsOnlyMoveTheVersion) {
  RecordedServer server("pod-life", GetParam());
  WatchLog log;
  (void)play(server, 0, log);
  std::size_t bookmarks = 0;
  for (const auto& event : log.events()) {
    if (event.type != "BOOKMARK") continue;
    ++bookmarks;
    EXPECT_FALSE(event.object->resource_version.empty());
    EXPECT_TRUE(event.object->name.empty());
  }
  EXPECT_GE(bookmarks, 1u);
}

INSTANTIATE_TEST_SUITE_P(RealServers, RecordedTraffic, ::testing::Values("1.20", "1.36"),
                         [](const auto& instance) { return "v1_" + instance.param.substr(2); });

}  // namespace
}  // namespace vkb::kube
