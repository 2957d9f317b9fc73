// What the world does to a database file: crashes, garbage, strangers, full and closed disks.
#include <gmock/gmock.h>
#include <sched.h>
#include <sqlite3.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "helpers.h"
#include "state/database.h"
#include "state/schema.h"

namespace vkb::state {
namespace {

namespace fs = std::filesystem;
using test::Child;
using test::fullRecord;
using test::slurp;
using test::spill;
using test::TempFolder;
using ::testing::HasSubstr;

class DatabaseFaultsTest : public ::testing::Test {
 protected:
  void sql(const std::string& text) {
    sqlite3* db = nullptr;
    ASSERT_EQ(sqlite3_open(folder.database().c_str(), &db), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(db, text.c_str(), nullptr, nullptr, nullptr), SQLITE_OK)
        << sqlite3_errmsg(db);
    sqlite3_close(db);
  }

  /// Both ways of opening say `sentence`, and the file is left byte for byte.
  void expectRefused(const std::string& sentence) {
    const std::string before = slurp(folder.database());
    for (const auto& opened : {Database::open(folder).map([](auto) {}),
                               Database::openReadOnly(folder).map([](auto) {})}) {
      ASSERT_FALSE(opened);
      EXPECT_THAT(opened.error().message, HasSubstr(sentence));
      EXPECT_THAT(opened.error().message, HasSubstr(folder.database().string()));
    }
    EXPECT_EQ(slurp(folder.database()), before);
  }

