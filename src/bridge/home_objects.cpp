#include "bridge/home_objects.h"

#include "bridge/home_versions.h"
#include "kube/call_gate.h"
#include "kube/reflector.h"

namespace vkb::bridge {

struct HomeObjects::Follower {
  explicit Follower(Handler handler) : changed(std::move(handler)) {}
  const Handler changed;
  kube::CallGate gate;
};

struct HomeObjects::Kind {
  Kind(Runtime runtime, kube::Client& home, base::Logger& logger, const kube::Resource& resource,
       const std::string& name, std::function<void(const std::string& key)> changed)
      : versions(std::move(changed)),
        watch(runtime, home, versions, logger,
              {.resource = resource, .list = {.metadata_only = true}, .name = name}) {}
  HomeVersions versions;
  kube::Reflector watch;
};

HomeObjects::HomeObjects(Runtime runtime, std::unique_ptr<kube::Client> home, base::Logger& logger)
    : home_(std::move(home)),
      config_maps_(std::make_unique<Kind>(
          runtime, *home_, logger, kube::kConfigMaps, "home config maps",
          [this](const std::string& key) { tell(DependencyKind::kConfigMap, key); })),
      secrets_(std::make_unique<Kind>(
          runtime, *home_, logger, kube::kSecrets, "home secrets",
          [this](const std::string& key) { tell(DependencyKind::kSecret, key); })) {}

HomeObjects::~HomeObjects() {
  secrets_->watch.stop();
  config_maps_->watch.stop();
}

bool HomeObjects::has(DependencyKind kind, const std::string& key) const {
  return (kind == DependencyKind::kConfigMap ? config_maps_ : secrets_)->versions.has(key);
}

HomeObjects::Following::Following(std::shared_ptr<Follower> follower)
    : follower_(std::move(follower)) {}
HomeObjects::Following::~Following() { follower_->gate.close(); }

std::unique_ptr<HomeObjects::Following> HomeObjects::follow(Handler changed) {
  const auto follower = std::make_shared<Follower>(std::move(changed));
  bool first = false;
  {
    const std::lock_guard lock(mutex_);
    std::erase_if(followers_, [](const auto& weak) { return weak.expired(); });
    followers_.push_back(follower);
    first = !std::exchange(started_, true);
  }
  if (first) {
    config_maps_->watch.start();
    secrets_->watch.start();
  }
  return std::make_unique<Following>(follower);
}

void HomeObjects::tell(DependencyKind kind, const std::string& key) {
  std::vector<std::shared_ptr<Follower>> all;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& weak : followers_) {
      if (auto follower = weak.lock()) all.push_back(std::move(follower));
    }
  }
  for (const auto& follower : all) {
    follower->gate.pass([&] { follower->changed(kind, key); });
  }
}

}  // namespace vkb::bridge
