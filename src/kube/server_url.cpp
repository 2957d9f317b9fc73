#include "kube/server_url.h"

#include <algorithm>
#include <cctype>
#include <charconv>

namespace vkb::kube {
namespace {

bool hasUnprintable(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte <= 0x20 || byte >= 0x7f;
  });
}

Result<std::uint16_t> parsePort(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc{} || end != text.data() + text.size() || port == 0) {
    return invalid("its port is not a number from 1 to 65535");
  }
  return port;
}

/// "host", "host:port" or "[v6]:port".
Result<void> parseHost(std::string_view text, ServerUrl& url) {
  std::string_view port;
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return invalid("the ']' after its IPv6 address is missing");
    url.host = text.substr(1, end - 1);
    const std::string_view rest = text.substr(end + 1);
    if (!rest.empty() && rest.front() != ':') return invalid("text follows its IPv6 address");
    if (!rest.empty()) port = rest.substr(1);
    if (!rest.empty() && port.empty()) return invalid("its port is empty");
  } else {
    const std::size_t colon = text.find(':');
    url.host = text.substr(0, colon);
    if (colon != std::string_view::npos) {
      port = text.substr(colon + 1);
      if (port.empty()) return invalid("its port is empty");
    }
  }
  if (url.host.empty()) return invalid("it names no host");
  if (port.empty()) return {};
  const auto number = parsePort(port);
  if (!number) return failure(number.error());
  url.port = *number;
  return {};
}

}  // namespace

Result<ServerUrl> parseServerUrl(std::string_view text) {
  if (hasUnprintable(text)) return invalid("it holds white space or unprintable characters");
  const std::size_t separator = text.find("://");
  if (separator == std::string_view::npos) {
    return invalid("it does not begin with a scheme such as https://");
  }
  ServerUrl url;
  for (const char c : text.substr(0, separator)) {
    url.scheme += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  std::string_view rest = text.substr(separator + 3);
  if (rest.find_first_of("?#") != std::string_view::npos) {
    return invalid("it has a query or fragment");
  }
  std::string_view path;
  if (const std::size_t slash = rest.find('/'); slash != std::string_view::npos) {
    path = rest.substr(slash);
    rest = rest.substr(0, slash);
  }
  if (const std::size_t at = rest.rfind('@'); at != std::string_view::npos) {
    url.user_info = rest.substr(0, at);
    rest = rest.substr(at + 1);
  }
  url.port = url.scheme == "http" ? 80 : 443;
  if (const auto host = parseHost(rest, url); !host) return failure(host.error());
  while (path.ends_with('/')) path.remove_suffix(1);
  url.path = path;
  return url;
}

std::string percentDecode(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned value = 0;
    if (text[i] == '%' && i + 2 < text.size()) {
      const char* first = text.data() + i + 1;
      const auto [end, error] = std::from_chars(first, first + 2, value, 16);
      if (error == std::errc{} && end == first + 2) {
        out += static_cast<char>(value);
        i += 2;
        continue;
      }
    }
    out += text[i];
  }
  return out;
}

}  // namespace vkb::kube
