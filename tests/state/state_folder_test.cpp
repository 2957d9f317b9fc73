#include "state/state_folder.h"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <set>
#include <thread>

#include "helpers.h"

namespace vkb::state {
namespace {

namespace fs = std::filesystem;
using test::Child;
using test::modeOf;
using test::slurp;
using test::spill;
using test::TempFolder;
using ::testing::HasSubstr;

ClusterConfig sampleConfig(const std::string& name) {
  ClusterConfig config;
  config.name = name;
  config.target_id = "11111111-2222-3333-4444-555555555555";
  config.server = "https://10.0.0.1:6443";
  config.joined_at = WallTime(std::chrono::microseconds(1'795'300'000'123'456));
  config.options.allow_namespaces = {"default", "team-*"};
  config.options.keep_labels = true;
  config.options.claim_namespace = "claims";
  config.options.limits = {{"cpu", "100"}, {"memory", "1Ti"}};
  config.options.one_namespace = true;
  config.identity_namespace = "team-a";
  config.former_target_ids = {"old-1", "old-2"};
  config.options.recreate_lost = config.options.hold_unreachable = true;
  return config;
}

struct Umask {
  explicit Umask(mode_t mask) : old(::umask(mask)) {}
  ~Umask() { ::umask(old); }
  mode_t old;
};

TEST(ClusterName, AcceptsDnsLabelsOfUpTo40Characters) {
  for (const std::string& name :
       {std::string("a"), std::string("gpu-eu"), std::string("0"), std::string(40, 'x')}) {
    EXPECT_TRUE(checkClusterName(name)) << name;
  }
}

TEST(ClusterName, RefusesEverythingElseWithASentence) {
  for (const std::string& name :
       {std::string(), std::string("-a"), std::string("a-"), std::string("A"), std::string("a.b"),
        std::string("a_b"), std::string("../etc"), std::string("ü"), std::string(41, 'x'),
        std::string("a/b"), std::string("a\0b", 3)}) {
    const auto result = checkClusterName(name);
    ASSERT_FALSE(result) << name;
    EXPECT_THAT(result.error().message, HasSubstr("cannot name a cluster"));
  }
}

TEST(StateFolder, FoldersAndFilesArePrivateWhateverTheUmask) {
  for (const mode_t mask : {0000, 0022, 0277}) {
    const Umask umask(mask);
    TempFolder temp;
    ::chmod(temp.path().c_str(), 0700);
    auto folder = StateFolder::open(temp.path() / "a" / "state");
    ASSERT_TRUE(folder) << folder.error().message;
    ASSERT_TRUE(folder->writeCluster(sampleConfig("gpu-eu"), "secret"));
    ASSERT_TRUE(folder->bindHome("home-1"));
    const fs::path root = temp.path() / "a" / "state";
    EXPECT_EQ(modeOf(temp.path() / "a"), 0700U);
    EXPECT_EQ(modeOf(root), 0700U);
    EXPECT_EQ(modeOf(root / "clusters"), 0700U);
    EXPECT_EQ(modeOf(root / "clusters" / "gpu-eu"), 0700U);
    EXPECT_EQ(modeOf(root / "clusters" / "gpu-eu" / "kubeconfig"), 0600U);
    EXPECT_EQ(modeOf(root / "clusters" / "gpu-eu" / "cluster.json"), 0600U);
    EXPECT_EQ(modeOf(root / "installation"), 0600U);
    EXPECT_EQ(modeOf(root / "home"), 0600U);
  }
}

TEST(StateFolder, OneThatOthersMayReadIsRefusedWithTheChmod) {
  TempFolder temp;
  const fs::path path = temp.path() / "open";
  fs::create_directory(path);
  for (const mode_t mode : {0750, 0701, 0777}) {
    ::chmod(path.c_str(), mode);
    for (const auto& result : {StateFolder::open(path), StateFolder::openExisting(path)}) {
      ASSERT_FALSE(result);
      EXPECT_THAT(result.error().message, HasSubstr("run: chmod 700 " + path.string()));
    }
    EXPECT_TRUE(fs::is_empty(path));
  }
}

TEST(StateFolder, AFileInItsPlaceIsRefused) {
  TempFolder temp;
  spill(temp.path() / "file", "x");
  for (const fs::path& path : {temp.path() / "file", temp.path() / "file" / "below"}) {
    EXPECT_FALSE(StateFolder::open(path));
    EXPECT_FALSE(StateFolder::openExisting(path));
  }
  EXPECT_EQ(slurp(temp.path() / "file"), "x");
}

TEST(StateFolder, AReaderOfAMissingFolderIsSentToJoin) {
  TempFolder temp;
  const auto result = StateFolder::openExisting(temp.path() / "nothing");
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().message, HasSubstr("vk-bridge join NAME --kubeconfig FILE"));
  EXPECT_FALSE(fs::exists(temp.path() / "nothing"));
}

TEST(StateFolder, AReaderMakesNothingInAnEmptyFolder) {
  TempFolder temp;
  const auto folder = StateFolder::openExisting(temp.path());
  ASSERT_TRUE(folder) << folder.error().message;
  EXPECT_EQ(folder->installationId(), "");
  EXPECT_TRUE(folder->clusters()->empty());
  EXPECT_TRUE(fs::is_empty(temp.path()));
}

TEST(StateFolder, TheInstallationIdIsMadeOnceAndKept) {
  TempFolder temp;
  const std::string id = temp.open().installationId();
  EXPECT_EQ(id.size(), 36U);
  EXPECT_EQ(temp.open().installationId(), id);
  EXPECT_EQ(StateFolder::openExisting(temp.path() / "state")->installationId(), id);
  TempFolder other;
  EXPECT_NE(other.open().installationId(), id);
}

TEST(StateFolder, FirstOpenersAtOnceAgreeOnTheInstallationId) {
  TempFolder temp;
  std::mutex mutex;
  std::set<std::string> ids;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      const auto folder = StateFolder::open(temp.path() / "state");
      const std::lock_guard lock(mutex);
      ids.insert(folder ? folder->installationId() : folder.error().message);
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(ids.size(), 1U);
}

TEST(StateFolder, ADamagedInstallationIdIsAnErrorAndStays) {
  TempFolder temp;
  temp.open();
  const fs::path file = temp.path() / "state" / "installation";
  spill(file, "");
  const auto folder = StateFolder::open(temp.path() / "state");
  ASSERT_FALSE(folder);
  EXPECT_THAT(folder.error().message, HasSubstr(file.string() + " is damaged"));
  EXPECT_EQ(slurp(file), "");
}

TEST(StateFolder, BelongsToTheFirstHomeClusterItSaw) {
  TempFolder temp;
  auto folder = temp.open();
  EXPECT_EQ(folder.homeId(), std::nullopt);
  ASSERT_TRUE(folder.bindHome("home-1"));
  ASSERT_TRUE(folder.bindHome("home-1"));
  const auto other = temp.open().bindHome("home-2");
  ASSERT_FALSE(other);
  EXPECT_THAT(other.error().message, HasSubstr("home-1"));
  EXPECT_THAT(other.error().message, HasSubstr("home-2"));
  EXPECT_EQ(folder.homeId(), "home-1");
}

TEST(StateFolder, AClusterIsReadAsItWasWritten) {
  TempFolder temp;
  auto folder = temp.open();
  auto config = sampleConfig("gpu-eu");
  config.leaving = true;
  config.forget_target = true;
  ASSERT_TRUE(folder.writeCluster(config, "apiVersion: v1\n"));
  const auto read = folder.cluster("gpu-eu");
  ASSERT_TRUE(read && *read);
  EXPECT_EQ((*read)->name, config.name);
  EXPECT_EQ((*read)->target_id, config.target_id);
  EXPECT_EQ((*read)->server, config.server);
  EXPECT_EQ((*read)->joined_at, config.joined_at);
  EXPECT_TRUE((*read)->leaving);
  EXPECT_TRUE((*read)->forget_target);
  EXPECT_EQ((*read)->options, config.options);
  EXPECT_EQ((*read)->identity_namespace, "team-a");
  EXPECT_EQ((*read)->former_target_ids, config.former_target_ids);
  EXPECT_EQ(slurp(folder.kubeconfigPath("gpu-eu")), "apiVersion: v1\n");
}

TEST(StateFolder, WritingAgainReplacesAndLeavesNoOtherFile) {
  TempFolder temp;
  auto folder = temp.open();
  ASSERT_TRUE(folder.writeCluster(sampleConfig("gpu-eu"), "old"));
  ASSERT_TRUE(folder.writeCluster(sampleConfig("gpu-eu"), "new"));
  auto config = sampleConfig("gpu-eu");
  config.leaving = true;
  ASSERT_TRUE(folder.writeConfig(config));
  EXPECT_EQ(slurp(folder.kubeconfigPath("gpu-eu")), "new");
  EXPECT_TRUE((*folder.cluster("gpu-eu"))->leaving);
  const fs::path inside = folder.kubeconfigPath("gpu-eu").parent_path();
  EXPECT_EQ(std::distance(fs::directory_iterator(inside), fs::directory_iterator()), 2);
}

TEST(StateFolder, ClustersAreSortedAndOthersFoldersIgnored) {
  TempFolder temp;
  auto folder = temp.open();
  for (const char* name : {"b", "a", "c"}) {
    ASSERT_TRUE(folder.writeCluster(sampleConfig(name), "x"));
  }
  fs::create_directories(folder.path() / "clusters" / "half-written");
  spill(folder.path() / "clusters" / "half-written" / "kubeconfig", "x");
  fs::create_directories(folder.path() / "clusters" / "Not.A.Name");
  spill(folder.path() / "clusters" / "stray", "x");
  const auto clusters = folder.clusters();
  ASSERT_TRUE(clusters) << clusters.error().message;
  std::vector<std::string> names;
  for (const auto& config : *clusters) names.push_back(config.name);
  EXPECT_EQ(names, (std::vector<std::string>{"a", "b", "c"}));
}

TEST(StateFolder, AnUnreadableConfigIsAnErrorThatNamesTheFile) {
  TempFolder temp;
  auto folder = temp.open();
  ASSERT_TRUE(folder.writeCluster(sampleConfig("gpu-eu"), "x"));
  const fs::path file = folder.path() / "clusters" / "gpu-eu" / "cluster.json";
  for (const char* text :
       {"", "{", "[]", "\x01\xff", "{\"format\":1}", "{\"name\":\"gpu-eu\",\"targetId\":\"t\"}",
        "{\"format\":1,\"name\":\"gpu-eu\",\"targetId\":7}",
        "{\"format\":1,\"name\":\"gpu-eu\",\"targetId\":\"t\","
        "\"options\":{\"allowNamespaces\":[1]}}"}) {
    spill(file, text);
    const auto clusters = folder.clusters();
    ASSERT_FALSE(clusters) << text;
    EXPECT_THAT(clusters.error().message, HasSubstr(file.string()));
    EXPECT_EQ(slurp(file), text);
  }
}

TEST(StateFolder, AConfigOfANewerFormatOrAnotherNameIsRefused) {
  TempFolder temp;
  auto folder = temp.open();
  ASSERT_TRUE(folder.writeCluster(sampleConfig("gpu-eu"), "x"));
  const fs::path clusters = folder.path() / "clusters";
  fs::copy(clusters / "gpu-eu", clusters / "copy");
  EXPECT_THAT(folder.clusters().error().message, HasSubstr("cannot be copied or renamed"));
  fs::remove_all(clusters / "copy");
  spill(clusters / "gpu-eu" / "cluster.json", "{\"format\":2}");
  EXPECT_THAT(folder.clusters().error().message, HasSubstr("newer vk-bridge"));
}

TEST(StateFolder, RemovedClustersAreGoneAndRemovingAgainIsFine) {
  TempFolder temp;
  auto folder = temp.open();
  ASSERT_TRUE(folder.writeCluster(sampleConfig("gpu-eu"), "x"));
  ASSERT_TRUE(folder.writeCluster(sampleConfig("other"), "x"));
  ASSERT_TRUE(folder.removeCluster("gpu-eu"));
  ASSERT_TRUE(folder.removeCluster("gpu-eu"));
  EXPECT_FALSE(fs::exists(folder.path() / "clusters" / "gpu-eu"));
  EXPECT_EQ(folder.clusters()->size(), 1U);
  EXPECT_EQ(*folder.cluster("gpu-eu"), std::nullopt);
  const auto written = folder.writeConfig(sampleConfig("gpu-eu"));
  ASSERT_FALSE(written);
  EXPECT_THAT(written.error().message, HasSubstr("no cluster is joined under the name"));
}

TEST(StateFolder, NamesNeverBecomePathsOutsideTheFolder) {
  TempFolder temp;
  auto folder = temp.open();
  spill(temp.path() / "state" / "cluster.json", "{}");
  EXPECT_EQ(*folder.cluster(".."), std::nullopt);
  EXPECT_FALSE(folder.removeCluster(".."));
  auto config = sampleConfig("../../evil");
  EXPECT_FALSE(folder.writeCluster(config, "x"));
  EXPECT_TRUE(fs::exists(temp.path() / "state" / "cluster.json"));
}

TEST(StateFolder, AWriterKilledAtAnyMomentLeavesAWholeCluster) {
  TempFolder temp;
  const auto folder = temp.open();
  const std::string old_text(100'000, 'o');
  const std::string new_text(100'000, 'n');
  ASSERT_TRUE(StateFolder(folder).writeCluster(sampleConfig("gpu-eu"), old_text));
  for (int round = 0; round < 10; ++round) {
    Child child([&](const Child::Pipe& pipe) {
      StateFolder mine(folder);
      for (bool flip = false;; flip = !flip) {
        (void)mine.writeCluster(sampleConfig("gpu-eu"), flip ? old_text : new_text);
        pipe.say("written");
      }
    });
    for (int i = 0; i < 1 + round; ++i) ASSERT_EQ(child.line(), "written");
    child.kill();
    const std::string text = slurp(folder.kubeconfigPath("gpu-eu"));
    EXPECT_TRUE(text == old_text || text == new_text);
    EXPECT_EQ(folder.clusters()->size(), 1U);
  }
}

TEST(StateFolder, AFolderThatCannotBeWrittenIsAClearErrorAndNothingChanges) {
  TempFolder temp;
  auto folder = temp.open();
  ASSERT_TRUE(folder.writeCluster(sampleConfig("gpu-eu"), "old"));
  const fs::path inside = folder.path() / "clusters" / "gpu-eu";
  Child child([&](const Child::Pipe& pipe) {
    if (::geteuid() == 0) {
      // Root may write anywhere: become somebody who owns the folders and has shut them.
      for (const auto& path : {temp.path(), folder.path(), folder.path() / "clusters", inside,
                               inside / "cluster.json", inside / "kubeconfig"}) {
        if (::chown(path.c_str(), 65534, 65534) != 0) pipe.say("cannot chown");
      }
      if (::setgid(65534) != 0 || ::setuid(65534) != 0) pipe.say("cannot change the user");
    }
    ::chmod(inside.c_str(), 0500);
    const auto written = folder.writeCluster(sampleConfig("gpu-eu"), "new");
    ::chmod(inside.c_str(), 0700);
    pipe.say(written ? "written" : written.error().message);
  });
  const std::string said = child.line();
  EXPECT_THAT(said, HasSubstr("cannot write " + (inside / "kubeconfig").string()));
  EXPECT_THAT(said, HasSubstr("--state-dir"));
  EXPECT_EQ(slurp(inside / "kubeconfig"), "old");
}

TEST(StateFolder, TheDefaultPathFollowsTheXdgSpecification) {
  const char* old = std::getenv("XDG_STATE_HOME");
  const std::string saved = old != nullptr ? old : "";
  ::setenv("XDG_STATE_HOME", "/x/state", 1);
  EXPECT_EQ(StateFolder::defaultPath(), "/x/state/vk-bridge");
  ::setenv("XDG_STATE_HOME", "relative", 1);
  const fs::path fallback = StateFolder::defaultPath();
  EXPECT_TRUE(fallback == "/var/lib/vk-bridge" ||
              fallback.string().ends_with("/.local/state/vk-bridge"));
  old != nullptr ? ::setenv("XDG_STATE_HOME", saved.c_str(), 1) : ::unsetenv("XDG_STATE_HOME");
}

}  // namespace
}  // namespace vkb::state
