#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>

#include "base/log.h"
#include "bridge/dependency_book.h"
#include "bridge/dependency_copy.h"
#include "bridge/service_accounts.h"
#include "kube/client.h"
#include "node/work_queue.h"

namespace vkb::bridge {

struct DependencyContext {
  Runtime runtime;
  kube::Client& home;
  kube::Client& target;
  base::Logger& logger;
  DependencyBook& book;
  DependencyMarks marks;
  bool use_existing = false;
  std::function<void(const std::set<std::string>& pods)> wake;
  /// Is it believed that nobody uses the copy with this UID, of which only its labels tell? Where
  /// not, its turn comes again when it is.
  std::function<bool(const std::string& uid)> may_remove;
};

/// One look at one dependency: brings the copy in step with home, renews tokens, or removes what
/// has no user any more. Level-based; the work queue sees to it that two never run for one key.
/// Data of Secrets lives in its locals, from the GET at home to the write in the target, and
/// nowhere else.
class DependencyTurn {
 public:
  DependencyTurn(DependencyContext& context, DependencyKey key)
      : c_(context), key_(std::move(key)) {}
  node::Outcome run();

 private:
  node::Outcome mirror();
  node::Outcome renewTokens();
  node::Outcome remove();

  Result<std::optional<Json>> readCopy();
  bool isOurs(const Json& copy) const;
  /// Makes or changes the copy; nothing is sent where it is in step.
  Result<Json> write(const Json& wanted, std::optional<Json> copy);
  Result<Json> create(const Json& wanted);
  Result<void> removeCopy(const Json& copy);
  Result<Json> mint(const PodTokens& tokens, WallTime& refresh_at);
  /// Nobody in the target refers to it. What still does, becomes a user.
  Result<bool> isUnused();

  node::Outcome inStep(const Json& copy);
  node::Outcome missing(const std::string& why);
  node::Outcome taken();
  node::Outcome failed(Status status);
  std::string what() const;

  DependencyContext& c_;
  const DependencyKey key_;
  DependencyBook::Entry entry_;
  bool absent_ = false;  ///< the target has no object of the copy's name, as far as was seen
};

}  // namespace vkb::bridge
