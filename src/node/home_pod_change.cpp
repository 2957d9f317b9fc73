#include "node/home_pod_change.h"

#include <algorithm>
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

std::string_view slice(std::string_view text, std::size_t begin) {
  if (begin >= text.size()) return {};
  return text.substr(begin, json::skipValue(text, begin) - begin);
}

std::string_view spec(const json::Object& pod) {
  return slice(pod.raw, json::findValue(pod.raw, 0, "spec"));
}

/// metadata without these members, and of its annotations without ours.
std::string metadata(const json::Object& pod, std::string_view annotation,
                     std::initializer_list<std::string_view> left_out) {
  const std::string_view text = pod.raw;
  const std::size_t begin = json::findValue(text, 0, "metadata");
  const std::size_t annotations = json::findValue(text, begin, "annotations");
  return json::membersBut(text, begin, left_out) + "annotations:\n" +
         json::membersBut(text, annotations, {annotation});
}

}  // namespace

bool isSameQuestion(const json::Object& before, const json::Object& after,
                    std::string_view annotation) {
  const auto question = [annotation](const json::Object& pod) {
    return metadata(pod, annotation, {"annotations", "resourceVersion"});
  };
  return spec(before) == spec(after) && question(before) == question(after);
}

std::size_t printOfInputs(const json::Object& pod, std::string_view annotation) {
  const std::hash<std::string_view> hash;
  const std::string inputs = metadata(pod, annotation,
                                      {"annotations", "resourceVersion", "generation",
                                       "deletionTimestamp", "deletionGracePeriodSeconds"});
  return hash(spec(pod)) * 31 + hash(inputs);
}

bool isNewer(const json::Object& after, const json::Object& before) {
  return numberOf(after.resource_version) > numberOf(before.resource_version);
}

}  // namespace vkb::node
