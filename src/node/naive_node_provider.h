#pragma once

#include <memory>

#include "vkbridge/provider.h"

namespace vkb::node {

/// A node that is always well and never changes. Thread-safe.
class NaiveNodeProvider final : public NodeProvider {
 public:
  /// `node`: as NodeProvider::node().
  explicit NaiveNodeProvider(const Json& node);
  Result<void> ping() override { return {}; }
  Json node() override;
  void notifyNode(std::function<void()>) override {}

 private:
  std::shared_ptr<const Json> node_;
};

}  // namespace vkb::node
