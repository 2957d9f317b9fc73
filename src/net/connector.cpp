#include "net/connector.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "net/http_head.h"
#include "net/transport_errors.h"

namespace vkb::net {
namespace {

// HTTP/1.1 has no PING: the kernel has to notice that a silent peer is dead. Probes start after 30
// s of silence; 55 s without any sign of life (data unacknowledged or probes unanswered) end the
// connection, so that with the probes' rhythm of 5 s it is over within 60 s.
constexpr int kKeepAliveIdleSeconds = 30;
constexpr int kKeepAliveIntervalSeconds = 5;
constexpr int kKeepAliveProbes = 9;
constexpr int kUserTimeoutMilliseconds = 55'000;

void setOption(int fd, int level, int option, int value) {
  setsockopt(fd, level, option, &value, sizeof value);
}

Result<TlsSocketPtr> newSocket(int family) {
  const int fd = ::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
  if (fd < 0) {
    return failure(unreachable("cannot open a socket: " + std::generic_category().message(errno) +
                               "; check the limit of open files"));
  }
  setOption(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  setOption(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  setOption(fd, IPPROTO_TCP, TCP_KEEPIDLE, kKeepAliveIdleSeconds);
  setOption(fd, IPPROTO_TCP, TCP_KEEPINTVL, kKeepAliveIntervalSeconds);
  setOption(fd, IPPROTO_TCP, TCP_KEEPCNT, kKeepAliveProbes);
  setOption(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, kUserTimeoutMilliseconds);
  return TlsSocketPtr(new TlsSocketImpl(fd));
}

/// A fair share of the time left for each address, as Go's dialer does, so that the first of two
/// cannot use it all up.
Deadline shareOf(Deadline deadline, std::size_t addresses_left) {
  const auto now = std::chrono::steady_clock::now();
  constexpr std::chrono::seconds kLeast{2};
  const auto share = (deadline - now) / static_cast<long>(addresses_left);
  return std::min(deadline, now + std::max<std::chrono::steady_clock::duration>(share, kLeast));
}

bool usesProxy(const Endpoint& endpoint) { return !endpoint.proxy_host.empty(); }

std::string labelOf(const Endpoint& endpoint) {
  std::string label = hostPort(endpoint.host, endpoint.port);
  if (usesProxy(endpoint)) {
    label += " through proxy " + hostPort(endpoint.proxy_host, endpoint.proxy_port);
  }
  return label;
}

Result<std::shared_ptr<const TlsContext>> contextOf(const Endpoint& endpoint) {
  if (!endpoint.tls) return std::shared_ptr<const TlsContext>();
  return TlsContext::client(endpoint);
}

}  // namespace

Connector::Connector(Endpoint endpoint)
    : endpoint_(std::move(endpoint)),
      target_(hostPort(endpoint_.host, endpoint_.port)),
      label_(labelOf(endpoint_)),
      dialled_(usesProxy(endpoint_) ? hostPort(endpoint_.proxy_host, endpoint_.proxy_port)
                                    : target_),
      context_(contextOf(endpoint_)),
      resolver_(usesProxy(endpoint_) ? endpoint_.proxy_host : endpoint_.host,
                usesProxy(endpoint_) ? endpoint_.proxy_port : endpoint_.port) {}

Result<TlsSocketPtr> Connector::connect(AbortHandle& abort, Deadline deadline) {
  if (!context_) {
    return failure(unreachable("no TLS connection to " + label_ + ": " + context_.error().message));
  }
  auto socket = dial(abort, deadline);
  if (!socket) return socket;
  if (usesProxy(endpoint_)) {
    if (auto done = tunnel(**socket, deadline); !done) return tl::unexpected(done.error());
  }
  if (!endpoint_.tls) return socket;
  const std::string& name =
      endpoint_.tls_server_name.empty() ? endpoint_.host : endpoint_.tls_server_name;
  const IoResult result = (*socket)->startClient(*context_, name, deadline);
  if (result.ok()) return socket;
  return failure(handshakeFailure(label_, name, result, (*socket)->report(), **context_));
}

/// The first address that answers wins; when none does, the first one's failure is told.
Result<TlsSocketPtr> Connector::dial(AbortHandle& abort, Deadline deadline) {
  const auto addresses = resolver_.resolve(abort, deadline);
  if (!addresses) return tl::unexpected(addresses.error());
  Status first = unreachable("cannot connect to " + dialled_ + ": the name has no address");
  for (std::size_t i = 0; i < addresses->size(); ++i) {
    auto socket = newSocket((*addresses)[i].storage.ss_family);
    if (!socket) return socket;
    abort.setSocket(*socket);
    const IoResult result = (*socket)->dial((*addresses)[i].get(), (*addresses)[i].size,
                                            shareOf(deadline, addresses->size() - i));
    if (result.ok()) return socket;
    Status failed = dialFailure(dialled_, result);
    if (result.state == IoState::kAborted) return failure(std::move(failed));
    if (i == 0) first = std::move(failed);
  }
  return failure(std::move(first));
}

/// RFC 9110 §9.3.6. The server behind speaks only when spoken to, so nothing may follow the head.
Result<void> Connector::tunnel(TlsSocketImpl& socket, Deadline deadline) const {
  std::string request = "CONNECT " + target_ + " HTTP/1.1\r\nHost: " + target_ + "\r\n";
  if (!endpoint_.proxy_authorization.empty()) {
    request += "Proxy-Authorization: " + endpoint_.proxy_authorization + "\r\n";
  }
  request += "\r\n";
  const auto broke = [this](const IoResult& result) {
    if (result.state == IoState::kAborted) return abortedByUs();
    return unreachable("no tunnel to " + label_ + ": " + howItBroke(result) +
                       "; check proxy-url in the kubeconfig and the proxy");
  };
  IoResult result = socket.writeAll(request.data(), request.size(), deadline);
  if (!result.ok()) return failure(broke(result));

  std::string answer;
  char buffer[4096];
  while (true) {
    result = socket.readSome(buffer, sizeof buffer, deadline);
    if (!result.ok()) return failure(broke(result));
    answer.append(buffer, result.bytes);
    auto head = parseResponseHead(answer);
    if (!head) return failure(unreachable("no tunnel to " + label_ + ": " + head.error().message));
    if (!*head) continue;
    const int code = (*head)->response.code;
    if (code < 200 || code > 299) {
      return failure(
          unreachable("no tunnel to " + label_ + ": the proxy answered " + std::to_string(code) +
                      (code == 407 ? "; give user and password in proxy-url"
                                   : "; check that the proxy allows CONNECT to this address")));
    }
    if ((*head)->size != answer.size()) {
      return failure(unreachable("no tunnel to " + label_ + ": the proxy sent unexpected data"));
    }
    return {};
  }
}

}  // namespace vkb::net
