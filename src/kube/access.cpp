#include "kube/access.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "json/json.h"

namespace vkb::kube {

Permission permission(std::string verb, const Resource& resource, std::string ns,
                      std::string subresource) {
  return {std::move(verb),
          std::string(resource.group),
          std::string(resource.plural),
          std::move(subresource),
          std::move(ns),
          resource.namespaced};
}

std::string toString(const Permission& permission) {
  std::string text = permission.verb + " " + permission.resource;
  if (!permission.group.empty()) text += "." + permission.group;
  if (!permission.subresource.empty()) text += "/" + permission.subresource;
  if (!permission.namespaced) return text;
  return text +
         (permission.ns.empty() ? " (all namespaces)" : " (namespace " + permission.ns + ")");
}

Result<std::vector<Permission>> missingPermissions(Client& client, std::vector<Permission> wanted) {
  std::vector<Permission> missing;
  for (Permission& permission : wanted) {
    Json attributes = {
        {"verb", permission.verb}, {"group", permission.group}, {"resource", permission.resource}};
    if (!permission.subresource.empty()) attributes["subresource"] = permission.subresource;
    if (!permission.ns.empty()) attributes["namespace"] = permission.ns;
    const auto review =
        json::parsed(client.create(kSelfSubjectAccessReviews, "",
                                   {{"apiVersion", "authorization.k8s.io/v1"},
                                    {"kind", "SelfSubjectAccessReview"},
                                    {"spec", {{"resourceAttributes", std::move(attributes)}}}}));
    if (!review) return failure(review.error());
    if (!json::boolean(*review, {"status", "allowed"})) missing.push_back(std::move(permission));
  }
  return missing;
}

}  // namespace vkb::kube
