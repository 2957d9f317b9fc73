#include <gmock/gmock.h>
#include <sqlite3.h>

#include "helpers.h"
#include "state/database.h"

namespace vkb::state {
namespace {

using test::fullRecord;
using test::TempFolder;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

const DependencyKey kSettings{DependencyKind::kConfigMap, "work", "settings"};
const DependencyKey kPassword{DependencyKind::kSecret, "work", "settings"};

class DependenciesTest : public ::testing::Test {
 protected:
  void reopen() {
    database.reset();
    auto opened = Database::open(folder);
    ASSERT_TRUE(opened) << opened.error().message;
    database = std::move(*opened);
  }

  TempFolder temp;
  StateFolder folder = temp.open();
  std::unique_ptr<Database> database;
};

TEST_F(DependenciesTest, AreReadAsTheyWerePutWithTheirUsers) {
  reopen();
  DependencyRecord settings{kSettings, "team", "settings"};
  DependencyRecord password{kPassword, "team", "settings", "uid-9", R"({"account":"a"})"};
  ASSERT_TRUE(database->putDependency("t1", settings));
  ASSERT_TRUE(database->putDependency("t1", password));
  ASSERT_TRUE(database->putDependency("t2", settings));
  for (const char* pod : {"pod-b", "pod-a", "pod-a"}) {
    ASSERT_TRUE(database->addUser("t1", kSettings, pod));
  }
  reopen();
  settings.users = {"pod-a", "pod-b"};
  EXPECT_THAT(*database->loadDependencies("t1"), ElementsAre(settings, password));
  EXPECT_THAT(*database->loadDependencies("t3"), IsEmpty());
}

TEST_F(DependenciesTest, KeepTheirUsersWhenTheyArePutAgain) {
  reopen();
  DependencyRecord settings{kSettings, "team", "settings"};
  ASSERT_TRUE(database->putDependency("t1", settings));
  ASSERT_TRUE(database->addUser("t1", kSettings, "pod"));
  settings.uid = "uid-1";
  ASSERT_TRUE(database->putDependency("t1", settings));
  settings.users = {"pod"};
  EXPECT_THAT(*database->loadDependencies("t1"), ElementsAre(settings));
}

TEST_F(DependenciesTest, LoseOneUserOrGoWithAllOfThem) {
  reopen();
  ASSERT_TRUE(database->putDependency("t1", {kSettings, "team", "settings"}));
  ASSERT_TRUE(database->putDependency("t2", {kSettings, "team", "settings"}));
  for (const char* node : {"t1", "t2"}) {
    ASSERT_TRUE(database->addUser(node, kSettings, "a"));
    ASSERT_TRUE(database->addUser(node, kSettings, "b"));
  }
  ASSERT_TRUE(database->removeUser("t1", kSettings, "a"));
  EXPECT_THAT(database->loadDependencies("t1")->front().users, ElementsAre("b"));
  ASSERT_TRUE(database->eraseDependency("t1", kSettings));
  ASSERT_TRUE(database->eraseDependency("t1", kSettings));
  EXPECT_THAT(*database->loadDependencies("t1"), IsEmpty());
  EXPECT_THAT(database->loadDependencies("t2")->front().users, ElementsAre("a", "b"));
  // No user of the one that went is left over for one of the same name.
  ASSERT_TRUE(database->putDependency("t1", {kSettings, "team", "settings"}));
  EXPECT_THAT(database->loadDependencies("t1")->front().users, IsEmpty());
}

TEST_F(DependenciesTest, HaveNoUsersWithoutThemselves) {
  reopen();
  EXPECT_FALSE(database->addUser("t1", kSettings, "pod"));
}

TEST_F(DependenciesTest, OfAClusterThatLeftAreForgotten) {
  reopen();
  for (const char* node : {"t1", "t2"}) {
    ASSERT_TRUE(database->putDependency(node, {kSettings, "team", "settings"}));
    ASSERT_TRUE(database->addUser(node, kSettings, "pod"));
  }
  ASSERT_TRUE(database->forgetCluster("t1"));
  EXPECT_THAT(*database->loadDependencies("t1"), IsEmpty());
  EXPECT_EQ(database->loadDependencies("t2")->size(), 1U);
}

TEST_F(DependenciesTest, AreAddedToAFileOfTheVersionBeforeThem) {
  reopen();
  ASSERT_TRUE(database->put(fullRecord("u-1", "t1")));
  database.reset();
  // What version 1 had.
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open(folder.database().c_str(), &db), SQLITE_OK);
  EXPECT_EQ(sqlite3_exec(db,
                         "DROP TABLE dependency_users; DROP TABLE dependencies; "
                         "PRAGMA user_version = 1;",
                         nullptr, nullptr, nullptr),
            SQLITE_OK);
  sqlite3_close(db);
  const auto reader = Database::openReadOnly(folder);
  ASSERT_FALSE(reader);  // says that the bridge has to bring it up

  reopen();
  EXPECT_THAT(*database->loadAll(), ElementsAre(fullRecord("u-1", "t1")));
  ASSERT_TRUE(database->putDependency("t1", {kSettings, "team", "settings"}));
  EXPECT_EQ(database->loadDependencies("t1")->size(), 1U);
}

}  // namespace
}  // namespace vkb::state
