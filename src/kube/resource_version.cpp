#include "kube/resource_version.h"

#include <algorithm>

namespace vkb::kube {
namespace {

bool isPlainNumber(std::string_view text) {
  return !text.empty() && text.front() != '0' &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

std::optional<std::strong_ordering> compareResourceVersions(std::string_view a,
                                                            std::string_view b) {
  if (!isPlainNumber(a) || !isPlainNumber(b)) return std::nullopt;
  if (a.size() != b.size()) return a.size() <=> b.size();  // no leading zeros: longer is greater
  return a.compare(b) <=> 0;
}

}  // namespace vkb::kube
