#include "support/environment.h"

#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <random>
#include <sstream>
#include <stdexcept>

namespace vkb::e2e {

namespace {

std::string variable(const char* name, const std::string& fallback) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0' ? value : fallback;
}

std::string existingFile(const char* name, const std::string& fallback, const std::string& what) {
  std::string path = variable(name, fallback);
  if (path.empty()) {
    throw std::runtime_error(std::string(name) + " is not set: it must name " + what +
                             "; ./scripts/test.sh sets up clusters and runs these tests");
  }
  if (!std::filesystem::exists(path)) {
    throw std::runtime_error(std::string(name) + " must name " + what + ", but there is no file " +
                             path);
  }
  return path;
}

}  // namespace

Environment Environment::read() {
  Environment environment;
  environment.kubectl = variable("KUBECTL", "kubectl");
  environment.home_kubeconfig =
      existingFile("E2E_HOME_KUBECONFIG", "", "the home cluster's admin kubeconfig");
  environment.target_kubeconfig =
      existingFile("E2E_TARGET_KUBECONFIG", "", "the target cluster's admin kubeconfig");
  environment.bridge_program =
      existingFile("VK_BRIDGE_BIN", VKB_DEFAULT_PROGRAM, "the vk-bridge program under test");
  environment.mock_program =
      existingFile("VK_MOCK_NODE_BIN", VKB_DEFAULT_MOCK_NODE, "the vk-mock-node program");
  environment.other_kubeconfig = variable("E2E_OTHER_KUBECONFIG", "");
  environment.rig = variable("E2E_RIG", "");
  environment.home_name = variable("E2E_HOME_NAME", "");
  environment.other_name = variable("E2E_OTHER_NAME", "");
  return environment;
}

TemporaryFolder::TemporaryFolder() {
  std::string pattern = (std::filesystem::temp_directory_path() / "vkb-e2e-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) {
    throw std::runtime_error("cannot make a folder like " + pattern);
  }
  path_ = pattern;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string randomSuffix() {
  static constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz0123456789";
  std::random_device device;
  std::uniform_int_distribution<std::size_t> pick(0, kLetters.size() - 1);
  std::string suffix;
  for (int i = 0; i < 6; ++i) suffix += kLetters[pick(device)];
  return suffix;
}

std::map<std::string, std::string> snapshotOf(const std::filesystem::path& folder) {
  std::map<std::string, std::string> files;
  if (!std::filesystem::exists(folder)) return files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    std::ostringstream content;
    if (entry.is_regular_file()) content << std::ifstream(entry.path(), std::ios::binary).rdbuf();
    files[std::filesystem::relative(entry.path(), folder).string()] = content.str();
  }
  return files;
}

}  // namespace vkb::e2e
