#pragma once

#include <string>

#include "state/state_folder.h"
#include "vkbridge/json.h"
#include "vkbridge/status.h"

/// What a Namespace object of the target says to us: design §5.
namespace vkb::bridge {

/// Made by this home's bridge; others are shared with whoever uses them.
bool isOurNamespace(const Json& ns, const std::string& home_id);

/// May delegates go into it? One that is not ours only where the operator named it. The error
/// (NamespaceNotAllowed, kNever) is the sentence that says how.
Result<void> checkNamespace(const Json& ns, const std::string& name, const std::string& home_id,
                            const std::string& cluster, const state::ClusterOptions& options);

/// Are labels of delegates re-keyed there?
bool rekeysLabelsIn(const Json& ns, const std::string& home_id,
                    const state::ClusterOptions& options);

/// The only namespace of the target that its credentials are for; empty: all.
std::string onlyNamespace(const state::ClusterOptions& options);

/// The Namespace to make where there is none.
Json newNamespace(const std::string& name, const std::string& home_id);

}  // namespace vkb::bridge
