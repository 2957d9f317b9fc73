#include "kube/yaml.h"

#include <yaml-cpp/yaml.h>

#include <charconv>
#include <nlohmann/json.hpp>

#include "json/utf8.h"

namespace vkb::kube {
namespace {

/// Anchors make a small text a huge tree; a kubeconfig of a thousand clusters has 20,000 nodes.
constexpr std::size_t kMaxNodes = 200'000;
constexpr int kMaxDepth = 64;

class Converter {
 public:
  Json convert(const YAML::Node& node, bool typed, int depth) {
    if (depth > kMaxDepth || ++nodes_ > kMaxNodes) too_large_ = true;
    if (too_large_) return nullptr;
    switch (node.Type()) {
      case YAML::NodeType::Scalar:
        return scalar(node, typed);
      case YAML::NodeType::Sequence: {
        Json list = Json::array();
        for (const auto& item : node) list.push_back(convert(item, typed, depth + 1));
        return list;
      }
      case YAML::NodeType::Map: {
        Json map = Json::object();
        for (const auto& pair : node) {
          const std::string key = pair.first.IsScalar() ? pair.first.Scalar() : std::string();
          checkText(pair.first, key);
          map[key] = convert(pair.second, typed || key == "extensions", depth + 1);
        }
        return map;
      }
      default:
        return nullptr;
    }
  }
  bool tooLarge() const { return too_large_; }

 private:
  /// yaml-cpp hands on whatever bytes there are.
  static void checkText(const YAML::Node& node, const std::string& text) {
    if (!json::isUtf8(text)) throw YAML::ParserException(node.Mark(), "it is not valid UTF-8");
  }

  static Json scalar(const YAML::Node& node, bool typed) {
    const std::string& text = node.Scalar();
    checkText(node, text);
    if (!typed || node.Tag() == "!") return text;  // "!" marks a quoted scalar
    if (text == "true") return true;
    if (text == "false") return false;
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error == std::errc{} && end == text.data() + text.size()) return number;
    return text;
  }

  std::size_t nodes_ = 0;
  bool too_large_ = false;
};

void emit(YAML::Emitter& out, const Json& value) {
  if (value.is_object()) {
    out << YAML::BeginMap;
    for (const auto& [key, member] : value.items()) {
      out << YAML::Key << key << YAML::Value;
      emit(out, member);
    }
    out << YAML::EndMap;
  } else if (value.is_array()) {
    out << YAML::BeginSeq;
    for (const auto& item : value) emit(out, item);
    out << YAML::EndSeq;
  } else if (value.is_string()) {
    out << YAML::DoubleQuoted << value.get_ref<const std::string&>();
  } else {
    out << value.dump();  // null, true, 12: JSON's words are YAML's
  }
}

}  // namespace

Result<Json> parseKubeconfigYaml(std::string_view text) {
  try {
    const YAML::Node root = YAML::Load(std::string(text));
    Converter converter;
    Json json = converter.convert(root, false, 0);
    if (converter.tooLarge()) return invalid("it is nested too deeply or expands to too much");
    return json;
  } catch (const YAML::Exception& e) {
    return invalid("line " + std::to_string(e.mark.line + 1) + ", column " +
                   std::to_string(e.mark.column + 1) + ": " + e.msg);
  } catch (const std::exception&) {
    return invalid("it cannot be parsed");
  }
}

std::string toYaml(const Json& value) {
  YAML::Emitter out;
  emit(out, value);
  return std::string(out.c_str()) + "\n";
}

}  // namespace vkb::kube
