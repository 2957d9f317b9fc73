#include "net/http_client.h"

#include <mutex>

#include "net/connection_pool.h"
#include "net/http_channel.h"
#include "net/http_head.h"
#include "net/http_stream.h"
#include "net/transport_errors.h"

namespace vkb::net {
namespace {

/// Sent twice, the request leaves what it would have left once. A JSON patch may append twice.
bool isSafeToRepeat(const HttpRequest& request) {
  if (request.method == "PATCH") {
    for (const auto& [name, value] : request.headers) {
      if (equalsIgnoringCase(name, "Content-Type")) {
        return !equalsIgnoringCase(value, "application/json-patch+json");
      }
    }
    return false;
  }
  return request.method == "GET" || request.method == "HEAD" || request.method == "OPTIONS" ||
         request.method == "PUT" || request.method == "DELETE";
}

bool mayRetry(const HttpRequest& request, const ExchangeFailure& failed) {
  return failed.connection_was_dead && (failed.nothing_sent || isSafeToRepeat(request));
}

}  // namespace

class HttpClient::Impl {
 public:
  Impl(Endpoint endpoint, const Clock& clock, Random& random, HttpClientOptions options)
      : options_(std::move(options)), pool_(clock, random, options_, *breaks_) {
    replaceEndpoint(std::move(endpoint));
  }

  Result<HttpResponse> send(const HttpRequest& request);
  Result<std::unique_ptr<HttpStream>> open(const HttpRequest& request);
  Result<std::unique_ptr<HttpChannel>> openChannel(const HttpRequest& request);
  void replaceEndpoint(Endpoint endpoint) {
    auto connector = std::make_shared<Connector>(std::move(endpoint));
    {
      const std::lock_guard lock(mutex_);
      connector_ = connector;
    }
    pool_.keepOnly(connector);
  }
  void shutdown() { registry_->shutdown(); }

 private:
  struct Opened {
    std::unique_ptr<Abortable> abortable;
    std::unique_ptr<HttpConnection> connection;
    HttpResponse head;
  };
  Result<Opened> openConnection(const HttpRequest& request);
  std::shared_ptr<Connector> connector() {
    const std::lock_guard lock(mutex_);
    return connector_;
  }
  bool mayUseNew(const HttpRequest& request) const {
    return !options_.may_use_new_connection || options_.may_use_new_connection(request);
  }
  Result<std::unique_ptr<HttpConnection>> connect(const std::shared_ptr<Connector>& connector,
                                                  const HttpRequest& request, AbortHandle& abort,
                                                  Deadline deadline);
  Result<HttpResponse> exchange(ConnectionPool::Lease& lease,
                                const std::shared_ptr<Connector>& connector,
                                const HttpRequest& request, const std::string& wire,
                                AbortHandle& abort, Deadline deadline);
  Result<HttpResponse> finish(HttpConnection& connection, HttpResponse head, Deadline deadline);

