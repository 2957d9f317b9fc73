#include "json/object.h"

#include <simdjson.h>
#include <algorithm>
#include <nlohmann/json.hpp>

#include "json/json.h"
#include "json/scan.h"

namespace vkb::json {
namespace {

namespace dom = simdjson::dom;

/// What a kept parser may hold on to between documents; larger ones get their own.
constexpr std::size_t kKeptParserBytes = 256 * 1024;

/// simdjson reads a few bytes past the end, so it gets a padded copy: the text usually lies in a
/// buffer of somebody else. The whole document is checked here (UTF-8, numbers, structure): its
/// on-demand mode would skip over damage inside what it does not look at, and that damage would
/// then sit in a cache. Being valid is also what lets the plain scanner find the raw slices.
struct Document {
  explicit Document(std::string_view text) : padded(text) {
    static thread_local dom::parser kept;
    dom::parser& parser = text.size() <= kKeptParserBytes ? kept : own;
    error = parser.parse(padded).get(root);
    if (error == simdjson::SUCCESS && !root.is_object()) error = simdjson::INCORRECT_TYPE;
  }

  simdjson::padded_string padded;
  dom::parser own;
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
  Json value = Json::parse(raw, nullptr, false);
  return value.is_discarded() ? Json() : value;
}

Result<RawList> splitList(std::string_view body) {
  const Document document(body);
  if (document.error != simdjson::SUCCESS) return broken("a list that is not valid JSON");
  RawList list;
  dom::element metadata;
  if (document.root["metadata"].get(metadata) == simdjson::SUCCESS) {
    list.resource_version = text(metadata, "resourceVersion");
    list.continue_token = text(metadata, "continue");
  }
  dom::element items;
  if (document.root["items"].get(items) != simdjson::SUCCESS) {
    return broken("an answer without items where a list was expected");
  }
  if (items.is_null()) return list;
  dom::array elements;
  if (items.get(elements) != simdjson::SUCCESS) return broken("a list whose items are no array");

  const std::size_t items_begin = findValue(body, skipSpace(body, 0), "items");
  auto next = elements.begin();
  bool same = true;
  forEachElement(body, items_begin, [&](std::size_t begin, std::size_t end) {
    same = same && next != elements.end() && (*next).is_object();
    if (!same) return;
    list.items.push_back(indexed(*next, body.substr(begin, end - begin)));
    ++next;
  });
  if (!same || next != elements.end()) return broken("a list with items that are no objects");
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
  event.object = indexed(object, line.substr(begin, skipValue(line, begin) - begin));
  return event;
}

Result<ObjectPtr> makeObject(std::string_view body) {
  const Document document(body);
  if (document.error != simdjson::SUCCESS) return broken("an object that is not valid JSON");
  const std::size_t begin = skipSpace(body, 0);
  const std::size_t end = body.find_last_not_of(" \t\r\n") + 1;
  return indexed(document.root, body.substr(begin, end - begin));
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
