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

/// Accept of a list or watch that wants metadata alone. Nothing else is accepted: an answer with
/// the data of every Secret would be worse than a refusal. API servers since 1.15 know v1.
inline constexpr const char* kAcceptMetadataList =
    "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
inline constexpr const char* kAcceptMetadata =
    "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
/// Of a write whose answer is not read: the whole object will do as well.
inline constexpr const char* kAcceptMetadataOrWhole =
    "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json";
std::string listQuery(const ListOptions& options);
std::string watchQuery(const WatchOptions& options);
/// "?timeout=10s"
std::string writeQuery();

/// application/merge-patch+json and its kin.
const char* contentTypeOf(PatchType type);
/// The body of a DELETE.
Json deleteBody(const DeleteOptions& options);

}  // namespace vkb::kube
