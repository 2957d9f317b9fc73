#include "node/home_pod_change.h"

#include <charconv>
#include <functional>

#include "json/scan.h"

namespace vkb::node {
namespace {

std::uint64_t numberOf(const std::string& text) {
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

/// The members of an object but for one, as they stand there, each ended by a line break, which no
/// JSON string holds.
std::string membersBut(std::string_view text, std::size_t begin, std::string_view left_out) {
  std::string members;
  if (begin >= text.size()) return members;
  json::forEachMember(text, begin, [&](const json::Member& member) {
    if (member.key == left_out) return true;
    members += text.substr(member.key_begin, member.value_end - member.key_begin);
    members += '\n';
    return true;
  });
  return members;
}

std::string_view valueOf(std::string_view text, std::string_view key) {
  const std::size_t begin = json::findValue(text, 0, key);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, json::skipValue(text, begin) - begin);
}

}  // namespace

bool isSameButForStatus(const json::Object& before, const json::Object& after) {
  if (valueOf(before.raw, "spec") != valueOf(after.raw, "spec")) return false;
  const auto metadata = [](const json::Object& object) {
    return membersBut(object.raw, json::findValue(object.raw, 0, "metadata"), "resourceVersion");
  };
  return metadata(before) == metadata(after);
}

std::size_t printButForStatus(const json::Object& pod) {
  const std::hash<std::string_view> hash;
  const std::size_t metadata = json::findValue(pod.raw, 0, "metadata");
  return hash(valueOf(pod.raw, "spec")) * 31 +
         hash(membersBut(pod.raw, metadata, "resourceVersion"));
}

bool isNewer(const json::Object& after, const json::Object& before) {
  return numberOf(after.resource_version) > numberOf(before.resource_version);
}

}  // namespace vkb::node
