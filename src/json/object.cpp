#include "json/object.h"

#include <simdjson.h>
#include <algorithm>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <vector>

#include "json/fast_parse.h"
#include "json/json.h"
#include "json/scan.h"

namespace vkb::json {
namespace {

namespace dom = simdjson::dom;

/// A parser and room for a copy of what it parses.
struct Workbench {
  dom::parser parser;
  std::vector<char> copy;
};

/// Workbenches from one document to the next: a few, where one a thread would be many. What is kept
/// may be for documents of this size; its parser is some times that. Larger ones get their own.
class Workbenches {
 public:
  static constexpr std::size_t kKeptBytes = 256 * 1024;
  static constexpr std::size_t kMost = 4;

  std::unique_ptr<Workbench> take() {
    {
      const std::lock_guard lock(mutex_);
      if (!free_.empty()) {
        auto bench = std::move(free_.back());
        free_.pop_back();
        return bench;
      }
    }
    return std::make_unique<Workbench>();
  }
  void giveBack(std::unique_ptr<Workbench> bench) {
    const std::lock_guard lock(mutex_);
    if (free_.size() < kMost) free_.push_back(std::move(bench));
  }
  static Workbenches& instance() {
    static Workbenches& benches = *new Workbenches;  // threads may outlive main()
    return benches;
  }

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<Workbench>> free_;
};

/// One parsed document. The whole
/// document is checked (UTF-8, numbers, structure): simdjson's on-demand mode would skip over
/// damage inside what it does not look at, and that damage would then sit in a cache. Being valid
/// is also what lets the plain scanner find the raw slices.
struct Document {
  /// `readable` bytes from the start of `text` on may be read: simdjson reads a little past the end
  /// of what it parses, and takes a copy where it must not.
  explicit Document(std::string_view text, std::size_t readable = 0)
      : small(text.size() <= Workbenches::kKeptBytes),
        bench(small ? Workbenches::instance().take() : std::make_unique<Workbench>()) {
    const std::size_t needed = text.size() + simdjson::SIMDJSON_PADDING;
    const char* bytes = text.data();
    if (readable < needed) {
      if (bench->copy.size() < needed) bench->copy.resize(needed);
      std::copy(text.begin(), text.end(), bench->copy.begin());
      bytes = bench->copy.data();
    }
    error = bench->parser.parse(bytes, text.size(), false).get(root);
    if (error == simdjson::SUCCESS && !root.is_object()) error = simdjson::INCORRECT_TYPE;
  }
  ~Document() {
    if (small) Workbenches::instance().giveBack(std::move(bench));
  }
  Document(const Document&) = delete;
  Document& operator=(const Document&) = delete;

