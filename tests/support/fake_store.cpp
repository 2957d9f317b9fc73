#include <algorithm>
#include <array>
#include <cstdio>

#include "base/check.h"
#include "json/time.h"
#include "support/fake_cluster_internal.h"
#include "support/watch_state.h"

namespace vkb::test {
namespace {

// Two clusters made with the same seed but different names give out different UIDs.
std::uint64_t mixedSeed(const FakeClusterOptions& options) {
  std::uint64_t seed = options.seed;
  for (const char c : options.name) seed = FakeRandom(seed ^ static_cast<unsigned char>(c)).next();
  return seed;
}

// What of GET /api/v1 tells versions apart.
constexpr const char* kCoreResources =
    R"({"kind":"APIResourceList","groupVersion":"v1","resources":[
{"name":"pods","namespaced":true,"kind":"Pod","verbs":["create","delete","get","list","patch","update","watch"]},
{"name":"pods/ephemeralcontainers","namespaced":true,"kind":"Pod","verbs":["get","patch","update"]},
{"name":"pods/eviction","namespaced":true,"group":"policy","version":"v1","kind":"Eviction","verbs":["create"]},
{"name":"pods/resize","namespaced":true,"kind":"Pod","verbs":["get","patch","update"]},
{"name":"pods/status","namespaced":true,"kind":"Pod","verbs":["get","patch","update"]}]})";

}  // namespace

ObjectVersion::ObjectVersion(Json value, std::uint64_t rv)
    : json_(std::make_shared<const Json>(std::move(value))),
      rv_(rv),
      uid_(json::str(*json_, {"metadata", "uid"})) {}

const json::ObjectPtr& ObjectVersion::raw() const {
  if (!raw_) raw_ = json::makeObject(*json_);
  return raw_;
}

const json::ObjectPtr& ObjectVersion::listItem() const {
  if (!list_item_) {
    Json item = *json_;
    drop(item, "kind");
    drop(item, "apiVersion");
    list_item_ = json::makeObject(item);
  }
  return list_item_;
}

FakeCluster::FakeCluster(FakeClock& clock, Executor& executor, FakeClusterOptions options)
    : clock_(clock),
      executor_(executor),
      options_(std::move(options)),
      random_(mixedSeed(options_)),
      faults_(clock) {
  bootstrap();
}

FakeCluster::FakeCluster(FakeRuntime& runtime, FakeClusterOptions options)
    : FakeCluster(runtime.clock, runtime.executor, std::move(options)) {}

FakeCluster::~FakeCluster() = default;

void FakeCluster::bootstrap() {
  for (const char* ns : {"kube-system", "kube-public", "kube-node-lease", "default"})
    addNamespace(ns);
  raw_paths = {
      {"/version", R"({"major":"1","minor":"36","gitVersion":"v1.36.2","platform":"linux/amd64"})"},
      {"/api/v1", kCoreResources},
      {"/readyz", "ok"},
      {"/healthz", "ok"},
      {"/livez", "ok"}};
  answerers["selfsubjectaccessreviews"] = [this](const std::string& actor,
                                                 const Json& review) -> Result<Json> {
    const Json& attributes = json::at(review, {"spec", "resourceAttributes"});
    Json out = review;
    out["status"] = {{"allowed", !accessRule || accessRule(actor, attributes)}};
    return out;
  };
}

std::string FakeCluster::newUid() {
  const std::uint64_t high = random_.next(), low = random_.next();
  std::array<char, 40> text{};
  std::snprintf(text.data(), text.size(), "%08x-%04x-4%03x-a%03x-%012llx",
                static_cast<unsigned>(high >> 32), static_cast<unsigned>((high >> 16) & 0xffff),
                static_cast<unsigned>(high & 0xfff), static_cast<unsigned>(low >> 52),
                static_cast<unsigned long long>(low & 0xffffffffffffULL));
  return text.data();
}

std::string FakeCluster::bucketKey(const kube::Resource& resource) { return qualified(resource); }

std::string FakeCluster::objectKey(const std::string& ns, const std::string& name) {
  return ns.empty() ? name : ns + "/" + name;
}

const VersionPtr* FakeCluster::lookup(const kube::Resource& resource, const std::string& ns,
                                      const std::string& name) const {
  const auto bucket = buckets_.find(bucketKey(resource));
  if (bucket == buckets_.end()) return nullptr;
  const auto it = bucket->second.find(objectKey(resource.namespaced ? ns : "", name));
  return it == bucket->second.end() ? nullptr : &it->second;
}

VersionPtr FakeCluster::commit(const Context& context, const VersionPtr& before, Json value) {
  value["metadata"]["resourceVersion"] = std::to_string(++rv_);
  auto after = std::make_shared<const ObjectVersion>(std::move(value), rv_);
  for (const Json& owner : json::array(after->json(), {"metadata", "ownerReferences"}))
    owned_.insert(json::str(owner, "uid"));
  const std::string bucket = bucketKey(context.resource);
  if (!resources_.contains(bucket)) {
    const auto keep = [&](std::string_view text) -> std::string_view {
      return resource_texts_.emplace_back(text);
    };
    resources_.emplace(bucket,
                       kube::Resource{keep(context.resource.group), keep(context.resource.version),
                                      keep(context.resource.plural), context.resource.namespaced});
  }
  buckets_[bucket][objectKey(context.ns, context.name)] = after;
  Change change;
  change.before = before;
  change.after = after;
  change.actor = context.actor;
  change.verb = context.verb;
  change.resource = context.resource.plural;
  change.subresource = context.subresource;
  change.ns = context.ns;
  change.name = context.name;
  record(std::move(change), bucket);
  return after;
}