  TempFolder temp;
  StateFolder folder = temp.open();
};

TEST_F(DatabaseFaultsTest, WhatWasPutSurvivesAKilledWriter) {
  for (int round = 1; round <= 5; ++round) {
    Child child([&](const Child::Pipe& pipe) {
      const auto database = Database::open(folder);
      for (int i = 0;; ++i) {
        const std::string uid = std::to_string(round) + "-" + std::to_string(i);
        if (!database || !(*database)->put(fullRecord(uid))) return;
        pipe.say(uid);
      }
    });
    std::vector<std::string> told;
    for (int i = 0; i < round * 7; ++i) told.push_back(child.line());
    child.kill();

    const auto database = Database::open(folder);
    ASSERT_TRUE(database) << database.error().message;
    const auto records = (*database)->loadAll();
    for (const auto& uid : told) {
      ASSERT_FALSE(uid.empty());
      EXPECT_THAT(*records, ::testing::Contains(fullRecord(uid)));
    }
  }
}

TEST_F(DatabaseFaultsTest, WhatWasPutSurvivesAnExitWithoutCleanUpForAReaderToo) {
  Child child([&](const Child::Pipe& pipe) {
    const auto database = Database::open(folder);
    const bool put = database && (*database)->put(fullRecord("u1"));
    pipe.say(put ? "put" : "failed");
    ::_exit(0);
  });
  ASSERT_EQ(child.line(), "put");
  EXPECT_EQ(child.line(), "");
  const auto reader = Database::openReadOnly(folder);
  ASSERT_TRUE(reader && *reader);
  EXPECT_EQ(*(*reader)->loadAll(), std::vector{fullRecord("u1")});
}

TEST_F(DatabaseFaultsTest, AnEmptyFileIsBroughtUpFromVersionZero) {
  spill(folder.database(), "");
  EXPECT_EQ(*Database::openReadOnly(folder), nullptr);
  const auto database = Database::open(folder);
  ASSERT_TRUE(database) << database.error().message;
  EXPECT_TRUE((*database)->put(fullRecord("u1")));
}

TEST_F(DatabaseFaultsTest, AFileWhoseFirstMigrationNeverCommittedIsBroughtUp) {
  sql("PRAGMA journal_mode = WAL");
  EXPECT_EQ(*Database::openReadOnly(folder), nullptr);
  ASSERT_TRUE(Database::open(folder));
  EXPECT_TRUE(*Database::openReadOnly(folder));
}

TEST_F(DatabaseFaultsTest, AMigratedFileCarriesOurMarksAndOpensAgain) {
  ASSERT_TRUE(Database::open(folder));
  auto db = Db::open(folder.database().string(), Db::Mode::kRead);
  ASSERT_TRUE(db);
  EXPECT_EQ(*db->queryInteger("PRAGMA application_id"), kApplicationId);
  EXPECT_EQ(*db->queryInteger("PRAGMA user_version"), kSchemaVersion);
  EXPECT_EQ(*db->queryText("PRAGMA journal_mode"), "wal");
  EXPECT_TRUE(Database::open(folder));
}

TEST_F(DatabaseFaultsTest, GarbageIsRefusedAndKept) {
  std::string garbage;
  for (int i = 0; i < 20'000; ++i) garbage += static_cast<char>(i * 7 + i / 251);
  for (const std::string& content : {garbage, std::string("hello"), std::string(4096, '\0')}) {
    spill(folder.database(), content);
    expectRefused("is damaged or not a database");
  }
}

TEST_F(DatabaseFaultsTest, ADamagedPageIsRefusedByTheWriterAndKept) {
  {
    const auto database = Database::open(folder);
    for (int i = 0; i < 300; ++i) {
      ASSERT_TRUE((*database)->put(fullRecord("u" + std::to_string(i))));
    }
  }
  std::string content = slurp(folder.database());
  ASSERT_GT(content.size(), 12U * 4096U);
  content.replace(8 * 4096, 3 * 4096, std::string(3 * 4096, 'x'));
  spill(folder.database(), content);
  const auto database = Database::open(folder);
  ASSERT_FALSE(database);
  EXPECT_THAT(database.error().message, HasSubstr("is damaged"));
  EXPECT_EQ(slurp(folder.database()), content);
}

TEST_F(DatabaseFaultsTest, ACutFileIsRefusedByTheWriterAndKept) {
  {
    const auto database = Database::open(folder);
    for (int i = 0; i < 300; ++i) {
      ASSERT_TRUE((*database)->put(fullRecord("u" + std::to_string(i))));
    }
  }
  fs::resize_file(folder.database(), 4 * 4096 + 100);
  const std::string content = slurp(folder.database());
  const auto database = Database::open(folder);
  ASSERT_FALSE(database);
  EXPECT_THAT(database.error().message, HasSubstr("is damaged"));
  EXPECT_EQ(slurp(folder.database()), content);
}

TEST_F(DatabaseFaultsTest, ADatabaseOfAnotherProgramIsRefusedAndKept) {
  sql("CREATE TABLE bookmarks (url TEXT)");
  expectRefused("is a database of another program");
}

TEST_F(DatabaseFaultsTest, AnotherApplicationIdIsRefusedAndKept) {
  sql("PRAGMA application_id = 1234; PRAGMA user_version = 1; CREATE TABLE pods (uid TEXT)");
  expectRefused("is a database of another program");
}

TEST_F(DatabaseFaultsTest, ForeignWriteAheadLogsAreNotCheckpointed) {
  // A stranger's file whose content is partly in its -wal: nothing of it may move.
  Child child([&](const Child::Pipe& pipe) {
    sqlite3* db = nullptr;
    sqlite3_open(folder.database().c_str(), &db);
    sqlite3_exec(db, "PRAGMA journal_mode = WAL; CREATE TABLE t (x); INSERT INTO t VALUES (1)",
                 nullptr, nullptr, nullptr);
    pipe.say("written");
    ::_exit(0);
  });
  ASSERT_EQ(child.line(), "written");
  ASSERT_EQ(child.line(), "");
  const std::string wal = slurp(folder.database().string() + "-wal");
  ASSERT_FALSE(wal.empty());
  expectRefused("is a database of another program");
  EXPECT_EQ(slurp(folder.database().string() + "-wal"), wal);
}

TEST_F(DatabaseFaultsTest, ANewerFormatIsRefusedAndKept) {
  ASSERT_TRUE(Database::open(folder));
  sql("PRAGMA user_version = " + std::to_string(kSchemaVersion + 1));
  expectRefused("was written by a newer vk-bridge");
}

TEST_F(DatabaseFaultsTest, OurMarksWithoutOurTablesAreDamage) {
  ASSERT_TRUE(Database::open(folder));
  sql("DROP TABLE health");
  expectRefused("is damaged");
}

TEST_F(DatabaseFaultsTest, ARecordInAnUnknownStateIsDamageAndNeverGuessed) {
  const auto database = Database::open(folder);
  ASSERT_TRUE((*database)->put(fullRecord("u1")));
  sql("UPDATE pods SET state = 77");
  const auto records = (*database)->load("gpu-eu");
  ASSERT_FALSE(records);
  EXPECT_THAT(records.error().message, HasSubstr("is damaged"));
  sql("UPDATE pods SET state = 1");
  EXPECT_TRUE((*database)->load("gpu-eu")) << "the statement can be used again";
}

TEST_F(DatabaseFaultsTest, AFolderInPlaceOfTheFileIsRefused) {
  fs::create_directory(folder.database());
  for (const auto& opened :
       {Database::open(folder).map([](auto) {}), Database::openReadOnly(folder).map([](auto) {})}) {
    ASSERT_FALSE(opened);
    EXPECT_THAT(opened.error().message, HasSubstr("is not a file"));
  }
}

TEST_F(DatabaseFaultsTest, AFolderThatCannotBeWrittenIsAClearError) {
  Child child([&](const Child::Pipe& pipe) {
    if (::geteuid() == 0) {
      // Root may write anywhere: become somebody who owns the folder and has shut it.
      if (::chown(temp.path().c_str(), 65534, 65534) != 0 ||
          ::chown(folder.path().c_str(), 65534, 65534) != 0 || ::setgid(65534) != 0 ||
          ::setuid(65534) != 0) {
        pipe.say("cannot change the user");
      }
    }
    ::chmod(folder.path().c_str(), 0500);
    const auto opened = Database::open(folder);
    ::chmod(folder.path().c_str(), 0700);
    pipe.say(opened ? "opened" : opened.error().message);
  });
  EXPECT_THAT(child.line(),
              HasSubstr("cannot write " + folder.database().string() + ": Permission denied"));
}

TEST_F(DatabaseFaultsTest, AFullDiskIsAClearErrorAndLosesNothingThatWasPut) {
  Child child([&](const Child::Pipe& pipe) {
    // A small disk of its own, in a mount namespace that ends with this process.
    if (::unshare(::geteuid() == 0 ? CLONE_NEWNS : CLONE_NEWNS | CLONE_NEWUSER) != 0 ||
        ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("tmpfs", folder.path().c_str(), "tmpfs", 0, "size=256k,mode=0700") != 0) {
      return pipe.say("no namespace");
    }
    std::size_t put = 0;
    {
      const auto database = Database::open(folder);
      if (!database) return pipe.say(database.error().message);
      for (;; ++put) {
        const auto done = (*database)->put(fullRecord("u" + std::to_string(put)));
        if (done) continue;
        pipe.say(done.error().message);
        break;
      }
      const auto records = (*database)->loadAll();
      pipe.say(records && records->size() == put ? "all there" : "lost");
    }
    pipe.say(std::to_string(put > 0));
  });
  const std::string message = child.line();
  if (message == "no namespace") GTEST_SKIP() << "this process may not mount a small disk";
  EXPECT_THAT(message, HasSubstr("the disk is full; free some space"));
  EXPECT_EQ(child.line(), "all there");
  EXPECT_EQ(child.line(), "1");
}

}  // namespace
}  // namespace vkb::state
