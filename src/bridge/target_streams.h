#pragma once

#include <functional>
#include <string>

#include "json/object.h"
#include "kube/client.h"
#include "vkbridge/provider.h"
#include "vkbridge/streams.h"

namespace vkb::bridge {

/// The home pod that a request means, and what stands for it in the target.
struct StreamTarget {
  json::ObjectPtr home_pod;
  PodPlace delegate;  ///< empty name: it is bound to the node, but has no delegate
};
/// By home's namespace and name, among the pods bound to this node. Only a delegate whose UID is
/// the one recorded for this home pod's UID counts: neither annotations nor labels that somebody
/// wrote lead anywhere. Nothing: no such pod here.
using FindStreamTarget =
    std::function<std::optional<StreamTarget>(const std::string& ns, const std::string& name)>;

/// Logs, exec, attach and port-forward of delegates through the target's API server: GET of
/// pods/log, and upgrades of pods/exec and the like, whose connection is handed on as it is. URLs
/// are built from names that are known to be names; of the client's headers only those of the
/// upgrade go along; credentials are this program's own.
class TargetStreams final : public ContainerLogs, public ContainerStreams {
 public:
  TargetStreams(kube::Client& target, FindStreamTarget find)
      : target_(target), find_(std::move(find)) {}

  Result<std::unique_ptr<ByteStream>> getContainerLogs(const ContainerRef& container,
                                                       const ContainerLogOptions& options,
                                                       std::stop_token stop) override;
  Result<StreamAnswer> openStream(const StreamRequest& request, std::stop_token stop) override;

 private:
  /// With its container, which home's pod has.
  Result<StreamTarget> find(const ContainerRef& container) const;

  kube::Client& target_;
  const FindStreamTarget find_;
};

/// Path and query in the target's API; errors where a name is none.
Result<std::string> logUrl(const PodPlace& delegate, const std::string& container,
                           const ContainerLogOptions& options);
Result<std::string> streamUrl(const PodPlace& delegate, const StreamRequest& request);
/// What the target said, with home's names in place of the delegate's.
std::string withHomeNames(std::string text, const PodPlace& delegate, const ContainerRef& home);

}  // namespace vkb::bridge
