#include <algorithm>
#include <nlohmann/json.hpp>

#include "json/json.h"
#include "kube/rest_client.h"

namespace vkb::kube {
namespace {

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

/// 404 of a write into a namespace that is not there: it can be made. Other missing things have
/// callers that know what absence means to them; a missing resource type needs somebody to act.
Retry retryOfNotFound(const Json& body) {
  return json::str(body, {"details", "name"}).empty() ? Retry::kSlow : Retry::kFast;
}

/// 403 is not one thing.
Retry retryOfForbidden(const Status& status) {
  const bool terminating =
      std::any_of(status.causes.begin(), status.causes.end(),
                  [](const StatusCause& cause) { return cause.reason == "NamespaceTerminating"; });
  // The service account controller makes "default" a moment after its namespace.
  const bool account = contains(status.message, "error looking up service account");
  return terminating || account ? Retry::kFast : Retry::kSlow;
}

/// Admission by somebody's own rules: they say what is wrong with the object, but they (or what
/// they look at) change without it. Webhooks choose their code freely, 400 when they choose none.
bool isAdmissionPolicy(const std::string& message) {
  return (contains(message, "admission webhook") && contains(message, "denied the request")) ||
         (contains(message, "ValidatingAdmissionPolicy") && contains(message, "denied request"));
}

Retry retryOf(const Status& status, const Json& body) {
  if (isAdmissionPolicy(status.message)) return Retry::kSlow;
  switch (status.code) {
    case 401:
      return Retry::kSlow;
    case 403:
      return retryOfForbidden(status);
    case 404:
      return retryOfNotFound(body);
    case 400:
    case 405:
    case 406:
    case 413:
    case 415:
    case 422:
      return Retry::kNever;
    default:
      return Retry::kFast;
  }
}

/// A short printable piece of an answer that is no Status (/readyz's list of failing checks). Pages
/// and other objects say nothing to the reader.
std::string excerpt(const std::string& body) {
  const std::size_t first = body.find_first_not_of(" \t\r\n");
  if (first == std::string::npos || body[first] == '<' || body[first] == '{') return "";
  std::string out;
  for (const char c : body) {
    if (out.size() >= 300) return out + "…";
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte != 0x7f) {
      out += c;
    } else if (!out.empty() && out.back() != ' ') {
      out += ' ';
    }
  }
  while (out.ends_with(' ')) out.pop_back();
  return out;
}

const char* reasonOf(int code) {
  switch (code) {
    case 400:
      return "BadRequest";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "NotFound";
    case 405:
      return "MethodNotAllowed";
    case 406:
      return "NotAcceptable";
    case 409:
      return "Conflict";
    case 410:
      return "Gone";
    case 415:
      return "UnsupportedMediaType";
    case 422:
      return "Invalid";
    case 429:
      return "TooManyRequests";
    case 503:
      return "ServiceUnavailable";
    case 504:
      return "Timeout";
    default:
      return code >= 500 ? "InternalError" : "Unknown";
  }
}

}  // namespace

Status statusFromAnswer(int code, const std::string& body,
                        std::optional<std::chrono::seconds> retry_after) {
  Status status;
  status.code = code;
  Json parsed = json::parse(body).value_or(Json());
  if (json::str(parsed, "kind") != "Status") parsed = nullptr;
  status.reason = json::str(parsed, "reason");
  if (status.reason.empty()) status.reason = reasonOf(code);
  status.message = json::str(parsed, "message");
  if (parsed.is_null()) status.message = excerpt(body);
  if (status.message.empty()) status.message = "the server answered " + std::to_string(code);
  for (const Json& cause : json::array(parsed, {"details", "causes"})) {
    status.causes.push_back(
        {json::str(cause, "reason"), json::str(cause, "field"), json::str(cause, "message")});
  }
  if (!retry_after) {
    if (const auto seconds = json::integer(parsed, {"details", "retryAfterSeconds"});
        seconds && *seconds > 0) {
      retry_after = std::chrono::seconds(std::min<std::int64_t>(*seconds, 3600));
    }
  }
  if (retry_after) status.retryAfter = *retry_after;
  status.retry = retryOf(status, parsed);
  return status;
}

}  // namespace vkb::kube
