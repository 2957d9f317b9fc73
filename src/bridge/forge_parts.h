#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "bridge/forge.h"
#include "vkbridge/json.h"

/// The parts of forge, one concern each. All pure; they read home's pod and write the delegate.
namespace vkb::bridge {

// forge_labels.cpp

/// A label key of home as it stands on a delegate in a namespace shared with others, so that the
/// target's own selectors do not match: `app` -> `home.vk-bridge.io/app`,
/// `app.kubernetes.io/name` -> `home.vk-bridge.io/app.kubernetes.io__name`. A DNS prefix holds no
/// underscore, so the first `__` is where the `/` was; keys for which that would not be so, and
/// those that get longer than a label name may be (63), end in a hash instead.
std::string rekeyLabel(std::string_view key);
/// home's labels that go over, under the keys they have there.
Json forgedLabels(const Json& home_pod, bool rekey);
/// Under re-keying everything in the spec that names labels of delegates follows: selectors of pod
/// affinity and topology spread, downward API paths.
void rekeySpec(Json& spec);

// forge_annotations.cpp

Json forgedAnnotations(const Json& home_pod);

// forge_spec.cpp

/// Takes off what forge.cpp lists, and sets what must be set.
void forgeSpec(Json& spec, const Json& home_pod, const ForgeContext& context);
/// Only the taking off; what is left decides the inputs hash.
void dropSpecFields(Json& spec);

// forge_tokens.cpp

/// A volume that home's service account admission added (kube-api-access-* or a legacy token
/// secret): nobody asked for it, and home's token means nothing in the target.
bool isInjectedTokenVolume(const Json& volume, const Json& spec);
/// Takes off every service account token: injected volumes, token sources of other projected
/// volumes, volumes that are empty after that, and all their mounts.
void dropTokenVolumes(Json& spec);

// forge_hash.cpp

std::uint64_t fnv1a(std::string_view text);
std::string hex(std::uint64_t value, int digits);

/// The lists of containers that a pod spec can have.
std::span<const char* const> containerLists();
/// Calls `visit` for every container of every kind.
void forEachContainer(Json& spec, const std::function<void(Json& container)>& visit);
void forEachContainer(const Json& spec, const std::function<void(const Json& container)>& visit);

}  // namespace vkb::bridge
