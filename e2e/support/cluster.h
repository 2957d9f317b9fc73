#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "support/process.h"
#include "vkbridge/json.h"

namespace vkb::e2e {

/// Objects by "namespace/name" ("name" where there is no namespace).
using Objects = std::map<std::string, Json>;
std::string keyOf(const Json& object);

/// Which objects: plural ("policy/v1/poddisruptionbudgets" where a group has to be named), and
/// optionally namespace, label and field selector.
struct Selection {
  std::string resource;  ///< "pods", "deployments", …: see pathOf
  std::string ns{}, labels{}, fields{};
};

/// One cluster, through kubectl alone. Helpers throw std::runtime_error with the whole outcome when
/// kubectl fails: in a test that is a failure with that text. Thread-safe.
class Cluster {
 public:
  Cluster(std::string kubectl, std::string kubeconfig)
      : kubectl_(std::move(kubectl)), kubeconfig_(std::move(kubeconfig)) {}

  const std::string& kubeconfig() const { return kubeconfig_; }
  std::vector<std::string> argv(const std::vector<std::string>& arguments) const;
  /// Any kubectl command; the caller looks at the outcome.
  Outcome run(const std::vector<std::string>& arguments, const std::string& input = {}) const;
  /// One that has to succeed; its stdout.
  std::string must(const std::vector<std::string>& arguments, const std::string& input = {}) const;

  /// `kubectl create`; returns what the server made of it.
  Json create(const Json& object) const;
  void createAll(const std::vector<Json>& objects) const;
  /// Nothing when it does not exist.
  std::optional<Json> find(const std::string& resource, const std::string& ns,
                           const std::string& name) const;
  Json get(const std::string& resource, const std::string& ns, const std::string& name) const;
  Objects list(const Selection& selection, std::string* resource_version = nullptr) const;
  /// Asks for deletion and does not wait; gone already is fine.
  void remove(const std::string& resource, const std::string& ns, const std::string& name,
              const std::vector<std::string>& more = {}) const;
  /// GET, `change`, PUT of its subresource `status`; again when somebody was faster.
  void changeStatus(const std::string& resource, const std::string& ns, const std::string& name,
                    const std::function<void(Json&)>& change) const;
  /// UID of the namespace kube-system.
  std::string id() const { return uid("namespaces", "", "kube-system"); }
  std::string uid(const std::string& resource, const std::string& ns,
                  const std::string& name) const;

 private:
  std::string kubectl_, kubeconfig_;
};

/// "/api/v1/namespaces/NS/pods" and the like.
std::string pathOf(const std::string& resource, const std::string& ns,
                   const std::string& name = {});
/// The selection's path with its selectors as a query, ending in '?' or '&'.
std::string queryOf(const Selection& selection);

}  // namespace vkb::e2e
