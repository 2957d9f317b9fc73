#include "kube/kubeconfig_merge.h"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "json/json.h"
#include "kube/files.h"
#include "kube/yaml.h"

namespace vkb::kube {
namespace {

/// `list` is clusters, users or contexts; `member` its entries' value key.
Result<void> mergeList(const Json& document, const std::string& list, const char* member,
                       const std::string& file, std::map<std::string, KubeconfigEntry>& into) {
  const Json& entries = json::at(document, list);
  if (entries.is_null()) return {};
  if (!entries.is_array()) {
    return invalid("kubeconfig " + file + ": `" + list + "` is not a list");
  }
  for (const Json& entry : entries) {
    const std::string name = json::str(entry, "name");
    if (name.empty()) {
      return invalid("kubeconfig " + file + ": an entry of `" + list + "` has no name");
    }
    const Json& value = json::at(entry, member);
    if (!value.is_null() && !value.is_object()) {
      return invalid("kubeconfig " + file + ": `" + member + "` of \"" + name + "\" in `" + list +
                     "` is not a map");
    }
    into.try_emplace(
        name, KubeconfigEntry{
                  std::make_shared<const Json>(value.is_null() ? Json::object() : value), file});
  }
  return {};
}

}  // namespace

std::string KubeconfigEntry::resolve(const std::string& path) const {
  const std::filesystem::path given(path);
  if (given.is_absolute()) return path;
  std::error_code ignored;
  const auto folder = std::filesystem::absolute(std::filesystem::path(file), ignored).parent_path();
  return (folder / given).lexically_normal().string();
}

std::string MergedKubeconfig::describe() const {
  std::string text = files.size() == 1 ? "kubeconfig " : "kubeconfigs ";
  for (std::size_t i = 0; i < files.size(); ++i) text += (i == 0 ? "" : ", ") + files[i];
  return text;
}

Result<void> mergeKubeconfigFile(const std::string& path, MergedKubeconfig& merged) {
  const auto text = readTextFile(path);
  if (!text) {
    return invalid("cannot read kubeconfig " + path + ": " + text.error().message +
                   "; check the path and its permissions");
  }
  if (trimmed(*text).empty()) {
    return invalid("kubeconfig " + path +
                   " is empty; write it anew, for example with "
                   "`kubectl config view --raw --minify --flatten`");
  }
  const auto document = parseKubeconfigYaml(*text);
  if (!document) {
    return invalid("kubeconfig " + path + " is not valid YAML: " + document.error().message);
  }
  if (!document->is_object()) {
    return invalid("kubeconfig " + path +
                   " is not a kubeconfig: it holds no map with clusters, users and contexts");
  }
  if (const std::string kind = json::str(*document, "kind"); !kind.empty() && kind != "Config") {
    return invalid("kubeconfig " + path + " is not a kubeconfig: its kind is \"" + kind +
                   "\", not \"Config\"");
  }
  merged.files.push_back(path);
  for (const auto& [list, member, into] : {std::tuple{"clusters", "cluster", &merged.clusters},
                                           std::tuple{"users", "user", &merged.users},
                                           std::tuple{"contexts", "context", &merged.contexts}}) {
    if (auto done = mergeList(*document, list, member, path, *into); !done) return done;
  }
  if (merged.current_context.empty()) {
    merged.current_context = json::str(*document, "current-context");
  }
  return {};
}

}  // namespace vkb::kube
