#include "relay/relay.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <list>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <vector>

#include "relay/connection.h"

namespace vkb::e2e {

namespace {

[[noreturn]] void failed(const std::string& what) {
  throw std::runtime_error("relay: " + what + ": " + std::strerror(errno));
}

sockaddr_storage resolve(const std::string& host, std::uint16_t port, socklen_t& length) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (error != 0) {
    throw std::runtime_error("relay: cannot resolve " + host + ": " + ::gai_strerror(error));
  }
  sockaddr_storage address{};
  std::memcpy(&address, found->ai_addr, found->ai_addrlen);
  length = found->ai_addrlen;
  ::freeaddrinfo(found);
  return address;
}

/// A socket bound to 127.0.0.1:port (0: any). SO_REUSEPORT lets a second one share the port, so
/// that it stays ours while nobody listens on it.
Fd bindLoopback(std::uint16_t& port) {
  Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) failed("socket");
  const int on = 1;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  if (::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    failed("bind");
  }
  socklen_t length = sizeof address;
  ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &length);
  port = ntohs(address.sin_port);
  return socket;
}

void noDelay(int fd) {
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

}  // namespace

/// Everything behind the relay. All members but those named are touched by the loop's thread alone;
/// other threads hand it functions with onLoop().
class Relay::Loop {
 public:
  Loop(const std::string& host, std::uint16_t upstream_port) {
    upstream_ = resolve(host, upstream_port, upstream_length_);
    placeholder_ = bindLoopback(port_);
    wake_ = Fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    listen();
    thread_ = std::thread([this] { run(); });
  }

  ~Loop() {
    onLoop([this] { stop_ = true; });
    thread_.join();
  }

  /// Runs `work` on the loop's thread and returns when it is done.
  void onLoop(const std::function<void()>& work) {
    bool done = false;
    std::unique_lock lock(mutex_);
    work_.push_back([&] {
      work();
      done = true;
    });
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(wake_.get(), &one, sizeof one);
    changed_.wait(lock, [&] { return done; });
  }

