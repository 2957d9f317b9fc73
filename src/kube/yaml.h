#pragma once

#include <string>
#include <string_view>

#include "vkbridge/json.h"
#include "vkbridge/status.h"

namespace vkb::kube {

/// A kubeconfig's YAML as JSON. Every scalar becomes a string (kubectl takes `token: 12345` as the
/// text it is), null stays null; below a key `extensions` numbers and booleans keep their type,
/// because they are handed on as JSON. The message says line and column, never the content.
Result<Json> parseKubeconfigYaml(std::string_view text);

/// One Kubernetes object as people write it down, YAML or JSON, read as kubectl does: plain scalars
/// have YAML 1.1's types (no and off are false, 0x1F is 31), quoted ones are strings. More than one
/// document, merge keys (<<) and what yaml-cpp cannot read are an error with line and column.
Result<Json> parseYaml(std::string_view text);

/// Block style, every string in double quotes.
std::string toYaml(const Json& value);

}  // namespace vkb::kube
