#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <gtest/gtest.h>

#include "support/cluster.h"

namespace vkb::e2e {

struct WatchEvent {
  std::string type;  ///< ADDED, MODIFIED, DELETED
  std::shared_ptr<const Json> object;
  Clock::time_point seen;  ///< when this process learned of it
};

/// A running watch: `kubectl get --raw …?watch=1` as a child whose lines are read as they come.
/// Used and destroyed by the thread that made it.
class Watch {
 public:
  Watch(const Cluster& cluster, const Selection& selection, const std::string& resource_version);
  /// The next event; nothing at the deadline, or when the server ended the watch (ended() tells).
  std::optional<WatchEvent> next(Deadline deadline);
  bool ended() const { return ended_; }

 private:
  std::optional<std::string> nextLine(Deadline deadline);

  Fd out_;
  std::unique_ptr<Child> child_;
  std::string buffer_;
  bool ended_ = false;
};

inline constexpr seconds kPatience{90};

/// Waits until `holds` is true of the selected objects: lists once, then follows a watch. Fails at
/// the deadline with `what` and the last state. `last`, if given, gets the objects it ended with.
testing::AssertionResult waitFor(const Cluster& cluster, const Selection& selection,
                                 const std::string& what,
                                 const std::function<bool(const Objects&)>& holds,
                                 Objects* last = nullptr, milliseconds patience = kPatience);
/// The same for one object by name; `holds` gets null while it does not exist.
testing::AssertionResult waitForOne(const Cluster& cluster, const std::string& resource,
                                    const std::string& ns, const std::string& name,
                                    const std::string& what,
                                    const std::function<bool(const Json&)>& holds,
                                    Json* last = nullptr, milliseconds patience = kPatience);
testing::AssertionResult waitGone(const Cluster& cluster, const std::string& resource,
                                  const std::string& ns, const std::string& name,
                                  milliseconds patience = kPatience);

}  // namespace vkb::e2e
