#include <algorithm>

#include "support/fake_cluster_internal.h"
#include "support/watch_state.h"

namespace vkb::test {
namespace {

// This long before the end of a watch comes its last bookmark.
constexpr std::chrono::seconds kLastBookmark{2};

Status endedInOrder() {
  return {.code = 200, .reason = "Ended", .message = "the server closed the watch in order"};
}

// Owns the timers of the watch's time limit.
class Handle final : public kube::WatchHandle {
 public:
  Handle(std::shared_ptr<WatchState> state, Executor& executor, Executor::TimerId limit,
         Executor::TimerId bookmark)
      : state_(std::move(state)), executor_(executor), limit_(limit), bookmark_(bookmark) {}
  ~Handle() override {
    executor_.cancel(limit_);
    executor_.cancel(bookmark_);
    state_->detach();
  }

 private:
  std::shared_ptr<WatchState> state_;
  Executor& executor_;
  Executor::TimerId limit_, bookmark_;
};

const json::ObjectPtr& deletedLine(const Change& change) {
  if (!change.deleted_line) {
    Json value = change.before->json();
    value["metadata"]["resourceVersion"] = std::to_string(change.rv);
    change.deleted_line = json::makeObject(value);
  }
  return change.deleted_line;
}

}  // namespace

json::ObjectPtr metadataOf(const json::Object& object) {
  const Json full = object.parse();
  return json::makeObject(Json{{"kind", "PartialObjectMetadata"},
                               {"apiVersion", "meta.k8s.io/v1"},
                               {"metadata", json::object(full, {"metadata"})}});
}

WatchState::WatchState(FakeCluster& cluster, std::string actor, kube::Resource resource,
                       Selection selection, std::uint64_t from_rv, bool metadata_only,
                       kube::WatchHandler& handler)
    : cluster_(cluster),
      actor_(std::move(actor)),
      resource_(resource),
      bucket_(FakeCluster::bucketKey(resource)),
      selection_(std::move(selection)),
      from_rv_(from_rv),
      metadata_only_(metadata_only),
      handler_(&handler) {}

void WatchState::offer(const Change& change) {
  if (change.rv <= from_rv_) return;
  const bool was = change.before && selection_.matches(change.before->json());
  const bool is = change.after && selection_.matches(change.after->json());
  if (is) {
    push({was ? "MODIFIED" : "ADDED", change.after->raw()});
  } else if (was) {
    push({"DELETED", deletedLine(change)});
  }
}

void WatchState::push(json::RawEvent event) {
  if (!open()) return;
  if (metadata_only_) event.object = metadataOf(*event.object);
  queue_.push_back(std::move(event));
  schedule();
}

void WatchState::close(Status status, bool breaks) {
  if (!open()) return;
  if (breaks) queue_.clear();
  end_ = std::move(status);
  schedule();
}

void WatchState::hold(bool on) {
  held_ = on;
  if (!on) schedule();
}

void WatchState::detach() {
  handler_ = nullptr;
  queue_.clear();
}

void WatchState::schedule() {
  // A broken connection is noticed even while lines are held back.
  if (scheduled_ || handler_ == nullptr || (held_ && !end_)) return;
  if (queue_.empty() && !end_) return;
  scheduled_ = true;
  cluster_.executor_.post([self = shared_from_this()] { self->deliverOne(); });
}

void WatchState::deliverOne() {
  scheduled_ = false;
  if (handler_ == nullptr) return;
  if (held_ && !end_) return;
  if (queue_.empty()) {
    kube::WatchHandler* handler = std::exchange(handler_, nullptr);
    if (end_) handler->onClosed(*end_);
    return;
  }
  json::RawEvent event = std::move(queue_.front());
  queue_.pop_front();
  if (events_left_ && *events_left_ > 0 && --*events_left_ == 0) close(unanswered(), true);
  schedule();  // before the call: the handler may destroy the handle, or throw
  handler_->onEvent(std::move(event));
}

std::unique_ptr<kube::WatchHandle> FakeCluster::openWatch(const std::string& actor,
                                                          const kube::Resource& resource,
                                                          const kube::WatchOptions& options,
                                                          kube::WatchHandler& handler) {
  auto selection = Selection::parse(resource, resource.namespaced ? options.ns : "",
                                    options.label_selector, options.field_selector);
  const bool from_now = options.resource_version.empty() || options.resource_version == "0";
  std::uint64_t from = rv_;
  std::optional<Status> refused;
  if (!selection) refused = selection.error();
  if (!from_now) {
    char* end = nullptr;
    from = std::strtoull(options.resource_version.c_str(), &end, 10);
    if (*end != '\0') refused = badRequest("invalid resource version");
    if (from < compacted_rv_)
      refused = expired("too old resource version: " + options.resource_version + " (" +
                        std::to_string(compacted_rv_) + ")");
  }
  auto state = std::make_shared<WatchState>(*this, actor, resource,
                                            selection ? std::move(*selection) : Selection{}, from,
                                            options.metadata_only, handler);
  if (!refused) {
    const auto hold = [&](const std::string& who) {
      const auto it = held_.find(who);
      if (it != held_.end() && it->second) state->hold(true);
      const auto cut = cut_after_.find(who);
      if (cut != cut_after_.end()) state->cutAfter(cut->second);
    };
    hold("");
    hold(actor);
    if (from_now) {
      // Synthetic ADDED lines: the state as it is.
      Change now;
      for (VersionPtr& item : all(resource, options.ns)) {
        now.after = std::move(item);
        now.rv = from + 1;
        state->offer(now);
      }
    } else {
      const auto first = std::find_if(watch_log_.begin(), watch_log_.end(), [&](const LogEntry& e) {
        return history_[e.position].rv > from;
      });
      for (auto it = first; it != watch_log_.end(); ++it)
        if (it->bucket == state->bucket()) state->offer(history_[it->position]);
    }
    watches_.push_back(state);
  } else {
    state->close(std::move(*refused), true);
  }
  const auto limit =
      executor_.postAfter(options.timeout, [weak = std::weak_ptr<WatchState>(state)] {
        if (const auto open = weak.lock()) open->close(endedInOrder(), false);
      });
  const auto bookmark = executor_.postAfter(options.timeout - kLastBookmark,
                                            [this, weak = std::weak_ptr<WatchState>(state)] {
                                              if (const auto open = weak.lock())
                                                sendBookmark(*open);
                                            });
  return std::make_unique<Handle>(std::move(state), executor_, limit, bookmark);
}

void FakeCluster::offer(const Change& change, const std::string& bucket) {
  std::erase_if(watches_, [](const std::weak_ptr<WatchState>& weak) {
    const auto state = weak.lock();
    return !state || !state->open();
  });
  for (const auto& weak : watches_) {
    const auto state = weak.lock();
    if (state->bucket() != bucket) continue;
    state->offer(change);
    if (double_events_) state->offer(change);
  }
}

void FakeCluster::cutWatches(const std::string& actor, int code) {
  for (const auto& weak : watches_) {
    const auto state = weak.lock();
    if (!state || (!actor.empty() && state->actor() != actor)) continue;
    state->close(code == 200 ? endedInOrder() : unanswered(), code != 200);
  }
}

void FakeCluster::cutWatchesAfter(std::size_t events, const std::string& actor) {
  cut_after_[actor] = events;
  for (const auto& weak : watches_) {
    const auto state = weak.lock();
    if (state && (actor.empty() || state->actor() == actor)) state->cutAfter(events);
  }
}

void FakeCluster::holdWatches(bool hold, const std::string& actor) {
  held_[actor] = hold;
  for (const auto& weak : watches_) {
    const auto state = weak.lock();
    if (state && (actor.empty() || state->actor() == actor)) state->hold(hold);
  }
}

void FakeCluster::sendBookmark(WatchState& state) {
  // A watch from ahead of the server (an etcd restored from a backup) is silent.
  if (state.from() > rv_) return;
  const Json bookmark{{"kind", kindOf(state.resource())},
                      {"apiVersion", apiVersionOf(state.resource())},
                      {"metadata", {{"resourceVersion", std::to_string(rv_)}}}};
  state.push({"BOOKMARK", json::makeObject(bookmark)});
}

void FakeCluster::sendBookmarks() {
  for (const auto& weak : watches_)
    if (const auto state = weak.lock()) sendBookmark(*state);
}

std::size_t FakeCluster::openWatches(const std::string& actor) const {
  return static_cast<std::size_t>(
      std::count_if(watches_.begin(), watches_.end(), [&](const std::weak_ptr<WatchState>& weak) {
        const auto state = weak.lock();
        return state && state->open() && (actor.empty() || state->actor() == actor);
      }));
}

}  // namespace vkb::test
