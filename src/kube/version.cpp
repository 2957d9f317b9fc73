#include "kube/version.h"

#include <charconv>
#include <nlohmann/json.hpp>
#include <string_view>

#include "json/json.h"

namespace vkb::kube {
namespace {

/// The digits at the beginning of `text`, which is moved past them; 0 when there are none.
int leadingNumber(std::string_view& text) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || number < 0) return 0;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

}  // namespace

Result<ServerVersion> parseServerVersion(const std::string& body) {
  const auto answer = json::parse(body);
  ServerVersion version;
  if (answer) version.git_version = json::str(*answer, "gitVersion");
  if (version.git_version.empty()) {
    return failure({.code = 0,
                    .reason = "NotKubernetes",
                    .message = "the answer to /version is none of a Kubernetes API server",
                    .retry = Retry::kSlow});
  }
  const std::string major = json::str(*answer, "major"), minor = json::str(*answer, "minor");
  std::string_view text = major;
  version.major = leadingNumber(text);
  text = minor;
  version.minor = leadingNumber(text);
  if (version.major > 0) return version;
  text = version.git_version;
  if (text.starts_with('v')) text.remove_prefix(1);
  version.major = leadingNumber(text);
  if (text.starts_with('.')) text.remove_prefix(1);
  version.minor = leadingNumber(text);
  return version;
}

Result<ServerVersion> readServerVersion(Reader& reader) {
  const auto body = reader.getRaw("/version");
  if (!body) return failure(body.error());
  return parseServerVersion(*body);
}

}  // namespace vkb::kube
