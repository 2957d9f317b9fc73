#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "bridge/forge_reasons.h"
#include "state/dependency_store.h"
#include "vkbridge/json.h"

namespace vkb::bridge {

using state::DependencyKind;

/// Kubernetes' word for it.
const char* toString(DependencyKind kind);

/// One place in a pod spec that names a ConfigMap or Secret of the pod's namespace.
struct Reference {
  DependencyKind kind{};
  std::string name;
  /// The pod runs without it: marked so, or a pull secret, which kubelets go without.
  bool optional = false;
  std::string where;  ///< for people: volume "x", variable A of container "c"

  bool operator==(const Reference&) const = default;
};

/// Every one of them: volumes of every type that takes a ConfigMap or Secret, env and envFrom of
/// containers of every kind, pull secrets. In the spec's order; one named twice comes twice.
std::vector<Reference> references(const Json& spec);

/// What a ConfigMap or Secret of home is called in the target.
using DependencyNames = std::map<std::pair<DependencyKind, std::string>, std::string>;

/// Every reference to one of `names` follows.
void renameReferences(Json& spec, const DependencyNames& names, const Reasons& why = {});

}  // namespace vkb::bridge
