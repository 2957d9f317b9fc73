#include "load/lists.h"

#include <cstdio>
#include <thread>

#include "kube/urls.h"
#include "load/workplace.h"

namespace vkb::load {
namespace {

/// Bytes of all pages.
Result<std::size_t> readPages(kube::Client& client, const std::string& query) {
  const std::string key = "\"continue\":\"";
  std::size_t bytes = 0;
  std::string token;
  do {
    const auto page = client.getRaw("/api/v1/pods?limit=500" + query +
                                    (token.empty() ? "" : "&continue=" + kube::urlEscape(token)));
    if (!page) return failure(page.error());
    bytes += page->size();
    // The list's own metadata stand before its items.
    const std::size_t found = page->find(key), items = page->find("\"items\"");
    token.clear();
    if (found < items) {
      const std::size_t begin = found + key.size();
      token = page->substr(begin, page->find('"', begin) - begin);
    }
  } while (!token.empty());
  return bytes;
}

}  // namespace

Result<void> runLists(const ListsOptions& options) {
  Workplace workplace(2);
  auto home = workplace.connect(options.kubeconfig);
  if (!home) return failure(home.error());
  auto target = workplace.connect(options.second_kubeconfig);
  if (!target) return failure(target.error());
  const TimePoint begin = workplace.clock().now();
  Result<std::size_t> of_home, of_target;
  {
    const std::jthread other([&] { of_target = readPages(**target, ""); });
    of_home =
        readPages(**home, "&fieldSelector=" + kube::urlEscape("spec.nodeName=" + options.node));
  }
  if (!of_home) return failure(of_home.error());
  if (!of_target) return failure(of_target.error());
  std::printf("{\"listed_s\":%.3f,\"bytes\":%zu}\n", secondsBetween(begin, workplace.clock().now()),
              *of_home + *of_target);
  return {};
}

}  // namespace vkb::load