void FakeCluster::commitRemoval(const Context& context, const VersionPtr& before) {
  ++rv_;
  const std::string bucket = bucketKey(context.resource);
  buckets_[bucket].erase(objectKey(context.ns, context.name));
  Change change;
  change.before = before;
  change.actor = context.actor;
  change.verb = context.verb;
  change.resource = context.resource.plural;
  change.subresource = context.subresource;
  change.ns = context.ns;
  change.name = context.name;
  record(std::move(change), bucket);
  afterRemoval(context.resource, before);
}

void FakeCluster::record(Change change, const std::string& bucket) {
  change.seq = history_.size();
  change.rv = rv_;
  change.at = clock_.now();
  history_.push_back(std::move(change));
  const Change& last = history_.back();
  if (!bucket.empty()) {
    watch_log_.push_back({history_.size() - 1, bucket});
    if (watch_log_.size() > options_.watch_log_limit) {
      compacted_rv_ = history_[watch_log_.front().position].rv;
      watch_log_.pop_front();
    }
    offer(last, bucket);
  }
  for (const auto& observer : observers_) observer(last);
}

void FakeCluster::onChange(std::function<void(const Change&)> observer) {
  observers_.push_back(std::move(observer));
}

Result<VersionPtr> FakeCluster::read(const kube::Resource& resource, const std::string& ns,
                                     const std::string& name) const {
  const VersionPtr* found = lookup(resource, ns, name);
  if (found == nullptr) return failure(notFound(resource, name));
  return *found;
}

Result<json::RawList> FakeCluster::list(const kube::Resource& resource,
                                        const kube::ListOptions& options) {
  auto selection = Selection::parse(resource, resource.namespaced ? options.ns : "",
                                    options.label_selector, options.field_selector);
  if (!selection) return failure(std::move(selection).error());
  Page page{rv_, {}};
  if (!options.continue_token.empty()) {
    if (options.continue_token.find_first_not_of("0123456789-") != std::string::npos)
      return failure(badRequest("continue key is not valid: illegal base64 data at input byte 4"));
    const auto it = pages_.find(options.continue_token);
    if (it == pages_.end())
      return failure(expired(
          "The provided continue parameter is too old to display a consistent list result. You can "
          "start a new list without the continue parameter, or use the continue token in this "
          "response to retrieve the remainder of the results."));
    page = it->second;
  } else {
    for (VersionPtr& item : all(resource, selection->ns))
      if (selection->matches(item->json())) page.items.push_back(std::move(item));
  }
  json::RawList out;
  out.resource_version = std::to_string(page.rv);
  const std::size_t limit =
      options.limit > 0 ? static_cast<std::size_t>(options.limit) : page.items.size();
  const std::size_t count = std::min(limit, page.items.size());
  for (std::size_t i = 0; i < count; ++i) {
    out.items.push_back(options.metadata_only ? metadataOf(*page.items[i]->raw())
                                              : page.items[i]->listItem());
  }
  if (count < page.items.size()) {
    out.continue_token = std::to_string(page.rv) + "-" + std::to_string(next_page_++);
    page.items.erase(page.items.begin(), page.items.begin() + static_cast<std::ptrdiff_t>(count));
    pages_[out.continue_token] = std::move(page);
  }
  return out;
}

std::vector<VersionPtr> FakeCluster::all(const kube::Resource& resource,
                                         const std::string& ns) const {
  std::vector<VersionPtr> out;
  const auto bucket = buckets_.find(bucketKey(resource));
  if (bucket == buckets_.end()) return out;
  const std::string prefix = ns.empty() ? "" : ns + "/";
  for (auto it = bucket->second.lower_bound(prefix); it != bucket->second.end(); ++it) {
    if (!it->first.starts_with(prefix)) break;
    out.push_back(it->second);
  }
  return out;
}

Result<std::string> FakeCluster::getRaw(const std::string& path) const {
  const auto it = raw_paths.find(path.substr(0, path.find('?')));
  if (it != raw_paths.end()) return it->second;
  return failure(answer(404, {{"kind", "Status"},
                              {"apiVersion", "v1"},
                              {"status", "Failure"},
                              {"message", "the server could not find the requested resource"},
                              {"reason", "NotFound"},
                              {"details", Json::object()},
                              {"code", 404}}));
}

std::string FakeCluster::clusterId() const {
  const VersionPtr found = find(kube::kNamespaces, "", "kube-system");
  return found ? found->uid() : "";
}

void FakeCluster::setClusterId(const std::string& uid) {
  const VersionPtr before = find(kube::kNamespaces, "", "kube-system");
  VKB_CHECK(before, "kube-system is always there");
  Json changed = before->json();
  changed["metadata"]["uid"] = uid;
  commit({"admin", "identity", kube::kNamespaces, "", "kube-system", ""}, before,
         std::move(changed));
}

std::shared_ptr<const FakeCluster::Snapshot> FakeCluster::snapshot() const {
  return std::make_shared<const Snapshot>(Snapshot{buckets_, rv_});
}

void FakeCluster::restore(const Snapshot& snapshot) {
  buckets_ = snapshot.buckets;
  rv_ = snapshot.rv;
  while (!watch_log_.empty() && history_[watch_log_.back().position].rv > rv_)
    watch_log_.pop_back();
  compacted_rv_ = std::min(compacted_rv_, rv_);
  pages_.clear();
  cutWatches();
  Change change;
  change.actor = "admin";
  change.verb = "restore";
  record(std::move(change), "");
}

void FakeCluster::compact() {
  compacted_rv_ = rv_;
  watch_log_.clear();
  pages_.clear();
}

}  // namespace vkb::test
