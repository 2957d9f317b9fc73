#include "bridge/target_streams.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "json/json.h"
#include "kube/streamer.h"
#include "kube/urls.h"
#include "kubelet/net_streams.h"

namespace vkb::bridge {
namespace {

constexpr std::chrono::seconds kHeadTimeout{30};
constexpr std::chrono::seconds kBodyTimeout{10};
constexpr std::size_t kMaxErrorBytes = 64u << 10;

/// key=value pairs; values of any bytes.
class Query {
 public:
  void add(const char* key, const std::string& value) {
    text_ += (text_.empty() ? "?" : "&") + std::string(key) + "=" + kube::urlEscape(value);
  }
  void add(const char* key, bool value) { add(key, std::string(value ? "true" : "false")); }
  void add(const char* key, const std::optional<std::int64_t>& value) {
    if (value) add(key, std::to_string(*value));
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

tl::unexpected<Status> refuse(int code, std::string message) {
  return failure(
      {.code = code, .reason = "", .message = std::move(message), .retry = Retry::kNever});
}

bool isNameChar(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
}

/// Whole names only: "web" in "web-1" is another name.
void replaceName(std::string& text, const std::string& from, const std::string& to) {
  if (from == to || from.empty()) return;
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at)) {
    const std::size_t end = at + from.size();
    const bool whole =
        (at == 0 || !isNameChar(text[at - 1])) && (end == text.size() || !isNameChar(text[end]));
    if (whole) text.replace(at, from.size(), to);
    at += whole ? to.size() : 1;
  }
}

/// The message of a metav1.Status, or the text itself.
std::string messageOf(const std::string& body) {
  const auto status = json::parse(body);
  const std::string message = status ? json::str(*status, "message") : "";
  return message.empty() ? body : message;
}

bool isOurOwnTrouble(int code) { return code == 401 || code == 403; }

/// The client is not the one who lacks rights, and must not be told so in a way that it reads.
std::string ownTrouble(const std::string& message) {
  return "the target cluster does not let vk-bridge do this: " + message;
}

/// As a kubelet says it of a container that has not started.
std::string waitingToStart(const Json& pod, const ContainerRef& ref) {
  std::string reason = "ContainerCreating";
  for (const char* list : {"containerStatuses", "initContainerStatuses"}) {
    const Json* status = json::findBy(json::at(pod, {"status", list}), "name", ref.container);
    const std::string waiting =
        status == nullptr ? "" : json::str(*status, {"state", "waiting", "reason"});
    if (!waiting.empty()) reason = waiting;
  }
  return "container \"" + ref.container + "\" in pod \"" + ref.pod +
         "\" is waiting to start: " + reason;
}

bool hasContainer(const Json& pod, const std::string& name) {
  for (const char* list : {"containers", "initContainers", "ephemeralContainers"}) {
    if (json::findBy(json::at(pod, {"spec", list}), "name", name) != nullptr) return true;
  }
  return false;
}

net::HttpRequest getRequest(std::string target, std::stop_token stop) {
  net::HttpRequest request;
  request.target = std::move(target);
  request.headers = {{"Accept", "*/*"}};
  request.timeout = kHeadTimeout;
  request.stop = std::move(stop);
  return request;
}

}  // namespace

Result<std::string> logUrl(const PodPlace& delegate, const std::string& container,
                           const ContainerLogOptions& options) {
  auto path = kube::objectPath(kube::kPods, delegate.ns, delegate.name, "log");
  if (!path) return path;
  Query query;
  query.add("container", container);
  if (options.follow) query.add("follow", true);
  if (options.previous) query.add("previous", true);
  if (options.timestamps) query.add("timestamps", true);
  query.add("tailLines", options.tail_lines);
  query.add("sinceSeconds", options.since_seconds);
  if (!options.since_time.empty()) query.add("sinceTime", options.since_time);
  query.add("limitBytes", options.limit_bytes);
  if (!options.stream.empty()) query.add("stream", options.stream);
  return *path + query.text();
}

Result<std::string> streamUrl(const PodPlace& delegate, const StreamRequest& request) {
  using Kind = StreamRequest::Kind;
  const bool port_forward = request.kind == Kind::kPortForward;
  const char* subresource = port_forward                  ? "portforward"
                            : request.kind == Kind::kExec ? "exec"
                                                          : "attach";
  auto path = kube::objectPath(kube::kPods, delegate.ns, delegate.name, subresource);
  if (!path) return path;
  Query query;
  if (port_forward) {
    for (const std::uint16_t port : request.ports) query.add("ports", std::to_string(port));
    return *path + query.text();
  }
  query.add("container", request.container.container);
  query.add("stdin", request.stdin_wanted);
  query.add("stdout", request.stdout_wanted);
  query.add("stderr", request.stderr_wanted);
  query.add("tty", request.tty);
  for (const std::string& argument : request.command) query.add("command", argument);
  return *path + query.text();
}

std::string withHomeNames(std::string text, const PodPlace& delegate, const ContainerRef& home) {
  replaceName(text, delegate.name, home.pod);
  replaceName(text, delegate.ns, home.ns);
  return text;
}

Result<StreamTarget> TargetStreams::find(const ContainerRef& ref) const {
  auto found = find_(ref.ns, ref.pod);
  if (!found) return refuse(404, "pod does not exist");
  if (!ref.container.empty() && !hasContainer(found->home_pod->parse(), ref.container)) {
    return refuse(404, "container \"" + ref.container + "\" not found in pod \"" + ref.pod + "\"");
  }
  return std::move(*found);
}

Result<std::unique_ptr<ByteStream>> TargetStreams::getContainerLogs(
    const ContainerRef& ref, const ContainerLogOptions& options, std::stop_token stop) {
  const auto found = find(ref);
  if (!found) return failure(found.error());
  if (found->delegate.name.empty())
    return refuse(400, waitingToStart(found->home_pod->parse(), ref));
  auto url = logUrl(found->delegate, ref.container, options);
  if (!url) return failure(url.error());
  kube::Streamer* streamer = target_.streamer();
  if (streamer == nullptr) return refuse(501, "501 not implemented");
  auto channel = streamer->openChannel(getRequest(std::move(*url), std::move(stop)));
  if (!channel) return refuse(500, channel.error().message);
  const int code = (*channel)->head().code;
  if (code == 200) return kubelet::streamOf(std::move(*channel));
  const auto body = (*channel)->readAll(kBodyTimeout, kMaxErrorBytes);
  const std::string message = withHomeNames(messageOf(body.value_or("")), found->delegate, ref);
  if (isOurOwnTrouble(code)) return refuse(500, ownTrouble(message));
  return refuse(code >= 400 ? code : 500, message);
}

Result<StreamAnswer> TargetStreams::openStream(const StreamRequest& asked, std::stop_token stop) {
  const auto found = find(asked.container);
  if (!found) return failure(found.error());
  if (found->delegate.name.empty()) {
    const std::string& container = asked.container.container;
    return refuse(404, container.empty() ? "pod not found (\"" + asked.container.pod + "\")"
                                         : "container not found (\"" + container + "\")");
  }
  auto url = streamUrl(found->delegate, asked);
  if (!url) return failure(url.error());
  kube::Streamer* streamer = target_.streamer();
  if (streamer == nullptr) return refuse(501, "501 not implemented");
  net::HttpRequest request = getRequest(std::move(*url), std::move(stop));
  request.method = asked.method;
  request.upgrade = true;
  request.headers = asked.headers;
  auto channel = streamer->openChannel(std::move(request));
  if (!channel) return refuse(500, channel.error().message);
  StreamAnswer answer{.code = (*channel)->head().code, .headers = (*channel)->head().headers};
  if (answer.code == 101) {
    answer.connection = kubelet::streamOf(std::move(*channel));
    return answer;
  }
  const auto body = (*channel)->readAll(kBodyTimeout, kMaxErrorBytes);
  answer.body = withHomeNames(body.value_or(""), found->delegate, asked.container);
  if (isOurOwnTrouble(answer.code)) return refuse(500, ownTrouble(messageOf(answer.body)));
  if (answer.code < 400) return refuse(500, "the target cluster did not take the upgrade");
  return answer;
}

}  // namespace vkb::bridge
