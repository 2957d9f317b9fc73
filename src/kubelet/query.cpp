#include "kubelet/query.h"

namespace vkb::kubelet {
namespace {

int hexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::optional<std::string> unescape(std::string_view text, bool plus_is_blank) {
  std::string result;
  result.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '%') {
      if (i + 2 >= text.size()) return std::nullopt;
      const int high = hexDigit(text[i + 1]), low = hexDigit(text[i + 2]);
      if (high < 0 || low < 0) return std::nullopt;
      c = static_cast<char>(high * 16 + low);
      i += 2;
    } else if (c == '+' && plus_is_blank) {
      c = ' ';
    }
    if (c == '\0') return std::nullopt;
    result += c;
  }
  return result;
}

/// Calls `take` with each part; false as soon as it says so.
template <typename Take>
bool forEachPart(std::string_view text, char separator, const Take& take) {
  while (true) {
    const std::size_t end = text.find(separator);
    if (!take(text.substr(0, end))) return false;
    if (end == std::string_view::npos) return true;
    text.remove_prefix(end + 1);
  }
}

}  // namespace

std::string Target::first(std::string_view key) const {
  for (const auto& [name, value] : query) {
    if (name == key) return value;
  }
  return "";
}

std::vector<std::string> Target::all(std::string_view key) const {
  std::vector<std::string> values;
  for (const auto& [name, value] : query) {
    if (name == key) values.push_back(value);
  }
  return values;
}

bool Target::has(std::string_view key) const {
  for (const auto& [name, value] : query) {
    if (name == key) return true;
  }
  return false;
}

std::optional<Target> parseTarget(std::string_view target) {
  Target result;
  const std::size_t mark = target.find('?');
  std::string_view path = target.substr(0, mark);
  if (!path.starts_with('/')) return std::nullopt;
  path.remove_prefix(1);
  const bool path_is_fine = forEachPart(path, '/', [&](std::string_view part) {
    auto segment = unescape(part, /*plus_is_blank=*/false);
    if (segment) result.path.push_back(std::move(*segment));
    return segment.has_value();
  });
  if (!path_is_fine) return std::nullopt;
  if (mark == std::string_view::npos) return result;
  const bool query_is_fine = forEachPart(target.substr(mark + 1), '&', [&](std::string_view part) {
    if (part.empty()) return true;
    const std::size_t equals = part.find('=');
    auto key = unescape(part.substr(0, equals), true);
    auto value = equals == std::string_view::npos ? std::optional<std::string>("")
                                                  : unescape(part.substr(equals + 1), true);
    if (!key || !value) return false;
    result.query.emplace_back(std::move(*key), std::move(*value));
    return true;
  });
  if (!query_is_fine) return std::nullopt;
  return result;
}

}  // namespace vkb::kubelet
