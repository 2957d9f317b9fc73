#include "support/fake_api_server.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <deque>
#include <nlohmann/json.hpp>

#include "json/json.h"
#include "support/api_call.h"
#include "support/api_errors.h"

namespace vkb::test {
namespace {

using namespace std::chrono_literals;

Status methodNotAllowed() {
  return {.code = 405,
          .reason = "MethodNotAllowed",
          .message = "the server does not allow this method on the requested resource",
          .retry = Retry::kNever};
}

Status unsupportedMediaType(const std::string& type) {
  return {.code = 415,
          .reason = "UnsupportedMediaType",
          .message = "the body of the request was in an unknown format: " + type,
          .retry = Retry::kNever};
}

/// A list or get from a resourceVersion that the server has not reached.
bool isFromFuture(const ApiCall& call, const FakeCluster& cluster) {
  const std::string asked = call.param("resourceVersion");
  return !asked.empty() && std::strtoull(asked.c_str(), nullptr, 10) > cluster.resourceVersion();
}

std::string listBody(const kube::Resource& resource, const json::RawList& list) {
  Json metadata{{"resourceVersion", list.resource_version}};
  if (!list.continue_token.empty()) metadata["continue"] = list.continue_token;
  std::string out = R"({"kind":")" + kindOf(resource) + R"(List","apiVersion":")" +
                    apiVersionOf(resource) + R"(","metadata":)" + metadata.dump() + R"(,"items":[)";
  for (std::size_t i = 0; i < list.items.size(); ++i) {
    if (i > 0) out += ',';
    out += list.items[i]->raw;
  }
  return out + "]}";
}

}  // namespace

struct FakeApiServer::Answer {
  int code = 200;  ///< 0: none, the connection breaks
  std::string body;
  std::optional<std::chrono::milliseconds> retry_after{};

  static Answer of(const Status& status) {
    if (status.code == 0) return {0, "", {}};
    return {status.code, statusBody(status).dump(), status.retryAfter};
  }
  static Answer of(const Result<json::ObjectPtr>& result, int code) {
    if (!result) return of(result.error());
    return {code, (*result)->raw, {}};
  }
};

/// What a watch of the cluster says, for the thread of its connection.
class FakeApiServer::LineQueue final : public kube::WatchHandler {
 public:
  LineQueue() : wake_(::eventfd(0, EFD_CLOEXEC)) {}
  ~LineQueue() override { ::close(wake_); }
  LineQueue(const LineQueue&) = delete;
  LineQueue& operator=(const LineQueue&) = delete;

  void onEvent(json::RawEvent event) override {
    const std::lock_guard lock(mutex_);
    lines_.push_back(R"({"type":")" + event.type + R"(","object":)" + event.object->raw + "}\n");
    wake();
  }
  void onClosed(Status status) override { end(std::move(status)); }
  void end(Status status) {
    const std::lock_guard lock(mutex_);
    if (!end_) end_ = std::move(status);
    wake();
  }
  struct News {
    std::deque<std::string> lines;
    std::optional<Status> end;
  };
  News take() {
    const std::lock_guard lock(mutex_);
    std::uint64_t count = 0;
    if (woken_) (void)!::read(wake_, &count, sizeof count);
    woken_ = false;
    return {std::exchange(lines_, {}), end_};
  }
  int wakeFd() const { return wake_; }

 private:
  void wake() {
    const std::uint64_t one = 1;
    if (!woken_) (void)!::write(wake_, &one, sizeof one);
    woken_ = true;
  }
  const int wake_;
  std::mutex mutex_;
  bool woken_ = false;
  std::deque<std::string> lines_;
  std::optional<Status> end_;
};

FakeApiServer::FakeApiServer(FakeRuntime& runtime, FakeCluster& cluster,
                             FakeApiServerOptions options)
    : runtime_(runtime), cluster_(cluster), options_(std::move(options)) {
  TestServerOptions server_options;
  if (options_.tls) {
    ca_.emplace("fake API server CA");
    server_options.cert = ca_->issue({.dns = {"localhost"}, .ips = {"127.0.0.1"}});
  }
  server_ = std::make_unique<TlsTestServer>(
      std::move(server_options), [this](TestConnection& connection) { serve(connection); });
}

FakeApiServer::~FakeApiServer() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    for (const auto& weak : watches_) {
      if (const auto watch = weak.lock()) watch->end(unanswered());
    }
    changed_.notify_all();
  }
  server_.reset();
}

kube::ClusterAccess FakeApiServer::access(const std::string& token) const {
  kube::ClusterAccess access;
  access.server = std::string(options_.tls ? "https" : "http") +
                  "://127.0.0.1:" + std::to_string(server_->port());
  if (ca_) access.ca_pem = ca_->pem();
  access.token = token;
  return access;
}

