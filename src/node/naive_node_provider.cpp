#include "node/naive_node_provider.h"

#include <nlohmann/json.hpp>

namespace vkb::node {

NaiveNodeProvider::NaiveNodeProvider(const Json& node)
    : node_(std::make_shared<const Json>(node)) {}

Json NaiveNodeProvider::node() { return *node_; }

}  // namespace vkb::node
