#include "bridge/slim_pod.h"

#include <algorithm>
#include <array>

#include "json/scan.h"

namespace vkb::bridge {
namespace {

using json::Member;

constexpr std::array<std::string_view, 3> kContainerLists{"containers", "initContainers",
                                                          "ephemeralContainers"};

bool isOneOf(const auto& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::string_view textOf(std::string_view raw, const Member& member) {
  return raw.substr(member.value_begin, member.value_end - member.value_begin);
}

/// May it name a ConfigMap or Secret? Every field that does has the word in its name.
bool mayRefer(std::string_view text) {
  return text.find("onfigMap") != std::string_view::npos ||
         text.find("ecret") != std::string_view::npos;
}

/// An object made of members of another one, as they stand there or rewritten.
class ObjectText {
 public:
  explicit ObjectText(std::string& out) : out_(out) { out_ += '{'; }
  void put(std::string_view raw, const Member& member) {
    begin(member.key);
    out_ += textOf(raw, member);
  }
  void begin(std::string_view key) {
    if (!empty_) out_ += ',';
    empty_ = false;
    out_ += '"';
    out_ += key;
    out_ += "\":";
  }
  void end() { out_ += '}'; }

 private:
  std::string& out_;
  bool empty_ = true;
};

void putContainer(std::string& out, std::string_view raw, std::size_t begin, bool refers) {
  ObjectText object(out);
  json::forEachMember(raw, begin, [&](const Member& member) {
    const bool kept =
        member.key == "name" || member.key == "resources" || member.key == "restartPolicy";
    const bool referring = refers && (member.key == "env" || member.key == "envFrom");
    if (kept || (referring && mayRefer(textOf(raw, member)))) object.put(raw, member);
    return true;
  });
  object.end();
}

void putContainers(std::string& out, std::string_view raw, const Member& list, bool refers) {
  std::size_t at = json::skipSpace(raw, list.value_begin);
  if (at >= raw.size() || raw[at] != '[') {
    out += "null";
    return;
  }
  out += '[';
  for (at = json::skipSpace(raw, at + 1); at < list.value_end && raw[at] != ']';) {
    if (out.back() != '[') out += ',';
    putContainer(out, raw, at, refers);
    at = json::skipSpace(raw, json::skipValue(raw, at));
    if (at < list.value_end && raw[at] == ',') at = json::skipSpace(raw, at + 1);
  }
  out += ']';
}

void putSpec(std::string& out, std::string_view raw, std::size_t begin, bool refers) {
  constexpr std::array<std::string_view, 3> kKept{"nodeName", "resources", "overhead"};
  ObjectText spec(out);
  json::forEachMember(raw, begin, [&](const Member& member) {
    if (isOneOf(kContainerLists, member.key)) {
      spec.begin(member.key);
      putContainers(out, raw, member, refers);
    } else if (isOneOf(kKept, member.key) || (refers && member.key == "imagePullSecrets") ||
               (refers && member.key == "volumes" && mayRefer(textOf(raw, member)))) {
      spec.put(raw, member);
    }
    return true;
  });
  spec.end();
}

json::ObjectPtr withText(const json::Object& pod, std::string text) {
  auto slim = std::make_shared<json::Object>();
  slim->ns = pod.ns;
  slim->name = pod.name;
  slim->uid = pod.uid;
  slim->resource_version = pod.resource_version;
  text.shrink_to_fit();
  slim->raw = std::move(text);
  return slim;
}

}  // namespace

json::ObjectPtr slimDelegate(const json::Object& pod) {
  const std::string_view raw = pod.raw;
  std::string text;
  text.reserve(raw.size());
  ObjectText object(text);
  json::forEachMember(raw, json::skipSpace(raw, 0), [&](const Member& member) {
    if (member.key == "spec") {
      object.begin(member.key);
      putSpec(text, raw, member.value_begin, true);
    } else {
      object.put(raw, member);
    }
    return true;
  });
  object.end();
  return withText(pod, std::move(text));
}

json::ObjectPtr slimForeign(const json::Object& pod) {
  const std::string_view raw = pod.raw;
  std::string text;
  ObjectText object(text);
  json::forEachMember(raw, json::skipSpace(raw, 0), [&](const Member& member) {
    if (member.key == "spec") {
      object.begin(member.key);
      putSpec(text, raw, member.value_begin, false);
    } else if (member.key == "status") {
      object.begin(member.key);
      ObjectText status(text);
      json::forEachMember(raw, member.value_begin, [&](const Member& inner) {
        if (inner.key == "phase") status.put(raw, inner);
        return inner.key != "phase";
      });
      status.end();
    }
    return true;
  });
  object.end();
  return withText(pod, std::move(text));
}

}  // namespace vkb::bridge
