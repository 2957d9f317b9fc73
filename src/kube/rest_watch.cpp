#include "kube/rest_watch.h"

#include <pthread.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <system_error>

#include "json/json.h"
#include "kube/call_gate.h"
#include "kube/urls.h"

namespace vkb::kube {
namespace {

constexpr std::chrono::seconds kOpenTimeout{15};
constexpr std::chrono::seconds kGrace{30};
/// Then it is the other watches' turn.
constexpr int kLinesPerTurn = 64;

Status endedInOrder() {
  return {.code = 200, .reason = "Ended", .message = "the watch ended in order"};
}

/// The Status object of an ERROR line.
Status statusOfErrorLine(const json::RawEvent& event) {
  const auto code = json::integer(event.object->parse(), {"code"}).value_or(500);
  return statusFromAnswer(static_cast<int>(code), event.object->raw, std::nullopt);
}

}  // namespace

/// Shared by handle and whoever opens or follows it.
class RestWatches::Watch {
 public:
  explicit Watch(WatchHandler& handler) : handler_(handler) {}

  /// Calls the handler unless stopped; false: stopped.
  template <typename Call>
  bool deliver(const Call& call) {
    return gate_.pass([&] { call(handler_); });
  }

  /// From now on no handler call begins.
  void shut() { gate_.shut(); }

  /// Also, one under way has ended, unless this is that call.
  void stop() {
    gate_.shut();  // first: what abort() wakes must not be told as a broken connection
    {
      const std::lock_guard lock(mutex_);
      stopped_ = true;
      if (stream_ != nullptr) stream_->abort();
    }
    gate_.close();
  }

  /// Null: the stream ends its life now. False: stopped meanwhile.
  bool setStream(net::HttpStream* stream) {
    const std::lock_guard lock(mutex_);
    stream_ = stream;
    return !stopped_;
  }

 private:
  WatchHandler& handler_;
  CallGate gate_;
  std::mutex mutex_;
  bool stopped_ = false;
  net::HttpStream* stream_ = nullptr;  ///< a Followed's
};

class RestWatches::Handle final : public WatchHandle {
 public:
  explicit Handle(std::shared_ptr<Watch> watch) : watch_(std::move(watch)) {}
  ~Handle() override { watch_->stop(); }

 private:
  const std::shared_ptr<Watch> watch_;
};

/// A watch whose stream is open.
struct RestWatches::Followed {
  Followed(std::shared_ptr<Watch> of, std::unique_ptr<net::HttpStream> opened,
           std::chrono::milliseconds longest_silence)
      : watch(std::move(of)), stream(std::move(opened)), patience(longest_silence) {}
  ~Followed() { watch->setStream(nullptr); }
  Followed(const Followed&) = delete;
  Followed& operator=(const Followed&) = delete;

  const std::shared_ptr<Watch> watch;
  const std::unique_ptr<net::HttpStream> stream;
  const std::chrono::milliseconds patience;
  TimePoint silent_until{};
  net::EventLoop::WatchId socket = 0;
};

RestWatches::RestWatches(RestExchange& exchange)
    : exchange_(exchange),
      loop_(exchange.options().watch_thread ? exchange.options().watch_thread
                                            : std::make_shared<net::EventThread>("vkb-watch"),
            exchange.options().silence_check, [this] { return endSilent(); }) {}

RestWatches::~RestWatches() {
  std::vector<std::shared_ptr<Watch>> running;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& weak : watches_) {
      if (auto watch = weak.lock()) running.push_back(std::move(watch));
    }
  }
  for (const auto& watch : running) watch->shut();
  exchange_.shutdown();  // some may be connecting
  for (const auto& watch : running) watch->stop();
  openers_.join();
  loop_.stop();
}

std::unique_ptr<WatchHandle> RestWatches::start(const Resource& resource,
                                                const WatchOptions& options,
                                                WatchHandler& handler) {
  auto watch = std::make_shared<Watch>(handler);
  auto handle = std::make_unique<Handle>(watch);
  const auto path = collectionPath(resource, options.ns);
  if (!path) {
    watch->deliver([&](WatchHandler& h) { h.onClosed(path.error()); });
    return handle;
  }
  const auto refused = [&] {
    watch->deliver([](WatchHandler& h) {
      h.onClosed(
          {.reason = reasons::kInternal, .message = "no thread or descriptor is left for a watch"});
    });
    return std::move(handle);
  };
  if (!startLoop()) return refused();
  try {
    {
      const std::lock_guard lock(mutex_);
      std::erase_if(watches_, [](const auto& weak) { return weak.expired(); });
      watches_.push_back(watch);
    }
    openers_.start([this, watch, target = *path + watchQuery(options), options] {
      pthread_setname_np(pthread_self(), "vkb-watch-open");
      open(watch, target, options);
    });
  } catch (const std::system_error&) {
    return refused();
  }
  return handle;
}

