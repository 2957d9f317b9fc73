#pragma once

#include <string>

#include "bridge/references.h"
#include "kube/client.h"
#include "state/pod_options.h"
#include "vkbridge/json.h"
#include "vkbridge/provider.h"
#include "vkbridge/runtime.h"

/// What a mirrored ConfigMap or Secret looks like in the target. All pure.
namespace vkb::bridge {

struct DependencyMarks {
  std::string home_id, node;
};

kube::Resource resourceOf(DependencyKind kind);

/// What home's object is called in the target: its own name; hashed where objects of several
/// namespaces meet, and for what every namespace of a target has of its own (kube-root-ca.crt).
std::string copyName(const DependencyMarks& marks, const state::PodOptions& options,
                     const std::string& home_ns, const std::string& name);
/// A name that nobody else has there: for what home lacks, so that nobody else's object is taken
/// for it, and what home may get later has a place.
std::string ownName(const DependencyMarks& marks, const std::string& home_ns,
                    const std::string& name);

/// What copyName() makes of everything that the pod refers to, if home has it all.
DependencyNames expectedNames(const DependencyMarks& marks, const Json& home_pod,
                              const state::PodOptions& options, const PodPlace& place);

/// The token of a service account as controllers before 1.24 made it: never copied.
bool isLegacyToken(const Json& object);

/// The copy to POST: type and data, our marks, nothing else. `immutable` stays at home, so that a
/// copy can follow an object that was deleted and made anew; labels and annotations too, because
/// others act on them.
Json copyOf(const Json& home_object, const state::DependencyKey& key, const DependencyMarks& marks);

/// The Secret that holds a pod's tokens. `values` is its data, base64.
Json tokenSecret(const state::DependencyKey& key, const std::string& home_pod,
                 const std::string& tokens, const Json& values, WallTime refresh_at,
                 const DependencyMarks& marks);

/// Our marks are on it.
bool isMarked(const Json& object, const DependencyMarks& marks);
/// Nothing of `wanted` is missing or different in `copy`, and there is no other data in it.
bool isInStep(const Json& copy, const Json& wanted);
/// A Secret's type cannot be changed, nor what somebody made immutable.
bool mustBeMadeAnew(const Json& copy, const Json& wanted);
/// `copy` with `wanted`'s content and marks, and what others wrote on it: to PUT.
Json broughtUp(const Json& copy, const Json& wanted);

/// What a copy's own marks tell of it, for a bridge that lost its store.
state::DependencyRecord recordFromMarks(DependencyKind kind, const Json& copy);

}  // namespace vkb::bridge
