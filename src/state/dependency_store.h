#pragma once

#include <compare>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "vkbridge/status.h"

namespace vkb::state {

/// Numbers stand in the file.
enum class DependencyKind { kConfigMap = 1, kSecret = 2 };

/// An object in a target that pods of one virtual node refer to.
struct DependencyKey {
  DependencyKind kind{};
  std::string ns, name;

  auto operator<=>(const DependencyKey& other) const {
    return std::tie(kind, ns, name) <=> std::tie(other.kind, other.ns, other.name);
  }
  bool operator==(const DependencyKey&) const = default;
};

/// What is remembered of it; never any of its data.
struct DependencyRecord {
  DependencyKey key;
  std::string home_ns, home_name;  ///< what it is a copy of; of tokens the home pod
  std::string uid{};               ///< in the target; empty until known
  /// How its tokens are to be asked for (JSON); empty for copies.
  std::string tokens{};
  std::set<std::string> users{};  ///< home pod UIDs

  bool operator==(const DependencyRecord&) const = default;
};

/// Durable store of mirrored dependencies and their users. Thread-safe; every call blocks until
/// done, and what it wrote survives a crash of this process.
class DependencyStore {
 public:
  virtual ~DependencyStore() = default;
  virtual Result<std::vector<DependencyRecord>> loadDependencies(std::string_view node) = 0;
  /// Inserts or replaces all but the users.
  virtual Result<void> putDependency(std::string_view node, const DependencyRecord& record) = 0;
  /// The dependency must be there; no error when the user is already.
  virtual Result<void> addUser(std::string_view node, const DependencyKey& key,
                               std::string_view pod_uid) = 0;
  virtual Result<void> removeUser(std::string_view node, const DependencyKey& key,
                                  std::string_view pod_uid) = 0;
  /// With its users; no error when there is none.
  virtual Result<void> eraseDependency(std::string_view node, const DependencyKey& key) = 0;
};

}  // namespace vkb::state
