#pragma once

#include <functional>
#include <vector>

#include "kube/client.h"

namespace vkb::kube {

/// listAll that asks `go_on` before each page; false there ends it with reason "Stopped". Each page
/// passes through `on_page`, where there is one, which may put other pointers to equal objects.
Result<json::RawList> listAllWhile(
    Reader& reader, const Resource& resource, ListOptions options,
    const std::function<bool()>& go_on,
    const std::function<void(std::vector<json::ObjectPtr>&)>& on_page = {});

}  // namespace vkb::kube
