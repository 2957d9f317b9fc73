#pragma once

/// Labels, annotations and reasons of design §5 and §10, spelled once.
namespace vkb::bridge {

inline constexpr const char* kPrefix = "vk-bridge.io/";
inline constexpr const char* kHomeLabelPrefix = "home.vk-bridge.io/";

inline constexpr const char* kLabelHomeCluster = "vk-bridge.io/home-cluster";
inline constexpr const char* kLabelNode = "vk-bridge.io/node";
inline constexpr const char* kLabelHomeUid = "vk-bridge.io/home-uid";
inline constexpr const char* kAnnotationHomePod = "vk-bridge.io/home-pod";
inline constexpr const char* kAnnotationInputsHash = "vk-bridge.io/inputs-hash";
/// How often home's containers had restarted when this delegate was made: {"<container>": n}.
inline constexpr const char* kAnnotationRestartsBefore = "vk-bridge.io/restarts-before";
/// Who the pod is at home, for downward API fields.
inline constexpr const char* kAnnotationHomeName = "vk-bridge.io/home-name";
inline constexpr const char* kAnnotationHomeNamespace = "vk-bridge.io/home-namespace";
inline constexpr const char* kAnnotationHomeServiceAccount = "vk-bridge.io/home-service-account";
/// Label, under namespace strategy `single` alone: so that selectors tell home's namespaces apart.
inline constexpr const char* kLabelHomeNamespace = "vk-bridge.io/home-namespace";
/// Label and annotation keys that forge put on the delegate, so that an update removes what home
/// removed and leaves what others added.
inline constexpr const char* kAnnotationForgedKeys = "vk-bridge.io/forged-keys";
/// On a copied ConfigMap or Secret: <ns>/<name> of home's; on a Secret of tokens, of the pod.
inline constexpr const char* kAnnotationHomeObject = "vk-bridge.io/home-object";
/// On a Secret of tokens: what is asked of home for them, and when next.
inline constexpr const char* kAnnotationTokens = "vk-bridge.io/tokens";
inline constexpr const char* kAnnotationRefreshAt = "vk-bridge.io/refresh-at";
/// On the home pod: <ns>/<name>/<uid> of its delegate. A hint.
inline constexpr const char* kAnnotationDelegate = "vk-bridge.io/delegate";
/// On the home pod: `fail` or `recreate`, before the cluster's --on-delegate-lost.
inline constexpr const char* kAnnotationOnDelegateLost = "vk-bridge.io/on-delegate-lost";
/// On the home pod, in tensile-kube's format: {"nodeSelector", "affinity", "tolerations"} for the
/// target.
inline constexpr const char* kAnnotationClusterSelector = "clusterSelector";
/// On the virtual node: name of the joined cluster.
inline constexpr const char* kLabelCluster = "vk-bridge.io/cluster";

inline constexpr const char* kConditionDelegateScheduled = "vk-bridge.io/DelegateScheduled";

inline constexpr const char* kReasonNotOffloaded = "NotOffloaded";
inline constexpr const char* kReasonNamespaceNotAllowed = "NamespaceNotAllowed";
inline constexpr const char* kReasonNameTaken = "NameTaken";
inline constexpr const char* kReasonVolumesNotOffloaded = "VolumesNotOffloaded";
inline constexpr const char* kReasonDelegateRefused = "DelegateRefused";
inline constexpr const char* kReasonDependencyMissing = "DependencyMissing";
inline constexpr const char* kReasonDependencyTaken = "DependencyTaken";

}  // namespace vkb::bridge
