#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "vkbridge/json.h"
#include "vkbridge/status.h"

namespace vkb::kube {

/// One named cluster, user or context and the file that it stands in, against whose folder its
/// relative paths count.
struct KubeconfigEntry {
  std::shared_ptr<const Json> map;  ///< never null
  std::string file;
  const Json& value() const { return *map; }
  /// `path` made absolute against the file's folder.
  std::string resolve(const std::string& path) const;
};

/// One or more kubeconfig files merged by kubectl's rule: the first file to set a value or a name
/// wins, and of a name that two files have only the first one's values count.
struct MergedKubeconfig {
  std::map<std::string, KubeconfigEntry> clusters, users, contexts;
  std::string current_context;
  std::vector<std::string> files;
  /// "kubeconfig a" or "kubeconfigs a, b", for messages.
  std::string describe() const;
};

/// Adds one file. Errors name it.
Result<void> mergeKubeconfigFile(const std::string& path, MergedKubeconfig& merged);

}  // namespace vkb::kube
