#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "kube/client.h"
#include "kube/object_cache.h"
#include "node/plan.h"
#include "vkbridge/json.h"

namespace vkb::node {

/// Everything the pod controller reads and writes at home, with read-your-writes: what a PATCH
/// answered counts until the cache has caught up, so a late watch never makes us send it twice.
/// Thread-safe; calls for one UID do not overlap (the work queue sees to that).
class HomePods {
 public:
  HomePods(kube::Client& home, kube::ObjectCache& cache) : home_(home), cache_(cache) {}

  enum class Detail { kWhole, kStatus };
  struct View {
    HomePod state = HomePod::kAbsent;
    json::ObjectPtr bytes{};    ///< as it was sent; null when absent
    std::uint64_t version = 0;  ///< its resourceVersion; 0 when absent, removed or not a number
    Detail detail = Detail::kWhole;
    /// The same as documents, made once and only where they are asked for; null when absent.
    const Json& pod() const;  ///< kStatus: without kSpecOfNoStatus
    const Json& whole() const;
    mutable std::shared_ptr<const Json> made_lean{}, made_whole{};
  };
  /// kStatus: pod() leaves out what no status speaks of (kSpecOfNoStatus), most of a document.
  View view(const std::string& uid, Detail detail = Detail::kWhole);
  /// Of what view() would give.
  std::uint64_t version(const std::string& uid) const;
  /// The version that our last write made, if nothing else was new in it than what it wrote:
  /// whoever wrote it need not look at it. 0: there was none, or there was more.
  std::uint64_t quietVersion(const std::string& uid);

  /// Each change that the cache tells of. What was written about a pod that it has lost is
  /// forgotten. A version with a lower resourceVersion than the one before tells that home itself
  /// went back in time (an etcd restored from a backup): what our writes answered never happened.
  void changed(const json::ObjectPtr& before, const json::ObjectPtr& after);

  /// Quorum GET, before something that the cache's word alone does not justify; from then on
  /// view() knows what it said. kAbsent: no pod of that name has that UID any more.
  Result<HomePod> confirm(const Json& pod);
  /// Home's watch broke and has not told anything since, or not yet what we knew of this pod
  /// before.
  bool mayBeBehind(const std::string& uid) const;

  /// Home's watch broke and is back. Where the cache never came to show what our writes answered,
  /// home may be one that was restored from a backup, or its watch is about to tell: those answers
  /// count no more, and the cache may be behind. Returns the UIDs.
  std::vector<std::string> dropUnconfirmed();

  enum class Told {
    kSent,
    kAlready,  ///< home shows it; nothing was sent
    kGone,     ///< that pod no longer exists
  };
  /// When annotations are worth a request of their own.
  enum class Annotate { kAlone, kWithStatus };
  /// Makes home show `desired` and `annotations` (status_patch.h), of which there is one at most. A
  /// new phase goes to the version of the pod that it was decided about, and to no other: whoever
  /// ended the pod meanwhile has the last word. Then the answer is a Conflict, and view() knows the
  /// new version.
  Result<Told> tell(const View& home, const Json& desired, const Json& annotations,
                    Annotate annotate = Annotate::kAlone);

  /// Removes the home object: DELETE with grace 0 and the UID. Gone already is success.
  Result<void> release(const Json& pod);

  /// Quorum GET: true when no pod of that name has that UID any more.
  Result<bool> isGone(const std::string& ns, const std::string& name, const std::string& uid);

  /// UID of the present home pod of that name; "" when there is none.
  std::string uidOf(const std::string& ns, const std::string& name) const;

 private:
  struct Written {
    json::ObjectPtr answer;     ///< what our newest write returned, until the cache has it
    std::uint64_t version = 0;  ///< of that
    std::uint64_t quiet = 0;    ///< see quietVersion()
    std::size_t not_taken = 0;  ///< hash of the PATCH that would repeat what home did not store
    bool released = false;
    bool doubtful = false;  ///< was dropUnconfirmed(), and home has not been asked since
  };

  Written writtenOf(const std::string& uid) const;
  /// Of `uid`: the newest version known, and whether we removed it.
  json::ObjectPtr newest(const std::string& uid, bool* released);

  kube::Client& home_;
  kube::ObjectCache& cache_;
  mutable std::mutex mutex_;
  std::unordered_map<std::string, Written> written_;
};

}  // namespace vkb::node
