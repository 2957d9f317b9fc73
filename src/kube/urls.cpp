#include "kube/urls.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace vkb::kube {
namespace {

/// As apimachinery's path segment names; anything else would reach another URL than the one meant.
Result<void> checkSegment(const std::string& text, const char* what) {
  const bool bad =
      text.empty() || text == "." || text == ".." || text.find_first_of("/%") != std::string::npos;
  if (!bad) return {};
  return invalid(std::string("\"") + text + "\" cannot be the " + what + " of an object");
}

std::string rootOf(const Resource& resource) {
  const std::string version(resource.version);
  if (resource.group.empty()) return "/api/" + version;
  return "/apis/" + std::string(resource.group) + "/" + version;
}

class Query {
 public:
  void add(const char* key, const std::string& value) {
    if (value.empty()) return;
    text_ += text_.empty() ? '?' : '&';
    text_ += std::string(key) + "=" + urlEscape(value);
  }
  std::string text() const { return text_; }

 private:
  std::string text_;
};

}  // namespace

std::string urlEscape(std::string_view text) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (kPlain.find(c) != std::string_view::npos) {
      out += c;
    } else {
      out += '%';
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    }
  }
  return out;
}

Result<std::string> collectionPath(const Resource& resource, const std::string& ns) {
  std::string path = rootOf(resource);
  if (resource.namespaced && !ns.empty()) {
    if (auto checked = checkSegment(ns, "namespace"); !checked) return failure(checked.error());
    path += "/namespaces/" + urlEscape(ns);
  }
  return path + "/" + std::string(resource.plural);
}

Result<std::string> objectPath(const Resource& resource, const std::string& ns,
                               const std::string& name, const std::string& subresource) {
  if (auto checked = checkSegment(name, "name"); !checked) return failure(checked.error());
  auto path = createPath(resource, ns, "", "");
  if (!path) return path;
  *path += "/" + urlEscape(name);
  if (!subresource.empty()) *path += "/" + urlEscape(subresource);
  return path;
}

Result<std::string> createPath(const Resource& resource, const std::string& ns,
                               const std::string& name, const std::string& subresource) {
  if (!name.empty()) return objectPath(resource, ns, name, subresource);
  if (resource.namespaced && ns.empty()) {
    return invalid("no namespace given for " + std::string(resource.plural));
  }
  return collectionPath(resource, ns);
}

std::string listQuery(const ListOptions& options) {
  Query query;
  query.add("labelSelector", options.label_selector);
  query.add("fieldSelector", options.field_selector);
  if (options.limit > 0) query.add("limit", std::to_string(options.limit));
  query.add("continue", options.continue_token);
  return query.text();
}

std::string watchQuery(const WatchOptions& options) {
  Query query;
  query.add("watch", "true");
  query.add("allowWatchBookmarks", "true");
  query.add("labelSelector", options.label_selector);
  query.add("fieldSelector", options.field_selector);
  query.add("resourceVersion", options.resource_version);
  query.add("timeoutSeconds", std::to_string(options.timeout.count()));
  return query.text();
}

std::string writeQuery() { return "?timeout=" + std::to_string(kWriteTimeout.count()) + "s"; }

const char* contentTypeOf(PatchType type) {
  return type == PatchType::kMerge ? "application/merge-patch+json"
                                   : "application/strategic-merge-patch+json";
}

Json deleteBody(const DeleteOptions& options) {
  Json body = {{"apiVersion", "v1"}, {"kind", "DeleteOptions"}};
  if (options.grace_period_seconds) body["gracePeriodSeconds"] = *options.grace_period_seconds;
  if (!options.uid.empty()) body["preconditions"]["uid"] = options.uid;
  if (!options.propagation_policy.empty()) body["propagationPolicy"] = options.propagation_policy;
  return body;
}

}  // namespace vkb::kube
