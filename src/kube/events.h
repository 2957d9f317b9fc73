#pragma once

#include <mutex>
#include <string>
#include <unordered_map>

#include "base/log.h"
#include "kube/client.h"

namespace vkb::kube {

/// Writes core/v1 Events about pods and nodes. The same (object UID, reason, message) again raises
/// `count` instead of making a new one, at most once in 10 minutes; at most 25 new ones an object
/// and 5 minutes (client-go's spam filter). Posting happens on the executor; failures are logged,
/// never returned: an event is a courtesy. Thread-safe.
class EventRecorder {
 public:
  /// `component` as in source.component, e.g. "vk-bridge"; `host` the virtual node.
  EventRecorder(Runtime runtime, Writer& writer, base::Logger& logger, std::string component,
                std::string host);
  ~EventRecorder();
  /// `object` is the regarding object (kind, metadata). `message` is cut at 1,024 bytes.
  void warn(const Json& object, const std::string& reason, const std::string& message);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace vkb::kube