void FakeApiServer::advance(Duration by) {
  const std::lock_guard lock(cluster_mutex_);
  runtime_.advance(by);
}

void FakeApiServer::resetConnections(int times, Matcher matches) {
  const std::lock_guard lock(mutex_);
  resets_.emplace_back(times, std::move(matches));
}

void FakeApiServer::holdRequests(Matcher matches) {
  const std::lock_guard lock(mutex_);
  held_requests_ = std::move(matches);
}

void FakeApiServer::holdAnswers(Matcher matches) {
  const std::lock_guard lock(mutex_);
  held_answers_ = std::move(matches);
}

bool FakeApiServer::waitUntilHeld(int count) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, 20s, [&] { return held_ >= count; });
}

bool FakeApiServer::waitForWatches(int count) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, 20s, [&] { return serving_watches_ == count; });
}

void FakeApiServer::release() {
  const std::lock_guard lock(mutex_);
  held_requests_.reset();
  held_answers_.reset();
  changed_.notify_all();
}

bool FakeApiServer::takeReset(const Request& what) {
  const std::lock_guard lock(mutex_);
  for (auto it = resets_.begin(); it != resets_.end(); ++it) {
    if (!it->second(what)) continue;
    if (--it->first <= 0) resets_.erase(it);
    return true;
  }
  return false;
}

void FakeApiServer::waitWhileHeld(const std::optional<Matcher>& held, const Request& what) {
  std::unique_lock lock(mutex_);
  if (!held || !(*held)(what)) return;
  ++held_;
  changed_.notify_all();
  changed_.wait(lock, [&] { return stopping_ || !held; });
  --held_;
}

std::optional<std::string> FakeApiServer::actorOf(const ReceivedRequest& request) const {
  if (options_.tokens.empty()) return options_.actor;
  const std::string given = headerOf(request, "Authorization");
  const auto it =
      given.starts_with("Bearer ") ? options_.tokens.find(given.substr(7)) : options_.tokens.end();
  if (it == options_.tokens.end()) return std::nullopt;
  return it->second;
}

void FakeApiServer::serve(TestConnection& connection) {
  while (const auto request = connection.readRequest()) {
    if (!serveOne(connection, *request)) return;
  }
}

bool FakeApiServer::serveOne(TestConnection& connection, const ReceivedRequest& request) {
  const auto send = [&connection](const Answer& answer) {
    if (answer.code == 0) {
      connection.reset();
      return false;
    }
    std::string headers = "Content-Type: application/json\r\n";
    if (answer.retry_after) {
      headers +=
          "Retry-After: " +
          std::to_string(
              std::chrono::duration_cast<std::chrono::seconds>(*answer.retry_after).count()) +
          "\r\n";
    }
    return connection.answer(answer.code, answer.body, headers);
  };
  const auto actor = actorOf(request);
  const auto call = parseApiCall(request, actor.value_or(""));
  if (call && takeReset(call->what)) return send({0, "", {}});
  if (!actor) {
    return send(Answer::of({.code = 401, .reason = "Unauthorized", .message = "Unauthorized"}));
  }
  if (!call) return send(Answer::of(methodNotAllowed()));
  const TimePoint arrived = runtime_.clock.now();
  waitWhileHeld(held_requests_, call->what);
  if (call->what.verb == "watch") return serveWatch(connection, *call);
  const std::string timeout = call->param("timeout");
  const bool too_late = !timeout.empty() && runtime_.clock.now() - arrived >
                                                std::chrono::seconds(std::atoi(timeout.c_str()));
  const Answer answer = too_late ? Answer::of(serverTimeout()) : perform(*call);
  waitWhileHeld(held_answers_, call->what);
  return send(answer);
}

FakeApiServer::Answer FakeApiServer::perform(const ApiCall& call) {
  const Turn turn(*this);
  const auto client = cluster_.client(call.what.actor);
  return call.what.isWrite() ? write(*client, call) : read(*client, call);
}

FakeApiServer::Answer FakeApiServer::read(kube::Client& client, const ApiCall& call) {
  if (call.what.verb == "raw") {
    const auto text = client.getRaw(call.what.resource);
    return text ? Answer{200, *text, {}} : Answer::of(text.error());
  }
  if (isFromFuture(call, cluster_)) {
    Status late = serverTimeout();
    late.message = "Too large resource version: " + call.param("resourceVersion");
    late.retryAfter = 1s;
    return Answer::of(late);
  }
  if (call.what.verb == "get") {
    const auto object = client.get(call.resource, call.what.ns, call.what.name);
    if (!object) return Answer::of(object.error());
    if (!*object) return Answer::of(notFound(call.resource, call.what.name));
    return {200, (*object)->dump(), {}};
  }
  kube::ListOptions options;
  options.ns = call.what.ns;
  options.label_selector = call.param("labelSelector");
  options.field_selector = call.param("fieldSelector");
  options.limit = std::atoi(call.param("limit").c_str());
  options.continue_token = call.param("continue");
  const auto list = client.list(call.resource, options);
  return list ? Answer{200, listBody(call.resource, *list), {}} : Answer::of(list.error());
}

