#include "support/fake_cluster_internal.h"
#include "support/watch_state.h"

namespace vkb::test {
namespace {

// A watch whose connection never came about: onClosed comes as a task, like everything else.
class FailedWatch final : public kube::WatchHandle {
 public:
  FailedWatch(Executor& executor, kube::WatchHandler& handler, Status status)
      : handler_(std::make_shared<kube::WatchHandler*>(&handler)) {
    executor.post([weak = std::weak_ptr(handler_), status = std::move(status)] {
      if (const auto open = weak.lock()) (*open)->onClosed(status);
    });
  }

 private:
  std::shared_ptr<kube::WatchHandler*> handler_;
};

template <typename T>
Result<Json> toJson(Result<T> result) {
  if (!result) return failure(std::move(result).error());
  return Json();
}

}  // namespace

/// What a program under test holds: every request meets the cluster's hooks and faults.
class FakeClient final : public kube::Client {
 public:
  FakeClient(FakeCluster& cluster, std::string actor)
      : cluster_(cluster), actor_(std::move(actor)) {}

  Result<std::optional<Json>> get(const kube::Resource& resource, const std::string& ns,
                                  const std::string& name) override {
    return serve<std::optional<Json>>(request("get", resource, ns, name),
                                      [&]() -> Result<std::optional<Json>> {
                                        const AsOfThen then(cluster_);
                                        const VersionPtr found = cluster_.find(resource, ns, name);
                                        if (!found) return std::optional<Json>();
                                        return std::optional<Json>(found->json());
                                      });
  }

  Result<json::RawList> list(const kube::Resource& resource,
                             const kube::ListOptions& options) override {
    Request what = request("list", resource, options.ns, "");
    what.metadata_only = options.metadata_only;
    return serve<json::RawList>(what, [&] {
      const AsOfThen then(cluster_);
      return cluster_.list(resource, options);
    });
  }

  Result<std::string> getRaw(const std::string& path) override {
    Request what;
    what.actor = actor_;
    what.verb = "raw";
    what.resource = path;
    return serve<std::string>(what, [&] { return cluster_.getRaw(path); });
  }

  Result<json::ObjectPtr> create(const kube::Resource& resource, const std::string& ns,
                                 const Json& object, const std::string& name,
                                 const std::string& subresource) override {
    const std::string target = name.empty() ? json::str(object, {"metadata", "name"}) : name;
    return answered(
        request("create", resource, ns, target, subresource),
        [](auto& cluster, const auto&... with) { return cluster.create(with...); }, resource, ns,
        object, name, subresource);
  }

  Result<json::ObjectPtr> patch(const kube::Resource& resource, const std::string& ns,
                                const std::string& name, kube::PatchType type, const Json& patch,
                                const std::string& subresource) override {
    return answered(
        request("patch", resource, ns, name, subresource),
        [](auto& cluster, const auto&... with) { return cluster.patch(with...); }, resource, ns,
        name, type, patch, subresource);
  }

  Result<json::ObjectPtr> update(const kube::Resource& resource, const std::string& ns,
                                 const std::string& name, const Json& object) override {
    return answered(
        request("update", resource, ns, name),
        [](auto& cluster, const auto&... with) { return cluster.update(with...); }, resource, ns,
        name, object);
  }

  Result<void> remove(const kube::Resource& resource, const std::string& ns,
                      const std::string& name, const kube::DeleteOptions& options) override {
    auto done = write(
        request("delete", resource, ns, name),
        [](auto& cluster, const auto&... with) { return toJson(cluster.remove(with...)); },
        resource, ns, name, options);
    if (!done) return failure(std::move(done).error());
    return {};
  }

  std::unique_ptr<kube::WatchHandle> watch(const kube::Resource& resource,
                                           const kube::WatchOptions& options,
                                           kube::WatchHandler& handler) override {
    Request what = request("watch", resource, options.ns, "");
    what.metadata_only = options.metadata_only;
    arrive(what);
    std::optional<Status> refused;
    if (cluster_.faults_.isDown(actor_)) {
      refused = unreachable();
    } else if (auto fault = cluster_.faults_.take(what)) {
      refused = fault->kind == Fault::Kind::kRefuse ? fault->status : unanswered();
    }
    std::unique_ptr<kube::WatchHandle> handle;
    if (refused) {
      handle = std::make_unique<FailedWatch>(cluster_.executor_, handler, std::move(*refused));
    } else {
      handle = cluster_.openWatch(actor_, resource, options, handler);
    }
    if (cluster_.afterRequest) cluster_.afterRequest(what);
    return handle;
  }

