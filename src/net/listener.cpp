#include "net/listener.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "net/transport_errors.h"

namespace vkb::net {
namespace {

// Who is silent is probed after half a minute; a session may be idle for hours, but not dead.
constexpr int kKeepAliveIdleSeconds = 30;
constexpr int kKeepAliveIntervalSeconds = 10;
constexpr int kKeepAliveProbes = 6;

void setOption(int fd, int level, int option, int value) {
  setsockopt(fd, level, option, &value, sizeof value);
}

tl::unexpected<Status> cannotListen(const std::string& where, int error) {
  const char* reason = error == EADDRINUSE      ? kReasonAddressInUse
                       : error == EADDRNOTAVAIL ? kReasonNoSuchAddress
                                                : reasons::kInternal;
  return failure(
      {.reason = reason,
       .message = "cannot listen on " + where + ": " + std::generic_category().message(error)});
}

Result<int> openSocket(const addrinfo& address, const std::string& where) {
  const int fd = ::socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return cannotListen(where, errno);
  setOption(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  if (address.ai_family == AF_INET6) setOption(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
  if (::bind(fd, address.ai_addr, address.ai_addrlen) == 0 && ::listen(fd, 4096) == 0) return fd;
  const int error = errno;
  ::close(fd);
  return cannotListen(where, error);
}

}  // namespace

Result<std::unique_ptr<Listener>> Listener::listen(const std::string& address, std::uint16_t port) {
  const std::string where = hostPort(address.empty() ? "*" : address, port);
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  // "": the IPv6 wildcard, which takes IPv4 in; where the kernel has no IPv6, that of IPv4.
  Result<int> fd = failure({.reason = reasons::kInternal, .message = "no address"});
  for (const std::string& host : address.empty() ? std::vector<std::string>{"::", "0.0.0.0"}
                                                 : std::vector<std::string>{address}) {
    if (getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found) != 0) {
      return invalid("cannot listen on " + where + ": that is not an IP address");
    }
    fd = openSocket(*found, where);
    freeaddrinfo(found);
    if (fd || fd.error().reason == kReasonAddressInUse) break;
  }
  if (!fd) return failure(fd.error());
  sockaddr_storage bound{};
  socklen_t size = sizeof bound;
  getsockname(*fd, reinterpret_cast<sockaddr*>(&bound), &size);
  const in_port_t used = bound.ss_family == AF_INET6
                             ? reinterpret_cast<const sockaddr_in6&>(bound).sin6_port
                             : reinterpret_cast<const sockaddr_in&>(bound).sin_port;
  return std::unique_ptr<Listener>(new Listener(*fd, ntohs(used)));
}

Listener::~Listener() { ::close(fd_); }

Listener::Accepted Listener::accept() {
  sockaddr_storage from{};
  socklen_t size = sizeof from;
  const int fd =
      ::accept4(fd_, reinterpret_cast<sockaddr*>(&from), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) {
    const bool exhausted =
        errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
    return {.exhausted = exhausted};
  }
  setOption(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  setOption(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  setOption(fd, IPPROTO_TCP, TCP_KEEPIDLE, kKeepAliveIdleSeconds);
  setOption(fd, IPPROTO_TCP, TCP_KEEPINTVL, kKeepAliveIntervalSeconds);
  setOption(fd, IPPROTO_TCP, TCP_KEEPCNT, kKeepAliveProbes);
  char text[NI_MAXHOST] = "";
  getnameinfo(reinterpret_cast<sockaddr*>(&from), size, text, sizeof text, nullptr, 0,
              NI_NUMERICHOST);
  return {.socket = TlsSocketPtr(new TlsSocketImpl(fd)), .peer = text};
}

}  // namespace vkb::net
