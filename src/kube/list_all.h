#pragma once

#include <functional>

#include "kube/client.h"

namespace vkb::kube {

/// listAll that asks `go_on` before each page; false there ends it with reason "Stopped".
Result<json::RawList> listAllWhile(Reader& reader, const Resource& resource, ListOptions options,
                                   const std::function<bool()>& go_on);

}  // namespace vkb::kube
