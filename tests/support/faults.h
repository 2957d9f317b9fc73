#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "vkbridge/runtime.h"
#include "vkbridge/status.h"

namespace vkb::test {

/// One request as it reaches the server.
struct Request {
  std::string actor;
  std::string verb;      ///< get, list, watch, create, patch, update, delete; "raw" for getRaw
  std::string resource;  ///< plural; for "raw" the path
  std::string ns, name, subresource;
  bool metadata_only = false;  ///< of a list or watch

  bool isWrite() const {
    return verb == "create" || verb == "patch" || verb == "update" || verb == "delete";
  }
};

using Matcher = std::function<bool(const Request&)>;
/// Empty strings match anything.
Matcher requestsOf(std::string verb, std::string resource = "", std::string name = "",
                   std::string actor = "");
Matcher anyRequest();
Matcher anyWrite();

/// What happens to a request instead of its being served.
struct Fault {
  enum class Kind {
    kRefuse,      ///< answered with `status`, no effect
    kLoseAnswer,  ///< takes effect, the caller gets Unanswered
    kLateWrite,   ///< the caller gets Unanswered; effect at releaseLateWrites(); reads: lost answer
  };
  Kind kind = Kind::kRefuse;
  Matcher matches = anyRequest();
  int times = 1;    ///< requests it still applies to; kForever: until clear()
  Status status{};  ///< for kRefuse
  static constexpr int kForever = -1;
};

/// The faults of one cluster, asked before each request of a client. Requests that tests make
/// through FakeCluster itself meet none.
class Faults {
 public:
  explicit Faults(Clock& clock) : clock_(clock) {}

  void inject(Fault fault) { faults_.push_back(std::move(fault)); }
  void refuse(Status status, int times = 1, Matcher matches = anyRequest());
  void loseAnswers(int times = 1, Matcher matches = anyWrite());
  void delayWrites(int times = 1, Matcher matches = anyWrite());
  /// Unreachable for everybody, or for one actor.
  void setDown(bool down) { down_ = down; }
  void setDown(const std::string& actor, bool down);
  /// Ends every fault; late writes stay under way.
  void clear();

  bool isDown(const std::string& actor) const { return down_ || down_actors_.contains(actor); }
  /// The fault that hits this request, counted down; nothing: serve it.
  std::optional<Fault> take(const Request& request);

  void addLateWrite(std::function<void()> effect);
  std::size_t lateWrites() const { return late_writes_.size(); }
  /// Carries out what is still under way, oldest first; what is older than kube::kWriteTimeout has
  /// been given up by the server and is dropped. Returns how many took effect.
  std::size_t releaseLateWrites();

 private:
  struct LateWrite {
    TimePoint sent;
    std::function<void()> effect;
  };
  Clock& clock_;
  std::vector<Fault> faults_;
  bool down_ = false;
  std::set<std::string> down_actors_;
  std::deque<LateWrite> late_writes_;
};

}  // namespace vkb::test
