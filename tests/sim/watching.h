#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "kube/client.h"
#include "world.h"

namespace vkb::sim {

/// Clients whose open watches can be made to tell what is not so, as a watch cache that has lost
/// its way does. All else is the fake client's.
struct World::Watching {
  /// One open watch. Shared by its handle and, during a call, by that call.
  struct Open final : kube::WatchHandler {
    Open(Watching& w, std::string a, kube::WatchHandler& h, std::string p, std::string f)
        : watching(w),
          actor(std::move(a)),
          handler(&h),
          plural(std::move(p)),
          field_selector(std::move(f)) {}
    void onEvent(json::RawEvent event) override {
      if (handler == nullptr) return;
      watching.note(actor, *event.object);
      handler->onEvent(std::move(event));
    }
    void onClosed(Status status) override {
      if (auto* told = std::exchange(handler, nullptr)) told->onClosed(std::move(status));
    }
    Watching& watching;
    const std::string actor;
    kube::WatchHandler* handler;  ///< null: closed
    const std::string plural, field_selector;
  };
  std::vector<std::pair<const test::FakeCluster*, std::weak_ptr<Open>>> watches;
  std::function<void(const std::string& actor, const Json& delegate)> on_post;

  /// Who has been told by a list or watch of which pod (UID).
  std::set<std::pair<std::string, std::string>> told_of;
  /// Who has been told by a list or watch that which pod (UID) has ended. A GET is about a name,
  /// and may be about an earlier pod of that name.
  std::set<std::pair<std::string, std::string>> told_of_end;
  void note(const std::string& actor, const json::Object& pod);
  /// Has this actor a watch on the pods there that is open, as far as it has noticed?
  bool isWatching(const test::FakeCluster& cluster, const std::string& actor) const;

  std::unique_ptr<kube::Client> client(test::FakeCluster& cluster, const std::string& actor);
};

}  // namespace vkb::sim
