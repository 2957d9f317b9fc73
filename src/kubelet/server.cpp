#include "kubelet/server.h"

#include <condition_variable>
#include <deque>
#include <future>
#include <map>
#include <mutex>
#include <set>

#include "kubelet/connection.h"
#include "kubelet/handler.h"
#include "kubelet/server_tls.h"
#include "net/listener.h"

namespace vkb::kubelet {
namespace {

constexpr std::chrono::seconds kTlsInterval{60};
/// Accepted in one turn: the sessions under way have theirs in between.
constexpr int kAcceptsPerTurn = 64;
constexpr std::chrono::milliseconds kTick{500};

/// Tasks on the executor that use what the server's owner has lent.
class Flights {
 public:
  /// Released with its last copy, also where an executor drops the task.
  using Token = std::shared_ptr<void>;
  static Token begin(const std::shared_ptr<Flights>& flights) {
    const std::lock_guard lock(flights->mutex_);
    ++flights->count_;
    return {nullptr, [flights](void*) { flights->end(); }};
  }
  void waitForNone() {
    std::unique_lock lock(mutex_);
    none_.wait(lock, [&] { return count_ == 0; });
  }

 private:
  void end() {
    const std::lock_guard lock(mutex_);
    if (--count_ == 0) none_.notify_all();
  }
  std::mutex mutex_;
  std::condition_variable none_;
  std::size_t count_ = 0;
};

}  // namespace

class Server::Core final : public ConnectionHost, public std::enable_shared_from_this<Core> {
 public:
  Core(Deps deps, Options options)
      : runtime_(deps.runtime),
        logger_(deps.logger),
        options_(std::move(options)),
        handler_({.clock = deps.runtime.clock,
                  .home = deps.home,
                  .logs = deps.logs,
                  .streams = deps.streams,
                  .stats = deps.stats,
                  .pods = std::move(deps.pods),
                  .logger = deps.logger},
                 options_.node, options_.anonymous),
        tls_({.clock = deps.runtime.clock,
              .home = deps.home,
              .certificate = std::move(deps.certificate),
              .logger = deps.logger},
             options_.node, options_.client_ca_file),
        sessions_gauge_(deps.metrics.gauge("kubelet_api_sessions",
                                           "Open logs, exec, attach and port-forward by node.",
                                           {{"node", options_.node}})),
        requests_([&metrics = deps.metrics, node = options_.node](int code) {
          metrics
              .counter("kubelet_api_requests_total",
                       "Requests to the kubelet API by node and code.",
                       {{"node", node}, {"code", std::to_string(code)}})
              .Increment();
        }),
        loop_(deps.thread ? std::move(deps.thread)
                          : std::make_shared<net::EventThread>("vkb-kubelet"),
              kTick, [this] { return onTick(); }) {}

  Result<void> start() {
    if (auto ready = tls_.refresh(); !ready) return ready;
    auto listener = net::Listener::listen(options_.address, options_.port);
    if (!listener) return failure(listener.error());
    listener_ = std::move(*listener);
    port_ = listener_->port();
    if (!loop_.start()) {
      return failure({.reason = reasons::kInternal,
                      .message = "no thread or descriptor is left for the kubelet API"});
    }
    loop_.post([this] {
      accept_watch_ = loop_.watch(listener_->fd(), [this] { acceptSome(); });
      loop_.setInterest(accept_watch_, true, false);
    });
    refreshTlsLater();
    return {};
  }

  void stop() {
    {
      const std::lock_guard lock(mutex_);
      if (std::exchange(stopped_, true)) return;
    }
    if (!listener_) return;
    std::promise<void> ended;
    loop_.post([&] {
      loop_.unwatch(accept_watch_);
      closing_ = true;
      while (!connections_.empty()) connections_.begin()->second->close();
      ended.set_value();
    });
    ended.get_future().wait();
    flights_->waitForNone();
    loop_.stop();
    listener_.reset();
  }

  std::uint16_t port() const { return port_; }

  Counts counts() {
    {
      const std::lock_guard lock(mutex_);
      if (stopped_) return {};
    }
    std::promise<Counts> counts;
    loop_.post([&] { counts.set_value({connections_.size(), sessions_}); });
    return counts.get_future().get();
  }

  // ConnectionHost; the loop's thread.
  net::EventLoop& loop() override { return loop_; }
  const Limits& limits() const override { return options_.limits; }
  void submit(const std::shared_ptr<Connection>& connection) override;
  void onHeadBytes(Connection& connection, std::size_t size) override;
  void onHeadOver(Connection& connection) override;
  bool takeSession() override;
  void giveSessionBack() override;
  void onClosed(Connection& connection) override { connections_.erase(connection.id()); }

 private:
  struct Waiting {
    std::weak_ptr<Connection> connection;
    net::Deadline since;
  };
  void acceptSome();
  void makeRoomForHead();
  void startWaiting();
  void carryOut(const std::shared_ptr<Connection>& connection);
  bool onTick();
  void refreshTlsLater();

  const Runtime runtime_;
  base::Logger& logger_;
  const Options options_;
  Handler handler_;
  ServerTls tls_;
  prometheus::Gauge& sessions_gauge_;
  const std::function<void(int code)> requests_;
  const std::shared_ptr<Flights> flights_ = std::make_shared<Flights>();
  std::unique_ptr<net::Listener> listener_;
  std::uint16_t port_ = 0;
  std::mutex mutex_;
  bool stopped_ = false;  ///< guarded by mutex_

