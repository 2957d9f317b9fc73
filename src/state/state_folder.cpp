#include "state/state_folder.h"

#include <pwd.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <system_error>

#include "base/check.h"
#include "state/cluster_config.h"
#include "state/files.h"

namespace vkb::state {
namespace fs = std::filesystem;

namespace {

constexpr const char* kClusters = "clusters";
constexpr const char* kConfig = "cluster.json";
constexpr const char* kInstallation = "installation";
constexpr const char* kHome = "home";

/// A random UUID from the kernel. Drawn here and not through the Random seam because it happens
/// once in the life of a folder and decides nothing.
std::string newInstallationId() {
  std::array<unsigned char, 16> bytes{};
  VKB_CHECK(::getrandom(bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()),
            "the kernel gives no random numbers");
  bytes[6] = static_cast<unsigned char>((bytes[6] & 0x0fU) | 0x40U);
  bytes[8] = static_cast<unsigned char>((bytes[8] & 0x3fU) | 0x80U);
  static constexpr char kHex[] = "0123456789abcdef";
  std::string id;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) id += '-';
    id += kHex[bytes[i] >> 4U];
    id += kHex[bytes[i] & 0x0fU];
  }
  return id;
}

/// The one line of a small file; nothing when the file is missing.
Result<std::optional<std::string>> readLine(const fs::path& path) {
  auto content = readFile(path);
  if (!content || !*content) return content;
  std::string line = **content;
  while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.pop_back();
  if (line.empty() || line.find('\n') != std::string::npos) {
    return invalid(path.string() +
                   " is damaged: it should hold one line; restore it from a backup");
  }
  return std::optional<std::string>{std::move(line)};
}

}  // namespace

fs::path StateFolder::defaultPath() {
  const char* xdg = std::getenv("XDG_STATE_HOME");
  // The XDG specification: a relative path there is to be ignored.
  if (xdg != nullptr && *xdg == '/') return fs::path(xdg) / "vk-bridge";
  if (::geteuid() == 0) return "/var/lib/vk-bridge";
  const char* home = std::getenv("HOME");
  if (home == nullptr || *home != '/') {
    const passwd* entry = ::getpwuid(::geteuid());
    home = entry != nullptr ? entry->pw_dir : "/";
  }
  return fs::path(home) / ".local" / "state" / "vk-bridge";
}

Result<StateFolder> StateFolder::open(const fs::path& path) {
  std::error_code error;
  const fs::path full = fs::absolute(path.empty() ? defaultPath() : path, error).lexically_normal();
  if (error) return failure(fileError("open", path, error.value()));
  if (auto made = makePrivateFolder(full); !made) return failure(made.error());
  if (auto checked = requirePrivateFolder(full); !checked) return failure(checked.error());
  if (auto made = makePrivateFolder(full / kClusters); !made) return failure(made.error());

  StateFolder folder(full);
  auto id = readLine(full / kInstallation);
  if (id && !*id) {
    // Two first commands at once: whoever makes the file decides, both read it.
    auto created = createFileOnce(full / kInstallation, newInstallationId() + "\n");
    if (!created) return failure(created.error());
    id = readLine(full / kInstallation);
  }
  if (!id) return failure(id.error());
  folder.installation_id_ = id->value_or("");
  return folder;
}

Result<StateFolder> StateFolder::openExisting(const fs::path& path) {
  std::error_code error;
  const fs::path full = fs::absolute(path.empty() ? defaultPath() : path, error).lexically_normal();
  if (error) return failure(fileError("open", path, error.value()));
  if (!fs::exists(full, error) && !error) {
    return invalid("there is no state folder " + full.string() +
                   "; join a cluster first (vk-bridge join NAME --kubeconfig FILE), or name the "
                   "right folder with --state-dir");
  }
  if (auto checked = requirePrivateFolder(full); !checked) return failure(checked.error());
  StateFolder folder(full);
  auto id = readLine(full / kInstallation);
  if (!id) return failure(id.error());
  folder.installation_id_ = id->value_or("");
  return folder;
}

