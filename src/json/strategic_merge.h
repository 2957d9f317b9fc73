#pragma once

#include "vkbridge/json.h"
#include "vkbridge/status.h"

namespace vkb::json {

/// Applies a strategic-merge patch the way an API server does, for the kinds that the bridge reads
/// and writes (pods, pod templates, nodes, services, service accounts; leases, events and the like
/// have no merging lists). Lists that the table in strategic_merge.cpp does not name are replaced.
/// Understands `$patch: replace|delete|merge`, `$setElementOrder/<list>`,
/// `$deleteFromPrimitiveList/<list>` and `$retainKeys`; null deletes.
/// Like the server, elements that are new in a merged list come before those it held already,
/// unless `$setElementOrder` says otherwise.
/// An element without its merge key or an unknown directive is an error (code 400); the target is
/// then left as it was.
Result<void> applyStrategicMerge(Json& target, const Json& patch);

}  // namespace vkb::json
