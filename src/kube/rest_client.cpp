#include "kube/rest_client.h"

#include <nlohmann/json.hpp>

#include "json/json.h"
#include "kube/base64.h"
#include "kube/rest_client_over.h"
#include "kube/rest_watch.h"
#include "kube/server_url.h"
#include "kube/streamer.h"
#include "kube/urls.h"

namespace vkb::kube {
namespace {

/// A page of a list may be large. One object, or a health check, that takes longer than this will
/// not come: a target that swallows packets is known to be down after three checks, within a
/// minute.
constexpr std::chrono::seconds kListDeadline{30}, kGetDeadline{10};

net::Endpoint endpointOf(const ServerUrl& server, const ClusterAccess& access) {
  net::Endpoint endpoint;
  endpoint.host = server.host;
  endpoint.port = server.port;
  endpoint.path_prefix = server.path;
  endpoint.tls = server.scheme != "http";
  endpoint.tls_server_name = access.tls_server_name;
  endpoint.ca_pem = access.ca_pem;
  endpoint.insecure_skip_verify = access.insecure_skip_tls_verify;
  endpoint.client_cert_pem = access.client_cert_pem;
  endpoint.client_key_pem = access.client_key_pem;
  if (const auto proxy = parseServerUrl(access.proxy_url); proxy && !access.proxy_url.empty()) {
    endpoint.proxy_host = proxy->host;
    endpoint.proxy_port = proxy->port;
    if (!proxy->user_info.empty()) {
      endpoint.proxy_authorization = "Basic " + base64Encode(percentDecode(proxy->user_info));
    }
  }
  return endpoint;
}

class HttpTransport final : public Transport {
 public:
  HttpTransport(net::Endpoint endpoint, const Clock& clock, Random& random,
                net::HttpClientOptions options)
      : endpoint_(endpoint), http_(std::move(endpoint), clock, random, options) {}

  Result<net::HttpResponse> send(const net::HttpRequest& request) override {
    return http_.send(request);
  }
  Result<std::unique_ptr<net::HttpStream>> open(const net::HttpRequest& request) override {
    return http_.open(request);
  }
  Result<std::unique_ptr<net::HttpChannel>> openChannel(const net::HttpRequest& request) override {
    return http_.openChannel(request);
  }
  void replaceIdentity(const std::string& ca_pem, const std::string& cert_pem,
                       const std::string& key_pem) override {
    const bool same = ca_pem == endpoint_.ca_pem && cert_pem == endpoint_.client_cert_pem &&
                      key_pem == endpoint_.client_key_pem;
    if (same) return;
    endpoint_.ca_pem = ca_pem;
    endpoint_.client_cert_pem = cert_pem;
    endpoint_.client_key_pem = key_pem;
    http_.replaceEndpoint(endpoint_);
  }
  void shutdown() override { http_.shutdown(); }

 private:
  net::Endpoint endpoint_;  ///< only replaceIdentity, whose calls come one at a time
  net::HttpClient http_;
};

/// A 404 that no API server wrote (a load balancer's page, a wrong path prefix) proves nothing
/// about an object and must not look as if it did.
Status distrustForeign404(Status status, const std::string& name, const std::string& server) {
  if (status.code != 404) return status;
  const bool about_object = status.message.find("\"" + name + "\" not found") != std::string::npos;
  if (name.empty() || about_object) return status;
  status.code = 0;
  status.reason = "NotKubernetes";
  status.retry = Retry::kSlow;
  status.message = "API server " + server + ": answered 404 without naming the object (" +
                   status.message + "); is this address an API server, and its path right?";
  return status;
}

class RestClient final : public Client, private Streamer {
 public:
  RestClient(RestExchange::Deps deps, std::string server, RestClientOptions options)
      : exchange_(std::move(deps), std::move(server), std::move(options)), watches_(exchange_) {}

  Result<std::optional<Json>> get(const Resource& resource, const std::string& ns,
                                  const std::string& name) override {
    const auto path = objectPath(resource, ns, name, "");
    if (!path) return failure(path.error());
    auto answer = exchange_.send(request("GET", "GET", *path, kGetDeadline));
    if (answer) {
      auto object = parsed(answer->body);
      if (!object) return failure(object.error());
      return std::optional<Json>(std::move(*object));
    }
    Status status = distrustForeign404(std::move(answer.error()), name, exchange_.server());
    if (status.isNotFound()) return std::optional<Json>();
    return failure(std::move(status));
  }

  Result<json::RawList> list(const Resource& resource, const ListOptions& options) override {
    const auto path = collectionPath(resource, options.ns);
    if (!path) return failure(path.error());
    auto wanted = request("LIST", "GET", *path + listQuery(options));
    if (options.metadata_only) wanted.http.headers.emplace_back("Accept", kAcceptMetadataList);
    auto answer = exchange_.send(std::move(wanted));
    if (!answer) return failure(answer.error());
    return json::splitList(answer->body);
  }

  Result<std::string> getRaw(const std::string& path) override {
    auto answer = exchange_.send(request("GET", "GET", path, kGetDeadline));
    if (!answer) return failure(answer.error());
    return std::move(answer->body);
  }

