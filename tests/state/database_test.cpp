#include "state/database.h"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "helpers.h"

namespace vkb::state {
namespace {

namespace fs = std::filesystem;
using test::fullRecord;
using test::modeOf;
using test::TempFolder;

class DatabaseTest : public ::testing::Test {
 protected:
  std::unique_ptr<Database> open() {
    auto database = Database::open(folder);
    EXPECT_TRUE(database) << database.error().message;
    return database ? std::move(*database) : nullptr;
  }

  TempFolder temp;
  StateFolder folder = temp.open();
};

TEST_F(DatabaseTest, ARecordIsReadAsItWasPut) {
  const auto record = fullRecord("u1");
  ASSERT_TRUE(open()->put(record));
  EXPECT_EQ(*open()->load("gpu-eu"), std::vector{record});
}

TEST_F(DatabaseTest, AnEmptyRecordStaysEmptyAndHasNoLag) {
  PodRecord record;
  record.uid = "u1";
  record.node = "n";
  ASSERT_TRUE(open()->put(record));
  EXPECT_EQ(*open()->load("n"), std::vector{record});
}

TEST_F(DatabaseTest, EveryStateIsKept) {
  using State = PodRecord::State;
  const auto database = open();
  for (const State state :
       {State::kWaiting, State::kCreating, State::kCreated, State::kTerminal, State::kDeleting}) {
    auto record = fullRecord("u1");
    record.state = state;
    ASSERT_TRUE(database->put(record));
    EXPECT_EQ(database->load("gpu-eu")->at(0).state, state);
  }
}

TEST_F(DatabaseTest, TextIsKeptByteForByte) {
  auto record = fullRecord("u1");
  record.last_error = std::string("a\0b\xff'\";--", 9);
  ASSERT_TRUE(open()->put(record));
  EXPECT_EQ(open()->load("gpu-eu")->at(0), record);
}

TEST_F(DatabaseTest, PutAgainReplacesEveryField) {
  const auto database = open();
  ASSERT_TRUE(database->put(fullRecord("u1")));
  PodRecord second;
  second.uid = "u1";
  second.node = "gpu-eu";
  ASSERT_TRUE(database->put(second));
  EXPECT_EQ(*database->loadAll(), std::vector{second});
}

TEST_F(DatabaseTest, PutAgainOfAKnownPodKeepsItsNewsAndLeavesOthersAlone) {
  const auto database = open();
  ASSERT_TRUE(database->put(fullRecord("u1")));
  ASSERT_TRUE(database->put(fullRecord("u2")));
  PodRecord news = fullRecord("u1");
  news.state = PodRecord::State::kTerminal;
  news.place_ns = "elsewhere";
  news.place_name = "other";
  news.provider_uid = "d2";
  news.attempt_expires += std::chrono::seconds(1);
  news.inputs_hash = "another";
  news.phase = "Failed";
  news.ready = !news.ready;
  news.restarts += 1;
  news.provider_node = "worker-9";
  news.home_created += std::chrono::seconds(1);
  news.lag.reset();
  news.last_error = "changed";
  news.last_error_at += std::chrono::seconds(1);
  ASSERT_TRUE(database->put(news));
  EXPECT_THAT(*database->loadAll(), ::testing::UnorderedElementsAre(news, fullRecord("u2")));
}

TEST_F(DatabaseTest, ARecordMovesWithItsNamesAndNode) {
  const auto database = open();
  ASSERT_TRUE(database->put(fullRecord("u1", "a")));
  PodRecord moved = fullRecord("u1", "b");
  moved.ns = "moved";
  ASSERT_TRUE(database->put(moved));
  EXPECT_TRUE(database->load("a")->empty());
  EXPECT_EQ(*database->load("b"), std::vector{moved});
}

TEST_F(DatabaseTest, LoadGivesOneNodeAndLoadAllEverySorted) {
  const auto database = open();
  auto second = fullRecord("u2", "b");
  second.ns = "aaa";
  for (const auto& record : {fullRecord("u1", "b"), second, fullRecord("u3", "a")}) {
    ASSERT_TRUE(database->put(record));
  }
  EXPECT_EQ(*database->load("b"), (std::vector{second, fullRecord("u1", "b")}));
  EXPECT_EQ(*database->loadAll(),
            (std::vector{fullRecord("u3", "a"), second, fullRecord("u1", "b")}));
  EXPECT_TRUE(database->load("none")->empty());
}

TEST_F(DatabaseTest, EraseForgetsAndIsNoErrorTwice) {
  const auto database = open();
  ASSERT_TRUE(database->put(fullRecord("u1")));
  ASSERT_TRUE(database->put(fullRecord("u2")));
  ASSERT_TRUE(database->erase("u1"));
  ASSERT_TRUE(database->erase("u1"));
  EXPECT_EQ(*database->loadAll(), std::vector{fullRecord("u2")});
}

ClusterHealth sampleHealth(const std::string& name) {
  return {.name = name,
          .state = "Unreachable",
          .message = "dial tcp: connection refused",
          .since = WallTime(std::chrono::microseconds(1'795'300'000'123'456)),
          .updated_at = WallTime(std::chrono::microseconds(1'795'300'000'999'999)),
          .version = "v1.20.2",
          .nodes_ready = 2,
          .nodes_total = 3,
          .cpu = "12",
          .memory = "48Gi",
          .pods = "330"};
}

TEST_F(DatabaseTest, HealthIsReadAsItWasPutAndReplaced) {
  const auto database = open();
  ASSERT_TRUE(database->putHealth(sampleHealth("b")));
  ASSERT_TRUE(database->putHealth(sampleHealth("a")));
  auto health = sampleHealth("b");
  health.state = "Ready";
  health.message = "";
  ASSERT_TRUE(database->putHealth(health));
  const auto all = database->loadHealth();
  ASSERT_TRUE(all);
  ASSERT_EQ(all->size(), 2U);
  EXPECT_EQ(all->at(0).name, "a");
  EXPECT_EQ(all->at(0).message, "dial tcp: connection refused");
  EXPECT_EQ(all->at(0).since, health.since);
  EXPECT_EQ(all->at(0).updated_at, health.updated_at);
  EXPECT_EQ(all->at(0).version, "v1.20.2");
  EXPECT_EQ(all->at(0).nodes_ready, 2);
  EXPECT_EQ(all->at(0).nodes_total, 3);
  EXPECT_EQ(all->at(0).cpu, "12");
  EXPECT_EQ(all->at(0).memory, "48Gi");
  EXPECT_EQ(all->at(0).pods, "330");
  EXPECT_EQ(all->at(1).state, "Ready");
  EXPECT_EQ(all->at(1).message, "");
}

TEST_F(DatabaseTest, AClusterThatLeftIsForgottenWholeAndAlone) {
  const auto database = open();
  for (const char* name : {"a", "b"}) {
    ASSERT_TRUE(database->putHealth(sampleHealth(name)));
    ASSERT_TRUE(database->put(fullRecord(std::string("u-") + name, name)));
  }
  ASSERT_TRUE(database->forgetCluster("a"));
  ASSERT_TRUE(database->forgetCluster("a"));
  EXPECT_EQ(*database->loadAll(), std::vector{fullRecord("u-b", "b")});
  EXPECT_EQ(database->loadHealth()->size(), 1U);
}

TEST_F(DatabaseTest, FilesArePrivateWhateverTheUmask) {
  const mode_t old = ::umask(0);
  const auto database = open();
  ASSERT_TRUE(database->put(fullRecord("u1")));
  ::umask(old);
  for (const char* name : {"state.db", "state.db-wal", "state.db-shm"}) {
    EXPECT_EQ(modeOf(folder.path() / name), 0600U) << name;
  }
}

TEST_F(DatabaseTest, AReaderSeesNothingBeforeThereIsADatabase) {
  const auto reader = Database::openReadOnly(folder);
  ASSERT_TRUE(reader) << reader.error().message;
  EXPECT_EQ(*reader, nullptr);
  EXPECT_FALSE(fs::exists(folder.database()));
}

TEST_F(DatabaseTest, AReaderSeesWhatWasLastWrittenWhileTheWriterLivesAndAfter) {
  auto writer = open();
  const auto reader = Database::openReadOnly(folder);
  ASSERT_TRUE(reader && *reader);
  ASSERT_TRUE(writer->put(fullRecord("u1")));
  EXPECT_EQ((*reader)->loadAll()->size(), 1U);
  writer.reset();
  EXPECT_EQ((*reader)->loadAll()->size(), 1U);
  EXPECT_EQ((*Database::openReadOnly(folder))->loadAll()->size(), 1U);
}

TEST_F(DatabaseTest, AReaderCannotWrite) {
  const auto writer = open();
  const auto reader = Database::openReadOnly(folder);
  ASSERT_TRUE(reader && *reader);
  EXPECT_FALSE((*reader)->forgetCluster("gpu-eu"));
  EXPECT_THAT((*reader)->put(fullRecord("u1")).error().message,
              ::testing::HasSubstr("permission denied"));
}

TEST_F(DatabaseTest, ReadersNeverDisturbAWriterNorSeeHalfARecord) {
  const auto writer = open();
  std::atomic<bool> done = false;
  std::atomic<int> bad = 0;
  std::vector<std::thread> readers;
  for (int i = 0; i < 2; ++i) {
    readers.emplace_back([&] {
      const auto reader = Database::openReadOnly(folder);
      if (!reader || !*reader) return void(++bad);
      std::size_t most = 0;
      while (!done) {
        const auto records = (*reader)->loadAll();
        if (!records || records->size() < most) return void(++bad);
        most = records->size();
        for (const auto& record : *records) bad += record == fullRecord(record.uid) ? 0 : 1;
      }
    });
  }
  for (int i = 0; i < 500; ++i) {
    const auto put = writer->put(fullRecord("u" + std::to_string(i)));
    EXPECT_TRUE(put) << put.error().message;
  }
  done = true;
  for (auto& reader : readers) reader.join();
  EXPECT_EQ(bad, 0);
}

TEST_F(DatabaseTest, ManyThreadsMayUseOneDatabase) {
  const auto database = open();
  std::vector<std::thread> threads;
  std::atomic<int> failed = 0;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 100; ++i) {
        const std::string uid = std::to_string(t) + "-" + std::to_string(i);
        if (!database->put(fullRecord(uid))) ++failed;
        if (i % 2 == 0 && !database->erase(uid)) ++failed;
        if (!database->load("gpu-eu")) ++failed;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(failed, 0);
  EXPECT_EQ(database->loadAll()->size(), 200U);
}

}  // namespace
}  // namespace vkb::state
