#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "kube/client.h"
#include "vkbridge/status.h"

namespace vkb::test {

/// What one API server did, in lines that are equal for every server that does the same: no UIDs,
/// resourceVersions, times or random names, none of the fields that only some versions have.
class Transcript {
 public:
  /// Heading of what follows.
  void section(const std::string& title) { text_ += "\n# " + title + "\n"; }
  void say(const std::string& what, const std::string& outcome) {
    text_ += what + ": " + outcome + "\n";
  }
  void say(const std::string& what, bool outcome) {
    say(what, std::string(outcome ? "yes" : "no"));
  }
  void say(const std::string& what, const Result<Json>& result) {
    say(what, result ? show(*result) : show(result.error()));
  }
  void say(const std::string& what, const Result<json::ObjectPtr>& result) {
    say(what, json::parsed(result));
  }
  void say(const std::string& what, const Result<std::optional<Json>>& result) {
    say(what, !result ? show(result.error()) : *result ? show(**result) : "nothing");
  }
  void say(const std::string& what, const Result<void>& result) {
    say(what, result ? std::string("done") : show(result.error()));
  }
  void say(const std::string& what, const Result<json::RawList>& result);
  void say(const std::string& what, const std::vector<json::RawEvent>& events);

  const std::string& text() const { return text_; }

  /// Code, reason, causes without their messages, how to retry.
  static std::string show(const Status& status);
  static std::string show(const Json& object);

 private:
  std::string text_;
};

}  // namespace vkb::test
