#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/log.h"
#include "kube/client.h"
#include "kube/informer.h"

namespace vkb::bridge {

/// The target's Namespaces as a virtual node knows them: a watch of all of them or, where the
/// credentials may act in one alone, a look at that one when it is needed. Thread-safe.
class TargetNamespaces {
 public:
  struct Options {
    std::string only;  ///< the one that may be read; empty: all
    std::string node;  ///< for logs
    /// As an informer's handler; of the one namespace nothing is told.
    kube::Informer::Handler on_change = {};
  };
  TargetNamespaces(Runtime runtime, kube::Client& target, base::Logger& logger, Options options);
  ~TargetNamespaces();

  void start();
  void stop();
  /// As Informer::retryNow().
  void retryNow();
  /// `callback` once it is known what is there (at once if it is already), from an executor task.
  void whenSynced(std::function<void()> callback);
  /// As last seen; null: there is none that we know of.
  json::ObjectPtr get(const std::string& ns) const;
  /// Fresh enough to write by: from the cache while that is kept up to date, else from the target.
  /// Nothing: there is none.
  Result<std::optional<Json>> read(const std::string& ns);

 private:
  class One;
  kube::Client& target_;
  const std::string only_;
  std::optional<kube::Informer> all_;
  std::shared_ptr<One> one_;
};

}  // namespace vkb::bridge
