#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "json/object.h"
#include "vkbridge/json.h"
#include "vkbridge/runtime.h"
#include "vkbridge/status.h"

namespace vkb::kube {

/// Group, version and plural of an API resource, as they stand in a URL.
struct Resource {
  std::string_view group;  ///< "" for core
  std::string_view version;
  std::string_view plural;
  bool namespaced;
};
inline constexpr Resource kPods{"", "v1", "pods", true};
inline constexpr Resource kNodes{"", "v1", "nodes", false};
inline constexpr Resource kNamespaces{"", "v1", "namespaces", false};
inline constexpr Resource kConfigMaps{"", "v1", "configmaps", true};
inline constexpr Resource kSecrets{"", "v1", "secrets", true};
inline constexpr Resource kServiceAccounts{"", "v1", "serviceaccounts", true};
inline constexpr Resource kPersistentVolumeClaims{"", "v1", "persistentvolumeclaims", true};
inline constexpr Resource kEvents{"", "v1", "events", true};
inline constexpr Resource kLeases{"coordination.k8s.io", "v1", "leases", true};
inline constexpr Resource kSelfSubjectAccessReviews{"authorization.k8s.io", "v1",
                                                    "selfsubjectaccessreviews", false};

struct ListOptions {
  std::string ns{};  ///< "" for all namespaces
  std::string label_selector{};
  std::string field_selector{};
  int limit = 500;  ///< page size
  std::string continue_token{};
  /// Objects come as PartialObjectMetadata: no spec, no data. A server that cannot do that refuses.
  bool metadata_only = false;
};

enum class PatchType { kMerge, kStrategicMerge };

struct DeleteOptions {
  std::optional<std::int64_t> grace_period_seconds{};  ///< nothing: the object's own
  std::string uid{};                                   ///< precondition; callers always give it
  std::string propagation_policy{};                    ///< "" server default
};

/// The second of the two seams: all Kubernetes I/O. Every call may block until its deadline (list
/// 30 s, get and getRaw 10 s, writes below), is thread-safe, and reports failures as a Status whose
/// `retry` follows design §6. Reads are quorum reads.
class Reader {
 public:
  virtual ~Reader() = default;
  /// Nothing when the answer is 404.
  virtual Result<std::optional<Json>> get(const Resource& resource, const std::string& ns,
                                          const std::string& name) = 0;
  /// One page.
  virtual Result<json::RawList> list(const Resource& resource, const ListOptions& options) = 0;
  /// GET of a path that is not a resource (/version, /readyz): the body as it is.
  virtual Result<std::string> getRaw(const std::string& path) = 0;
};

/// Writes carry `?timeout=`: after it the server no longer carries the request out, so that an
/// unanswered one has a known last moment (kWriteTimeout after it was sent).
inline constexpr std::chrono::seconds kWriteTimeout{10};
/// A write call sends nothing later than this after it was called (waiting for the rate limit,
/// credentials, connections and its retry all count): a write that was begun and of which nothing
/// more is known cannot take effect after kWriteCallDeadline + kWriteTimeout.
inline constexpr std::chrono::seconds kWriteCallDeadline{20};

/// A write answers with the object as the server has it now, in the form that caches hold.
class Writer {
 public:
  virtual ~Writer() = default;
  /// `subresource` "" or e.g. "eviction" (then `name` says of which object).
  virtual Result<json::ObjectPtr> create(const Resource& resource, const std::string& ns,
                                         const Json& object, const std::string& name = "",
                                         const std::string& subresource = "") = 0;
  virtual Result<json::ObjectPtr> patch(const Resource& resource, const std::string& ns,
                                        const std::string& name, PatchType type, const Json& patch,
                                        const std::string& subresource = "") = 0;
  /// PUT; `object` carries its resourceVersion.
  virtual Result<json::ObjectPtr> update(const Resource& resource, const std::string& ns,
                                         const std::string& name, const Json& object) = 0;
  /// 404 is an error here; callers decide what it means.
  virtual Result<void> remove(const Resource& resource, const std::string& ns,
                              const std::string& name, const DeleteOptions& options) = 0;
};

/// Receives one watch's events, one at a time, on the watcher's own thread (an executor task in
/// tests). After onClosed nothing more comes.
class WatchHandler {
 public:
  virtual ~WatchHandler() = default;
  /// ADDED, MODIFIED, DELETED, BOOKMARK. ERROR lines arrive as onClosed.
  virtual void onEvent(json::RawEvent event) = 0;
  /// Ended. `status.code` 410: the resourceVersion is too old. reason "Ended" (code 200): the
  /// server or the time limit closed it in order.
  virtual void onClosed(Status status) = 0;
};

struct WatchOptions {
  std::string ns{};
  std::string label_selector{};
  std::string field_selector{};
  std::string resource_version{};
  std::chrono::seconds timeout{300};  ///< timeoutSeconds; the reader gives up 30 s later
  bool metadata_only = false;         ///< as of ListOptions
};

/// A running watch. Destroying it stops it: no handler call is under way or to come afterwards,
/// except when destroyed from within a handler call.
class WatchHandle {
 public:
  virtual ~WatchHandle() = default;
};

class Watcher {
 public:
  virtual ~Watcher() = default;
  /// Returns at once; failure to connect is an onClosed, which may come before this returns.
  /// `handler` outlives the handle.
  virtual std::unique_ptr<WatchHandle> watch(const Resource& resource, const WatchOptions& options,
                                             WatchHandler& handler) = 0;
};

class Streamer;

/// One API server (or its load balancer) with one identity's credentials.
class Client : public Reader, public Writer, public Watcher {
 public:
  /// Lives as long as the client. Null where byte streams are not to be had, as from most fakes.
  virtual Streamer* streamer() { return nullptr; }
};

/// Every page of a list, following continue tokens; an expired token (410) starts over once.
Result<json::RawList> listAll(Reader& reader, const Resource& resource, ListOptions options);

}  // namespace vkb::kube
