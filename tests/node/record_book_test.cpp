#include "node/record_book.h"

#include <gtest/gtest.h>

#include "memory_store.h"

namespace vkb::node {
namespace {

PodRecord record(const std::string& uid, const std::string& node = "gpu") {
  PodRecord result;
  result.uid = uid;
  result.node = node;
  result.ns = "default";
  result.name = "pod-" + uid;
  return result;
}

class RecordBookTest : public ::testing::Test {
 protected:
  test::MemoryStore store_;
  RecordBook book_{store_};
};

TEST_F(RecordBookTest, LoadsTheRecordsOfItsNodeAlone) {
  ASSERT_TRUE(store_.put(record("a")));
  ASSERT_TRUE(store_.put(record("b", "other")));
  ASSERT_TRUE(book_.load("gpu"));
  EXPECT_EQ(book_.size(), 1u);
  EXPECT_EQ(book_.find("a"), record("a"));
  EXPECT_FALSE(book_.find("b"));
}

TEST_F(RecordBookTest, AChangeIsInTheStoreBeforeItIsSeen) {
  store_.failing = true;
  EXPECT_FALSE(book_.put(record("a")));
  EXPECT_FALSE(book_.find("a")) << "what is not durable is not true";
  store_.failing = false;
  EXPECT_TRUE(book_.put(record("a")));
  EXPECT_EQ(store_.find("a"), book_.find("a"));
}

TEST_F(RecordBookTest, AFailedEraseForgetsNothing) {
  ASSERT_TRUE(book_.put(record("a")));
  store_.failing = true;
  EXPECT_FALSE(book_.erase("a"));
  EXPECT_TRUE(book_.find("a"));
  store_.failing = false;
  EXPECT_TRUE(book_.erase("a"));
  EXPECT_FALSE(book_.find("a"));
  EXPECT_TRUE(book_.erase("a")) << "forgetting twice is fine";
}

TEST_F(RecordBookTest, WhatChangesNothingIsNotWritten) {
  ASSERT_TRUE(book_.put(record("a")));
  const int writes = store_.writes;
  EXPECT_TRUE(book_.put(record("a")));
  EXPECT_EQ(store_.writes, writes);
  PodRecord changed = record("a");
  changed.state = PodRecord::State::kCreating;
  EXPECT_TRUE(book_.put(changed));
  EXPECT_EQ(store_.writes, writes + 1);
  EXPECT_EQ(book_.all(), std::vector<PodRecord>{changed});
}

TEST_F(RecordBookTest, AStoreThatCannotBeReadIsReported) {
  store_.failing = true;
  const auto loaded = book_.load("gpu");
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().reason, "StoreFailed");
}

}  // namespace
}  // namespace vkb::node
