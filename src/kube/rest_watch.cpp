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

/// The Status object of an ERROR line.
Status statusOfErrorLine(const json::RawEvent& event) {
  const auto code = json::integer(event.object->parse(), {"code"}).value_or(500);
  return statusFromAnswer(static_cast<int>(code), event.object->raw, std::nullopt);
}

}  // namespace

/// Shared by handle and thread.
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
  net::HttpStream* stream_ = nullptr;  ///< owned by the thread
};

class RestWatches::Handle final : public WatchHandle {
 public:
  explicit Handle(std::shared_ptr<Watch> watch) : watch_(std::move(watch)) {}
  ~Handle() override { watch_->stop(); }

 private:
  const std::shared_ptr<Watch> watch_;
};

RestWatches::~RestWatches() {
  std::vector<std::shared_ptr<Watch>> running;
  {
    const std::lock_guard lock(mutex_);
    running = running_;
  }
  for (const auto& watch : running) watch->shut();
  exchange_.shutdown();  // some may be connecting
  for (const auto& watch : running) watch->stop();
  threads_.join();
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
  {
    const std::lock_guard lock(mutex_);
    running_.push_back(watch);
  }
  try {
    threads_.start([this, watch, target = *path + watchQuery(options), options] {
      pthread_setname_np(pthread_self(), "vkb-watch");
      run(watch, target, options);
    });
  } catch (const std::system_error&) {
    {
      const std::lock_guard lock(mutex_);
      std::erase(running_, watch);
    }
    watch->deliver([&](WatchHandler& h) {
      h.onClosed({.reason = reasons::kInternal, .message = "no thread can be started for a watch"});
    });
  }
  return handle;
}

void RestWatches::run(const std::shared_ptr<Watch>& watch, const std::string& target,
                      const WatchOptions& options) {
  Status end = follow(*watch, target, options);
  watch->deliver([&](WatchHandler& handler) { handler.onClosed(std::move(end)); });
  const std::lock_guard lock(mutex_);
  std::erase(running_, watch);
}

Status RestWatches::follow(Watch& watch, const std::string& target, const WatchOptions& options) {
  const Status ended{.code = 200, .reason = "Ended", .message = "the watch ended in order"};
  RestExchange::Request request;
  request.verb = "WATCH";
  request.http.target = target;
  request.http.timeout = kOpenTimeout;
  if (options.metadata_only) request.http.headers.emplace_back("Accept", kAcceptMetadata);
  auto opened = exchange_.open(std::move(request));
  if (!opened) return opened.error();
  const std::unique_ptr<net::HttpStream> stream = std::move(*opened);
  struct Registered {
    Watch& watch;
    ~Registered() { watch.setStream(nullptr); }
  } registered{watch};
  if (!watch.setStream(stream.get())) return ended;
  while (true) {
    const auto line = stream->readLine(options.timeout + kGrace);
    if (!line) return line.error();
    if (!*line) return ended;
    if ((*line)->empty()) continue;
    auto event = json::splitEvent(**line);
    if (!event) return event.error();
    if (event->type == "ERROR") return statusOfErrorLine(*event);
    const bool more =
        watch.deliver([&](WatchHandler& handler) { handler.onEvent(std::move(*event)); });
    if (!more) return ended;
  }
}

}  // namespace vkb::kube