  bool waitFired(milliseconds time) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, time, [this] { return fired_; });
  }

  void setFired(bool fired) {  // caller holds mutex_
    fired_ = fired;
    changed_.notify_all();
  }

  void listen() {
    listener_ = bindLoopback(port_);
    if (::listen(listener_.get(), 128) != 0) failed("listen");
  }

  void cutAll() {
    for (Connection& connection : connections_) kill(connection);
  }

  std::uint16_t port_ = 0;
  std::uint64_t requests_ = 0, accepted_ = 0;
  bool stalled_ = false;
  std::array<milliseconds, 2> delay_{};
  Fd listener_;
  struct Trigger {
    std::uint64_t at = 0;  ///< 0: none
    Moment moment = Moment::kRequestLost;
    std::function<void()> action{};
  } trigger_;

 private:
  void run() {
    std::vector<pollfd> fds;
    while (!stop_) {
      const int timeout = prepare(fds);
      if (::poll(fds.data(), fds.size(), timeout) < 0 && errno != EINTR) failed("poll");
      takeWork(fds[0].revents != 0);
      if (listener_ && fds[1].revents != 0) accept();
      serve(fds);
      connections_.remove_if([](const Connection& connection) { return connection.dead; });
    }
  }

  /// Fills `fds`: wake, listener, then client and server of each connection; returns the time to
  /// the next bytes that are due.
  int prepare(std::vector<pollfd>& fds) {
    fds.assign({{wake_.get(), POLLIN, 0}, {listener_ ? listener_.get() : -1, POLLIN, 0}});
    const Deadline now = Clock::now();
    Deadline next = now + std::chrono::hours(1);
    const auto wantsOut = [&](const Lane& lane) {
      if (stalled_ || lane.empty()) return lane.ended && !lane.finished && !stalled_;
      next = std::min(next, std::max(now, lane.due()));
      return lane.due() <= now;
    };
    const auto events = [this](bool in, bool out) {
      return static_cast<short>((in && !stalled_ ? POLLIN : 0) | (out ? POLLOUT : 0));
    };
    for (Connection& c : connections_) {
      const bool from_client = !c.to_server.ended && !c.to_server.full();
      const bool from_server = !c.connecting && !c.to_client.ended && !c.to_client.full();
      const short client = events(from_client, wantsOut(c.to_client));
      const short server = events(from_server, c.connecting || wantsOut(c.to_server));
      fds.push_back({client != 0 ? c.client.get() : -1, client, 0});
      fds.push_back({server != 0 ? c.server.get() : -1, server, 0});
    }
    return pollTimeout(next);
  }

  void takeWork(bool woken) {
    if (woken) {
      std::uint64_t count = 0;
      [[maybe_unused]] const auto n = ::read(wake_.get(), &count, sizeof count);
    }
    const std::lock_guard lock(mutex_);
    for (const auto& work : work_) work();
    work_.clear();
    changed_.notify_all();
  }

  void accept() {
    for (;;) {
      Fd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
      if (!client) return;
      Fd server(::socket(upstream_.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
      if (!server) failed("socket");
      noDelay(client.get());
      noDelay(server.get());
      const int result =
          ::connect(server.get(), reinterpret_cast<sockaddr*>(&upstream_), upstream_length_);
      ++accepted_;
      if (result != 0 && errno != EINPROGRESS) {
        resetSocket(client);
        continue;
      }
      Connection& added = connections_.emplace_back();
      added.client = std::move(client);
      added.server = std::move(server);
    }
  }

  void serve(const std::vector<pollfd>& fds) {
    // Connections accepted in this round stand behind those that were polled.
    std::size_t at = 2;
    for (Connection& c : connections_) {
      if (at + 1 >= fds.size()) break;
      const short client = fds[at].revents, server = fds[at + 1].revents;
      at += 2;
      if (c.dead) continue;
      if (c.connecting && server != 0) finishConnect(c);
      if (!c.dead && client != 0) receive(c, Direction::kToServer);
      if (!c.dead && !c.connecting && server != 0) receive(c, Direction::kToClient);
      if (!c.dead && !stalled_) flush(c);
    }
  }

  void finishConnect(Connection& c) {
    int error = 0;
    socklen_t length = sizeof error;
    ::getsockopt(c.server.get(), SOL_SOCKET, SO_ERROR, &error, &length);
    if (error != 0) return kill(c);
    c.connecting = false;
  }

  void receive(Connection& c, Direction direction) {
    const bool up = direction == Direction::kToServer;
    Lane& lane = up ? c.to_server : c.to_client;
    if (lane.ended || lane.full() || stalled_) return;
    std::array<char, 65536> buffer;
    const ssize_t n = ::recv(up ? c.client.get() : c.server.get(), buffer.data(), buffer.size(), 0);
    if (n < 0) {
      if (errno != EAGAIN && errno != EINTR) kill(c);
      return;
    }
    const Deadline due = Clock::now() + delay_[up ? 0 : 1];
    if (n == 0) {
      lane.push(lane.records.rest(), due);
      lane.ended = true;
      return;
    }
    lane.records.feed({buffer.data(), static_cast<std::size_t>(n)},
                      [&](std::uint8_t type, std::string bytes) {
                        if (c.dead) return;
                        if (type == RecordSplitter::kApplicationData && stopsHere(c, up)) return;
                        lane.push(std::move(bytes), due);
                      });
  }

  /// Counts; true when the record must not be passed on because the trigger went off with it.
  bool stopsHere(Connection& c, bool to_server) {
    if (!to_server) return c.lose_answer && (fire(), true);
    ++requests_;
    if (trigger_.at == 0 || requests_ != trigger_.at) return false;
    if (trigger_.moment == Moment::kRequestLost) {
      fire();
      return true;
    }
    c.lose_answer = true;
    return false;
  }

  void fire() {
    const auto action = std::move(trigger_.action);
    trigger_ = {};
    if (action) action();
    cutAll();
    const std::lock_guard lock(mutex_);
    setFired(true);
  }

  void flush(Connection& c) {
    const Deadline now = Clock::now();
    const bool ok = c.to_client.flush(c.client.get(), now) &&
                    (c.connecting || c.to_server.flush(c.server.get(), now));
    if (!ok || (c.to_client.finished && c.to_server.finished)) kill(c);
  }

  static void kill(Connection& c) {
    // In order when both sides had said goodbye, else by reset.
    if (!(c.to_client.finished && c.to_server.finished)) {
      resetSocket(c.client);
      resetSocket(c.server);
    }
    c.client.reset();
    c.server.reset();
    c.dead = true;
  }

  sockaddr_storage upstream_{};
  socklen_t upstream_length_ = 0;
  Fd placeholder_, wake_;
  std::list<Connection> connections_;
  bool stop_ = false;

  std::mutex mutex_;  ///< guards work_ and fired_
  std::condition_variable changed_;
  std::vector<std::function<void()>> work_;
  bool fired_ = false;
  std::thread thread_;
};

Relay::Relay(const std::string& host, std::uint16_t port)
    : loop_(std::make_unique<Loop>(host, port)) {}
Relay::~Relay() = default;

std::uint16_t Relay::port() const { return loop_->port_; }

std::uint64_t Relay::requests() const {
  std::uint64_t count = 0;
  loop_->onLoop([&] { count = loop_->requests_; });
  return count;
}

std::uint64_t Relay::connections() const {
  std::uint64_t count = 0;
  loop_->onLoop([&] { count = loop_->accepted_; });
  return count;
}

void Relay::atRequest(std::uint64_t nth, Moment moment, std::function<void()> action) {
  loop_->onLoop([&] {
    loop_->trigger_ = {loop_->requests_ + nth, moment, std::move(action)};
    loop_->setFired(false);
  });
}

bool Relay::waitFired(std::chrono::milliseconds time) { return loop_->waitFired(time); }

void Relay::cutAll() {
  loop_->onLoop([this] { loop_->cutAll(); });
}

void Relay::refuse(bool on) {
  loop_->onLoop([&] {
    if (on) {
      loop_->listener_.reset();
    } else if (!loop_->listener_) {
      loop_->listen();
    }
  });
}

void Relay::stall(bool on) {
  loop_->onLoop([&] { loop_->stalled_ = on; });
}

void Relay::delay(Direction direction, std::chrono::milliseconds time) {
  loop_->onLoop([&] { loop_->delay_[direction == Direction::kToServer ? 0 : 1] = time; });
}

}  // namespace vkb::e2e