  // The loop's thread only.
  bool closing_ = false, accept_paused_ = false;
  net::EventLoop::WatchId accept_watch_ = 0;
  std::uint64_t next_id_ = 1;
  std::map<std::uint64_t, std::shared_ptr<Connection>> connections_;  ///< oldest first
  std::set<std::uint64_t> heads_;                                     ///< incomplete, oldest first
  std::size_t head_bytes_ = 0;                                        ///< of those
  std::deque<Waiting> waiting_;
  std::size_t in_progress_ = 0, sessions_ = 0;

  net::EventLoop loop_;  ///< last: stopped before what it uses
};

void Server::Core::acceptSome() {
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    auto accepted = listener_->accept();
    if (accepted.exhausted) {
      // Nobody else can be let in: who has not yet asked for anything makes room.
      makeRoomForHead();
      accept_paused_ = true;
      loop_.setInterest(accept_watch_, false, false);
      return;
    }
    if (accepted.socket.isNull()) return;
    if (heads_.size() >= options_.limits.max_heads) makeRoomForHead();
    if (!accepted.socket->startServer(tls_.current())) continue;
    const std::uint64_t id = next_id_++;
    auto connection = std::make_shared<Connection>(*this, id, std::move(accepted.socket));
    connections_.emplace(id, connection);
    heads_.insert(id);
    connection->start();
  }
}

/// An honest client needs milliseconds, so that the oldest is the least honest.
void Server::Core::makeRoomForHead() {
  if (heads_.empty()) return;
  const auto oldest = connections_.find(*heads_.begin());
  oldest->second->close();
}

void Server::Core::onHeadBytes(Connection& connection, std::size_t size) {
  head_bytes_ += size;
  while (head_bytes_ > options_.limits.max_head_bytes && !heads_.empty()) {
    const bool itself = *heads_.begin() == connection.id();
    makeRoomForHead();
    if (itself) return;
  }
}

void Server::Core::onHeadOver(Connection& connection) {
  if (heads_.erase(connection.id()) == 0) return;
  head_bytes_ -= std::min(head_bytes_, connection.headBytes());
}

bool Server::Core::takeSession() {
  if (sessions_ >= options_.limits.max_sessions) return false;
  sessions_gauge_.Set(static_cast<double>(++sessions_));
  return true;
}

void Server::Core::giveSessionBack() { sessions_gauge_.Set(static_cast<double>(--sessions_)); }

void Server::Core::submit(const std::shared_ptr<Connection>& connection) {
  if (waiting_.size() + in_progress_ >= options_.limits.max_requests) {
    return connection->answer(textAnswer(503, "too many requests wait; try again later"));
  }
  waiting_.push_back({connection, std::chrono::steady_clock::now()});
  startWaiting();
}

void Server::Core::startWaiting() {
  while (!waiting_.empty() && in_progress_ < options_.limits.max_in_progress && !closing_) {
    const auto connection = waiting_.front().connection.lock();
    waiting_.pop_front();
    if (connection) carryOut(connection);
  }
}

void Server::Core::carryOut(const std::shared_ptr<Connection>& connection) {
  ++in_progress_;
  // The connection's destruction belongs to the loop's thread, so the task only borrows it: what it
  // needs is copied.
  struct Work {
    std::weak_ptr<Connection> connection;
    RequestHead head;
    std::optional<net::PeerName> peer;
    std::stop_token stop;
  };
  const auto work = std::make_shared<Work>(
      Work{connection, connection->request(), connection->peer(), connection->stopToken()});
  runtime_.executor.post([self = shared_from_this(), work, flight = Flights::begin(flights_)] {
    auto answer =
        std::make_shared<Answer>(self->handler_.handle(work->head, work->peer, work->stop));
    self->requests_(answer->code);
    self->loop_.post([core = self.get(), work, answer] {
      --core->in_progress_;
      if (const auto waiting = work->connection.lock()) waiting->answer(std::move(*answer));
      core->startWaiting();
    });
  });
}

/// False: nobody is connected.
bool Server::Core::onTick() {
  if (closing_) return false;
  const auto now = std::chrono::steady_clock::now();
  std::vector<std::shared_ptr<Connection>> all;
  all.reserve(connections_.size());
  for (const auto& [id, connection] : connections_) all.push_back(connection);
  for (const auto& connection : all) connection->onTick(now);
  while (!waiting_.empty() && now - waiting_.front().since >= options_.limits.queue_timeout) {
    const auto connection = waiting_.front().connection.lock();
    waiting_.pop_front();
    if (connection) connection->answer(textAnswer(503, "too many requests wait; try again later"));
  }
  if (std::exchange(accept_paused_, false)) loop_.setInterest(accept_watch_, true, false);
  return !connections_.empty() || !waiting_.empty();
}

void Server::Core::refreshTlsLater() {
  runtime_.executor.postAfter(kTlsInterval, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self) return;
    Flights::Token flight;
    {
      const std::lock_guard lock(self->mutex_);
      if (self->stopped_) return;
      flight = Flights::begin(self->flights_);
    }
    if (auto ready = self->tls_.refresh(); !ready) {
      VKB_LOG(self->logger_, Warn, "kubelet API without certificate", {"node", self->options_.node},
              {"message", ready.error().message});
    }
    self->refreshTlsLater();
  });
}

Server::Server(std::shared_ptr<Core> core) : core_(std::move(core)) {}

Server::~Server() { stop(); }

Result<std::unique_ptr<Server>> Server::start(Deps deps, Options options) {
  auto core = std::make_shared<Core>(std::move(deps), std::move(options));
  if (auto started = core->start(); !started) return failure(started.error());
  return std::unique_ptr<Server>(new Server(std::move(core)));
}

void Server::stop() { core_->stop(); }

std::uint16_t Server::port() const { return core_->port(); }

Server::Counts Server::counts() const { return core_->counts(); }

}  // namespace vkb::kubelet
