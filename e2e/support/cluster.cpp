#include "support/cluster.h"

#include <array>
#include <cctype>
#include <cstdio>
#include <stdexcept>

#include <nlohmann/json.hpp>

#include "json/json.h"

namespace vkb::e2e {

namespace {

std::string groupOf(const std::string& resource) {
  static const std::map<std::string, std::string> groups{
      {"deployments", "apis/apps/v1"},
      {"statefulsets", "apis/apps/v1"},
      {"daemonsets", "apis/apps/v1"},
      {"jobs", "apis/batch/v1"},
      {"horizontalpodautoscalers", "apis/autoscaling/v1"},
      {"leases", "apis/coordination.k8s.io/v1"},
  };
  const auto found = groups.find(resource);
  return found == groups.end() ? "api/v1" : found->second;
}

std::string escaped(const std::string& text) {
  std::string result;
  for (const char c : text) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '.' || c == '_') {
      result += c;
    } else {
      std::array<char, 4> hex{};
      std::snprintf(hex.data(), hex.size(), "%%%02X", static_cast<unsigned char>(c));
      result += hex.data();
    }
  }
  return result;
}

Json parsed(const std::string& text, const std::string& whence) {
  Json value = Json::parse(text, nullptr, false);
  if (value.is_discarded()) throw std::runtime_error("no JSON from " + whence + ": " + text);
  return value;
}

}  // namespace

std::string keyOf(const Json& object) {
  const std::string ns = json::str(object, {"metadata", "namespace"});
  return (ns.empty() ? "" : ns + "/") + json::str(object, {"metadata", "name"});
}

std::string pathOf(const std::string& resource, const std::string& ns, const std::string& name) {
  const auto slash = resource.rfind('/');
  const bool has_group = slash != std::string::npos;
  std::string path = "/" + (has_group ? "apis/" + resource.substr(0, slash) : groupOf(resource));
  if (!ns.empty()) path += "/namespaces/" + ns;
  path += "/" + (has_group ? resource.substr(slash + 1) : resource);
  return name.empty() ? path : path + "/" + name;
}

std::string queryOf(const Selection& selection) {
  std::string query = pathOf(selection.resource, selection.ns) + "?";
  if (!selection.labels.empty()) query += "labelSelector=" + escaped(selection.labels) + "&";
  if (!selection.fields.empty()) query += "fieldSelector=" + escaped(selection.fields) + "&";
  return query;
}

std::vector<std::string> Cluster::argv(const std::vector<std::string>& arguments) const {
  std::vector<std::string> all{kubectl_, "--kubeconfig", kubeconfig_};
  all.insert(all.end(), arguments.begin(), arguments.end());
  return all;
}

Outcome Cluster::run(const std::vector<std::string>& arguments, const std::string& input) const {
  return runCommand(argv(arguments), input, in(seconds(60)));
}

std::string Cluster::must(const std::vector<std::string>& arguments,
                          const std::string& input) const {
  Outcome outcome = run(arguments, input);
  if (!outcome.ok()) throw std::runtime_error(outcome.describe());
  return std::move(outcome.out);
}

Json Cluster::create(const Json& object) const {
  return parsed(must({"create", "--validate=false", "-o", "json", "-f", "-"}, object.dump()),
                "kubectl create");
}

void Cluster::createAll(const std::vector<Json>& objects) const {
  const Json list{{"apiVersion", "v1"}, {"kind", "List"}, {"items", objects}};
  must({"create", "--validate=false", "-f", "-"}, list.dump());
}

std::optional<Json> Cluster::find(const std::string& resource, const std::string& ns,
                                  const std::string& name) const {
  const Outcome outcome = run({"get", "--raw", pathOf(resource, ns, name)});
  if (outcome.ok()) return parsed(outcome.out, "kubectl get");
  if (outcome.err.find("NotFound") != std::string::npos) return std::nullopt;
  throw std::runtime_error(outcome.describe());
}

Json Cluster::get(const std::string& resource, const std::string& ns,
                  const std::string& name) const {
  std::optional<Json> object = find(resource, ns, name);
  if (!object) throw std::runtime_error(resource + " " + ns + "/" + name + " does not exist");
  return *std::move(object);
}

Objects Cluster::list(const Selection& selection, std::string* resource_version) const {
  const Json answer = parsed(must({"get", "--raw", queryOf(selection)}), "kubectl get");
  if (resource_version != nullptr) {
    *resource_version = json::str(answer, {"metadata", "resourceVersion"});
  }
  Objects objects;
  for (const Json& item : json::array(answer, {"items"})) objects[keyOf(item)] = item;
  return objects;
}

void Cluster::remove(const std::string& resource, const std::string& ns, const std::string& name,
                     const std::vector<std::string>& more) const {
  std::vector<std::string> arguments{"delete", resource, name, "--ignore-not-found",
                                     "--wait=false"};
  if (!ns.empty()) arguments.insert(arguments.end(), {"--namespace", ns});
  arguments.insert(arguments.end(), more.begin(), more.end());
  must(arguments);
}

void Cluster::changeStatus(const std::string& resource, const std::string& ns,
                           const std::string& name,
                           const std::function<void(Json&)>& change) const {
  for (int tries = 1;; ++tries) {
    Json object = get(resource, ns, name);
    change(object);
    const Outcome put =
        run({"replace", "--raw", pathOf(resource, ns, name) + "/status", "-f", "-"}, object.dump());
    if (put.ok()) return;
    const bool outrun = put.err.find("Conflict") != std::string::npos ||
                        put.err.find("has been modified") != std::string::npos;
    if (!outrun || tries == 20) throw std::runtime_error(put.describe());
  }
}

std::string Cluster::uid(const std::string& resource, const std::string& ns,
                         const std::string& name) const {
  return json::str(get(resource, ns, name), {"metadata", "uid"});
}

}  // namespace vkb::e2e
