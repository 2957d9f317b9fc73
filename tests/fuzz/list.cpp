// Bodies of LIST answers, and of single objects.
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "fuzz/input.h"
#include "json/object.h"

namespace {

using namespace vkb;

/// What caches and controllers rely on: the bytes are an object, and its index is what is in it.
void checkObject(const json::Object& object) {
  const Json value = object.parse();
  VKB_CHECK(value.is_object(), "a cached object cannot be parsed");
  const json::ObjectPtr again = json::makeObject(std::string_view(object.raw)).value();
  VKB_CHECK(again->name == object.name && again->ns == object.ns && again->uid == object.uid &&
                again->resource_version == object.resource_version,
            "cutting managedFields changed the identity");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = vkb::fuzz::Input(data, size).rest();
  if (const auto list = json::splitList(text)) {
    VKB_CHECK(Json::accept(text), "a split list is no JSON");
    for (const auto& object : list->items) checkObject(*object);
  }
  if (const auto object = json::makeObject(text)) checkObject(**object);
  return 0;
}
