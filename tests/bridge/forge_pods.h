#pragma once

#include <nlohmann/json.hpp>

#include "bridge/forge.h"

namespace vkb::bridge {

/// A bound pod as API server 1.20.2 stores it: legacy token secret, admission's defaults.
inline Json homePod120() {
  return R"({
    "kind": "Pod", "apiVersion": "v1",
    "metadata": {
      "name": "web-5d9c7b7c8-x2x9q", "generateName": "web-5d9c7b7c8-", "namespace": "shop",
      "uid": "1803d213-dbed-4fb9-bf0d-9260911c7b2e", "resourceVersion": "330",
      "creationTimestamp": "2026-11-22T08:29:24Z",
      "labels": {"app": "web", "app.kubernetes.io/name": "web", "pod-template-hash": "5d9c7b7c8"},
      "annotations": {"team": "blue"},
      "finalizers": ["batch.kubernetes.io/job-tracking"],
      "managedFields": [{"manager": "kube-controller-manager"}],
      "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-5d9c7b7c8",
        "uid": "aaaa", "controller": true, "blockOwnerDeletion": true}]},
    "spec": {
      "volumes": [{"name": "default-token-gpv7s",
        "secret": {"secretName": "default-token-gpv7s", "defaultMode": 420}}],
      "containers": [{"name": "c", "image": "registry.example/app:1",
        "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}},
        "volumeMounts": [{"name": "default-token-gpv7s", "readOnly": true,
          "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}],
        "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
        "imagePullPolicy": "IfNotPresent"}],
      "restartPolicy": "Always", "terminationGracePeriodSeconds": 30, "dnsPolicy": "ClusterFirst",
      "serviceAccountName": "default", "serviceAccount": "default", "nodeName": "vn1",
      "securityContext": {}, "schedulerName": "default-scheduler",
      "tolerations": [
        {"key": "virtual-kubelet.io/provider", "operator": "Exists", "effect": "NoSchedule"},
        {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute",
          "tolerationSeconds": 300}],
      "priority": 0, "enableServiceLinks": true, "preemptionPolicy": "PreemptLowerPriority"},
    "status": {"phase": "Pending", "qosClass": "Burstable"}})"_json;
}

/// A bound pod as API server 1.36.2 (with one more injected token source) stores it: projected
/// token volume, an init container and a native sidecar.
inline Json homePod136() {
  return R"({
    "kind": "Pod", "apiVersion": "v1",
    "metadata": {"name": "sc", "namespace": "t1", "uid": "00cb17cf-8939-45a5-9700-91f900c7fb51",
      "resourceVersion": "627", "generation": 1, "creationTimestamp": "2026-11-22T08:36:01Z"},
    "spec": {
      "volumes": [{"name": "kube-api-access-g4nk6", "projected": {"sources": [
        {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [{"path": "namespace",
          "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}]}},
        {"configMap": {"name": "openshift-service-ca.crt",
          "items": [{"key": "service-ca.crt", "path": "service-ca.crt"}]}}],
        "defaultMode": 420}}, {"name": "scratch", "emptyDir": {}}],
      "initContainers": [
        {"name": "init", "image": "registry.example/init:1", "resources": {},
          "volumeMounts": [{"name": "kube-api-access-g4nk6", "readOnly": true,
            "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}]},
        {"name": "side", "image": "registry.example/side:1", "restartPolicy": "Always",
          "volumeMounts": [{"name": "scratch", "mountPath": "/scratch"},
            {"name": "kube-api-access-g4nk6", "readOnly": true,
             "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}]}],
      "containers": [{"name": "c", "image": "registry.example/app:1",
        "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}},
        "volumeMounts": [{"name": "kube-api-access-g4nk6", "readOnly": true,
          "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}]}],
      "restartPolicy": "Always", "terminationGracePeriodSeconds": 30, "dnsPolicy": "ClusterFirst",
      "serviceAccountName": "default", "serviceAccount": "default", "nodeName": "vn1",
      "securityContext": {}, "schedulerName": "default-scheduler", "priority": 0,
      "enableServiceLinks": true, "preemptionPolicy": "PreemptLowerPriority"},
    "status": {"phase": "Pending", "qosClass": "Burstable"}})"_json;
}

inline ForgeContext contextFor(const Json& home_pod) {
  return {.home_id = "home-1",
          .node = "gpu-eu",
          .place = choosePlace(home_pod),
          .namespace_uid = "ns-uid-1"};
}

/// The delegate as the target's API server gives it back.
inline Json createdFrom(const Json& home_pod, const ForgeContext& context) {
  Json delegate = forge(home_pod, context);
  delegate["metadata"]["uid"] = "delegate-1";
  delegate["metadata"]["resourceVersion"] = "77";
  return delegate;
}

}  // namespace vkb::bridge
