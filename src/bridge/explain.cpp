#include "bridge/explain.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <set>

#include "json/json.h"

namespace vkb::bridge {
namespace {

constexpr std::array<std::string_view, 3> kMaps{"labels", "annotations", "nodeSelector"};

std::string text(const Json& value) {
  if (value.is_null()) return "";
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// Every entry is an object with a name of its own.
bool isNamed(const Json& list, std::set<std::string>& names) {
  std::set<std::string> own;
  for (const Json& entry : list) {
    const std::string name = json::str(entry, "name");
    if (name.empty() || !own.insert(name).second) return false;
  }
  names.merge(own);
  return true;
}

class Walk {
 public:
  void compare(const Json& home, const Json& delegate, const std::string& path, bool is_map) {
    if (home == delegate) return;
    if (isA(home, delegate, Json::value_t::object)) {
      compareObjects(home, delegate, path, is_map);
    } else if (isA(home, delegate, Json::value_t::array)) {
      compareLists(home, delegate, path);
    } else {
      found.push_back({path, text(home), text(delegate)});
    }
  }

  std::vector<Difference> found;

 private:
  /// Both are of that type, or one is and the other is not there.
  static bool isA(const Json& one, const Json& other, Json::value_t type) {
    return (one.type() == type || one.is_null()) && (other.type() == type || other.is_null());
  }

  void compareObjects(const Json& home, const Json& delegate, const std::string& path,
                      bool is_map) {
    std::set<std::string> keys;
    for (const Json* each : {&home, &delegate}) {
      for (const auto& pair : json::object(*each, {}).items()) keys.insert(pair.key());
    }
    for (const std::string& key : keys) {
      const std::string below =
          is_map ? path + "[" + key + "]" : path + (path.empty() ? "" : ".") + key;
      const bool map = std::find(kMaps.begin(), kMaps.end(), key) != kMaps.end();
      compare(json::at(home, key), json::at(delegate, key), below, map);
    }
  }

  void compareLists(const Json& home, const Json& delegate, const std::string& path) {
    std::set<std::string> names;
    if (!isNamed(home, names) || !isNamed(delegate, names)) {
      found.push_back({path, text(home), text(delegate)});
      return;
    }
    static const Json none;
    for (const std::string& name : names) {
      const Json* const one = json::findBy(home, "name", name);
      const Json* const other = json::findBy(delegate, "name", name);
      compare(one ? *one : none, other ? *other : none, path + "[" + name + "]", false);
    }
  }
};

/// `outer` is `inner` or holds it.
bool holds(const std::string& outer, const std::string& inner) {
  if (!inner.starts_with(outer)) return false;
  return inner.size() == outer.size() || inner[outer.size()] == '.' || inner[outer.size()] == '[';
}

}  // namespace

std::vector<Difference> differences(const Json& home_pod, const Json& delegate) {
  Walk walk;
  walk.compare(home_pod, delegate, "", false);
  return std::move(walk.found);
}

bool accountsFor(const Change& change, const Difference& difference) {
  return holds(change.path, difference.path) || holds(difference.path, change.path);
}

Json explain(const Json& home_pod, const ForgeContext& context, std::vector<Change>& changes) {
  std::vector<Change> all;
  Json delegate = forge(home_pod, context, Reasons(all));
  for (Change& change : all) {
    const bool said = std::find(changes.begin(), changes.end(), change) != changes.end();
    if (!said) changes.push_back(std::move(change));
  }
  return delegate;
}

}  // namespace vkb::bridge
