#include "support/api_call.h"

#include <algorithm>
#include <mutex>
#include <nlohmann/json.hpp>

#include "kube/server_url.h"
#include "support/fake_cluster_internal.h"

namespace vkb::test {
namespace {

/// kube::Resource holds views; these are what they look at.
std::string_view kept(const std::string& text) {
  static std::mutex mutex;
  static std::set<std::string> texts;
  const std::lock_guard lock(mutex);
  return *texts.insert(text).first;
}

bool isClusterScoped(std::string_view plural) {
  static const std::set<std::string, std::less<>> kPlurals{"nodes",
                                                           "namespaces",
                                                           "persistentvolumes",
                                                           "storageclasses",
                                                           "priorityclasses",
                                                           "runtimeclasses",
                                                           "clusterroles",
                                                           "clusterrolebindings",
                                                           "customresourcedefinitions",
                                                           "certificatesigningrequests",
                                                           "selfsubjectaccessreviews",
                                                           "subjectaccessreviews",
                                                           "tokenreviews"};
  return kPlurals.contains(plural);
}

std::vector<std::string> segmentsOf(const std::string& path) {
  std::vector<std::string> out;
  for (std::size_t at = 0; at < path.size();) {
    const std::size_t end = std::min(path.find('/', at + 1), path.size());
    if (end > at + 1) out.push_back(kube::percentDecode(path.substr(at + 1, end - at - 1)));
    at = end;
  }
  return out;
}

std::map<std::string, std::string> queryOf(const std::string& target) {
  std::map<std::string, std::string> out;
  for (std::size_t at = target.find('?'); at < target.size();) {
    const std::size_t end = std::min(target.find('&', at + 1), target.size());
    const std::string part = target.substr(at + 1, end - at - 1);
    const std::size_t equals = std::min(part.find('='), part.size());
    std::string value = equals < part.size() ? part.substr(equals + 1) : "";
    std::replace(value.begin(), value.end(), '+', ' ');
    out[part.substr(0, equals)] = kube::percentDecode(value);
    at = end;
  }
  return out;
}

/// namespaces/NS/PLURAL/NAME/SUB, PLURAL/NAME/SUB; namespaces are a resource of their own, too.
void place(ApiCall& call, std::vector<std::string> rest, const std::string& group,
           const std::string& version) {
  const bool inside =
      rest.size() >= 3 && rest[0] == "namespaces" && rest[2] != "status" && rest[2] != "finalize";
  if (inside) {
    call.what.ns = rest[1];
    rest.erase(rest.begin(), rest.begin() + 2);
  }
  rest.resize(3);
  call.what.resource = rest[0];
  call.what.name = rest[1];
  call.what.subresource = rest[2];
  call.resource = {kept(group), kept(version), kept(rest[0]), !isClusterScoped(rest[0])};
}

std::string verbOf(const std::string& method, const ApiCall& call) {
  const bool object = !call.what.name.empty();
  if (method == "GET") {
    const std::string watch = call.param("watch");
    if (watch == "1" || watch == "true") return "watch";
    return object ? "get" : "list";
  }
  if (method == "POST" && (!object || !call.what.subresource.empty())) return "create";
  if (method == "PUT" && object) return "update";
  if (method == "PATCH" && object) return "patch";
  if (method == "DELETE" && object) return "delete";
  return "";
}

}  // namespace

std::string headerOf(const ReceivedRequest& request, const std::string& name) {
  const auto same = [](char a, char b) { return std::tolower(a) == std::tolower(b); };
  const std::string key = "\r\n" + name + ": ";
  const auto at =
      std::search(request.head.begin(), request.head.end(), key.begin(), key.end(), same);
  if (at == request.head.end()) return "";
  const auto begin = at + static_cast<std::ptrdiff_t>(key.size());
  return {begin, std::find(begin, request.head.end(), '\r')};
}

std::optional<ApiCall> parseApiCall(const ReceivedRequest& request, const std::string& actor) {
  ApiCall call;
  call.what.actor = actor;
  call.query = queryOf(request.target);
  call.content_type = headerOf(request, "Content-Type");
  call.body = request.body;
  const std::string path = request.target.substr(0, request.target.find('?'));
  std::vector<std::string> segments = segmentsOf(path);
  const std::size_t root = segments.empty() ? 0 : segments[0] == "apis" ? 3 : 2;
  const bool resource =
      segments.size() > root && root > 0 && (segments[0] == "apis" || segments[0] == "api");
  if (!resource) {
    if (request.method != "GET") return std::nullopt;
    call.what.verb = "raw";
    call.what.resource = path;
    return call;
  }
  place(call, {segments.begin() + static_cast<std::ptrdiff_t>(root), segments.end()},
        root == 3 ? segments[1] : "", segments[root - 1]);
  call.what.verb = verbOf(request.method, call);
  if (call.what.verb.empty()) return std::nullopt;
  if (call.what.verb == "create" && call.what.name.empty()) {
    const auto object = json::parse(call.body);
    if (object) call.what.name = json::str(*object, {"metadata", "name"});
  }
  return call;
}

Json statusBody(const Status& status) {
  Json body{{"kind", "Status"},          {"apiVersion", "v1"},        {"metadata", Json::object()},
            {"status", "Failure"},       {"message", status.message}, {"reason", status.reason},
            {"details", Json::object()}, {"code", status.code}};
  Json& details = body["details"];
  for (const StatusCause& cause : status.causes) {
    details["causes"].push_back(
        {{"reason", cause.reason}, {"message", cause.message}, {"field", cause.field}});
  }
  if (status.retryAfter) {
    details["retryAfterSeconds"] =
        std::chrono::duration_cast<std::chrono::seconds>(*status.retryAfter).count();
  }
  // `pods "a" not found`: what is missing is named; a path that is missing is not.
  const std::size_t begin = status.message.find('"');
  if (status.code == 404 && begin != std::string::npos) {
    details["name"] =
        status.message.substr(begin + 1, status.message.find('"', begin + 1) - begin - 1);
  }
  return body;
}

}  // namespace vkb::test
