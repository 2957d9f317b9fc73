#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "vkbridge/json.h"
#include "vkbridge/status.h"

namespace vkb::json {

/// One Kubernetes object as caches hold it: an index of its identity and the raw bytes as the API
/// server sent them, without metadata.managedFields (about 4 KB a pod; a DOM takes 47 KB).
/// Immutable: caches hand out shared_ptr<const Object>.
class Object {
 public:
  std::string ns, name, uid, resource_version;
  std::string raw;

  std::string key() const { return ns.empty() ? name : ns + "/" + name; }
  /// The DOM; about 45 µs for a pod. The bytes were valid JSON when the object was made.
  Json parse() const;
};
using ObjectPtr = std::shared_ptr<const Object>;

/// One page of a list, split without building a DOM.
struct RawList {
  std::string resource_version;
  std::string continue_token;
  std::vector<ObjectPtr> items;
};

/// Splits the body of a LIST answer.
Result<RawList> splitList(std::string_view body);

/// One line of a watch.
struct RawEvent {
  std::string type;  ///< ADDED, MODIFIED, DELETED, BOOKMARK, ERROR
  ObjectPtr object;  ///< for ERROR the Status object, in `raw`
};
Result<RawEvent> splitEvent(std::string_view line);

/// One object's bytes -> Object, managedFields cut.
Result<ObjectPtr> makeObject(std::string_view body);
// A string would convert to a DOM just as well; these say which one is meant.
inline Result<ObjectPtr> makeObject(const std::string& body) {
  return makeObject(std::string_view(body));
}
inline Result<ObjectPtr> makeObject(const char* body) { return makeObject(std::string_view(body)); }
/// The same from a DOM.
ObjectPtr makeObject(const Json& value);
/// The DOM of what was answered.
Result<Json> parsed(const Result<ObjectPtr>& answer);

}  // namespace vkb::json