  const HttpClientOptions options_;
  const std::shared_ptr<AbortRegistry> registry_ = std::make_shared<AbortRegistry>();
  const std::shared_ptr<Breaks> breaks_ = std::make_shared<Breaks>(options_.on_broken);
  ConnectionPool pool_;
  std::mutex mutex_;
  std::shared_ptr<Connector> connector_;  ///< guarded by mutex_
};

/// A connection that `request` may go out on. Permission is asked for before, which saves the
/// handshake, and after it, during which another connection may have broken.
Result<std::unique_ptr<HttpConnection>> HttpClient::Impl::connect(
    const std::shared_ptr<Connector>& connector, const HttpRequest& request, AbortHandle& abort,
    Deadline deadline) {
  const auto held_back = [&] {
    return failure(unreachable("not sent: a connection to " + connector->label() +
                               " broke, and that the same server answers is not proven yet"));
  };
  if (!mayUseNew(request)) return held_back();
  auto socket = connector->connect(abort, deadline);
  if (!socket) return tl::unexpected(socket.error());
  if (!mayUseNew(request)) return held_back();
  return std::make_unique<HttpConnection>(connector, std::move(*socket));
}

/// Reads the body behind `head`.
Result<HttpResponse> HttpClient::Impl::finish(HttpConnection& connection, HttpResponse head,
                                              Deadline deadline) {
  const std::uint64_t announced = connection.announcedLength();
  const auto too_large = [&] {
    return failure({.code = 0,
                    .reason = kReasonBodyTooLarge,
                    .message = connection.connector()->label() + " answered with more than " +
                               std::to_string(options_.max_body_bytes) + " bytes; ask for less",
                    .retry = Retry::kSlow});
  };
  if (announced > options_.max_body_bytes) return too_large();
  head.body.reserve(static_cast<std::size_t>(announced));
  while (true) {
    const auto more = connection.readBody(head.body, deadline);
    if (!more) {
      breaks_->reportUnlessAborted(more.error());
      return tl::unexpected(more.error());
    }
    if (head.body.size() > options_.max_body_bytes) return too_large();
    if (!*more) return head;
  }
}

Result<HttpResponse> HttpClient::Impl::send(const HttpRequest& request) {
  const Deadline deadline = deadlineIn(request.timeout);
  const std::shared_ptr<Connector> connector = this->connector();
  const auto wire = serializeRequest(connector->endpoint(), request, /*keep_alive=*/true);
  if (!wire) return tl::unexpected(wire.error());
  Abortable abortable(registry_, request.stop);
  AbortHandle& abort = abortable.handle();
  if (abort.aborted()) return failure(abortedByUs());

  auto lease = pool_.acquire(connector, abort, deadline);
  if (!lease) return tl::unexpected(lease.error());
  auto response = exchange(*lease, connector, request, *wire, abort, deadline);
  // Before the lease ends: the connection may be another request's then.
  abort.setSocket(nullptr);
  return response;
}

Result<HttpResponse> HttpClient::Impl::exchange(ConnectionPool::Lease& lease,
                                                const std::shared_ptr<Connector>& connector,
                                                const HttpRequest& request, const std::string& wire,
                                                AbortHandle& abort, Deadline deadline) {
  while (true) {
    if (lease.connection() == nullptr) {
      const std::uint64_t breaks = breaks_->count();
      auto fresh = connect(connector, request, abort, deadline);
      if (!fresh) return tl::unexpected(fresh.error());
      lease.put(std::move(*fresh), breaks);
    }
    HttpConnection& connection = *lease.connection();
    abort.setSocket(connection.socket());
    const bool reused = connection.wasUsed();
    auto head = connection.exchange(wire, request.method == "HEAD", deadline, request.timeout);
    if (head) return finish(connection, std::move(*head), deadline);
    breaks_->reportUnlessAborted(head.error().status);
    // A fresh connection is never retried, so this loop runs twice at most.
    if (!reused || !mayRetry(request, head.error()) || !mayUseNew(request)) {
      return tl::unexpected(std::move(head.error().status));
    }
    lease.drop();
  }
}

/// One exchange on a connection of its own, up to the answer's head.
Result<HttpClient::Impl::Opened> HttpClient::Impl::openConnection(const HttpRequest& request) {
  const Deadline deadline = deadlineIn(request.timeout);
  const std::shared_ptr<Connector> connector = this->connector();
  const auto wire = serializeRequest(connector->endpoint(), request, /*keep_alive=*/false);
  if (!wire) return tl::unexpected(wire.error());
  auto abortable = std::make_unique<Abortable>(registry_, request.stop);
  if (abortable->handle().aborted()) return failure(abortedByUs());
  auto connection = connect(connector, request, abortable->handle(), deadline);
  if (!connection) return tl::unexpected(connection.error());
  auto head = (*connection)->exchange(*wire, request.method == "HEAD", deadline, request.timeout);
  if (!head) {
    breaks_->reportUnlessAborted(head.error().status);
    return tl::unexpected(std::move(head.error().status));
  }
  return Opened{std::move(abortable), std::move(*connection), std::move(*head)};
}

Result<std::unique_ptr<HttpStream>> HttpClient::Impl::open(const HttpRequest& request) {
  auto opened = openConnection(request);
  if (!opened) return tl::unexpected(std::move(opened.error()));
  return std::make_unique<ConnectionStream>(std::move(opened->abortable), breaks_,
                                            std::move(opened->connection), std::move(opened->head));
}

Result<std::unique_ptr<HttpChannel>> HttpClient::Impl::openChannel(const HttpRequest& request) {
  auto opened = openConnection(request);
  if (!opened) return tl::unexpected(std::move(opened.error()));
  return makeChannel(std::move(opened->abortable), std::move(opened->connection),
                     std::move(opened->head));
}

HttpClient::HttpClient(Endpoint endpoint, const Clock& clock, Random& random,
                       HttpClientOptions options)
    : impl_(std::make_shared<Impl>(std::move(endpoint), clock, random, std::move(options))) {}

HttpClient::~HttpClient() = default;

Result<HttpResponse> HttpClient::send(const HttpRequest& request) { return impl_->send(request); }

Result<std::unique_ptr<HttpStream>> HttpClient::open(const HttpRequest& request) {
  return impl_->open(request);
}

Result<std::unique_ptr<HttpChannel>> HttpClient::openChannel(const HttpRequest& request) {
  return impl_->openChannel(request);
}

void HttpClient::replaceEndpoint(Endpoint endpoint) { impl_->replaceEndpoint(std::move(endpoint)); }

void HttpClient::shutdown() { impl_->shutdown(); }

}  // namespace vkb::net
