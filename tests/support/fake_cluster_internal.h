#pragma once

// For the .cpp files of FakeCluster alone.

#include <nlohmann/json.hpp>
#include <string>

#include "json/json.h"
#include "support/api_errors.h"
#include "support/fake_cluster.h"

namespace vkb::test {

struct FakeCluster::Context {
  std::string actor, verb;
  kube::Resource resource;
  std::string ns, name, subresource;
};

struct FakeCluster::Snapshot {
  std::map<std::string, Bucket> buckets;
  std::uint64_t rv = 0;
};

/// Removes a key that may not be there.
inline void drop(Json& object, const char* key) {
  if (object.is_object()) object.erase(key);
}

}  // namespace vkb::test
