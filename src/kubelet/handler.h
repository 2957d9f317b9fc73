#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/log.h"
#include "json/object.h"
#include "kubelet/access.h"
#include "kubelet/http_request_head.h"
#include "net/certificate.h"
#include "vkbridge/streams.h"

namespace vkb::kubelet {

/// What a request is answered with.
struct Answer {
  int code = 200;
  std::vector<std::pair<std::string, std::string>> headers{};  ///< besides those that frame it
  std::string body{};
  /// With code 101: the connection to splice. Else, when there is one: what the body is read from.
  std::unique_ptr<ByteStream> stream{};
};
Answer textAnswer(int code, std::string text);

/// Everything about a request but its transport: who asks, may they, and what is the answer.
/// Thread-safe; calls block while home or the provider is asked.
class Handler {
 public:
  struct Deps {
    const Clock& clock;
    kube::Client& home;  ///< TokenReviews and SubjectAccessReviews
    // Null: the provider cannot do that, 501.
    ContainerLogs* logs = nullptr;
    ContainerStreams* streams = nullptr;
    PodStats* stats = nullptr;
    std::function<std::vector<json::ObjectPtr>()> pods;  ///< home's pods bound to this node
    base::Logger& logger;
  };
  Handler(Deps deps, std::string node, bool anonymous)
      : deps_(std::move(deps)),
        node_(std::move(node)),
        anonymous_(anonymous),
        access_(deps_.clock, deps_.home) {}

  /// `peer`: the client's verified certificate.
  Answer handle(const RequestHead& head, const std::optional<net::PeerName>& peer,
                std::stop_token stop);

 private:
  std::optional<User> identify(const RequestHead& head, const std::optional<net::PeerName>& peer);
  /// Nothing: allowed.
  std::optional<Answer> refusal(const User& user, const Attributes& attributes);

  const Deps deps_;
  const std::string node_;
  const bool anonymous_;
  Access access_;
};

}  // namespace vkb::kubelet
