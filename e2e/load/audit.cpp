#include "load/audit.h"

#include <nlohmann/json.hpp>

#include "json/json.h"

namespace vkb::load {
namespace {

std::string methodOf(const std::string& verb) {
  static const std::map<std::string, std::string> methods{
      {"get", "GET"},    {"list", "GET"},    {"watch", "GET"},     {"create", "POST"},
      {"update", "PUT"}, {"patch", "PATCH"}, {"delete", "DELETE"}, {"deletecollection", "DELETE"}};
  const auto found = methods.find(verb);
  return found == methods.end() ? verb : found->second;
}

std::string subjectOf(const Json& event, const std::string& verb) {
  const Json& object = json::object(event, {"objectRef"});
  std::string subject = json::str(object, "resource");
  if (subject.empty()) {
    const std::string uri = json::str(event, "requestURI");
    subject = uri.substr(0, uri.find('?'));
  }
  const std::string subresource = json::str(object, "subresource");
  if (!subresource.empty()) subject += "/" + subresource;
  if (verb == "list" || verb == "watch") subject += " (" + verb + ")";
  return subject;
}

}  // namespace

std::map<std::string, std::size_t> countRequests(std::istream& log, const std::string& agent,
                                                 const std::string& from, const std::string& to) {
  std::map<std::string, std::size_t> counts;
  std::string line;
  while (std::getline(log, line)) {
    // Everybody's requests are in the log; only ours are worth a DOM.
    if (line.find(agent) == std::string::npos) continue;
    const auto event = json::parse(line);
    if (!event || json::str(*event, "userAgent").rfind(agent, 0) != 0) continue;
    const std::string verb = json::str(*event, "verb");
    const std::string counted = verb == "watch" ? "ResponseStarted" : "ResponseComplete";
    if (json::str(*event, "stage") != counted) continue;
    const std::string at = json::str(*event, "requestReceivedTimestamp");
    if (at < from || (!to.empty() && at > to)) continue;
    ++counts[methodOf(verb) + " " + subjectOf(*event, verb)];
  }
  return counts;
}

}  // namespace vkb::load
