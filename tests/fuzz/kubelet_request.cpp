// Requests to the kubelet API: the head, its target, and where it is routed to. First byte: where
// the head is cut once.
#include "base/check.h"
#include "fuzz/input.h"
#include "kubelet/http_request_head.h"
#include "kubelet/routes.h"

using namespace vkb;

namespace {

bool isName(const std::string& text) {
  return !text.empty() &&
         text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-.") == std::string::npos &&
         text.find("..") == std::string::npos;
}

void checkContainer(const ContainerRef& container, bool named) {
  VKB_CHECK(isName(container.ns) && isName(container.pod), "a name that is none got through");
  VKB_CHECK(named ? isName(container.container) : container.container.empty(),
            "a container's name that is none got through");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const unsigned cut = input.byte();
  const std::string_view text = input.rest();
  const auto parsed = kubelet::parseRequestHead(text);
  const auto begun =
      kubelet::parseRequestHead(text.substr(0, std::min<std::size_t>(cut, text.size())));
  // What is refused early stays refused; what is complete early is the same head.
  if (!begun) VKB_CHECK(!parsed, "more bytes made a refused head good");
  if (!parsed || !*parsed) return 0;
  const kubelet::RequestHead& head = **parsed;
  VKB_CHECK(head.size <= text.size() && text.substr(0, head.size).ends_with("\r\n\r\n"),
            "the head ends elsewhere");
  VKB_CHECK(head.count("Transfer-Encoding") == 0 && head.count("Host") == 1,
            "a head that others could read otherwise");
  for (const auto& [name, value] : head.headers) {
    VKB_CHECK(value.find_first_of("\r\n") == std::string::npos, "a line break in a value");
  }
  const auto route = kubelet::routeOf(head);
  if (!route) return 0;
  if (const auto* logs = std::get_if<kubelet::Logs>(&*route)) checkContainer(logs->container, true);
  if (const auto* stream = std::get_if<StreamRequest>(&*route)) {
    checkContainer(stream->container, stream->kind != StreamRequest::Kind::kPortForward);
    for (const auto& [name, value] : stream->headers) {
      VKB_CHECK(value.find("base64url.bearer.authorization.k8s.io.") == std::string::npos,
                "a token goes along");
    }
  }
  return 0;
}