/// With the first watch: a client that watches nothing has no thread.
bool RestWatches::startLoop() {
  const std::lock_guard lock(mutex_);
  return loop_runs_ = loop_runs_ || loop_.start();
}

void RestWatches::open(const std::shared_ptr<Watch>& watch, const std::string& target,
                       const WatchOptions& options) {
  RestExchange::Request request;
  request.verb = "WATCH";
  request.http.target = target;
  request.http.timeout = kOpenTimeout;
  if (options.metadata_only) request.http.headers.emplace_back("Accept", kAcceptMetadata);
  auto opened = exchange_.open(std::move(request));
  if (!opened) {
    watch->deliver([&](WatchHandler& handler) { handler.onClosed(std::move(opened.error())); });
    return;
  }
  net::HttpStream& stream = **opened;
  // Shared because a task can be copied.
  const auto followed = std::make_shared<std::unique_ptr<Followed>>(
      std::make_unique<Followed>(watch, std::move(*opened), options.timeout + kGrace));
  if (!watch->setStream(&stream)) return;
  loop_.post([this, followed] { follow(std::move(*followed)); });
}

void RestWatches::follow(std::unique_ptr<Followed> followed) {
  const std::uint64_t id = next_id_++;
  followed->silent_until = exchange_.clock().now() + followed->patience;
  followed->socket = loop_.watch(followed->stream->fd(), [this, id] { readLines(id); });
  followed_.emplace(id, std::move(followed));
  readLines(id);  // some may have come with the head
}

void RestWatches::readLines(std::uint64_t id) {
  const auto found = followed_.find(id);
  if (found == followed_.end()) return;
  Followed& followed = *found->second;
  for (int i = 0; i < kLinesPerTurn; ++i) {
    net::StreamLine line = followed.stream->tryReadLine();
    switch (line.state) {
      case net::StreamLine::State::kWantRead:
        return loop_.setInterest(followed.socket, true, false);
      case net::StreamLine::State::kWantWrite:
        return loop_.setInterest(followed.socket, false, true);
      case net::StreamLine::State::kEnd:
        return end(id, endedInOrder());
      case net::StreamLine::State::kFailed:
        return end(id, std::move(line.error));
      case net::StreamLine::State::kLine:
        break;
    }
    followed.silent_until = exchange_.clock().now() + followed.patience;
    if (line.text.empty()) continue;
    auto event = json::splitEvent(line.text);
    if (!event) return end(id, event.error());
    if (event->type == "ERROR") return end(id, statusOfErrorLine(*event));
    const bool more =
        followed.watch->deliver([&](WatchHandler& handler) { handler.onEvent(std::move(*event)); });
    if (!more) return end(id, endedInOrder());
  }
  // What is left may be in memory already, of which the descriptor says nothing. First the others.
  loop_.post([this, id] { readLines(id); });
}

void RestWatches::end(std::uint64_t id, Status why) {
  auto ended = followed_.extract(id);
  loop_.unwatch(ended.mapped()->socket);
  const auto watch = ended.mapped()->watch;
  ended.mapped().reset();  // the connection; onClosed may take its time
  watch->deliver([&](WatchHandler& handler) { handler.onClosed(std::move(why)); });
}

/// A server that is alive sends bookmarks, or ends the watch when its time is over.
bool RestWatches::endSilent() {
  const TimePoint now = exchange_.clock().now();
  std::vector<std::uint64_t> silent;
  for (const auto& [id, followed] : followed_) {
    if (now >= followed->silent_until) silent.push_back(id);
  }
  for (const std::uint64_t id : silent) {
    const auto found = followed_.find(id);
    end(id, found->second->stream->breakForSilence(found->second->patience));
  }
  return !followed_.empty();
}

}  // namespace vkb::kube
