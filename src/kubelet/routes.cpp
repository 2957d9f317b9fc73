#include "kubelet/routes.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "json/time.h"
#include "kubelet/query.h"
#include "net/http_head.h"

namespace vkb::kubelet {
namespace {

using net::equalsIgnoringCase;
using Failure = tl::unexpected<HeadError>;

Failure wrong(int code, std::string message) {
  return Failure(HeadError{code, std::move(message)});
}

/// A DNS subdomain as Kubernetes names objects; labels and namespaces are a subset. No slash, no
/// "..", nothing that would have to be escaped.
bool isName(const std::string& name) {
  if (name.empty() || name.size() > 253) return false;
  const auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  if (!plain(name.front()) || !plain(name.back())) return false;
  if (name.find("..") != std::string::npos) return false;
  return std::all_of(name.begin(), name.end(),
                     [&](char c) { return plain(c) || c == '-' || c == '.'; });
}

tl::expected<ContainerRef, HeadError> containerIn(const Target& target, bool with_container) {
  const std::size_t wanted = with_container ? 4 : 3;
  if (target.path.size() != wanted) return wrong(404, "404 page not found");
  for (std::size_t i = 1; i < wanted; ++i) {
    if (!isName(target.path[i])) return wrong(400, "a name in the path is none: use DNS names");
  }
  return ContainerRef{target.path[1], target.path[2], with_container ? target.path[3] : ""};
}

/// Go's strconv.ParseBool; absent is false.
std::optional<bool> boolean(const Target& target, const char* key) {
  const std::string text = target.first(key);
  if (text.empty()) return false;
  for (const char* yes : {"1", "t", "T", "true", "TRUE", "True"}) {
    if (text == yes) return true;
  }
  for (const char* no : {"0", "f", "F", "false", "FALSE", "False"}) {
    if (text == no) return false;
  }
  return std::nullopt;
}

/// False: there, but no number of at least `least`.
bool number(const Target& target, const char* key, std::int64_t least,
            std::optional<std::int64_t>& into) {
  if (!target.has(key)) return true;
  const std::string text = target.first(key);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < least) return false;
  into = value;
  return true;
}

tl::expected<Route, HeadError> logsRoute(const Target& target) {
  auto container = containerIn(target, true);
  if (!container) return Failure(container.error());
  Logs logs{.container = std::move(*container), .options = {}};
  ContainerLogOptions& options = logs.options;
  const auto follow = boolean(target, "follow"), previous = boolean(target, "previous"),
             timestamps = boolean(target, "timestamps");
  if (!follow || !previous || !timestamps) {
    return wrong(400, "follow, previous and timestamps are true or false");
  }
  options.follow = *follow;
  options.previous = *previous;
  options.timestamps = *timestamps;
  if (!number(target, "tailLines", 0, options.tail_lines)) {
    return wrong(400, "tailLines must be a number from 0 on");
  }
  if (!number(target, "limitBytes", 1, options.limit_bytes)) {
    return wrong(400, "limitBytes must be a number from 1 on");
  }
  if (!number(target, "sinceSeconds", 1, options.since_seconds)) {
    return wrong(400, "sinceSeconds must be a number from 1 on");
  }
  options.since_time = target.first("sinceTime");
  if (!options.since_time.empty()) {
    if (options.since_seconds) {
      return wrong(400, "at most one of sinceTime or sinceSeconds may be specified");
    }
    if (!json::parseTime(options.since_time)) return wrong(400, "sinceTime must be RFC 3339");
  }
  options.stream = target.first("stream");
  if (options.stream != "" && options.stream != "All" && options.stream != "Stdout" &&
      options.stream != "Stderr") {
    return wrong(400, "stream is All, Stdout or Stderr");
  }
  return logs;
}

bool isStreamHeader(const std::string& name) {
  for (const char* known :
       {"Upgrade", "X-Stream-Protocol-Version", "Sec-WebSocket-Key", "Sec-WebSocket-Version",
        "Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions"}) {
    if (equalsIgnoringCase(name, known)) return true;
  }
  return false;
}

constexpr std::string_view kTokenProtocol = "base64url.bearer.authorization.k8s.io.";

/// WebSocket clients may send their bearer token as a subprotocol. It is home's and stays here.
std::string withoutToken(const std::string& protocols) {
  std::string kept;
  std::string_view rest = protocols;
  while (true) {
    const std::size_t comma = rest.find(',');
    std::string_view word = rest.substr(0, comma);
    while (!word.empty() && (word.front() == ' ' || word.front() == '\t')) word.remove_prefix(1);
    // Wherever it stands in the word: what is no protocol here is refused there, but never told.
    if (word.find(kTokenProtocol) == word.npos) {
      kept += (kept.empty() ? "" : ", ") + std::string(word);
    }
    if (comma == std::string_view::npos) return kept;
    rest.remove_prefix(comma + 1);
  }
}

tl::expected<Route, HeadError> streamRoute(const RequestHead& head, const Target& target,
                                           StreamRequest::Kind kind) {
  const bool port_forward = kind == StreamRequest::Kind::kPortForward;
  auto container = containerIn(target, !port_forward);
  if (!container) return Failure(container.error());
  const std::string upgrade = head.header("Upgrade");
  const bool known =
      equalsIgnoringCase(upgrade, "SPDY/3.1") || equalsIgnoringCase(upgrade, "websocket");
  if (!head.asksForUpgrade() || !known || head.count("Upgrade") != 1) {
    return wrong(400, "an upgrade to SPDY/3.1 or WebSocket is needed");
  }
  StreamRequest request{.kind = kind, .container = std::move(*container), .method = head.method};
  const auto wants = [&](const char* key) { return target.first(key) == "1"; };
  if (port_forward) {
    for (const std::string& text : target.all("port")) {
      std::uint16_t port = 0;
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
      if (error != std::errc() || end != text.data() + text.size() || port == 0) {
        return wrong(400, "port must be a number from 1 to 65535");
      }
      request.ports.push_back(port);
    }
  } else {
    request.stdin_wanted = wants("input");
    request.stdout_wanted = wants("output");
    request.tty = wants("tty");
    request.stderr_wanted = wants("error") && !request.tty;  // as a kubelet: a terminal has one
    if (!request.stdin_wanted && !request.stdout_wanted && !request.stderr_wanted) {
      return wrong(400, "you must specify at least 1 of stdin, stdout, stderr");
    }
    if (kind == StreamRequest::Kind::kExec) request.command = target.all("command");
  }
  for (const auto& [name, value] : head.headers) {
    if (!isStreamHeader(name)) continue;
    const std::string kept = value.find(kTokenProtocol) == value.npos ? value : withoutToken(value);
    if (!kept.empty()) request.headers.emplace_back(name, kept);
  }
  return request;
}

/// Of a path without parameters; "/stats/summary" and "/stats/summary/" are the same.
bool isPath(const Target& target, std::initializer_list<std::string_view> wanted) {
  std::vector<std::string_view> path(target.path.begin(), target.path.end());
  if (path.size() > 1 && path.back().empty()) path.pop_back();
  return std::equal(path.begin(), path.end(), wanted.begin(), wanted.end());
}

}  // namespace