FakeApiServer::Answer FakeApiServer::write(kube::Client& client, const ApiCall& call) {
  const Request& what = call.what;
  const auto body = call.body.empty() ? Result<Json>(Json::object()) : json::parse(call.body);
  if (!body) return Answer::of(badRequest("the object provided is unrecognized: invalid JSON"));
  if (what.verb == "create") {
    const std::string name = what.subresource.empty() ? "" : what.name;
    return Answer::of(client.create(call.resource, what.ns, *body, name, what.subresource), 201);
  }
  if (what.verb == "update") {
    if (!what.subresource.empty()) return Answer::of(methodNotAllowed());
    return Answer::of(client.update(call.resource, what.ns, what.name, *body), 200);
  }
  if (what.verb == "patch") {
    const bool merge = call.content_type == "application/merge-patch+json";
    if (!merge && call.content_type != "application/strategic-merge-patch+json") {
      return Answer::of(unsupportedMediaType(call.content_type));
    }
    const auto type = merge ? kube::PatchType::kMerge : kube::PatchType::kStrategicMerge;
    return Answer::of(
        client.patch(call.resource, what.ns, what.name, type, *body, what.subresource), 200);
  }
  kube::DeleteOptions options;
  options.grace_period_seconds = json::integer(*body, {"gracePeriodSeconds"});
  if (const std::string grace = call.param("gracePeriodSeconds"); !grace.empty()) {
    options.grace_period_seconds = std::atoll(grace.c_str());
  }
  options.uid = json::str(*body, {"preconditions", "uid"});
  options.propagation_policy = json::str(*body, {"propagationPolicy"});
  const auto done = client.remove(call.resource, what.ns, what.name, options);
  if (!done) return Answer::of(done.error());
  return {200, R"({"kind":"Status","apiVersion":"v1","metadata":{},"status":"Success"})", {}};
}

bool FakeApiServer::serveWatch(TestConnection& connection, const ApiCall& call) {
  kube::WatchOptions options;
  options.ns = call.what.ns;
  options.label_selector = call.param("labelSelector");
  options.field_selector = call.param("fieldSelector");
  options.resource_version = call.param("resourceVersion");
  if (const int limit = std::atoi(call.param("timeoutSeconds").c_str()); limit > 0) {
    options.timeout = std::chrono::seconds(limit);
  }
  const auto queue = std::make_shared<LineQueue>();
  std::unique_ptr<kube::Client> client;
  std::unique_ptr<kube::WatchHandle> handle;
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return false;
    watches_.push_back(queue);
    ++serving_watches_;
    changed_.notify_all();
  }
  {
    const Turn turn(*this);
    client = cluster_.client(call.what.actor);
    handle = client->watch(call.resource, options, *queue);
  }
  const bool reusable = writeLines(connection, *queue);
  {
    const Turn turn(*this);
    handle.reset();
  }
  const std::lock_guard lock(mutex_);
  --serving_watches_;
  changed_.notify_all();
  return reusable;
}

bool FakeApiServer::writeLines(TestConnection& connection, LineQueue& queue) {
  LineQueue::News news = queue.take();
  const bool refused =
      news.end && news.lines.empty() && news.end->code >= 400 && news.end->code != 410;
  if (refused) return connection.answer(news.end->code, statusBody(*news.end).dump());
  if (news.end && news.lines.empty() && news.end->code == 0) {
    connection.reset();
    return false;
  }
  if (!connection.startChunked()) return false;
  while (true) {
    for (const std::string& line : news.lines) {
      if (cut_in_mid_line_ > 0 && cut_in_mid_line_-- > 0) {
        connection.chunk(line.substr(0, line.size() / 2));
        connection.reset();
        return false;
      }
      if (!connection.chunk(line)) return false;
    }
    if (news.end) break;
    if (connection.waitForEndOr(queue.wakeFd())) return false;
    news = queue.take();
  }
  if (news.end->code == 0) {
    connection.reset();
    return false;
  }
  if (news.end->code >= 400) {
    const Json line{{"type", "ERROR"}, {"object", statusBody(*news.end)}};
    if (!connection.chunk(line.dump() + "\n")) return false;
  }
  return connection.endChunked();
}

}  // namespace vkb::test
