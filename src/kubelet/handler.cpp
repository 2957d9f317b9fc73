#include "kubelet/handler.h"

#include <nlohmann/json.hpp>

#include "kubelet/pod_lists.h"
#include "kubelet/resource_metrics.h"
#include "kubelet/routes.h"
#include "net/http_head.h"

namespace vkb::kubelet {
namespace {

Answer jsonAnswer(std::string body) {
  return {.headers = {{"Content-Type", "application/json"}}, .body = std::move(body)};
}

Answer failed(const Status& status) {
  const bool usable = status.code >= 400 && status.code < 600;
  return textAnswer(usable ? status.code : 500, status.message);
}

Answer cannot() { return textAnswer(501, "501 not implemented"); }

/// Of the backend's answer; everything else in it speaks of a connection that is not the client's.
bool isPassedOn(const std::string& name) {
  for (const char* known :
       {"Upgrade", "X-Stream-Protocol-Version", "Sec-WebSocket-Accept", "Sec-WebSocket-Protocol",
        "Sec-WebSocket-Extensions", "X-Accepted-Stream-Protocol-Versions", "Content-Type"}) {
    if (net::equalsIgnoringCase(name, known)) return true;
  }
  return false;
}

const char* nameOf(StreamRequest::Kind kind) {
  switch (kind) {
    case StreamRequest::Kind::kExec:
      return "exec";
    case StreamRequest::Kind::kAttach:
      return "attach";
    case StreamRequest::Kind::kPortForward:
      break;
  }
  return "port-forward";
}

/// One call for each kind of route.
class Answering {
 public:
  Answering(const Handler::Deps& deps, const std::string& node, const User& user,
            std::stop_token stop)
      : deps_(deps), node_(node), user_(user), stop_(std::move(stop)) {}

  Answer operator()(const Healthz&) const { return textAnswer(200, "ok"); }
  Answer operator()(const Pods&) const { return jsonAnswer(podList(deps_.pods())); }
  Answer operator()(const RunningPods&) const { return jsonAnswer(runningPodList(deps_.pods())); }

  Answer operator()(const StatsSummary&) const {
    if (deps_.stats == nullptr) return cannot();
    const auto summary = deps_.stats->getStatsSummary(stop_);
    if (!summary) return failed(summary.error());
    return jsonAnswer(summary->dump(-1, ' ', false, Json::error_handler_t::replace));
  }

  Answer operator()(const ResourceMetrics&) const {
    if (deps_.stats == nullptr) return cannot();
    const auto summary = deps_.stats->getStatsSummary(stop_);
    // As a kubelet: a scrape always succeeds, and says itself whether it holds everything.
    return {.headers = {{"Content-Type", "text/plain; version=0.0.4; charset=utf-8"}},
            .body = resourceMetricsText(summary ? *summary : Json(), summary.has_value())};
  }

  Answer operator()(const Logs& logs) const {
    if (deps_.logs == nullptr) return cannot();
    auto stream = deps_.logs->getContainerLogs(logs.container, logs.options, stop_);
    if (!stream) return failed(stream.error());
    return {.headers = {{"Content-Type", "text/plain"}}, .stream = std::move(*stream)};
  }

  Answer operator()(const StreamRequest& request) const {
    if (deps_.streams == nullptr) return cannot();
    auto answer = deps_.streams->openStream(request, stop_);
    VKB_LOG(deps_.logger, Info, "session asked for", {"kind", nameOf(request.kind)},
            {"node", node_}, {"pod", request.container.ns + "/" + request.container.pod},
            {"container", request.container.container}, {"user", user_.name},
            {"code", answer ? answer->code : answer.error().code});
    if (!answer) return failed(answer.error());
    Answer result{.code = answer->code, .body = std::move(answer->body)};
    for (auto& [name, value] : answer->headers) {
      if (isPassedOn(name)) result.headers.emplace_back(name, std::move(value));
    }
    if (answer->code == 101) result.stream = std::move(answer->connection);
    return result;
  }

 private:
  const Handler::Deps& deps_;
  const std::string& node_;
  const User& user_;
  const std::stop_token stop_;
};

}  // namespace

Answer textAnswer(int code, std::string text) {
  return {.code = code,
          .headers = {{"Content-Type", "text/plain; charset=utf-8"}},
          .body = std::move(text)};
}

std::optional<User> Handler::identify(const RequestHead& head,
                                      const std::optional<net::PeerName>& peer) {
  if (peer) {
    if (auto user = userOf(*peer)) return user;
  }
  const std::string authorization = head.header("Authorization");
  if (const std::string token = bearerToken(authorization); !token.empty()) {
    auto user = access_.authenticate(token);
    if (user) return *user;
    // A flood of them is not worth a line each.
    if (user.error().code != 429) {
      VKB_LOG(deps_.logger, Warn, "home did not say whose token this is", {"node", node_},
              {"message", user.error().message});
    }
    return std::nullopt;
  }
  // Who says who they are, and is not believed, is not let in as nobody.
  if (anonymous_ && authorization.empty()) return anonymousUser();
  return std::nullopt;
}

std::optional<Answer> Handler::refusal(const User& user, const Attributes& attributes) {
  const auto allowed = access_.allows(user, attributes, node_);
  if (allowed && *allowed) return std::nullopt;
  const std::string what = "(user=" + user.name + ", verb=" + attributes.verb +
                           ", resource=nodes, subresource=" + attributes.subresource + ")";
  VKB_LOG(deps_.logger, Warn, "refused", {"node", node_}, {"user", user.name},
          {"verb", attributes.verb}, {"subresource", attributes.subresource},
          {"message", allowed ? "" : allowed.error().message});
  return allowed ? textAnswer(403, "Forbidden " + what)
                 : textAnswer(500, "Authorization error " + what);
}

Answer Handler::handle(const RequestHead& head, const std::optional<net::PeerName>& peer,
                       std::stop_token stop) {
  const auto user = identify(head, peer);
  if (!user) return textAnswer(401, "Unauthorized");
  const Attributes attributes = attributesOf(head.method, head.target);
  if (attributes.verb.empty()) return textAnswer(405, "405: Method Not Allowed");
  if (auto refused = refusal(*user, attributes)) return std::move(*refused);
  const auto route = routeOf(head);
  if (!route) return textAnswer(route.error().code, route.error().message);
  return std::visit(Answering(deps_, node_, *user, std::move(stop)), *route);
}

}  // namespace vkb::kubelet
