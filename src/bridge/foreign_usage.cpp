#include "bridge/foreign_usage.h"

#include <charconv>
#include <unordered_set>

#include "bridge/forge_parts.h"

namespace vkb::bridge {

ForeignUsage::Key ForeignUsage::keyOf(const std::string& uid) {
  std::string digits;
  for (const char c : uid) {
    if (c != '-') digits += c;
  }
  const auto number = [&](std::size_t from, std::uint64_t& into) {
    const char* const end = digits.data() + from + 16;
    const auto read = std::from_chars(digits.data() + from, end, into, 16);
    return read.ec == std::errc() && read.ptr == end;
  };
  Key key;
  if (digits.size() == 32 && number(0, key.high) && number(16, key.low)) return key;
  return {fnv1a(uid), fnv1a(uid + "#")};
}

bool ForeignUsage::set(const std::string& uid, const std::string& node, const Resources& usage) {
  const Key key = keyOf(uid);
  const auto known = pods_.find(key);
  const bool takes = !usage.empty() && !node.empty(), took = known != pods_.end();
  if (took) {
    const Pod& pod = known->second;
    if (takes && pod.node->first == node && pod.shape->first == usage) return false;
    take(pod);
    if (!takes) pods_.erase(known);
  }
  if (!takes) return took;
  const Pod pod{.shape = shapes_.try_emplace(usage, 0).first,
                .node = nodes_.try_emplace(node).first};
  ++pod.shape->second;
  ++pod.node->second.pods;
  add(pod.node->second.taken, usage);
  pods_.insert_or_assign(key, pod);
  return true;
}

void ForeignUsage::take(const Pod& pod) {
  Node& node = pod.node->second;
  subtract(node.taken, pod.shape->first);
  std::erase_if(node.taken, [](const auto& entry) { return entry.second.isZero(); });
  if (--node.pods == 0) nodes_.erase(pod.node);
  if (--pod.shape->second == 0) shapes_.erase(pod.shape);
}

bool ForeignUsage::keepOnly(const std::vector<json::ObjectPtr>& items) {
  std::unordered_set<Key, KeyHash> present;
  present.reserve(items.size());
  for (const auto& item : items) present.insert(keyOf(item->uid));
  bool changed = false;
  for (auto it = pods_.begin(); it != pods_.end();) {
    if (present.contains(it->first)) {
      ++it;
      continue;
    }
    take(it->second);
    it = pods_.erase(it);
    changed = true;
  }
  return changed;
}

const Resources& ForeignUsage::on(const std::string& node) const {
  static const Resources nothing;
  const auto found = nodes_.find(node);
  return found == nodes_.end() ? nothing : found->second.taken;
}

}  // namespace vkb::bridge
