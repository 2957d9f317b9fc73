// One script of client calls, the same transcript from the fake API server, in memory and over a
// socket, and from a real one: what tests prove on the fake holds for clusters.
#include <gmock/gmock.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "script.h"

namespace vkb::test {
namespace {

const std::string kGolden = std::string(VKB_SOURCE_DIR) + "/tests/conformance/transcript.golden";

std::string golden() {
  std::ostringstream text;
  text << std::ifstream(kGolden).rdbuf();
  return text.str();
}

/// The first lines that differ, "" when none do: the whole of both would hide them.
std::string firstDifference(const std::string& golden, const std::string& now) {
  std::istringstream left(golden), right(now);
  std::string section, wanted, got;
  while (true) {
    const bool more_left = static_cast<bool>(std::getline(left, wanted));
    const bool more_right = static_cast<bool>(std::getline(right, got));
    if (!more_left && !more_right) return "";
    if (more_left != more_right || wanted != got) {
      return section + ": recorded \"" + (more_left ? wanted : "(end)") + "\", now \"" +
             (more_right ? got : "(end)") + "\"";
    }
    if (wanted.starts_with("# ")) section = wanted;
  }
}

TEST(Conformance, TheFakeInMemoryDoesAsRecordedOfARealServer) {
  EXPECT_EQ(firstDifference(golden(), runScript(*inMemory())), "");
}

TEST(Conformance, TheFakeOverASocketDoesAsRecordedOfARealServer) {
  EXPECT_EQ(firstDifference(golden(), runScript(*overSocket())), "");
}

/// With VKB_RECORD set it writes the transcript that the others are held to.
TEST(RealServer, DoesAsRecordedOfARealServer) {
  const auto server = realServer();
  if (!server) GTEST_SKIP() << "set E2E_TARGET_KUBECONFIG to a cluster's admin kubeconfig";
  const std::string transcript = runScript(*server);
  if (std::getenv("VKB_RECORD") != nullptr) std::ofstream(kGolden) << transcript;
  EXPECT_EQ(firstDifference(golden(), transcript), "");
}

}  // namespace
}  // namespace vkb::test