  Result<json::ObjectPtr> create(const Resource& resource, const std::string& ns,
                                 const Json& object, const std::string& name,
                                 const std::string& subresource) override {
    return write("POST", createPath(resource, ns, name, subresource), "application/json", object);
  }

  Result<json::ObjectPtr> patch(const Resource& resource, const std::string& ns,
                                const std::string& name, PatchType type, const Json& patch,
                                const std::string& subresource) override {
    // Of a subresource that the server does not have, the 404 is what the caller wants to know.
    return write("PATCH", objectPath(resource, ns, name, subresource), contentTypeOf(type), patch,
                 subresource.empty() ? name : "");
  }

  Result<json::ObjectPtr> update(const Resource& resource, const std::string& ns,
                                 const std::string& name, const Json& object) override {
    return write("PUT", objectPath(resource, ns, name, ""), "application/json", object, name);
  }

  Result<void> remove(const Resource& resource, const std::string& ns, const std::string& name,
                      const DeleteOptions& options) override {
    // Of what was removed nobody reads more; a pod is six times that, for the server as well.
    const auto answer = send("DELETE", objectPath(resource, ns, name, ""), "application/json",
                             deleteBody(options), kAcceptMetadataOrWhole);
    if (answer) return {};
    return failure(distrustForeign404(answer.error(), name, exchange_.server()));
  }

  std::unique_ptr<WatchHandle> watch(const Resource& resource, const WatchOptions& options,
                                     WatchHandler& handler) override {
    return watches_.start(resource, options, handler);
  }

  Streamer* streamer() override { return this; }

 private:
  Result<std::unique_ptr<net::HttpChannel>> openChannel(net::HttpRequest http) override {
    return exchange_.openChannel({.verb = "CONNECT", .http = std::move(http)});
  }

  static RestExchange::Request request(std::string verb, std::string method, std::string target,
                                       std::chrono::seconds deadline = kListDeadline) {
    RestExchange::Request made;
    made.verb = std::move(verb);
    made.http.method = std::move(method);
    made.http.target = std::move(target);
    made.http.timeout = deadline;
    return made;
  }

  Result<net::HttpResponse> send(const char* method, const Result<std::string>& path,
                                 const char* content_type, const Json& body,
                                 const char* accept = nullptr) {
    if (!path) return failure(path.error());
    RestExchange::Request made = request(method, method, *path + writeQuery());
    made.http.timeout = kWriteCallDeadline;
    made.http.headers.emplace_back("Content-Type", content_type);
    if (accept != nullptr) made.http.headers.emplace_back("Accept", accept);
    // Bytes that are not UTF-8 cannot come from a server; replacing beats throwing.
    made.http.body = body.dump(-1, ' ', false, Json::error_handler_t::replace);
    return exchange_.send(std::move(made));
  }

  /// `name` "": a 404 is taken as it is.
  Result<json::ObjectPtr> write(const char* method, const Result<std::string>& path,
                                const char* content_type, const Json& body,
                                const std::string& name = "") {
    auto answer = send(method, path, content_type, body);
    if (!answer) {
      return failure(distrustForeign404(std::move(answer.error()), name, exchange_.server()));
    }
    if (auto object = json::makeObject(answer->body)) return object;
    // It may well have taken effect.
    Status status = notKubernetes();
    status.reason = reasons::kUnanswered;
    status.retry = Retry::kFast;
    return failure(std::move(status));
  }

  Result<Json> parsed(const std::string& body) const {
    auto object = json::parse(body);
    if (object && object->is_object()) return object;
    return failure(notKubernetes());
  }

  Status notKubernetes() const {
    return {.code = 0,
            .reason = "NotKubernetes",
            .message = "API server " + exchange_.server() +
                       ": answered with something that is no JSON object; is this address an API "
                       "server?",
            .retry = Retry::kSlow};
  }

  RestExchange exchange_;
  RestWatches watches_;  ///< after exchange_: its threads end first
};

}  // namespace

std::unique_ptr<Client> makeRestClientOver(RestExchange::Deps deps, std::string server,
                                           RestClientOptions options) {
  return std::make_unique<RestClient>(std::move(deps), std::move(server), std::move(options));
}

Result<std::unique_ptr<Client>> makeRestClient(const ClusterAccess& access, const Clock& clock,
                                               Random& random, base::Logger& logger,
                                               base::Metrics& metrics, RestClientOptions options) {
  const auto server = parseServerUrl(access.server);
  if (!server) {
    return invalid("server \"" + access.server + "\" cannot be used: " + server.error().message);
  }
  net::HttpClientOptions http_options;
  http_options.max_connections = options.max_connections;
  if (options.identity_proof) {
    http_options.on_broken = [proof = options.identity_proof](const Status&) { proof->broke(); };
    http_options.may_use_new_connection =
        [proof = options.identity_proof](const net::HttpRequest& request) {
          return proof->allows(request.method, request.target);
        };
  }
  return makeRestClientOver(
      {clock, logger, metrics,
       std::make_unique<HttpTransport>(endpointOf(*server, access), clock, random, http_options),
       std::make_unique<Credentials>(
           access, clock, logger,
           [](const ClusterAccess& plugin_access) { return runExecPlugin(plugin_access); })},
      access.server, std::move(options));
}

}  // namespace vkb::kube
