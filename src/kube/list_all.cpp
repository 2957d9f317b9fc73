#include "kube/list_all.h"

#include <iterator>
#include <utility>

namespace vkb::kube {

Result<json::RawList> listAllWhile(
    Reader& reader, const Resource& resource, ListOptions options,
    const std::function<bool()>& go_on,
    const std::function<void(std::vector<json::ObjectPtr>&)>& on_page) {
  options.continue_token.clear();
  json::RawList all;
  bool started_over = false;
  while (true) {
    if (!go_on()) {
      return failure(
          {.code = 0, .reason = "Stopped", .message = "the list was not needed any more"});
    }
    auto page = reader.list(resource, options);
    if (!page) {
      // The state that the first page was of has been compacted. Going on with the token that the
      // answer offers would mix two states, so the list starts over, once.
      const bool expired = page.error().code == 410 && !options.continue_token.empty();
      if (!expired || started_over) return page;
      started_over = true;
      options.continue_token.clear();
      all = {};
      continue;
    }
    if (on_page) on_page(page->items);
    std::move(page->items.begin(), page->items.end(), std::back_inserter(all.items));
    all.resource_version = std::move(page->resource_version);
    if (page->continue_token.empty()) return all;
    if (page->continue_token == options.continue_token) {
      return failure({.code = 0,
                      .reason = reasons::kInternal,
                      .message = "the server gave the same page of a list twice"});
    }
    options.continue_token = std::move(page->continue_token);
  }
}

Result<json::RawList> listAll(Reader& reader, const Resource& resource, ListOptions options) {
  return listAllWhile(reader, resource, std::move(options), [] { return true; });
}

}  // namespace vkb::kube
