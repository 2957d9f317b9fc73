#pragma once

#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "bridge/foreign_usage.h"
#include "kube/coming_to_rest.h"
#include "kube/reflector.h"

namespace vkb::bridge {

/// What one pod watch on a target tells (design §9): the delegates of one virtual node as they are,
/// everybody else's pods only as what they take of the target's capacity.
/// Thread-safe. Callbacks run on the reflector's task after the store holds the change.
class TargetPods final : public kube::ReflectorSink {
 public:
  struct Delegate {
    json::ObjectPtr pod;  ///< last version seen, without most of its spec: see slimDelegate()
    std::string home_uid;
    bool labelled = true;  ///< our labels are on it (else only its recorded UID says it is ours)
    /// Made with re-keyed labels? Nothing where forge's note on it was edited away before we saw
    /// it.
    std::optional<bool> rekeyed{};
    bool end_asked = false;  ///< we asked for its end: see endAsked()
    bool gone = false;       ///< no longer there; kept for its last words until forget()
    bool gone_seen = false;  ///< its DELETED came, after a deletionTimestamp
    TimePoint observed{};
    std::uint64_t version = 0;  ///< counts what was learnt of any of them
  };
  struct Options {
    std::string home_id, node;
    std::function<void(const std::string& home_uid)> on_delegate;
    std::function<void()> on_foreign_usage;
  };
  TargetPods(const Clock& clock, Options options) : clock_(clock), options_(std::move(options)) {}

  /// The delegate made for a home pod UID. With a recorded UID: that one, or while it is not there
  /// one with our labels at `place` (put back from a backup, say). Without: any that is there, the
  /// one at `place` before a copy under another name. `place` is "<ns>/<name>".
  std::optional<Delegate> find(const std::string& home_uid, const std::string& recorded_uid,
                               const std::string& place) const;
  /// Drops what is gone and is not the recorded one: nobody will ask for its last words.
  void dropEnded(const std::string& home_uid, const std::string& recorded_uid);
  /// A delegate of ours, for whichever home pod, that has this name now.
  std::optional<Delegate> at(const std::string& ns, const std::string& name) const;
  using Visit = std::function<void(const Delegate&)>;
  /// Those that are there, one at a time: all of them at once would take much memory.
  void forEachDelegate(const Visit& visit) const;
  /// This UID is a delegate's whatever its labels say. Call before the watch starts for what the
  /// records know, and after each create.
  void remember(const std::string& delegate_uid, const std::string& home_uid);
  /// A GET found this delegate of a home pod. Where the watch told of it already, that is newer.
  void learn(const json::ObjectPtr& whole, const std::string& home_uid);
  /// A create answered with this delegate. Who made it knows, so nobody is told; the watch event
  /// that says the same later is no news.
  void made(const json::ObjectPtr& whole, const std::string& home_uid);
  /// A DELETE of this delegate is about to be sent. That its end has begun, or is to come sooner,
  /// is no news from now on: nobody is told of a version in which nothing else is new. That it has
  /// not, is: a target put back to a backup.
  void endAsked(const std::string& delegate_uid);
  /// Nobody asks for this delegate any more.
  void forget(const std::string& delegate_uid);
  /// Takes what others' pods use of this node of the target off `of`.
  void subtractForeign(const std::string& node, Resources& of) const;
  /// Another number after every change of what find() says for this home pod; 0: it says nothing.
  std::uint64_t versionOf(const std::string& home_uid) const;
  /// Another number, although nothing changed here: something else did that goes with it.
  void touch(const std::string& home_uid);

  json::ObjectPtr take(json::ObjectPtr item) override;
  void replace(std::vector<json::ObjectPtr> items) override;
  void upsert(json::ObjectPtr object) override;
  void remove(json::ObjectPtr object) override;

 private:
  /// False: it was known already, and what is known is newer.
  bool addLocked(const json::ObjectPtr& slim, const std::string& home_uid);
  /// Both return what to call once the lock is released.
  std::string upsertLocked(const json::ObjectPtr& item);
  std::string removeLocked(const std::string& uid, const json::ObjectPtr& last, bool seen);
  /// As it is to be held: small.
  json::ObjectPtr slim(json::ObjectPtr object) const;
  void eraseLocked(const std::string& delegate_uid);
  void packLocked(const json::ObjectPtr& held);
  void notify(const std::vector<std::string>& home_uids, bool usage_changed);

  const Clock& clock_;
  const Options options_;
  mutable std::mutex mutex_;
  /// By delegate UID; those that nothing new came of packed.
  std::unordered_map<std::string, Delegate> delegates_;
  kube::ComingToRest recent_;
  /// Home UID -> delegate UIDs: one, but where somebody copied a delegate with its labels.
  std::unordered_map<std::string, std::vector<std::string>> by_home_uid_;
  std::unordered_map<std::string, std::string> by_place_;  ///< ns/name -> delegate UID
  std::unordered_map<std::string, std::string> recorded_;  ///< delegate UID -> home UID
  ForeignUsage foreign_;
  bool usage_changed_ = false;
  std::uint64_t version_ = 0;
};

}  // namespace vkb::bridge
