#include "kube/rest_exchange.h"

#include <algorithm>
#include <charconv>
#include <thread>

namespace vkb::kube {
namespace {

/// client-go's buckets, which its dashboards expect.
const prometheus::Histogram::BucketBoundaries kBuckets{0.005, 0.025, 0.1, 0.25, 0.5, 1.0,
                                                       2.0,   4.0,   8.0, 15.0, 30.0};

std::optional<std::chrono::seconds> retryAfterOf(const net::HttpResponse& head) {
  const std::string text = head.header("Retry-After");
  int seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc{} || end != text.data() + text.size() || seconds < 0) return std::nullopt;
  return std::chrono::seconds(std::min(seconds, 3600));
}

/// host:port of a URL.
std::string addressOf(const std::string& url) {
  const std::size_t scheme = url.find("://");
  const std::size_t begin = scheme == std::string::npos ? 0 : scheme + 3;
  return url.substr(begin, url.find('/', begin) - begin);
}

bool hasHeader(const net::HttpRequest& request, std::string_view name) {
  return std::any_of(request.headers.begin(), request.headers.end(),
                     [&](const auto& header) { return header.first == name; });
}

/// Answers that tell more of the server, or of a proxy before it, than of the object asked for.
bool concernsServer(const Status& status) {
  return status.code == 0 || status.code == 401 || status.code >= 500 || status.code < 200;
}

}  // namespace

RestExchange::RestExchange(Deps deps, std::string server, RestClientOptions options)
    : deps_(std::move(deps)),
      server_(std::move(server)),
      address_(addressOf(server_)),
      options_(std::move(options)),
      limiter_(deps_.clock, options_.qps, options_.burst) {}

Result<net::HttpResponse> RestExchange::send(Request request) {
  auto answer = withRenewal<net::HttpResponse>(
      request, [&](const net::HttpRequest& http) { return deps_.transport->send(http); },
      [](const net::HttpResponse& response) -> const net::HttpResponse& { return response; });
  if (!answer) return answer;
  if (answer->code < 200 || answer->code > 299) return failure(answered(*answer, answer->body));
  return answer;
}

Result<std::unique_ptr<net::HttpStream>> RestExchange::open(Request request) {
  using Stream = std::unique_ptr<net::HttpStream>;
  auto stream = withRenewal<Stream>(
      request, [&](const net::HttpRequest& http) { return deps_.transport->open(http); },
      [](const Stream& opened) -> const net::HttpResponse& { return opened->head(); });
  if (!stream) return stream;
  const net::HttpResponse& head = (*stream)->head();
  if (head.code == 200) return stream;
  const auto body = (*stream)->readAll(std::chrono::seconds(5), 1u << 20);
  return failure(answered(head, body.value_or("")));
}

Result<std::unique_ptr<net::HttpChannel>> RestExchange::openChannel(Request request) {
  using Channel = std::unique_ptr<net::HttpChannel>;
  return withRenewal<Channel>(
      request, [&](const net::HttpRequest& http) { return deps_.transport->openChannel(http); },
      [](const Channel& opened) -> const net::HttpResponse& { return opened->head(); });
}

template <typename Answer>
Result<Answer> RestExchange::withRenewal(
    Request& request, const std::function<Result<Answer>(const net::HttpRequest&)>& perform,
    const std::function<const net::HttpResponse&(const Answer&)>& head) {
  prepare(request.http);
  const TimePoint end = deps_.clock.now() + request.http.timeout;
  for (bool renewed = false;; renewed = true) {
    net::HttpRequest http = request.http;
    const auto credentials = authorize(http);
    if (!credentials) return failure(named(credentials.error()));
    const auto left = [&] {
      return std::chrono::floor<std::chrono::milliseconds>(end - deps_.clock.now());
    };
    if (auto waited = waitForLimit(left()); !waited) return failure(named(waited.error()));
    http.timeout = left();
    const TimePoint begun = deps_.clock.now();
    auto answer = perform(http);
    const int code = answer ? head(*answer).code : 0;
    count(request, code, begun);
    if (!answer) return failure(named(answer.error()));
    if (code != 401 || renewed || !deps_.credentials->renew((*credentials)->version)) return answer;
  }
}

/// Also hands changed certificates to the transport, before the first request that uses them.
Result<Credentials::Current> RestExchange::authorize(net::HttpRequest& request) {
  auto credentials = deps_.credentials->current();
  if (!credentials) return credentials;
  const CurrentCredentials& now = **credentials;
  if (!now.authorization.empty()) request.headers.emplace_back("Authorization", now.authorization);
  const std::lock_guard lock(identity_mutex_);
  if (now.tls_version > identity_version_) {
    identity_version_ = now.tls_version;
    deps_.transport->replaceIdentity(now.ca_pem, now.client_cert_pem, now.client_key_pem);
  }
  return credentials;
}

/// The caller's thread waits here, never beyond what the call may take at all.
Result<void> RestExchange::waitForLimit(std::chrono::milliseconds left) {
  const Duration wait = left.count() > 0 ? limiter_.reserve() : Duration::zero();
  if (left.count() > 0 && wait < left) {
    if (wait > Duration::zero()) std::this_thread::sleep_for(wait);
    return {};
  }
  return failure({.code = 0,
                  .reason = reasons::kUnreachable,
                  .message = "nothing was sent: the time for the request was over before its turn "
                             "came (client-side limit or slow credentials)"});
}

void RestExchange::count(const Request& request, int code, TimePoint begun) {
  const std::chrono::duration<double> took = deps_.clock.now() - begun;
  const std::lock_guard lock(metrics_mutex_);
  counterOf(request.http.method, code).Increment();
  durationOf(request.verb).Observe(took.count());
}

prometheus::Counter& RestExchange::counterOf(const std::string& method, int code) {
  const auto known = counters_.find({method, code});
  if (known != counters_.end()) return known->second;
  prometheus::Counter& made = deps_.metrics.counter(
      "rest_client_requests_total",
      "Requests to API servers by cluster, method and code (client-go's name).",
      {{"cluster", options_.cluster},
       {"method", method},
       {"code", code == 0 ? "<error>" : std::to_string(code)}});
  return counters_.emplace(std::pair(method, code), made).first->second;
}

prometheus::Histogram& RestExchange::durationOf(const std::string& verb) {
  const auto known = durations_.find(verb);
  if (known != durations_.end()) return known->second;
  prometheus::Histogram& made = deps_.metrics.histogram(
      "rest_client_request_duration_seconds",
      "Time until the answer by cluster and verb; of watches until the head.",
      {{"cluster", options_.cluster}, {"verb", verb}}, kBuckets);
  return durations_.emplace(verb, made).first->second;
}

void RestExchange::prepare(net::HttpRequest& request) const {
  // What is upgraded, or is a log, says itself what it takes.
  const bool accepts_json = !request.upgrade && !hasHeader(request, "Accept");
  if (accepts_json) request.headers.emplace_back("Accept", "application/json");
  request.headers.emplace_back("User-Agent", options_.user_agent);
}

Status RestExchange::answered(const net::HttpResponse& head, const std::string& body) const {
  return named(statusFromAnswer(head.code, body, retryAfterOf(head)));
}

Status RestExchange::named(Status status) const {
  if (!concernsServer(status)) return status;
  if (status.message.find(address_) == std::string::npos) {
    status.message = "API server " + server_ + ": " + status.message;
  }
  if (status.code == 401) status.message += " (the server does not accept these credentials)";
  return status;
}

}  // namespace vkb::kube
