#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "kube/client.h"
#include "state/dependency_store.h"
#include "vkbridge/status.h"

namespace vkb::bridge {

/// Something of ours in a target that no bridge looks after: the node that it was made for is no
/// longer joined (`leave --force`). What a joined node's bridge left behind it clears away itself.
struct Garbage {
  std::string ns, name, uid;
  std::string node{};      ///< that it was made for
  std::string home_pod{};  ///< <ns>/<name>, for people; of a copy what it was made from
  std::optional<state::DependencyKind> kind{};  ///< of a copy; else it is a delegate
};

struct GarbageSearch {
  std::vector<Garbage> delegates;
  std::size_t in_use = 0;  ///< of nodes not joined here, whose home pod is still there
};

struct GarbageScope {
  std::string home_id;
  std::set<std::string> joined;  ///< nodes; what is theirs is no garbage
  std::string ns{};              ///< of the target that may be looked at; empty: all
};

/// Delegates in `target` of this home and of a node that is not joined, each after the proof (a
/// quorum GET at home) that its home pod is gone or terminal (design invariant 10).
Result<GarbageSearch> findGarbage(kube::Reader& home, kube::Reader& target,
                                  const GarbageScope& scope);
/// Copies of ConfigMaps and Secrets, and Secrets of tokens, of nodes that are neither joined nor at
/// home any more (one that is may be served from elsewhere, and a copy comes before its pod), and
/// to which no delegate refers (a quorum LIST in the target, after they were seen).
Result<std::vector<Garbage>> findUnusedCopies(kube::Reader& home, kube::Reader& target,
                                              const GarbageScope& scope);
/// By UID. Gone already is success.
Result<void> removeGarbage(kube::Writer& target, const Garbage& garbage);

/// Namespaces of `target` that we made and that hold nothing but what every namespace has.
/// `progress` is told which one is looked at: each costs a LIST a kind.
Result<std::vector<Garbage>> findEmptyNamespaces(
    kube::Reader& target, const std::string& home_id,
    const std::function<void(const std::string&)>& progress);
Result<void> removeNamespace(kube::Writer& target, const Garbage& ns);

}  // namespace vkb::bridge