 private:
  // Lets one read see the old state, where reads are stale.
  class AsOfThen {
   public:
    explicit AsOfThen(FakeCluster& cluster) : cluster_(cluster) { swap(); }
    ~AsOfThen() { swap(); }
    AsOfThen(const AsOfThen&) = delete;
    AsOfThen& operator=(const AsOfThen&) = delete;

   private:
    void swap() {
      if (!cluster_.old_state_) return;
      std::swap(cluster_.buckets_, cluster_.old_state_->buckets);
      std::swap(cluster_.rv_, cluster_.old_state_->rv);
    }
    FakeCluster& cluster_;
  };

  Request request(std::string verb, const kube::Resource& resource, const std::string& ns,
                  const std::string& name, const std::string& subresource = "") const {
    Request what;
    what.actor = actor_;
    what.verb = std::move(verb);
    what.resource = resource.plural;
    what.ns = ns;
    what.name = name;
    what.subresource = subresource;
    return what;
  }

  void arrive(const Request& what) {
    if (cluster_.beforeRequest) cluster_.beforeRequest(what);
    if (cluster_.record_requests) cluster_.requests.push_back(what);
  }

  template <typename T, typename Act>
  Result<T> serve(const Request& what, const Act& act) {
    arrive(what);
    Result<T> result = failure(unreachable());
    if (!cluster_.faults_.isDown(actor_)) {
      const auto fault = cluster_.faults_.take(what);
      if (!fault) {
        result = act();
      } else if (fault->kind == Fault::Kind::kRefuse) {
        result = failure(fault->status);
      } else {
        result = failure(unanswered());
      }
    }
    if (cluster_.afterRequest) cluster_.afterRequest(what);
    return result;
  }

  // A write of an object, and the bytes of its answer: those that watches tell, where it was
  // stored.
  template <typename Act, typename... With>
  Result<json::ObjectPtr> answered(const Request& what, Act act, const kube::Resource& resource,
                                   const With&... with) {
    const Result<Json> written = write(what, act, resource, with...);
    if (!written) return failure(written.error());
    const Json& metadata = json::object(*written, {"metadata"});
    const VersionPtr stored =
        cluster_.find(resource, json::str(metadata, "namespace"), json::str(metadata, "name"));
    const bool same = stored && stored->uid() == json::str(metadata, "uid") &&
                      std::to_string(stored->rv()) == json::str(metadata, "resourceVersion");
    return same ? stored->raw() : json::makeObject(*written);
  }

  // A write that comes late runs on copies of its arguments; the others need none.
  template <typename Act, typename... With>
  Result<Json> write(const Request& what, Act act, const With&... with) {
    arrive(what);
    Result<Json> result = failure(unreachable());
    if (!cluster_.faults_.isDown(actor_)) {
      const auto fault = cluster_.faults_.take(what);
      if (!fault) {
        result = act(cluster_, actor_, with...);
      } else if (fault->kind == Fault::Kind::kRefuse) {
        result = failure(fault->status);
      } else {
        if (fault->kind == Fault::Kind::kLoseAnswer) (void)act(cluster_, actor_, with...);
        if (fault->kind == Fault::Kind::kLateWrite)
          cluster_.faults_.addLateWrite(
              [act, &cluster = cluster_, actor = actor_, ... late = With(with)] {
                (void)act(cluster, actor, late...);
              });
        result = failure(unanswered());
      }
    }
    if (cluster_.afterRequest) cluster_.afterRequest(what);
    return result;
  }

  FakeCluster& cluster_;
  const std::string actor_;
};

std::unique_ptr<kube::Client> FakeCluster::client(std::string actor) {
  return std::make_unique<FakeClient>(*this, std::move(actor));
}

void FakeCluster::staleReads(bool on) {
  old_state_.reset();
  if (on) old_state_ = OldState{buckets_, rv_};
}

void FakeCluster::setDown(bool down) {
  faults_.setDown(down);
  if (down) cutWatches();
}

void FakeCluster::setDown(const std::string& actor, bool down) {
  faults_.setDown(actor, down);
  if (down) cutWatches(actor);
}

}  // namespace vkb::test
