#include "cli/printer_yaml.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <nlohmann/json.hpp>
#include <regex>
#include <string_view>

#include "base/check.h"

namespace vkb::cli {
namespace {

bool isWord(std::string_view text) {
  static constexpr std::array<std::string_view, 12> kWords{
      "~", "null", "true", "false", "yes", "no", "on", "off", "y", "n", "=", "<<"};
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return std::find(kWords.begin(), kWords.end(), lower) != kWords.end();
}

bool isNumber(const std::string& text) {
  if (text.size() > 64) return false;  // keeps the expressions' work small
  static const std::regex kInteger("[-+]?(0[xXoObB])?[0-9a-fA-F_]*[0-9][0-9a-fA-F_,]*");
  static const std::regex kDecimal("[-+]?(\\.[0-9_]+|[0-9][0-9_]*\\.?[0-9_]*)([eE][-+]?[0-9]+)?");
  static const std::regex kBaseSixty("[-+]?[0-9][0-9_]*(:[0-9]+)+(\\.[0-9_]*)?");
  static const std::regex kSpecial("[-+]?\\.(inf|Inf|INF|nan|NaN|NAN)");
  static const std::regex kTime("[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ].*)?");
  for (const auto* pattern : {&kInteger, &kDecimal, &kBaseSixty, &kSpecial, &kTime}) {
    if (std::regex_match(text, *pattern)) return true;
  }
  return false;
}

bool needsQuotes(const std::string& text) {
  // Where yaml-cpp itself finds that plain style would be read back differently, it quotes too.
  return text.empty() || text.find_first_of("\n\r\t") != std::string::npos || isWord(text) ||
         isNumber(text) || text.front() == '-' || text.front() == ' ' || text.back() == ' ';
}

void emitString(YAML::Emitter& out, const std::string& text) {
  if (needsQuotes(text)) out << YAML::DoubleQuoted;
  out << text;
}

void emit(YAML::Emitter& out, const Json& value) {
  if (value.is_object()) {
    if (value.empty()) out << YAML::Flow;
    out << YAML::BeginMap;
    for (const auto& [key, field] : value.items()) {
      out << YAML::Key;
      emitString(out, key);
      out << YAML::Value;
      emit(out, field);
    }
    out << YAML::EndMap;
  } else if (value.is_array()) {
    if (value.empty()) out << YAML::Flow;
    out << YAML::BeginSeq;
    for (const Json& entry : value) emit(out, entry);
    out << YAML::EndSeq;
  } else if (value.is_string()) {
    emitString(out, value.get_ref<const std::string&>());
  } else if (value.is_null()) {
    out << YAML::Null;
  } else {
    out << value.dump();  // JSON's numbers and booleans are YAML's
  }
}

}  // namespace

std::string toYaml(const Json& value) {
  YAML::Emitter out;
  out.SetNullFormat(YAML::LowerNull);
  emit(out, value);
  VKB_CHECK(out.good(), "every JSON value has a YAML form");
  return std::string(out.c_str(), out.size()) + "\n";
}

}  // namespace vkb::cli
