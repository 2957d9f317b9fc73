#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "bridge/capacity.h"
#include "json/object.h"

namespace vkb::bridge {

/// What pods that are not ours take of each node of a target. A pod costs 64 bytes at most (design
/// §9): pods of one template share their requests, and UIDs are kept as numbers. Amounts are exact
/// integers, so that adding and taking away pod by pod gives what counting anew would
/// (capacity_property_test.cpp). Not thread-safe.
class ForeignUsage {
 public:
  /// From now on this pod takes `usage` of `node`; of no node, or nothing: nothing. True where that
  /// is a change.
  bool set(const std::string& uid, const std::string& node, const Resources& usage);
  /// The pods of a new list are all there are. True where one was not among them.
  bool keepOnly(const std::vector<json::ObjectPtr>& items);
  /// Of a node that nobody uses: nothing.
  const Resources& on(const std::string& node) const;
  std::size_t pods() const { return pods_.size(); }

 private:
  /// The 128 bits of a UUID; of another text two hashes.
  struct Key {
    std::uint64_t high = 0, low = 0;
    bool operator==(const Key&) const = default;
  };
  struct KeyHash {
    std::size_t operator()(const Key& key) const noexcept { return key.high ^ key.low; }
  };
  struct Node {
    Resources taken;
    std::size_t pods = 0;
  };
  using Shapes = std::map<Resources, std::size_t>;  ///< requests -> pods that have them
  using Nodes = std::map<std::string, Node>;
  struct Pod {
    Shapes::iterator shape;
    Nodes::iterator node;
  };

  static Key keyOf(const std::string& uid);
  void take(const Pod& pod);

  std::unordered_map<Key, Pod, KeyHash> pods_;  ///< only those that take something
  Shapes shapes_;
  Nodes nodes_;
};

}  // namespace vkb::bridge
