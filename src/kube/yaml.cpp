#include "kube/yaml.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "json/utf8.h"

namespace vkb::kube {
namespace {

/// Anchors make a small text a huge tree; a kubeconfig of a thousand clusters has 20,000 nodes.
constexpr std::size_t kMaxNodes = 200'000;
constexpr int kMaxDepth = 64;

/// What a plain scalar stands for in YAML 1.1, as the Go library behind kubectl reads it.
Json plainScalar(const std::string& text) {
  const auto is = [&](std::initializer_list<std::string_view> words) {
    return std::find(words.begin(), words.end(), text) != words.end();
  };
  if (is({"", "~", "null", "Null", "NULL"})) return nullptr;
  if (is({"true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"})) return true;
  if (is({"false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"})) return false;
  const bool minus = text.front() == '-';
  const std::string_view digits = std::string_view(text).substr(minus || text.front() == '+');
  int base = 10;
  std::size_t skip = 0;
  if (digits.starts_with("0x")) base = 16, skip = 2;
  if (digits.starts_with("0o")) base = 8, skip = 2;
  if (digits.starts_with("0b")) base = 2, skip = 2;
  if (skip == 0 && digits.size() > 1 && digits[0] == '0') base = 8, skip = 1;
  std::int64_t number = 0;
  const char* const begin = digits.data() + skip;
  const char* const end = digits.data() + digits.size();
  const auto whole = std::from_chars(begin, end, number, base);
  if (begin != end && whole.ec == std::errc{} && whole.ptr == end && *begin != '-') {
    return minus ? -number : number;
  }
  double fraction = 0;
  const bool numeric = digits.find_first_not_of("0123456789+-.eE") == std::string::npos &&
                       digits.find_first_not_of("+-") == 0;
  const auto real = std::from_chars(digits.data(), end, fraction);
  if (numeric && real.ec == std::errc{} && real.ptr == end) return minus ? -fraction : fraction;
  return text;
}

enum class Scalars {
  kText,    ///< a kubeconfig: what looks like a number may be a token
  kTyped,   ///< below `extensions` in one
  kYaml11,  ///< an object
};

class Converter {
 public:
  Json convert(const YAML::Node& node, Scalars scalars, int depth) {
    if (depth > kMaxDepth || ++nodes_ > kMaxNodes) too_large_ = true;
    if (too_large_) return nullptr;
    switch (node.Type()) {
      case YAML::NodeType::Scalar:
        return scalar(node, scalars);
      case YAML::NodeType::Sequence: {
        Json list = Json::array();
        for (const auto& item : node) list.push_back(convert(item, scalars, depth + 1));
        return list;
      }
      case YAML::NodeType::Map: {
        Json map = Json::object();
        for (const auto& pair : node) {
          const std::string key = pair.first.IsScalar() ? pair.first.Scalar() : std::string();
          checkText(pair.first, key);
          if (key == "<<") merge_keys_ = true;
          const bool typed = scalars == Scalars::kText && key == "extensions";
          map[key] = convert(pair.second, typed ? Scalars::kTyped : scalars, depth + 1);
        }
        return map;
      }
      default:
        return nullptr;
    }
  }
  bool tooLarge() const { return too_large_; }
  bool mergeKeys() const { return merge_keys_; }

 private:
  /// yaml-cpp hands on whatever bytes there are.
  static void checkText(const YAML::Node& node, const std::string& text) {
    if (!json::isUtf8(text)) throw YAML::ParserException(node.Mark(), "it is not valid UTF-8");
  }

  static Json scalar(const YAML::Node& node, Scalars scalars) {
    const std::string& text = node.Scalar();
    checkText(node, text);
    // "!" marks a quoted scalar
    if (scalars == Scalars::kText || node.Tag() == "!" || node.Tag() == "tag:yaml.org,2002:str") {
      return text;
    }
    if (scalars == Scalars::kYaml11) return plainScalar(text);
    if (text == "true") return true;
    if (text == "false") return false;
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error == std::errc{} && end == text.data() + text.size()) return number;
    return text;
  }

  std::size_t nodes_ = 0;
  bool too_large_ = false, merge_keys_ = false;
};

tl::unexpected<Status> misread(const YAML::Exception& error) {
  return invalid("line " + std::to_string(error.mark.line + 1) + ", column " +
                 std::to_string(error.mark.column + 1) + ": " + error.msg);
}

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
    Json json = converter.convert(root, Scalars::kText, 0);
    if (converter.tooLarge()) return invalid("it is nested too deeply or expands to too much");
    return json;
  } catch (const YAML::Exception& e) {
    return misread(e);
  } catch (const std::exception&) {
    return invalid("it cannot be parsed");
  }
}

Result<Json> parseYaml(std::string_view text) {
  try {
    Json object;
    int documents = 0;
    for (const YAML::Node& root : YAML::LoadAll(std::string(text))) {
      if (root.IsNull()) continue;  // nothing between two separators
      Converter converter;
      object = converter.convert(root, Scalars::kYaml11, 0);
      if (converter.tooLarge()) return invalid("it is nested too deeply or expands to too much");
      if (converter.mergeKeys()) return invalid("merge keys (<<) are not read");
      ++documents;
    }
    if (documents > 1) {
      return invalid("it holds " + std::to_string(documents) + " documents; one is read");
    }
    return object;
  } catch (const YAML::Exception& e) {
    return misread(e);
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
