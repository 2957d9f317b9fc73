#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace vkb::bridge {

/// One thing that forge did differently from home's pod, and why. Paths are dotted; entries of
/// lists and maps are named in brackets: spec.containers[app].env[POD_NAME].
struct Change {
  std::string path, reason;
  bool operator==(const Change&) const = default;
};

/// Where the parts of forge say what they change. Costs nothing while nobody listens.
class Reasons {
 public:
  Reasons() = default;
  explicit Reasons(std::vector<Change>& into) : into_(&into) {}

  /// The parts of `path` are put together as they are.
  void add(std::initializer_list<std::string_view> path, std::string_view reason) const {
    if (into_ == nullptr) return;
    Change change{.path = {}, .reason = std::string(reason)};
    for (const std::string_view part : path) change.path += part;
    into_->push_back(std::move(change));
  }

 private:
  std::vector<Change>* into_ = nullptr;
};

}  // namespace vkb::bridge
