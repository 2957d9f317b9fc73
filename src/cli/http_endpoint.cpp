#include "cli/http_endpoint.h"

#include <Poco/Exception.h>
#include <Poco/Net/HTTPRequestHandler.h>
#include <Poco/Net/HTTPRequestHandlerFactory.h>
#include <Poco/Net/HTTPServer.h>
#include <Poco/Net/HTTPServerParams.h>
#include <Poco/Net/HTTPServerRequest.h>
#include <Poco/Net/HTTPServerResponse.h>
#include <Poco/Net/ServerSocket.h>
#include <Poco/Net/ServerSocketImpl.h>
#include <Poco/Net/SocketAddress.h>
#include <Poco/ThreadPool.h>
#include <Poco/Timespan.h>

#include <cerrno>
#include <charconv>
#include <exception>
#include <utility>

namespace vkb::cli {
namespace {

using Poco::Net::HTTPResponse;
using Poco::Net::HTTPServerRequest;
using Poco::Net::HTTPServerResponse;

constexpr int kMaxThreads = 8;
constexpr int kMaxQueued = 32;
// Of a client that connects and says nothing.
constexpr int kTimeoutSeconds = 10;

struct Answer {
  HTTPResponse::HTTPStatus status;
  std::string body;
  std::string type = "text/plain; charset=utf-8";
};

Answer check(const std::vector<std::string>& problems) {
  if (problems.empty()) return {HTTPResponse::HTTP_OK, "ok\n"};
  std::string body;
  for (const std::string& problem : problems) body += problem + "\n";
  return {HTTPResponse::HTTP_INTERNAL_SERVER_ERROR, body};
}

Answer answerTo(const HttpEndpoint::Handlers& handlers, const std::string& method,
                const std::string& uri) {
  const std::string path = uri.substr(0, uri.find('?'));
  const bool known = path == "/metrics" || path == "/healthz" || path == "/readyz";
  if (!known) return {HTTPResponse::HTTP_NOT_FOUND, "not found: try /metrics, /healthz, /readyz\n"};
  if (method != "GET") return {HTTPResponse::HTTP_METHOD_NOT_ALLOWED, "only GET is served here\n"};
  if (path == "/healthz") return check(handlers.health());
  if (path == "/readyz") return check(handlers.ready());
  return {HTTPResponse::HTTP_OK, handlers.metrics(), "text/plain; version=0.0.4; charset=utf-8"};
}

class RequestHandler final : public Poco::Net::HTTPRequestHandler {
 public:
  explicit RequestHandler(const HttpEndpoint::Handlers& handlers) : handlers_(handlers) {}

  // Poco answers only its own exceptions; any other one would end the process.
  void handleRequest(HTTPServerRequest& request, HTTPServerResponse& response) override {
    Answer answer;
    try {
      answer = answerTo(handlers_, request.getMethod(), request.getURI());
    } catch (const std::exception& e) {
      answer = {HTTPResponse::HTTP_INTERNAL_SERVER_ERROR, std::string(e.what()) + "\n"};
    } catch (...) {
      answer = {HTTPResponse::HTTP_INTERNAL_SERVER_ERROR, "unknown error\n"};
    }
    try {
      response.setStatusAndReason(answer.status);
      if (answer.status == HTTPResponse::HTTP_METHOD_NOT_ALLOWED) response.set("Allow", "GET");
      response.setContentType(answer.type);
      response.sendBuffer(answer.body.data(), answer.body.size());
    } catch (...) {
      // The client is gone; there is nobody to tell.
    }
  }

 private:
  const HttpEndpoint::Handlers& handlers_;
};

class HandlerFactory final : public Poco::Net::HTTPRequestHandlerFactory {
 public:
  explicit HandlerFactory(HttpEndpoint::Handlers handlers) : handlers_(std::move(handlers)) {}
  Poco::Net::HTTPRequestHandler* createRequestHandler(const HTTPServerRequest&) override {
    return new RequestHandler(handlers_);  // Poco's server deletes it
  }

