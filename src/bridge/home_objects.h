#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/log.h"
#include "kube/client.h"
#include "state/dependency_store.h"
#include "vkbridge/runtime.h"

namespace vkb::bridge {

using state::DependencyKind;

/// Which ConfigMaps and Secrets home has: one watch of metadata each, for all clusters of a process
/// together, begun with the first that asks. What is not known here may still be there: the watch
/// may be behind. Thread-safe.
class HomeObjects {
 public:
  using Handler = std::function<void(DependencyKind kind, const std::string& key)>;
  /// Ends with its destruction: the handler is called no more, and no call of it is under way
  /// unless it is the caller's own.
  class Following;

  HomeObjects(Runtime runtime, std::unique_ptr<kube::Client> home, base::Logger& logger);
  /// After all that follow.
  ~HomeObjects();

  /// `key` is "<ns>/<name>".
  bool has(DependencyKind kind, const std::string& key) const;
  /// `changed` is called for whatever comes, changes or goes from now on. It must not block.
  std::unique_ptr<Following> follow(Handler changed);

 private:
  struct Follower;
  struct Kind;
  void tell(DependencyKind kind, const std::string& key);

  const std::unique_ptr<kube::Client> home_;
  std::mutex mutex_;
  bool started_ = false;
  std::vector<std::weak_ptr<Follower>> followers_;
  std::unique_ptr<Kind> config_maps_, secrets_;
};

class HomeObjects::Following {
 public:
  explicit Following(std::shared_ptr<Follower> follower);
  ~Following();
  Following(const Following&) = delete;
  Following& operator=(const Following&) = delete;

 private:
  const std::shared_ptr<Follower> follower_;
};

}  // namespace vkb::bridge
