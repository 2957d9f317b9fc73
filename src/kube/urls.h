#pragma once

#include <string>
#include <string_view>

#include "kube/client.h"

namespace vkb::kube {

/// Percent-encodes everything but RFC 3986's unreserved characters.
std::string urlEscape(std::string_view text);

/// Path of one object, with subresource. An error when the name could not be one path segment or
/// the namespace is missing.
Result<std::string> objectPath(const Resource& resource, const std::string& ns,
                               const std::string& name, const std::string& subresource);
/// Where a create goes: the collection, or with a name that object's subresource.
Result<std::string> createPath(const Resource& resource, const std::string& ns,
                               const std::string& name, const std::string& subresource);
/// Path of a collection; `ns` "" is all namespaces.
Result<std::string> collectionPath(const Resource& resource, const std::string& ns);

std::string listQuery(const ListOptions& options);
std::string watchQuery(const WatchOptions& options);
/// "?timeout=10s"
std::string writeQuery();

/// application/merge-patch+json and its kin.
const char* contentTypeOf(PatchType type);
/// The body of a DELETE.
Json deleteBody(const DeleteOptions& options);

}  // namespace vkb::kube