Result<void> StateFolder::bindHome(const std::string& home_id) {
  VKB_CHECK(!home_id.empty() && home_id.find('\n') == std::string::npos, "a home id is one line");
  auto recorded = readLine(path_ / kHome);
  if (recorded && !*recorded) {
    auto created = createFileOnce(path_ / kHome, home_id + "\n");
    if (!created) return failure(created.error());
    recorded = readLine(path_ / kHome);
  }
  if (!recorded) return failure(recorded.error());
  if (recorded->value_or("") == home_id) return {};
  return invalid("the state folder " + path_.string() + " belongs to the home cluster " +
                 recorded->value_or("") + ", but the home kubeconfig leads to " + home_id +
                 "; use the kubeconfig of that home cluster, or another --state-dir");
}

std::optional<std::string> StateFolder::homeId() const {
  return readLine(path_ / kHome).value_or(std::nullopt);
}

Result<std::vector<ClusterConfig>> StateFolder::clusters() const {
  std::vector<ClusterConfig> found;
  std::error_code error;
  fs::directory_iterator entry(path_ / kClusters, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (!checkClusterName(name)) continue;  // not one of ours
    auto config = cluster(name);
    if (!config) return failure(config.error());
    if (*config) found.push_back(std::move(**config));
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    return failure(fileError("read", path_ / kClusters, error.value()));
  }
  std::sort(found.begin(), found.end(),
            [](const ClusterConfig& a, const ClusterConfig& b) { return a.name < b.name; });
  return found;
}

Result<std::optional<ClusterConfig>> StateFolder::cluster(const std::string& name) const {
  // A name that cannot be joined cannot be there, and must not become a path.
  if (!checkClusterName(name)) return std::optional<ClusterConfig>{};
  const fs::path file = path_ / kClusters / name / kConfig;
  auto text = readFile(file);
  if (!text) return failure(text.error());
  if (!*text) return std::optional<ClusterConfig>{};
  auto config = parseClusterConfig(**text, file.string());
  if (!config) return failure(config.error());
  if (config->name != name) {
    return invalid(file.string() + " is of another cluster (" + config->name +
                   "); a cluster folder cannot be copied or renamed, join it under its new name");
  }
  return std::optional<ClusterConfig>{std::move(*config)};
}

fs::path StateFolder::kubeconfigPath(const std::string& name) const {
  return path_ / kClusters / name / "kubeconfig";
}

Result<void> StateFolder::writeCluster(const ClusterConfig& config, const std::string& kubeconfig) {
  if (auto good = checkClusterName(config.name); !good) return good;
  const fs::path folder = path_ / kClusters / config.name;
  if (auto made = makePrivateFolder(folder); !made) return made;
  if (auto written = writeFile(kubeconfigPath(config.name), kubeconfig); !written) return written;
  return writeFile(folder / kConfig, formatClusterConfig(config));
}

Result<void> StateFolder::writeConfig(const ClusterConfig& config) {
  auto existing = cluster(config.name);
  if (!existing) return failure(existing.error());
  if (!*existing) {
    return invalid("no cluster is joined under the name \"" + config.name +
                   "\"; vk-bridge status lists those that are");
  }
  return writeFile(path_ / kClusters / config.name / kConfig, formatClusterConfig(config));
}

Result<std::optional<std::string>> StateFolder::readNodeFile(const std::string& name,
                                                             const std::string& file) const {
  if (auto good = checkClusterName(name); !good) return failure(good.error());
  return readFile(path_ / kClusters / name / file);
}

Result<void> StateFolder::writeNodeFile(const std::string& name, const std::string& file,
                                        const std::string& content) const {
  auto existing = cluster(name);
  if (!existing) return failure(existing.error());
  // A cluster that has just left must not come back as an empty folder.
  if (!*existing) return invalid("no cluster is joined under the name \"" + name + "\"");
  return writeFile(path_ / kClusters / name / file, content);
}

Result<void> StateFolder::removeCluster(const std::string& name) {
  if (auto good = checkClusterName(name); !good) return good;
  const fs::path folder = path_ / kClusters / name;
  // First the file that makes it a cluster: after a crash the rest is nothing.
  if (auto removed = removeFile(folder / kConfig); !removed) return removed;
  std::error_code error;
  fs::remove_all(folder, error);
  if (error) return failure(fileError("remove", folder, error.value()));
  return {};
}

}  // namespace vkb::state
