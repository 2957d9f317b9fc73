#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "bridge/forge.h"
#include "bridge/forge_reasons.h"
#include "vkbridge/json.h"

/// The parts of forge, one concern each. All pure; they read home's pod and write the delegate, and
/// say every change they make to what `why` collects.
namespace vkb::bridge {

// forge_skip_list.cpp

/// Why a label or annotation of this key stays at home; null: it goes over.
const char* whyKeyStays(std::string_view key);

// forge_labels.cpp

/// A label key of home as it stands on a delegate in a namespace shared with others, so that the
/// target's own selectors do not match: `app` -> `home.vk-bridge.io/app`,
/// `app.kubernetes.io/name` -> `home.vk-bridge.io/app.kubernetes.io__name`. A DNS prefix holds no
/// underscore, so the first `__` is where the `/` was; keys for which that would not be so, and
/// those that get longer than a label name may be (63), end in a hash instead.
std::string rekeyLabel(std::string_view key);
/// home's labels that go over, under the keys they have there.
Json forgedLabels(const Json& home_pod, bool rekey, const Reasons& why = {});
/// Under re-keying everything in the spec that names labels of delegates follows: selectors of pod
/// affinity and topology spread, downward API paths.
void rekeySpec(Json& spec, const Reasons& why = {});

// forge_restarts.cpp

/// How often this container had restarted before the delegate was made.
std::int64_t restartsBefore(const Json& delegate, const std::string& container);

// forge_annotations.cpp

Json forgedAnnotations(const Json& home_pod, const Reasons& why = {});

// forge_spec.cpp

/// home's spec as the delegate has it: without what forge.cpp lists, with what must be set. Its
/// ephemeral containers are forged as well; a pod cannot be created with them.
Json forgedSpec(const Json& home_pod, const ForgeContext& context, const Reasons& why = {});
/// Does it never go over? The other fields decide the inputs hash.
bool isDroppedSpecField(std::string_view field);

// forge_constraints.cpp

/// What the pod's annotation clusterSelector says, or the sentence that says why it cannot be read.
Result<Json> clusterSelector(const Json& home_pod);
/// nodeSelector, tolerations, nodeAffinity, podAffinity and podAntiAffinity that a pod brings
/// itself and that `pods` permits.
Json broughtConstraints(const Json& home_pod, const state::PodOptions& pods);
/// Replaces what chose the virtual node by what chooses among the target's nodes.
void forgeConstraints(Json& spec, const Json& home_pod, const ForgeContext& context,
                      const Reasons& why = {});

// forge_affinity.cpp

/// Pod affinity and topology spread speak of pods of home's namespaces: the names follow the
/// namespace strategy, and where all namespaces meet in one, the terms ask for home's.
void mapNamespaces(Json& spec, const Json& home_pod, const ForgeContext& context,
                   const Reasons& why = {});

// forge_downward.cpp

/// Downward API fields that say who the pod is are read from the delegate's marks instead: they
/// give home's name, namespace, UID, node and service account.
void keepIdentity(Json& spec, const Reasons& why = {});
/// The marks that are annotations; the others are the labels of design §5.
Json identityAnnotations(const Json& home_pod);

// forge_containers.cpp

/// What the delegate was last forged with (see forge()); null where somebody edited it away.
Json lastForged(const Json& delegate);

// forge_tokens.cpp

/// A volume that home's service account admission added (kube-api-access-* or a legacy token
/// secret): nobody asked for it, and home's token means nothing in the target.
bool isInjectedTokenVolume(const Json& volume, const Json& spec);
/// Takes off every service account token: injected volumes, token and pod certificate sources of
/// other projected volumes, volumes that are empty after that, and all their mounts.
void dropTokenVolumes(Json& spec, const Reasons& why = {});

/// Takes off only what home's service account admission added, with its mounts.
void dropInjectedTokenVolumes(Json& spec, const Reasons& why = {});

// forge_hash.cpp

std::uint64_t fnv1a(std::string_view text);
std::string hex(std::uint64_t value, int digits);

// forge_walk.cpp

/// The lists of containers that a pod spec can have.
std::span<const char* const> containerLists();
/// Calls `visit` for every container of every kind; `list` is the one it is in.
void forEachContainer(Json& spec,
                      const std::function<void(const char* list, Json& container)>& visit);
void forEachContainer(const Json& spec, const std::function<void(const Json& container)>& visit);
/// Calls `visit` for every entry of the array holder[field], where there is one.
void forEachIn(Json& holder, const char* field, const std::function<void(Json& entry)>& visit);
/// The items of a downwardAPI volume or projected source.
void forEachDownwardItem(Json& source, const std::function<void(Json& item)>& visit);
/// Calls `visit` for every term of pod affinity and pod anti-affinity, required and preferred;
/// `path` says where it is.
void forEachPodAffinityTerm(Json& spec,
                            const std::function<void(const std::string& path, Json& term)>& visit);

}  // namespace vkb::bridge