 private:
  const HttpEndpoint::Handlers handlers_;
};

/// Poco's accept thread looks every quarter of a second whether it should stop, and each time costs
/// an idle process more than anything else it does.
class PatientListener final : public Poco::Net::ServerSocketImpl {
 public:
  bool poll(const Poco::Timespan& /*timeout*/, int mode) override {
    return ServerSocketImpl::poll(Poco::Timespan(1, 0), mode);
  }
};

class PatientServerSocket final : public Poco::Net::ServerSocket {
 public:
  PatientServerSocket() : ServerSocket(new PatientListener, true) {}  // counted by Poco
};

struct HostPort {
  std::string host;
  std::uint16_t port;
};

Result<HostPort> parseListen(const std::string& listen) {
  const auto colon = listen.rfind(':');
  std::string host = listen.substr(0, colon == std::string::npos ? 0 : colon);
  std::uint16_t port = 0;
  const char* end = listen.data() + listen.size();
  const char* begin = colon == std::string::npos ? end : listen.data() + colon + 1;
  const auto [stop, error] = std::from_chars(begin, end, port);
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  const bool ambiguous = !bracketed && host.find(':') != std::string::npos;
  if (error != std::errc() || stop != end || ambiguous) {
    return invalid("--listen " + listen + " is not host:port; give for example 127.0.0.1:10255");
  }
  return HostPort{host.empty() ? "0.0.0.0" : host, port};
}

std::string whyNot(const Poco::Exception& e) {
  switch (e.code()) {
    case EADDRINUSE:
      return "another program uses that port; choose another one with --listen";
    case EACCES:
      return "this user may not use that port; choose one from 1024 on with --listen";
    case EADDRNOTAVAIL:
      return "that is no address of this machine; choose another one with --listen";
    default:
      return e.displayText() + "; choose another address with --listen";
  }
}

}  // namespace

struct HttpEndpoint::Impl {
  Impl(const Poco::Net::ServerSocket& socket, Handlers handlers)
      : port(socket.address().port()),
        server(new HandlerFactory(std::move(handlers)), pool, socket, parameters()) {}

  static Poco::Net::HTTPServerParams* parameters() {
    auto* made = new Poco::Net::HTTPServerParams;  // counted by Poco
    made->setKeepAlive(false);  // a scrape a minute gains nothing by it, and stop() is prompt
    made->setTimeout(Poco::Timespan(kTimeoutSeconds, 0));
    made->setMaxThreads(kMaxThreads);
    made->setMaxQueued(kMaxQueued);
    made->setThreadIdleTime(Poco::Timespan(1, 0));
    return made;
  }

  const std::uint16_t port;
  Poco::ThreadPool pool{"http", 1, kMaxThreads, 60};
  Poco::Net::HTTPServer server;
};

HttpEndpoint::HttpEndpoint(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Result<std::unique_ptr<HttpEndpoint>> HttpEndpoint::start(const std::string& listen,
                                                          Handlers handlers) {
  const auto target = parseListen(listen);
  if (!target) return failure(target.error());
  try {
    PatientServerSocket socket;
    // Not Poco's default, which would let a second process share the port unnoticed.
    socket.bind(Poco::Net::SocketAddress(target->host, target->port), true, false);
    socket.listen(kMaxQueued);
    auto impl = std::make_unique<Impl>(socket, std::move(handlers));
    impl->server.start();
    return std::unique_ptr<HttpEndpoint>(new HttpEndpoint(std::move(impl)));
  } catch (const Poco::Exception& e) {
    return invalid("cannot serve on " + listen + ": " + whyNot(e));
  } catch (const std::exception& e) {
    return invalid("cannot serve on " + listen + ": " + e.what());
  }
}

HttpEndpoint::~HttpEndpoint() { stop(); }

std::uint16_t HttpEndpoint::port() const { return impl_->port; }

void HttpEndpoint::stop() {
  try {
    impl_->server.stopAll(true);
    impl_->pool.joinAll();
  } catch (const Poco::Exception&) {
    // Connections that end by themselves while they are being aborted.
  }
}

}  // namespace vkb::cli