  const bool small;
  std::unique_ptr<Workbench> bench;
  dom::element root;
  simdjson::error_code error;
};

tl::unexpected<Status> broken(const char* what) {
  // Answers and watch lines are cut off when connections break: another read may well succeed.
  return failure({.code = 0,
                  .reason = reasons::kInvalidInput,
                  .message = std::string("the API server sent ") + what,
                  .retry = Retry::kFast});
}

std::string text(const dom::element& parent, std::string_view key) {
  std::string_view value;
  return parent[key].get(value) == simdjson::SUCCESS ? std::string(value) : std::string();
}

/// The object's bytes without metadata.managedFields and the comma that went with it.
std::string withoutManagedFields(std::string_view raw) {
  std::string result;
  std::size_t previous_end = 0;
  forEachMember(raw, findValue(raw, 0, "metadata"), [&](const Member& member) {
    if (member.key != "managedFields") {
      previous_end = member.value_end;
      return true;
    }
    std::size_t from = previous_end, to = member.value_end;
    if (previous_end == 0) {
      // The first member: the comma behind it goes too.
      from = member.key_begin;
      const std::size_t next = skipSpace(raw, to);
      if (next < raw.size() && raw[next] == ',') to = skipSpace(raw, next + 1);
    }
    result.reserve(raw.size() - (to - from));
    result.append(raw.substr(0, from)).append(raw.substr(to));
    return false;
  });
  if (result.empty()) result = raw;
  return result;
}

ObjectPtr indexed(const dom::element& element, std::string_view raw) {
  auto object = std::make_shared<Object>();
  dom::element metadata;
  if (element["metadata"].get(metadata) == simdjson::SUCCESS) {
    object->ns = text(metadata, "namespace");
    object->name = text(metadata, "name");
    object->uid = text(metadata, "uid");
    object->resource_version = text(metadata, "resourceVersion");
  }
  object->raw = withoutManagedFields(raw);
  return object;
}

}  // namespace

Json Object::parse() const {
  if (auto value = fastParse(raw)) return std::move(*value);
  Json value = Json::parse(raw, nullptr, false);
  return value.is_discarded() ? Json() : value;
}

namespace {

using Names = std::vector<std::string_view>;

/// False: a number that only the slower parser can tell about.
bool convert(const dom::element& element, Json& value, const Names& left_out);

Json::object_t& emptyObject(Json& value) {
  value = Json::object();
  return value.get_ref<Json::object_t&>();
}

bool convertObject(const dom::element& element, Json& value, const Names& left_out) {
  auto& members = emptyObject(value);
  for (const auto& [key, member] : dom::object(element)) {
    if (std::find(left_out.begin(), left_out.end(), key) != left_out.end()) continue;
    // A doubled key's last value counts, as with nlohmann's parser.
    const auto place = members.emplace_hint(members.end(), key, nullptr);
    if (!convert(member, place->second, left_out)) return false;
  }
  return true;
}

bool convertArray(const dom::element& element, Json& value, const Names& left_out) {
  value = Json::array();
  auto& entries = value.get_ref<Json::array_t&>();
  const dom::array array(element);
  entries.resize(array.size());
  std::size_t i = 0;
  for (const dom::element& entry : array) {
    // Beyond what simdjson counts, size() is not exact.
    if (i == entries.size()) entries.emplace_back();
    if (!convert(entry, entries[i++], left_out)) return false;
  }
  return true;
}

bool convert(const dom::element& element, Json& value, const Names& left_out) {
  switch (element.type()) {
    case dom::element_type::OBJECT:
      return convertObject(element, value, left_out);
    case dom::element_type::ARRAY:
      return convertArray(element, value, left_out);
    case dom::element_type::STRING:
      value = std::string(std::string_view(element));
      return true;
    case dom::element_type::INT64: {
      const std::int64_t number(element);
      // nlohmann's parser makes signed numbers of negative ones only.
      if (number < 0) {
        value = number;
      } else {
        value = static_cast<std::uint64_t>(number);
      }
      return true;
    }
    case dom::element_type::UINT64:
      value = std::uint64_t(element);
      return true;
    case dom::element_type::DOUBLE:
      return false;
    case dom::element_type::BOOL:
      value = bool(element);
      return true;
    case dom::element_type::NULL_VALUE:
      value = nullptr;
      return true;
  }
  return false;
}

/// The document itself: of one of its members not all is wanted.
bool convertRoot(const dom::element& root, Json& value, const Without& without) {
  static const Names kNone;
  auto& members = emptyObject(value);
  for (const auto& [key, member] : dom::object(root)) {
    const auto place = members.emplace_hint(members.end(), key, nullptr);
    const Names& left_out = key == without.member ? without.names : kNone;
    if (!convert(member, place->second, left_out)) return false;
  }
  return true;
}

}  // namespace

std::optional<Json> fastParse(std::string_view text, const Without& without) {
  const Document document(text);
  Json value;
  if (document.error != simdjson::SUCCESS || !convertRoot(document.root, value, without)) {
    return std::nullopt;
  }
  return value;
}

namespace {

/// Resource version and continue token out of a list's bytes around its items.
Result<RawList> listWithout(const Document& around) {
  if (around.error != simdjson::SUCCESS) return broken("a list that is not valid JSON");
  RawList list;
  dom::element metadata;
  if (around.root["metadata"].get(metadata) == simdjson::SUCCESS) {
    list.resource_version = text(metadata, "resourceVersion");
    list.continue_token = text(metadata, "continue");
  }
  dom::element items;
  if (around.root["items"].get(items) != simdjson::SUCCESS) {
    return broken("an answer without items where a list was expected");
  }
  dom::array elements;
  if (items.get(elements) != simdjson::SUCCESS) {
    if (items.is_null()) return list;
    return broken("a list whose items are no array");
  }
  // The scanner did not see these, under an oddly written key.
  if (elements.size() > 0) return broken("a list whose items cannot be found");
  return list;
}

/// Where the array ends whose elements begin at `at`; each is parsed by itself, so that no page of
/// a list takes a multiple of its size for a moment.
Result<std::size_t> splitItems(std::string_view body, std::size_t at,
                               std::vector<ObjectPtr>& items) {
  const auto is = [&](char c) { return at < body.size() && body[at] == c; };
  at = skipSpace(body, at);
  if (is(']')) return at;
  while (true) {
    const std::size_t end = skipValue(body, at);
    const std::string_view raw = body.substr(at, end - at);
    const Document item(raw, body.size() - at);
    if (item.error == simdjson::INCORRECT_TYPE) {
      return broken("a list with items that are no objects");
    }
    if (item.error != simdjson::SUCCESS) return broken("a list that is not valid JSON");
    items.push_back(indexed(item.root, raw));
    at = skipSpace(body, end);
    if (is(']')) return at;
    if (!is(',')) return broken("a list that is not valid JSON");
    at = skipSpace(body, at + 1);
  }
}

/// Of a watch line, whose object begins at `begin`. Where type and object are all there is, as API
/// servers write it, only the line's own bracket follows, and nothing inside need be looked at.
std::size_t endOfObject(const dom::object& line_as_parsed, std::string_view line,
                        std::size_t begin) {
  std::vector<std::string_view> keys;
  for (const auto field : line_as_parsed) keys.push_back(field.key);
  if (keys != std::vector<std::string_view>{"type", "object"}) return skipValue(line, begin);
  return line.find_last_of('}', line.find_last_of('}') - 1) + 1;
}

}  // namespace

/// The scanner's answers hold for valid JSON only. That the body is, is known in the end: each item
/// is, and so is what is around them with an empty array in their place.
Result<RawList> splitList(std::string_view body) {
  const std::size_t array = findValue(body, skipSpace(body, 0), "items");
  if (array >= body.size() || body[array] != '[') return listWithout(Document(body));
  std::vector<ObjectPtr> items;
  const auto end = splitItems(body, array + 1, items);
  if (!end) return failure(end.error());
  std::string around(body.substr(0, array + 1));
  around += body.substr(*end);
  auto list = listWithout(Document(around));
  if (list) list->items = std::move(items);
  return list;
}

Result<RawEvent> splitEvent(std::string_view line) {
  const Document document(line);
  if (document.error != simdjson::SUCCESS) return broken("a watch line that is not valid JSON");
  RawEvent event;
  event.type = text(document.root, "type");
  dom::element object;
  if (event.type.empty() || document.root["object"].get(object) != simdjson::SUCCESS ||
      !object.is_object()) {
    return broken("a watch line without type or object");
  }
  const std::size_t begin = findValue(line, skipSpace(line, 0), "object");
  if (begin == std::string_view::npos) {
    return broken("a watch line whose object cannot be found");
  }
  event.object =
      indexed(object, line.substr(begin, endOfObject(document.root, line, begin) - begin));
  return event;
}

Result<ObjectPtr> makeObject(std::string_view body) {
  const Document document(body);
  if (document.error != simdjson::SUCCESS) return broken("an object that is not valid JSON");
  const std::size_t begin = skipSpace(body, 0);
  const std::size_t end = body.find_last_not_of(" \t\r\n") + 1;
  return indexed(document.root, body.substr(begin, end - begin));
}

Result<Json> parsed(const Result<ObjectPtr>& answer) {
  if (!answer) return failure(answer.error());
  return (*answer)->parse();
}

ObjectPtr makeObject(const Json& value) {
  auto object = std::make_shared<Object>();
  object->ns = str(value, {"metadata", "namespace"});
  object->name = str(value, {"metadata", "name"});
  object->uid = str(value, {"metadata", "uid"});
  object->resource_version = str(value, {"metadata", "resourceVersion"});
  constexpr auto kReplace = Json::error_handler_t::replace;
  if (at(value, {"metadata", "managedFields"}).is_null()) {
    object->raw = value.dump(-1, ' ', false, kReplace);
  } else {
    Json copy = value;
    copy["metadata"].erase("managedFields");
    object->raw = copy.dump(-1, ' ', false, kReplace);
  }
  return object;
}

}  // namespace vkb::json
