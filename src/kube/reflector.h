#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/log.h"
#include "kube/client.h"

namespace vkb::kube {

/// Where a reflector puts what it learns. Calls come one at a time.
class ReflectorSink {
 public:
  virtual ~ReflectorSink() = default;
  /// The complete state: what the sink holds and is not in `items` has gone while nobody looked.
  virtual void replace(std::vector<json::ObjectPtr> items) = 0;
  /// What goes into `items` for one of a list, asked page by page, so that no list holds everything
  /// twice or more of it than is wanted: the item itself, what the sink holds in its place where
  /// both are the very same bytes, or a smaller one. Comes between the calls of the others.
  virtual json::ObjectPtr take(json::ObjectPtr item) { return item; }
  virtual void upsert(json::ObjectPtr object) = 0;
  /// `object` is the last version.
  virtual void remove(json::ObjectPtr object) = 0;
};

struct ReflectorOptions {
  Resource resource;
  ListOptions list;  ///< selectors; limit is the page size
  std::string name;  ///< for logs and metrics
  /// Called once for each change: true after a list succeeded, false when list or watch fails.
  std::function<void(bool synced, const Status& why)> on_sync = {};
};

/// List, then watch from there, for ever: client-go's Reflector. Quorum list, bookmarks, resume
/// after a broken watch, relist on 410, jittered watch time limits (5 to 10 minutes) and backoff.
/// After a reconnect that followed an error a `limit=1` LIST must return a resourceVersion not
/// below ours (a restored etcd goes back, its watches stay silent); else, or after 30 s, it lists
/// anew. It has no thread: lists run as executor tasks, events come on the watcher's thread. stop()
/// (and the destructor) return when no sink or on_sync call is under way or to come and no request
/// of ours is being waited for (at most one request's deadline), so that the client may go next.
/// Called from within a sink or on_sync call they return at once.
class Reflector {
 public:
  Reflector(Runtime runtime, Client& client, ReflectorSink& sink, base::Logger& logger,
            ReflectorOptions options);
  ~Reflector();
  void start();
  void stop();
  /// Whoever knows that the server answers again ends the wait before the next attempt, which may
  /// be up to a minute; one that the server asked for (Retry-After) is kept. From any thread, any
  /// time.
  void retryNow();

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace vkb::kube
