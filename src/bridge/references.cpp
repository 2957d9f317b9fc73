#include "bridge/references.h"

#include <nlohmann/json.hpp>
#include <string>

#include "json/json.h"

namespace vkb::bridge {
namespace {

/// Where a name stands: for people, and as Reasons spell it.
struct ReferencePlace {
  std::string where, path;
};

/// `visit(kind, holder, field, optional, place)`: holder[field] is the name, a string that is not
/// empty. `JsonType` is Json or const Json.
template <typename JsonType, typename Visit>
class ReferenceWalk {
 public:
  explicit ReferenceWalk(const Visit& visit) : visit_(visit) {}

  void walk(JsonType& spec) const {
    forEach(spec, "volumes", [&](JsonType& volume) { walkVolume(volume); });
    for (const char* list : {"initContainers", "containers", "ephemeralContainers"}) {
      forEach(spec, list, [&](JsonType& container) { walkContainer(list, container); });
    }
    forEach(spec, "imagePullSecrets", [&](JsonType& reference) {
      name(DependencyKind::kSecret, &reference, "name", true,
           {"imagePullSecrets", "spec.imagePullSecrets"});
    });
  }

 private:
  static JsonType* child(JsonType* value, const char* key) {
    if (value == nullptr || !value->is_object()) return nullptr;
    const auto found = value->find(key);
    return found == value->end() ? nullptr : &*found;
  }

  template <typename Each>
  static void forEach(JsonType& holder, const char* key, const Each& each) {
    JsonType* const list = child(&holder, key);
    if (list == nullptr || !list->is_array()) return;
    for (auto& entry : *list) each(entry);
  }

  void name(DependencyKind kind, JsonType* holder, const char* field, bool always_optional,
            const ReferencePlace& where) const {
    if (holder == nullptr || json::str(*holder, field).empty()) return;
    visit_(kind, *holder, field, always_optional || json::boolean(*holder, {"optional"}), where);
  }

  void walkVolume(JsonType& volume) const {
    const std::string volume_name = json::str(volume, "name");
    const ReferencePlace where{"volume \"" + volume_name + "\"",
                               "spec.volumes[" + volume_name + "]"};
    name(DependencyKind::kConfigMap, child(&volume, "configMap"), "name", false, where);
    name(DependencyKind::kSecret, child(&volume, "secret"), "secretName", false, where);
    name(DependencyKind::kSecret, child(&volume, "azureFile"), "secretName", false, where);
    // Credentials of storage systems; the part may lack (tensile-kube crashes then).
    for (const char* type :
         {"cephfs", "cinder", "flexVolume", "iscsi", "rbd", "scaleIO", "storageos"}) {
      name(DependencyKind::kSecret, child(child(&volume, type), "secretRef"), "name", false, where);
    }
    name(DependencyKind::kSecret, child(child(&volume, "csi"), "nodePublishSecretRef"), "name",
         false, where);
    if (JsonType* const projected = child(&volume, "projected")) {
      forEach(*projected, "sources", [&](JsonType& source) {
        name(DependencyKind::kConfigMap, child(&source, "configMap"), "name", false, where);
        name(DependencyKind::kSecret, child(&source, "secret"), "name", false, where);
      });
    }
  }

  void walkContainer(const char* list, JsonType& container) const {
    const std::string container_name = json::str(container, "name");
    const std::string of = " of container \"" + container_name + "\"";
    const std::string path = std::string("spec.") + list + "[" + container_name + "].";
    forEach(container, "env", [&](JsonType& variable) {
      JsonType* const from = child(&variable, "valueFrom");
      if (from == nullptr) return;
      const std::string variable_name = json::str(variable, "name");
      const ReferencePlace where{"variable " + variable_name + of,
                                 path + "env[" + variable_name + "]"};
      name(DependencyKind::kConfigMap, child(from, "configMapKeyRef"), "name", false, where);
      name(DependencyKind::kSecret, child(from, "secretKeyRef"), "name", false, where);
    });
    const ReferencePlace where{"envFrom" + of, path + "envFrom"};
    forEach(container, "envFrom", [&](JsonType& source) {
      name(DependencyKind::kConfigMap, child(&source, "configMapRef"), "name", false, where);
      name(DependencyKind::kSecret, child(&source, "secretRef"), "name", false, where);
    });
  }

  const Visit& visit_;
};

template <typename JsonType, typename Visit>
void walkReferences(JsonType& spec, const Visit& visit) {
  ReferenceWalk<JsonType, Visit>(visit).walk(spec);
}

}  // namespace

const char* toString(DependencyKind kind) {
  return kind == DependencyKind::kConfigMap ? "ConfigMap" : "Secret";
}

std::vector<Reference> references(const Json& spec) {
  std::vector<Reference> found;
  walkReferences(spec, [&](DependencyKind kind, const Json& holder, const char* field,
                           bool optional, const ReferencePlace& place) {
    found.push_back({.kind = kind,
                     .name = json::str(holder, field),
                     .optional = optional,
                     .where = place.where});
  });
  return found;
}

void renameReferences(Json& spec, const DependencyNames& names, const Reasons& why) {
  if (names.empty()) return;
  walkReferences(spec, [&](DependencyKind kind, Json& holder, const char* field, bool,
                           const ReferencePlace& place) {
    const auto found = names.find({kind, json::str(holder, field)});
    if (found == names.end() || holder[field] == found->second) return;
    why.add({place.path}, "the copy has a name of the bridge's own in the target");
    holder[field] = found->second;
  });
}

}  // namespace vkb::bridge