Attributes attributesOf(const std::string& method, const std::string& target) {
  std::string verb;
  if (method == "POST") verb = "create";
  if (method == "GET") verb = "get";
  if (method == "PUT") verb = "update";
  if (method == "PATCH") verb = "patch";
  if (method == "DELETE") verb = "delete";
  const auto parsed = parseTarget(target);
  const std::string top = parsed && !parsed->path.empty() ? parsed->path.front() : "";
  if (top == "stats" || top == "metrics") return {verb, top};
  // A kubelet's /logs (the node's own files) is nodes/log; a container's logs are nodes/proxy.
  return {verb, top == "logs" ? "log" : "proxy"};
}

tl::expected<Route, HeadError> routeOf(const RequestHead& head) {
  const auto target = parseTarget(head.target);
  if (!target) return wrong(400, "bad request: an escape in the target");
  const bool get = head.method == "GET", post = head.method == "POST";
  const auto only_get = [&](auto route) -> tl::expected<Route, HeadError> {
    if (!get) return wrong(405, "405: Method Not Allowed");
    return Route(std::move(route));
  };
  const std::string& top = target->path.front();
  if (isPath(*target, {"healthz"})) return only_get(Healthz{});
  if (isPath(*target, {"pods"})) return only_get(Pods{});
  if (isPath(*target, {"runningpods"})) return only_get(RunningPods{});
  if (isPath(*target, {"stats", "summary"})) return only_get(StatsSummary{});
  if (isPath(*target, {"metrics", "resource"})) return only_get(ResourceMetrics{});
  if (top == "containerLogs") {
    if (!get) return wrong(405, "405: Method Not Allowed");
    return logsRoute(*target);
  }
  const auto stream = [&](StreamRequest::Kind kind) -> tl::expected<Route, HeadError> {
    if (!get && !post) return wrong(405, "405: Method Not Allowed");
    return streamRoute(head, *target, kind);
  };
  if (top == "exec") return stream(StreamRequest::Kind::kExec);
  if (top == "attach") return stream(StreamRequest::Kind::kAttach);
  if (top == "portForward") return stream(StreamRequest::Kind::kPortForward);
  return wrong(404, "404 page not found");
}

}  // namespace vkb::kubelet
